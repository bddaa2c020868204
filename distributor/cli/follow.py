"""Watching a send until nothing is pending or on its way, with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from distributor.cli.output import errors
from distributor.cli.workspace import Workspace, now
from distributor.delivery import BUSY, State
from distributor.storage import accounts, sends
from distributor.storage.accounts import Tally
from distributor.storage.database import reading, writing
from distributor.storage.sends import Send, SendState

POLL_S = 0.5
PATIENCE_S = 20
"""How long nothing may move before we say that no worker seems to be running."""


def follow(
    workspace: Workspace,
    send_id: int,
    *,
    until: frozenset[State] = BUSY,
    quiet: bool = False,
) -> None:
    """Returns when every delivery has left the states `until`, or staff stopped it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=errors, disable=quiet) as progress:
        bar = progress.add_task(f"Send {send_id}", total=None, note="")
        show = partial(progress.update, bar)
        _watch(workspace, send_id, until, show)


def _watch(
    workspace: Workspace,
    send_id: int,
    until: frozenset[State],
    show: Callable[..., None],
) -> None:
    moved_at, last_left = time.monotonic(), -1
    while True:
        send, tally = look(workspace, send_id)
        left = tally.count(until)
        if left != last_left:
            moved_at, last_left = time.monotonic(), left
        note = _note(send, stuck=time.monotonic() - moved_at > PATIENCE_S)
        show(total=tally.total, completed=tally.total - left, note=note)
        if not left or send.state in {SendState.CANCELLED, SendState.PAUSED}:
            # What the next tick would do anyway; the summary need not wait for it.
            with writing(workspace.engine) as connection:
                sends.finish(connection, now=now())
            return
        time.sleep(POLL_S)


def look(workspace: Workspace, send_id: int) -> tuple[Send, Tally]:
    """The send and its counts, from one moment."""
    with reading(workspace.engine) as connection:
        send = sends.get(connection, send_id)
        if send is None:
            raise LookupError(f"send {send_id} vanished")
        return send, accounts.tally(connection, send_id)


def _note(send: Send, *, stuck: bool) -> str:
    if send.trouble:
        return f"waiting: {send.trouble}"
    if stuck and send.state is SendState.SENDING:
        return "nothing moves: is a worker running? (`distributor worker`)"
    return ""
