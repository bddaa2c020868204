"""What commands share: the workspace they work in, its database and its templates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa
import typer

from distributor.cli.output import say
from distributor.config import Settings, load_here
from distributor.errors import ContentError, DistributorError, Problem, UnknownError
from distributor.frontmatter import parse_issue
from distributor.issue import Issue
from distributor.render.renditions import Renditions, render
from distributor.render.templates import Templates, builtin_templates
from distributor.storage.database import open_database


def now() -> datetime:
    """The clock of the command line."""
    return datetime.now(UTC)  # noqa: TID251  (a door: the clock enters here)


@dataclass
class Workspace:
    """The workspace of this run; opens what is asked for, once."""

    named: Path | None = None

    @cached_property
    def settings(self) -> Settings:
        """The checked settings."""
        return load_here(self.named)

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; an embedded one is created and upgraded on the way."""
        embedded = not self.settings.database_url
        return open_database(self.settings.database, may_migrate=embedded)

    @cached_property
    def templates(self) -> Templates:
        """The workspace's own templates before the built-in ones."""
        return Templates([self.settings.root / "templates", builtin_templates()])

    def issue_path(self, slug: str) -> Path:
        """Where an issue's Markdown is kept."""
        return self.settings.issues_dir / f"{slug}.md"

    def issue(self, slug: str) -> Issue:
        """The issue, read and checked."""
        slug = slug.removesuffix(".md").rpartition("/")[2]
        path = self.issue_path(slug)
        if not path.is_file():
            raise UnknownError(_no_such_issue(slug, self.settings.issues_dir))
        return parse_issue(read_text(path), source=path.name, slug=slug)

    def rendered(self, slug: str) -> tuple[Issue, Renditions]:
        """The issue with all its renditions."""
        issue = self.issue(slug)
        return issue, render(issue, self.settings.brand, self.templates)


def workspace_of(context: typer.Context) -> Workspace:
    """The workspace that `--workspace` (or the current folder) names."""
    workspace = context.obj
    if not isinstance(workspace, Workspace):
        raise TypeError("the command was not started through its main callback")
    return workspace


def read_text(path: Path) -> str:
    """The file's text; not UTF-8, or unreadable, is a sentence with the place."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DistributorError(f"cannot read {path}: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(line, "is not UTF-8 text: save the file as UTF-8")
        raise ContentError(path.name, [problem]) from error


def confirmed(
    question: str, *, yes: bool, stdin_is_a_terminal: Callable[[], bool]
) -> bool:
    """Asks before what cannot be taken back; `--yes` answers, a program must use it."""
    if yes:
        return True
    if not stdin_is_a_terminal():
        raise typer.BadParameter(f"{question} Nobody can answer here: add --yes.")
    if typer.confirm(question):
        return True
    say("Nothing was done.")
    return False


def _no_such_issue(slug: str, folder: Path) -> str:
    known = sorted(path.stem for path in folder.glob("*.md"))
    hint = f"there are: {', '.join(known)}" if known else "there are none yet"
    return (
        f"no issue {slug!r} in {folder} ({hint}); "
        "`distributor issue import FILE` brings one in"
    )
