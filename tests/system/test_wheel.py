"""The wheel is whole: built offline and installed elsewhere, it works on its own."""

from __future__ import annotations

import email.parser
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """The command's output; a failure shows what it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", *flags, "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents, as pip lays them out."""
    folder = tmp_path_factory.mktemp("site-packages")
    flags = ["--no-deps", "--no-index", "--quiet", "--target", folder]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "install", *flags, wheel, cwd=folder)
    return folder


def files_under(folder: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("package", ["distributor", "subscribers"])
def test_every_file_of_a_package_is_in_the_wheel(
    contents: set[str], package: str
) -> None:
    assert files_under(package) <= contents


def test_the_templates_are_in_the_wheel_inside_the_package(contents: set[str]) -> None:
    templates = {f"distributor/{name}" for name in files_under("templates")}
    assert templates
    assert templates <= contents


def test_the_celery_application_is_in_the_wheel(contents: set[str]) -> None:
    assert "worker.py" in contents


def test_migrations_are_in_the_wheel(contents: set[str]) -> None:
    versions = "distributor/storage/migrations/versions/"
    assert [name for name in contents if name.startswith(versions)]
    assert "distributor/storage/migrations/env.py" in contents


def test_nothing_else_is_in_the_wheel(contents: set[str]) -> None:
    tops = {name.partition("/")[0] for name in contents}
    expected = {"distributor", "subscribers", "worker.py"}
    assert {top for top in tops if not top.endswith(".dist-info")} == expected
    assert not [name for name in contents if "__pycache__" in name]


def test_the_wheel_says_what_it_is_and_under_which_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (place,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        facts = email.parser.Parser().parsestr(archive.read(place).decode("utf-8"))
    assert facts["Name"] == "distributor"
    assert facts["License-Expression"] == "MIT"
    assert [name for name in names if name.endswith("/licenses/LICENSE")]


def test_two_builds_are_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", *flags, "--wheel-dir", tmp_path, ROOT, cwd=tmp_path)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("module", ["distributor", "subscribers", "worker"])
def test_an_installation_imports_its_own_files(
    installed: Path, tmp_path: Path, module: str
) -> None:
    code = f"import importlib.util as u; print(u.find_spec({module!r}).origin)"
    found = run(
        sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)
    ).strip()
    assert Path(found).is_relative_to(installed)


def test_an_installation_knows_its_version(installed: Path, tmp_path: Path) -> None:
    said = run(
        sys.executable,
        *("-m", "distributor", "--version"),
        cwd=tmp_path,
        PYTHONPATH=str(installed),
    )
    assert said.split() == ["distributor", "0.1.0"]


def test_an_installation_makes_a_workspace_and_its_tables(
    installed: Path, tmp_path: Path
) -> None:
    """Needs configuration, migrations and templates, all from the installed files."""
    program = [sys.executable, "-m", "distributor"]
    path = str(installed)
    run(*program, "init", "news", cwd=tmp_path, PYTHONPATH=path)
    run(*program, "list", "add", "readers", cwd=tmp_path / "news", PYTHONPATH=path)
    shown = run(
        *program, "list", "show", "--json", cwd=tmp_path / "news", PYTHONPATH=path
    )
    assert '"readers"' in shown
