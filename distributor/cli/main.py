"""The `distributor` command: parse, call, print; errors are one helpful sentence."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from distributor.cli import demo, issues, people, progress, sending, service, start
from distributor.cli.output import errors, say
from distributor.cli.workspace import Workspace
from distributor.errors import DistributorError
from subscribers import SubscribersError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Distributes a newsletter: an issue is written once, rendered once into email, "
        "text, feeds and a web page, and delivered once to every subscriber.\n\n"
        "First steps: `distributor init`, `distributor issue import`, "
        "`distributor list add`, `distributor subscriber import`, `distributor send`; "
        "or see everything at once with `distributor demo`."
    ),
)
app.add_typer(issues.app, name="issue")
app.add_typer(people.lists_app, name="list")
app.add_typer(people.subscribers_app, name="subscriber")
for module in (start, sending, progress, service, demo):
    module.register(app)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        say(f"distributor {version('distributor')}")
    except PackageNotFoundError:
        say("distributor, not installed but run from its source")
    raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            "-w",
            envvar="DISTRIBUTOR_WORKSPACE",
            help="Folder with distributor.toml (default: here or above).",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Keeps the chosen workspace for the command that follows."""
    context.obj = Workspace(workspace)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; exit status 0 done, 1 failed, 2 wrong usage.

    Ctrl-C is 130 and a reader that went away (`| head`) is 1, both without a word.

    Args:
        arguments: Words after the program's name (default: this process's own).
    """
    try:
        with _terminable():
            app(args=arguments)
    except (DistributorError, SubscribersError, OSError) as error:
        errors.print(f"distributor: {error}", markup=False)
        sys.exit(1)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that workers we started are stopped."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
