"""The Compose file and the Dockerfile, held against their specification and our rules.

The specification's schema comes with the package `check-jsonschema`; no Docker needed.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from distributor.config import Settings
from tests.fakes.composefile import (
    COMPOSE_FILE,
    ROOT,
    VARIABLE,
    MissingVariableError,
    compose,
    our_services,
)

TRIAL = {"POSTGRES_PASSWORD": "trial"}
OURS = ["migrate", "scheduler", "web", "worker"]
DOCUMENT = compose(TRIAL)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")

each_service = pytest.mark.parametrize("name", sorted(SERVICES))
each_of_ours = pytest.mark.parametrize("name", OURS)


def specification() -> jsonschema.Draft7Validator:
    folder = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    return validator(schema)


def faults(document: Any) -> list[str]:
    return [error.message for error in specification().iter_errors(document)]


def test_the_file_is_valid_against_the_compose_specification() -> None:
    assert faults(DOCUMENT) == []


def test_the_file_is_valid_before_its_variables_are_filled_in() -> None:
    assert faults(yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("services", "web", "comand"), ["web"]),
        (("services", "web", "ports"), [{"target": []}]),
        (("services", "worker", "depends_on", "redis"), {"condition": "healthy"}),
        (("volumes",), ["mail"]),
    ],
)
def test_the_specification_refuses_a_mistake(
    place: tuple[str, ...], value: Any
) -> None:
    broken = copy.deepcopy(DOCUMENT)
    part = broken
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    assert faults(broken)


def test_the_services_are_those_of_the_design() -> None:
    assert sorted(our_services(DOCUMENT)) == OURS
    assert sorted(SERVICES) == sorted([*OURS, "postgres", "redis", "mailpit"])


@each_service
def test_every_service_says_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    check = service["healthcheck"]
    if check.get("disable"):
        # One that ends by itself; the others wait for its exit status instead.
        assert service["restart"] == "no"
        return
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@each_service
def test_what_a_service_waits_for_can_come_true(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        ends = bool(SERVICES[other]["healthcheck"].get("disable"))
        expected = "service_completed_successfully" if ends else "service_healthy"
        assert wait["condition"] == expected, other


@each_service
def test_volumes_and_networks_of_a_service_are_declared(name: str) -> None:
    service = SERVICES[name]
    sources = [volume.partition(":")[0] for volume in service.get("volumes", [])]
    named = {source for source in sources if not source.startswith((".", "/"))}
    assert named <= DOCUMENT["volumes"].keys()
    assert set(service["networks"]) <= DOCUMENT["networks"].keys()


def test_every_declared_volume_and_network_is_used() -> None:
    mounts = {
        v.partition(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])
    }
    networks = {network for s in SERVICES.values() for network in s["networks"]}
    assert DOCUMENT["volumes"].keys() <= mounts
    assert DOCUMENT["networks"].keys() == networks


@each_service
def test_only_this_machine_reaches_a_port(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert bool(ports) == (name in {"web", "mailpit"})


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_database_and_broker_are_cut_off_from_the_world(name: str) -> None:
    assert SERVICES[name]["networks"] == ["inside"]
    assert DOCUMENT["networks"]["inside"]["internal"] is True


@each_service
def test_no_service_can_gain_rights(name: str) -> None:
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


@each_of_ours
def test_our_services_run_as_nobody_special_and_write_only_where_they_may(
    name: str,
) -> None:
    service = SERVICES[name]
    assert service["user"] == "1000:1000"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"] == ["./workspace:/workspace"]


@each_of_ours
def test_what_our_services_are_told_are_settings(name: str) -> None:
    told = {
        key.removeprefix("DISTRIBUTOR_").lower()
        for key in SERVICES[name]["environment"]
        if key.startswith("DISTRIBUTOR_")
    }
    assert told == {"workspace", "database_url", "broker_url", "smtp_url"}
    assert told - {"workspace"} <= Settings.model_fields.keys()


@each_of_ours
def test_urls_lead_to_services_of_the_file(name: str) -> None:
    environment = SERVICES[name]["environment"]
    urls = [value for key, value in environment.items() if key.endswith("_URL")]
    assert {urlsplit(url).hostname for url in urls} == {"postgres", "redis", "mailpit"}


def test_without_a_password_compose_says_what_to_do() -> None:
    with pytest.raises(
        MissingVariableError, match=r"\.env\.example.*POSTGRES_PASSWORD"
    ):
        compose({})


def test_no_password_is_written_into_the_file() -> None:
    raw = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
    password = raw["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"]
    match = VARIABLE.fullmatch(password)
    assert match is not None
    assert match["how"] == "?"


def test_every_variable_is_explained_in_the_example() -> None:
    used = {
        m["name"] for m in VARIABLE.finditer(COMPOSE_FILE.read_text(encoding="utf-8"))
    }
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert used == set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))


def test_the_file_with_secrets_is_in_neither_the_repository_nor_the_image() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert ".env" in ignored
    allowed = [line for line in docker_context() if fnmatch(".env", line)]
    assert allowed == []


@each_of_ours
def test_the_command_of_a_service_is_one_that_the_program_has(name: str) -> None:
    arguments = [*SERVICES[name]["command"], "--help"]
    asked = subprocess.run(
        [sys.executable, "-m", "distributor", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert "Usage" in asked.stdout


def docker_context() -> list[str]:
    """What .dockerignore lets through: it keeps everything out, then names these."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    return [rule.removeprefix("!") for rule in rules if rule.startswith("!")]


def test_the_image_is_built_from_files_that_exist_and_are_let_through() -> None:
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        copied |= set(line.split()[:-1])
    assert copied == set(docker_context())
    assert [name for name in sorted(copied) if not (ROOT / name).exists()] == []


def test_the_image_starts_the_program_as_nobody_special() -> None:
    last_stage = DOCKERFILE.split("\nFROM ")[-1]
    assert re.findall(r"^USER (.+)$", last_stage, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^ENTRYPOINT (.+)$", last_stage, re.MULTILINE) == [
        '["distributor"]'
    ]


def test_the_image_holds_only_packages_whose_hashes_were_checked() -> None:
    installs = re.findall(r"pip install .*", DOCKERFILE)
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-index" in line
