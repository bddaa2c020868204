"""`distributor list …` and `distributor subscriber …`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, TextIO

import typer
from rich.progress import wrap_file

import subscribers
from distributor.cli.output import counted, errors, local, print_json, print_table, say
from distributor.cli.workspace import Workspace, now, workspace_of
from distributor.errors import DistributorError, RefusedError
from distributor.storage.database import reading, writing
from subscribers import Consent, ImportReport, ImportRequest, Method, State

lists_app = typer.Typer(no_args_is_help=True, help="Lists that people subscribe to.")
subscribers_app = typer.Typer(
    no_args_is_help=True, help="Import, export and look up subscribers."
)
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
ListName = Annotated[str, typer.Option("--list", "-l", help="Name of the list.")]

SHOWN_REFUSALS = 20
"""Refused rows shown at the terminal; `--report` takes them all."""


@lists_app.command("add")
def add(
    context: typer.Context,
    slug: Annotated[str, typer.Argument(help="Short name, like weekly-news.")],
    name: Annotated[str | None, typer.Option(help="Name that people read.")] = None,
    description: Annotated[str, typer.Option(help="One sentence.")] = "",
) -> None:
    """Adds a list."""
    with writing(workspace_of(context).engine) as connection:
        subscribers.add_list(
            connection, slug, name=name or slug, description=description, now=now()
        )
    say(f"List {slug} is there. Next: distributor subscriber import FILE --list {slug}")


@lists_app.command("show")
def show_lists(
    context: typer.Context,
    slug: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Shows the lists and how many people are on them."""
    with reading(workspace_of(context).engine) as connection:
        if slug is not None:
            subscribers.get_list(connection, slug)
        found = [
            (one, counts)
            for one, counts in subscribers.all_lists(connection)
            if slug in {None, one.slug}
        ]
    if as_json:
        print_json(
            [{"slug": o.slug, "name": o.name, **asdict(counts)} for o, counts in found]
        )
    elif not found:
        say("No lists yet: distributor list add NAME")
    else:
        states = ["confirmed", "unconfirmed", "unsubscribed"]
        rows = [(o.slug, o.name, *(getattr(c, s) for s in states)) for o, c in found]
        print_table(["list", "name", *states], rows, right=states)


@subscribers_app.command("import")
def import_people(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a column `email`.")],
    list_slug: ListName,
    evidence: Annotated[
        str, typer.Option(help="Where their consent is on record, in words.")
    ] = "",
    unconfirmed: Annotated[
        bool, typer.Option("--unconfirmed", help="They have not confirmed yet.")
    ] = False,
    keep_good: Annotated[
        bool, typer.Option("--keep-good", help="Import the good rows of a bad file.")
    ] = False,
    report_to: Annotated[
        Path | None, typer.Option("--report", help="CSV of all refused rows.")
    ] = None,
) -> None:
    """Subscribes everybody in a CSV file to a list; with one bad row, nobody.

    Whoever unsubscribed or is suppressed stays so. People who are on the list
    already are not changed.
    """
    workspace = workspace_of(context)
    consent = Consent(
        Method.IMPORT,
        evidence=evidence or f"imported from {file.name}",
        at=now(),
        state=State.UNCONFIRMED if unconfirmed else State.CONFIRMED,
    )
    try:
        with _opened(file) as people, _report_file(report_to) as refusals:
            report = _import(
                workspace,
                people,
                list_slug=list_slug,
                consent=consent,
                keep_good=keep_good,
                refusals_to=refusals,
            )
    except subscribers.ImportRefused as refused:
        _show_refusals(refused.report, report_to)
        raise DistributorError(
            f"nothing was imported: {counted(refused.report.refused, 'row')} of "
            f"{refused.report.rows:,} cannot be used; put them right, or add "
            "--keep-good to import the others"
        ) from None
    _show_refusals(report, report_to)
    _show_report(report, list_slug)


