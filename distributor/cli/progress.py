"""A send while and after it runs: status, deliveries, pause, resume, cancel."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated

import sqlalchemy as sa
import typer

from distributor.cli.follow import follow, look
from distributor.cli.output import counted, iso, local, print_json, print_table, say
from distributor.cli.workspace import Workspace, confirmed, now, workspace_of
from distributor.delivery import State
from distributor.errors import RefusedError, UnknownError
from distributor.sending.letters import identity_of
from distributor.storage import accounts, sends
from distributor.storage.accounts import DeliveryRow, Tally
from distributor.storage.database import reading, writing
from distributor.storage.sends import Send, SendState
from distributor.tasks import configure, ring
from subscribers import csv_line

SendId = Annotated[int | None, typer.Argument(help="Send (default: the newest).")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


class Format(StrEnum):
    """How `deliveries` prints."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (status, deliveries, pause, resume, cancel):
        app.command()(command)


def status(
    context: typer.Context,
    send_id: SendId = None,
    watch: Annotated[bool, typer.Option("--watch", help="Until it is done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Says where a send stands: every delivery's state, who was left out and why."""
    workspace = workspace_of(context)
    send_id = _send_id(workspace, send_id)
    if watch:
        follow(workspace, send_id)
    if as_json:
        print_json(status_of(workspace, send_id))
    else:
        summarise(workspace, send_id)


def _send_id(workspace: Workspace, send_id: int | None) -> int:
    with reading(workspace.engine) as connection:
        newest = sends.latest(connection)
        if newest is None:
            raise UnknownError(
                "nothing was ever sent here: distributor send SLUG --list L"
            )
        if send_id is None:
            return newest.id
        if sends.get(connection, send_id) is None:
            raise UnknownError(f"there is no send {send_id}; the newest is {newest.id}")
    return send_id


def status_of(workspace: Workspace, send_id: int) -> dict[str, object]:
    """The JSON answer of `status`."""
    send, tally = look(workspace, send_id)
    with reading(workspace.engine) as connection:
        excluded = sends.excluded_counts(connection, send_id)
    return {
        "id": send.id,
        "issue": send.issue_slug,
        "state": send.state.value,
        "candidates": send.candidates,
        "excluded": excluded,
        "deliveries": {state.value: count for state, count in tally.states.items()},
        "in_doubt_resent": tally.resent_after_doubt,
        "scheduled_at": iso(send.scheduled_at),
        "started_at": iso(send.started_at),
        "finished_at": iso(send.finished_at),
        "accepted_per_second": _rate(send, tally),
        "trouble": send.trouble or None,
    }


def _rate(send: Send, tally: Tally) -> float | None:
    """Accepted deliveries per second from the start to the last acceptance."""
    if send.started_at is None or tally.last_accepted_at is None:
        return None
    seconds = (tally.last_accepted_at - send.started_at).total_seconds()
    accepted = tally.count({State.ACCEPTED, State.DELIVERED, State.BOUNCED})
    return round(accepted / seconds, 1) if seconds > 0 else None


def summarise(workspace: Workspace, send_id: int) -> None:
    """The answer of `status` for people."""
    answer = status_of(workspace, send_id)
    send, tally = look(workspace, send_id)
    zone = workspace.settings.time_zone
    rate = answer["accepted_per_second"]
    say(f"Send {send.id} of {send.issue_slug}: {send.state}, {_times(send, zone)}")
    if send.trouble:
        say(f"It waits: {send.trouble}")
    rows: list[tuple[str, int]] = [
        (state.value, n) for state, n in tally.states.items()
    ]
    excluded = answer["excluded"]
    if isinstance(excluded, dict):
        rows += [
            (f"left out: {why.replace('_', ' ')}", n) for why, n in excluded.items()
        ]
    print_table(
        ["", "people"], [*rows, ("candidates", send.candidates)], right=["people"]
    )
    if rate:
        say(f"{rate:,} accepted per second.")
    _hint(send, tally)


def _times(send: Send, zone: str) -> str:
    if send.state is SendState.SCHEDULED:
        return f"to start {local(send.scheduled_at, zone)}"
    return f"started {local(send.started_at, zone)}" + (
        f", ended {local(send.finished_at, zone)}" if send.finished_at else ""
    )


def _hint(send: Send, tally: Tally) -> None:
    if tally.resent_after_doubt:
        say(
            f"{counted(tally.resent_after_doubt, 'delivery', plural='deliveries')} in "
            "doubt sent again: these people may have got it twice."
        )
    if tally.states.get(State.DEFERRED):
        say("Deferred ones are tried again by themselves while the service runs.")
    if tally.states.get(State.REJECTED):
        say(f"Why: distributor deliveries {send.id} --state rejected")


def deliveries(
    context: typer.Context,
    send_id: SendId = None,
    state: Annotated[State | None, typer.Option(help="Only these.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="How to print.")
    ] = Format.TABLE,
) -> None:
    """Lists what became of every recipient of a send."""
    workspace = workspace_of(context)
    send_id = _send_id(workspace, send_id)
    with reading(workspace.engine) as connection:
        rows = accounts.deliveries_of(connection, send_id, state=state)
        _PRINTERS[form](_answers(workspace, rows))


def _answers(
    workspace: Workspace, rows: Iterator[DeliveryRow]
) -> Iterator[dict[str, object]]:
    identity = identity_of(workspace.settings)
    for row in rows:
        yield {
            "address": row.recipient,
            "state": row.state.value,
            "reason": row.reason,
            "attempts": row.attempts,
            "message_id": identity.message_id(row.id),
            "smtp_code": row.smtp_code,
            "enhanced_code": row.enhanced_code,
            "reply": row.reply,
            "accepted_at": iso(row.accepted_at),
        }


def _print_jsonl(answers: Iterator[dict[str, object]]) -> None:
    for answer in answers:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")


def _print_csv(answers: Iterator[dict[str, object]]) -> None:
    for number, answer in enumerate(answers):
        if number == 0:
            sys.stdout.write(csv_line(list(answer)))
        cells = ["" if value is None else str(value) for value in answer.values()]
        sys.stdout.write(csv_line(cells))


def _print_table(answers: Iterator[dict[str, object]]) -> None:
    columns = ["address", "state", "attempts", "smtp_code", "reply"]
    print_table(columns, ([answer[name] for name in columns] for answer in answers))


_PRINTERS: dict[Format, Callable[[Iterator[dict[str, object]]], None]] = {
    Format.TABLE: _print_table,
    Format.CSV: _print_csv,
    Format.JSONL: _print_jsonl,
}


def pause(context: typer.Context, send_id: SendId = None) -> None:
    """Stops a send: what a worker already holds goes out, nothing more is begun."""
    workspace = workspace_of(context)
    send_id = _send_id(workspace, send_id)
    _steer(workspace, send_id, sends.pause, "only a running send can be paused")
    say(f"Send {send_id} is paused. Go on with: distributor resume {send_id}")


def resume(context: typer.Context, send_id: SendId = None) -> None:
    """Lets a paused send go on where it stopped."""
    workspace = workspace_of(context)
    send_id = _send_id(workspace, send_id)
    _steer(workspace, send_id, sends.resume, "only a paused send can be resumed")
    configure(workspace.settings)
    ring(range(workspace.settings.slots))
    say(f"Send {send_id} goes on. Watch it with: distributor status {send_id} --watch")


def cancel(
    context: typer.Context,
    send_id: SendId = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Ends a send for good: whoever has not got it yet will not get it."""
    workspace = workspace_of(context)
    send_id = _send_id(workspace, send_id)
    question = f"Cancel send {send_id} for good?"
    if not confirmed(question, yes=yes, stdin_is_a_terminal=sys.stdin.isatty):
        return
    with writing(workspace.engine) as connection:
        if not sends.cancel(connection, send_id, now=now()):
            raise RefusedError(_cannot(connection, send_id, "it has ended already"))
        sends.end_waiting(connection, now=now())
    say(f"Send {send_id} is cancelled.")
    summarise(workspace, send_id)


def _steer(
    workspace: Workspace,
    send_id: int,
    change: Callable[[sa.Connection, int], bool],
    otherwise: str,
) -> None:
    with writing(workspace.engine) as connection:
        if not change(connection, send_id):
            raise RefusedError(_cannot(connection, send_id, otherwise))


def _cannot(connection: sa.Connection, send_id: int, why: str) -> str:
    send = sends.get(connection, send_id)
    return f"send {send_id} is {send.state if send else 'gone'}: {why}"
