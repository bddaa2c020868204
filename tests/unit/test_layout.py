"""The shape of the code, held by reading it: sizes, names, words, imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("distributor", "subscribers")
MAX_LINES = 400
FRONT_DOOR = "subscribers/__init__.py"
SHAPELESS_MODULES = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
SHAPELESS_VERB = re.compile(r"_*(process|handle)_")
# Hooks that SQLAlchemy and aiosmtpd call by these names.
LIBRARY_HOOK = re.compile(r"process_(bind|result|literal)_\w+|handle_[A-Z]+")
# Words of the glossary's third column that have no second, innocent meaning.
FORBIDDEN_WORDS = {
    "blacklist",
    "blast",
    "blocklist",
    "campaign",
    "denylist",
    "edition",
    "member",
    "membership",
    "shard",
}


def product_modules() -> list[Path]:
    modules = [ROOT / "worker.py"]
    for package in PACKAGES:
        modules += sorted((ROOT / package).rglob("*.py"))
    return modules


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), named(path))


def defined_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that this code gives to something, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.arg():
                yield node.arg, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno
            case ast.alias(asname=str(name)):
                yield name, node.lineno


def words_of(name: str) -> set[str]:
    """`MaxBlastSize_s` -> {max, blast, size, s}, plurals cut."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word for part in parts for word in (part.lower(), part.lower().rstrip("s"))}


each_module = pytest.mark.parametrize("path", product_modules(), ids=named)
each_package_file = pytest.mark.parametrize(
    "path", [p for p in product_modules() if p.name == "__init__.py"], ids=named
)


@each_module
def test_a_module_is_at_most_400_lines_long(path: Path) -> None:
    if path.parent.name == "versions":
        return  # a migration is written once and never edited: nobody lives in it
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@each_module
def test_a_module_says_first_what_it_holds(path: Path) -> None:
    docstring = ast.get_docstring(tree_of(path))
    assert docstring, f"{named(path)} has no docstring"


@each_module
def test_a_module_is_named_after_a_noun_of_the_field(path: Path) -> None:
    parts = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    assert not parts & (SHAPELESS_MODULES | FORBIDDEN_WORDS)


@each_module
def test_names_say_what_is_done(path: Path) -> None:
    shapeless = [
        f"{named(path)}:{line} {name}"
        for name, line in defined_names(tree_of(path))
        if SHAPELESS_VERB.match(name) and not LIBRARY_HOOK.fullmatch(name)
    ]
    assert not shapeless


@each_module
def test_names_keep_to_the_glossary(path: Path) -> None:
    strange = [
        f"{named(path)}:{line} {name}"
        for name, line in defined_names(tree_of(path))
        if words_of(name) & FORBIDDEN_WORDS
    ]
    assert not strange


@each_module
def test_imports_name_their_module_in_full(path: Path) -> None:
    relative = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert not relative


@each_package_file
def test_a_package_file_holds_nothing_but_its_docstring(path: Path) -> None:
    if named(path) == FRONT_DOOR:
        allowed: tuple[type[ast.stmt], ...] = (ast.ImportFrom, ast.Assign)
    else:
        allowed = ()
    body = tree_of(path).body[1:]
    assert [type(node) for node in body if not isinstance(node, allowed)] == []


def test_the_front_door_lists_exactly_what_it_lets_through() -> None:
    tree = tree_of(ROOT / FRONT_DOOR)
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    listed = next(
        {element.value for element in node.value.elts}
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
    )
    assert listed == imported


def test_the_worker_module_only_puts_settings_and_tasks_together() -> None:
    """import-linter sees packages only, so this one module is read here."""
    tree = tree_of(ROOT / "worker.py")
    sources = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
    }
    assert sources == {"distributor.config", "distributor.tasks"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    assert [name for name, _ in defined_names(tree)] == ["app"]


def test_forbidden_words_are_those_of_the_glossary() -> None:
    rows = re.findall(
        r"^\|.*\|.*\|(.*)\|$",
        (ROOT / "GLOSSARY.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    discouraged = {word for row in rows for word in re.findall(r"[a-z]+", row)}
    assert discouraged >= FORBIDDEN_WORDS


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("start_campaign", "campaign"),
        ("MailBlasts", "blast"),
        ("BLACKLIST", "blacklist"),
        ("_list_members_count", "member"),
    ],
)
def test_words_are_found_in_every_style_of_name(name: str, word: str) -> None:
    assert word in words_of(name)


@pytest.mark.parametrize("name", ["remember", "additional", "blasting_cap"])
def test_a_word_inside_a_word_is_not_found(name: str) -> None:
    assert not words_of(name) & FORBIDDEN_WORDS


def test_every_test_file_has_a_name_of_its_own() -> None:
    """Files are imported by their stem, so two of one name would hide each other."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


def test_the_tests_hold_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
