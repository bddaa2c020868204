"""Documents and wiring tell the truth: links, targets, commands, settings, versions."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from distributor.cli.main import app
from distributor.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "GLOSSARY.md", "CHANGELOG.md"]
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]
FENCE = re.compile(
    r"^```(?:sh|console|bash|shell)?\n(.*?)^```$", re.MULTILINE | re.DOTALL
)

each_document = pytest.mark.parametrize("name", DOCUMENTS)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def anchors_of(text: str) -> set[str]:
    """The fragments that headings get when a Markdown file is shown on the web."""
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in headings
    }


def make_targets() -> set[str]:
    (listed,) = re.findall(r"^\.PHONY: (.+)$", text_of("Makefile"), re.MULTILINE)
    return set(listed.split())


def commands() -> dict[str, Any]:
    """`issue import` -> its command, for every command of the program."""
    found: dict[str, Any] = {}

    def walk(group: Any, before: str) -> None:
        for name, command in group.commands.items():
            path = f"{before} {name}".strip()
            if hasattr(command, "commands"):
                walk(command, path)
            else:
                found[path] = command

    # Typer may bring its own copy of click, so the classes cannot be asked.
    walk(typer.main.get_command(app), "")
    return found


def shown_calls(text: str) -> list[str]:
    """Every `distributor …` line of the text's shell examples, continuations joined."""
    blocks = "\n".join(FENCE.findall(text)).replace("\\\n", " ")
    lines = (line.strip().removeprefix("$ ") for line in blocks.splitlines())
    return [line for line in lines if re.match(r"(\S*/)?distributor ", line)]


def fault_of(call: str) -> str | None:
    """What is wrong with an example's command or options; None if nothing is."""
    words = shlex.split(call, comments=True)[1:]
    plain = [word for word in words if not word.startswith("-")]
    known = commands()
    name = next((p for p in (" ".join(plain[:2]), plain[0]) if p in known), None)
    if name is None:
        return f"no such command: {call}"
    options = {o for p in known[name].params for o in (*p.opts, *p.secondary_opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    unknown = used - options - {"--help", "--workspace", "--version"}
    return f"no option {', '.join(sorted(unknown))}: {call}" if unknown else None


@each_document
def test_links_within_the_repository_lead_somewhere(name: str) -> None:
    text = text_of(name)
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
        path, _, fragment = target.partition("#")
        assert (ROOT / path).exists(), target
        if fragment:
            there = text_of(path) if path else text
            assert fragment in anchors_of(there), target


@each_document
def test_make_targets_that_a_document_names_exist(name: str) -> None:
    named = re.findall(r"(?:`|^)make ([a-z][a-z-]*)", text_of(name), re.MULTILINE)
    assert set(named) <= make_targets()


def test_every_make_target_is_explained_by_make_itself() -> None:
    explained = re.findall(r"^([a-z-]+):.*## \S", text_of("Makefile"), re.MULTILINE)
    assert set(explained) == make_targets()


@each_document
def test_examples_call_commands_and_options_that_exist(name: str) -> None:
    faults = [fault for call in shown_calls(text_of(name)) if (fault := fault_of(call))]
    assert faults == []


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("distributor send wic-1 --list news", None),
        ("distributor sendd wic-1", "no such command: distributor sendd wic-1"),
        ("distributor web --prot 1", "no option --prot: distributor web --prot 1"),
    ],
)
def test_a_wrong_example_is_noticed(call: str, fault: str | None) -> None:
    assert fault_of(call) == fault


def test_the_readme_names_every_command() -> None:
    readme = text_of("README.md")
    missing = [
        path
        for path in commands()
        if not re.search(rf"{path.rpartition(' ')[2]}\b", readme)
        or not re.search(rf"\b{path.partition(' ')[0]}\b", readme)
    ]
    assert missing == []


def test_every_command_says_what_it_does() -> None:
    assert [path for path, command in commands().items() if not command.help] == []


@each_document
def test_variables_that_a_document_names_are_settings(name: str) -> None:
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]*[A-Z])\b", text_of(name)))
    compose_only = {"UID", "GID", "WORKSPACE_DIR", "WEB_PORT"}
    known = {field.upper() for field in Settings.model_fields} | {"WORKSPACE"}
    assert named <= known | compose_only


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    versions = re.findall(r"^## \[(\d[^\]]*)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == project["version"]


def pins_of(lock: str) -> list[tuple[str, str, str]]:
    """(name, version, marker) of every entry of a lock file."""
    pattern = r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==([^\s;]+)(?: ; (.*?))? \\$"
    found = re.findall(pattern, text_of(lock), re.MULTILINE)
    return [(normal(name), version, marker) for name, version, marker in found]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_locks_hold_every_dependency_of_the_project() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))
    needed = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    lists = (needed, needed + groups["dev"], groups["build"])
    wanted = dict(zip(LOCKS, lists, strict=True))
    for lock, requirements in wanted.items():
        asked = {normal(re.split(r"[<>=\[;! ]", it)[0]) for it in requirements}
        assert asked <= {name for name, _, _ in pins_of(lock)}, lock


def test_locks_agree_on_every_version() -> None:
    """A venv is made from two of them, so one package cannot have two versions."""
    versions: dict[tuple[str, str], set[str]] = {}
    for lock in LOCKS:
        for name, version, marker in pins_of(lock):
            versions.setdefault((name, marker), set()).add(version)
    assert {key: it for key, it in versions.items() if len(it) > 1} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_its_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", text_of(lock), flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins_of(lock)) > 0
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_to_download_from(lock: str) -> None:
    assert "://" not in text_of(lock)
    assert "index-url" not in text_of(lock)
