"""The command line as staff use it: inside this process, or as one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from distributor.cli.main import main
from tests.fakes.newsletters import DATA

ROOT = Path(__file__).parents[2]
WIC = ["issue", "import", str(DATA / "wic-news.txt"), "--slug", "wic"]
WIC_FACTS = ["--number", "7", "--date", "2023-06-30"]


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Staff:
    """Somebody at the terminal of one workspace.

    Attributes:
        root: The workspace.
        run: Runs a command line without the program's name.
    """

    root: Path
    run: Callable[..., Answer]

    def __call__(self, *words: str | Path) -> Answer:
        return self.run("-w", str(self.root), *map(str, words))

    def done(self, *words: str | Path) -> Answer:
        """A command that must succeed."""
        answer = self(*words)
        assert answer.status == 0, answer
        return answer

    def failed(self, *words: str | Path) -> str:
        """A command that must fail; what it said, which is never a traceback."""
        answer = self(*words)
        assert answer.status == 1, answer
        assert answer.err.startswith("distributor: ") or "\ndistributor: " in answer.err
        return answer.err

    def file(self, name: str, content: str | bytes) -> Path:
        """A file beside the workspace."""
        path = self.root.parent / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def setting(self, line: str) -> None:
        """One more line of distributor.toml."""
        with (self.root / "distributor.toml").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def people(self, count: int, slug: str = "news") -> None:
        """A list with so many readers."""
        rows = "".join(f"reader{n}@example.org,Reader {n}\n" for n in range(count))
        self.done("list", "add", slug)
        self.done(
            *("subscriber", "import", self.file("people.csv", "email,name\n" + rows)),
            *("--list", slug),
        )


def run_here(capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs commands in this process, which is quick."""

    def run(*words: str) -> Answer:
        capfd.readouterr()
        try:
            main(words)
            status = 0
        except SystemExit as end:
            status = (
                end.code if isinstance(end.code, int) else int(end.code is not None)
            )
        out, err = capfd.readouterr()
        return Answer(status, out, err)

    return run


def start(*words: str | Path, log: Path, **environ: str) -> subprocess.Popen[bytes]:
    """The command as a process; its output goes to `log`.out and `log`.err.

    Files and not pipes: a worker left behind would hold a pipe open for ever.
    """
    with (
        log.with_suffix(".out").open("wb") as out,
        log.with_suffix(".err").open("wb") as err,
    ):
        return subprocess.Popen(
            [sys.executable, "-m", "distributor", *map(str, words)],
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )


def ended(process: subprocess.Popen[bytes], *, log: Path, within_s: float) -> Answer:
    """What it answered; one that hangs is killed, and the test with it."""
    try:
        status = process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    out, err = (log.with_suffix(s).read_text("utf-8") for s in (".out", ".err"))
    return Answer(status, out, err)


def run_apart(*words: str | Path, log: Path, within_s: float = 60) -> Answer:
    """Runs a command as a process of its own."""
    return ended(start(*words, log=log), log=log, within_s=within_s)
