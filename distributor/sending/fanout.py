"""From an audience to deliveries: makes a send and freezes whom it goes to.

One transaction, one moment: the send, a delivery for everyone eligible, an exclusion
with its reason for everyone else. It returns what comes next and rings nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from distributor.errors import RefusedError
from distributor.storage import sends
from distributor.storage.database import is_serialization_failure, snapshotting
from distributor.storage.sends import Frozen

MAX_TRIES = 10
"""A snapshot that lost a race against another send of the issue is run again."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Order:
    """What staff asked for: this content, to these lists, now or at a time."""

    issue_id: int
    content_hash: str
    subject: str
    list_ids: tuple[int, ...]
    scheduled_at: datetime | None = None


def place(
    engine: sa.Engine, order: Order, *, now: datetime, deadline_s: float
) -> tuple[int, Frozen | None]:
    """Makes a send and, unless it is for later, starts it: all of it or nothing.

    Returns the send's id and its frozen audience (None while scheduled).

    Raises:
        RefusedError: Nobody would get it; no send is made.
    """

    def transaction(connection: sa.Connection) -> tuple[int, Frozen | None]:
        send_id = sends.create(
            connection,
            issue_id=order.issue_id,
            content_hash=order.content_hash,
            subject=order.subject,
            list_ids=order.list_ids,
            scheduled_at=order.scheduled_at or now,
            now=now,
        )
        if order.scheduled_at is not None and order.scheduled_at > now:
            return send_id, None
        frozen = _begin(connection, send_id, now=now, deadline_s=deadline_s)
        if frozen is None or not frozen.deliveries:
            raise RefusedError(_nobody(frozen))
        return send_id, frozen

    return _in_one_moment(engine, transaction)


def start_scheduled(
    engine: sa.Engine, send_id: int, *, now: datetime, deadline_s: float
) -> Frozen | None:
    """Starts a send whose time has come; None if somebody else just did."""
    return _in_one_moment(
        engine,
        lambda connection: _begin(connection, send_id, now=now, deadline_s=deadline_s),
    )


def _begin(
    connection: sa.Connection, send_id: int, *, now: datetime, deadline_s: float
) -> Frozen | None:
    send = sends.get(connection, send_id)
    deadline = now + timedelta(seconds=deadline_s)
    # The compare-and-set first: of two schedulers, one goes on to the audience.
    if send is None or not sends.begin(connection, send_id, now=now, deadline=deadline):
        return None
    list_ids = sends.lists_of(connection, send_id)
    frozen = sends.freeze_audience(connection, send, list_ids=list_ids, now=now)
    sends.set_candidates(connection, send_id, frozen.candidates)
    return frozen


def _in_one_moment(
    engine: sa.Engine, transaction: Callable[[sa.Connection], Result]
) -> Result:
    for tries in range(1, MAX_TRIES + 1):
        try:
            with snapshotting(engine) as connection:
                return transaction(connection)
        except OperationalError as error:
            if tries == MAX_TRIES or not is_serialization_failure(error):
                raise
    raise AssertionError("unreachable")


def _nobody(frozen: Frozen | None) -> str:
    if frozen is None or not frozen.candidates:
        return (
            "nobody would get this: the list has no subscribers yet; "
            "`distributor subscriber import FILE --list LIST` brings some"
        )
    reasons = ", ".join(f"{count} {why}" for why, count in frozen.excluded.items())
    return (
        f"nobody would get this: all {frozen.candidates} candidates are left out "
        f"({reasons.replace('_', ' ')}); nothing was started"
    )
