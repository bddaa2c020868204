"""docker-compose.yml as Docker Compose reads it: merged, with variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
OUR_IMAGE = "distributor:local"

# ${NAME}, ${NAME:-default} and ${NAME:?what to do}, the forms that the file uses.
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<how>[-?])(?P<text>[^}]*))?\}")


class MissingVariableError(Exception):
    """A variable without which Compose refuses to start, with the file's own hint."""


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with every variable filled in, all the way down."""

    def fill(match: re.Match[str]) -> str:
        found = variables.get(match["name"])
        if found:
            return found
        if match["how"] == "?":
            raise MissingVariableError(f"{match['name']}: {match['text']}")
        return match["text"] or ""

    if isinstance(value, str):
        return VARIABLE.sub(fill, value)
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    return value


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The whole file, interpolated."""
    text = COMPOSE_FILE.read_text(encoding="utf-8")
    document: dict[str, Any] = interpolated(yaml.safe_load(text), variables)
    return document


def our_services(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run this program."""
    services: dict[str, dict[str, Any]] = document["services"]
    return {name: it for name, it in services.items() if it["image"] == OUR_IMAGE}