def _import(
    workspace: Workspace,
    people: BinaryIO,
    *,
    list_slug: str,
    consent: Consent,
    keep_good: bool,
    refusals_to: TextIO | None,
) -> ImportReport:
    with writing(workspace.engine) as connection:
        request = ImportRequest(
            into=subscribers.get_list(connection, list_slug),
            consent=consent,
            pepper=workspace.settings.pepper,
            now=now(),
            keep_good=keep_good,
            refusals_to=refusals_to,
        )
        return subscribers.import_csv(connection, people, request)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        handle = file.open("rb")
    except OSError as error:
        raise DistributorError(f"cannot read {file}: {error.strerror}") from error
    size = file.stat().st_size
    with (
        handle,
        wrap_file(
            handle, size, description="Importing", console=errors, transient=True
        ) as people,
    ):
        yield people


class _Nowhere:
    def __enter__(self) -> None: ...

    def __exit__(self, *_exception: object) -> None: ...


def _report_file(path: Path | None) -> TextIO | _Nowhere:
    if path is None:
        return _Nowhere()
    if path.exists():
        raise RefusedError(f"{path} exists: name another file for --report")
    return path.open("w", encoding="utf-8", newline="")


def _show_refusals(report: ImportReport, report_to: Path | None) -> None:
    for refusal in report.refusals[:SHOWN_REFUSALS]:
        errors.print(f"line {refusal.line}: {refusal.reason}", markup=False)
    more = report.refused - SHOWN_REFUSALS
    if more > 0:
        where = f"in {report_to}" if report_to else "shown with --report FILE"
        errors.print(f"… and {more:,} more, all {where}", markup=False)


def _show_report(report: ImportReport, list_slug: str) -> None:
    say(f"{counted(report.added, 'new subscriber')} on {list_slug}.")
    others = {
        "on the list already": report.already,
        "twice in the file": report.duplicates,
        "unsubscribed or suppressed, left alone": report.left_alone,
        "refused": report.refused,
    }
    for what, count in others.items():
        if count:
            say(f"{count:,} {what}.")
    if report.ignored_columns:
        say(f"Columns not used: {', '.join(report.ignored_columns)}.")


@subscribers_app.command("export")
def export_people(
    context: typer.Context,
    list_slug: ListName,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File (default: the terminal).")
    ] = None,
) -> None:
    """Writes everybody on a list as CSV, safe to open in a spreadsheet."""
    if out is not None and out.exists():
        raise RefusedError(f"{out} exists: name another file")
    with reading(workspace_of(context).engine) as connection:
        of = subscribers.get_list(connection, list_slug)
        if out is None:
            subscribers.export_csv(connection, sys.stdout, of=of)
            return
        with out.open("w", encoding="utf-8", newline="") as file:
            written = subscribers.export_csv(connection, file, of=of)
    say(f"{counted(written, 'subscriber')} in {out}")


@subscribers_app.command("show")
def show_person(context: typer.Context, address: str, as_json: AsJson = False) -> None:
    """Shows everything known about one address: lists, consent, suppressions."""
    workspace = workspace_of(context)
    with reading(workspace.engine) as connection:
        story = subscribers.story(
            connection,
            subscribers.parse_address(address),
            pepper=workspace.settings.pepper,
        )
    if as_json:
        print_json(_plain(asdict(story)))
        return
    zone = workspace.settings.time_zone
    person = story.subscriber
    say(f"{person.shown}  {person.name}".rstrip() if person else "Erased; suppressed.")
    rows = [
        (s.list_slug, s.state, s.consent_method, local(s.consented_at, zone),
         local(s.unsubscribed_at, zone), s.unsubscribed_via)
        for s in story.subscriptions
    ]  # fmt: skip
    print_table(["list", "state", "consent", "since", "left", "how"], rows)
    for barred in story.suppressions:
        say(f"Suppressed since {local(barred.since, zone)}: {barred.reason}")


def _plain(value: object) -> object:
    """For JSON: datetimes as RFC 3339, everything else as it is."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
