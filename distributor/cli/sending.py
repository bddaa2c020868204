"""`distributor test` and `distributor send`: look first, then fan out and watch."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import typer

from distributor.cli import issues as issue_commands
from distributor.cli.follow import follow
from distributor.cli.output import counted, local, print_json, say
from distributor.cli.processes import local_service
from distributor.cli.progress import status_of, summarise
from distributor.cli.workspace import Workspace, confirmed, now, workspace_of
from distributor.config import Settings
from distributor.errors import DistributorError, RefusedError
from distributor.publish import publish
from distributor.sending.fanout import Order, place
from distributor.sending.sample import accepted, sample_message, send_sample
from distributor.storage.database import writing
from distributor.tasks import configure, ring
from subscribers import candidates, get_list, parse_address


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("test")(test)
    app.command("send")(send)


def test(
    context: typer.Context,
    slug: str,
    addresses: Annotated[list[str], typer.Argument(help="Where to send it.")],
) -> None:
    """Sends an issue to a few addresses to look at; the ledger knows nothing of it.

    The subject begins with [Test], the unsubscribe link shows a page and no more.
    """
    workspace = workspace_of(context)
    settings = workspace.settings
    issue, renditions = workspace.rendered(slug)
    refused = 0
    for address in [parse_address(text).address for text in addresses]:
        message = sample_message(
            settings,
            issue,
            renditions,
            address=address,
            name="",
            subject_prefix="[Test] ",
        )
        outcome = send_sample(settings, message, address)
        refused += not accepted(outcome)
        say(f"{address}: {outcome.kind}: {outcome.reply or outcome.detail}")
    if refused:
        raise DistributorError(f"{counted(refused, 'message')} not accepted, see above")


def send(
    context: typer.Context,
    slug: str,
    lists: Annotated[list[str], typer.Option("--list", "-l", help="List; repeatable.")],
    at: Annotated[
        str | None,
        typer.Option("--at", help="Later, like 2026-11-30T09:00 (newsletter's zone)."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return at once; workers go on.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The status, for programs.")
    ] = False,
) -> None:
    """Sends an issue to everyone on the lists, once each, and waits for the outcome.

    It publishes the issue first if that has not been done. Nobody who has this issue
    already, from whatever send, gets it again. Interrupting with Ctrl-C stops
    watching, not the send: `distributor pause` does.
    """
    workspace = workspace_of(context)
    when = _when(at, workspace.settings)
    order, size = _order(workspace, slug, lists, when)
    question = f"Send {order.subject!r} to {counted(size, 'subscriber')}?"
    if not confirmed(question, yes=yes, stdin_is_a_terminal=sys.stdin.isatty):
        return
    send_id = _place(workspace, order, slug, quiet=as_json)
    waits = when is None and not detach
    if waits:
        _see_through(workspace, send_id, quiet=as_json)
    if as_json:
        print_json(status_of(workspace, send_id))
    elif waits:
        summarise(workspace, send_id)
    else:
        _leave(workspace, send_id, when)


def _see_through(workspace: Workspace, send_id: int, *, quiet: bool) -> None:
    """Waits for the outcome, with workers of our own where nobody else runs any."""
    embedded = workspace.settings.embedded
    with local_service(workspace.settings) if embedded else nullcontext():
        follow(workspace, send_id, quiet=quiet)


def _when(at: str | None, settings: Settings) -> datetime | None:
    if at is None:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise RefusedError(f"--at {at}: write it like 2026-11-30T09:00") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(settings.time_zone))
    if moment <= now():
        raise RefusedError(f"--at {at} is in the past: leave it out to send now")
    return moment


def _order(
    workspace: Workspace, slug: str, lists: list[str], when: datetime | None
) -> tuple[Order, int]:
    """What to send, saved, and how many are on the lists now."""
    issue, renditions = workspace.rendered(slug)
    with writing(workspace.engine) as connection:
        list_ids = tuple(get_list(connection, name).id for name in lists)
        stored = issue_commands.save(workspace, connection, issue, renditions)
        size = _audience_size(connection, list_ids)
    order = Order(stored.id, renditions.content_hash, issue.subject, list_ids, when)
    return order, size


def _audience_size(connection: sa.Connection, list_ids: tuple[int, ...]) -> int:
    people = candidates(list_ids, now=now()).subquery()
    eligible = sa.select(sa.func.count()).where(people.c.reason.is_(None))
    return connection.scalar(eligible) or 0


def _place(workspace: Workspace, order: Order, slug: str, *, quiet: bool) -> int:
    send_id, frozen = place(
        workspace.engine, order, now=now(), deadline_s=workspace.settings.deadline_s
    )
    if frozen is not None:
        with writing(workspace.engine) as connection:
            publish(connection, slug, now())
        configure(workspace.settings)
        ring(range(workspace.settings.slots))
        left_out = sum(frozen.excluded.values())
        made = counted(frozen.deliveries, "delivery", plural="deliveries")
        if not quiet:
            say(f"Send {send_id}: {made}, {left_out} left out.")
    return send_id


def _leave(workspace: Workspace, send_id: int, when: datetime | None) -> None:
    if when is not None:
        zone = workspace.settings.time_zone
        say(f"Send {send_id} is scheduled for {local(when, zone)}.")
    say(
        f"Watch it with `distributor status {send_id} --watch`; it needs a running "
        "service (`distributor up`)."
    )
