"""What the ledger says, for people: counts of a send, its deliveries, one by one.

Progress is always counted from rows, never kept beside them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from distributor.delivery import State
from distributor.storage.tables import deliveries, events

PAGE_SIZE = 1000
"""Rows fetched at a time when a whole send is listed: memory stays flat."""


@dataclass(frozen=True)
class Tally:
    """Deliveries of a send in numbers.

    Attributes:
        states: Deliveries per state; states nobody is in are left out.
        resent_after_doubt: How many times a delivery in doubt was sent again.
        last_accepted_at: When the newest acceptance was recorded.
    """

    states: dict[State, int]
    resent_after_doubt: int
    last_accepted_at: datetime | None

    @property
    def total(self) -> int:
        """All deliveries of the send."""
        return sum(self.states.values())

    def count(self, states: Collection[State]) -> int:
        """Deliveries in any of these states."""
        return sum(self.states.get(state, 0) for state in states)


def tally(connection: sa.Connection, send_id: int) -> Tally:
    """Counts one send's deliveries, one scan."""
    counted = (
        sa.select(
            deliveries.c.state,
            sa.func.count(),
            sa.func.sum(deliveries.c.doubts),
            sa.func.max(deliveries.c.accepted_at),
        )
        .where(deliveries.c.send_id == send_id)
        .group_by(deliveries.c.state)
    )
    rows = connection.execute(counted).all()
    states = {State(state): count for state, count, _, _ in rows}
    doubts = sum(doubted for _, _, doubted, _ in rows)
    return Tally(
        {state: states[state] for state in State if state in states},
        doubts - states.get(State.IN_DOUBT, 0),
        max((at for *_, at in rows if at is not None), default=None),
    )


@dataclass(frozen=True)
class DeliveryRow:
    """One delivery as `distributor deliveries` shows it."""

    id: int
    recipient: str
    state: State
    reason: str
    attempts: int
    smtp_code: int | None
    enhanced_code: str
    reply: str
    accepted_at: datetime | None
    due_at: datetime | None


def deliveries_of(
    connection: sa.Connection,
    send_id: int,
    *,
    state: State | None = None,
    page: int = PAGE_SIZE,
) -> Iterator[DeliveryRow]:
    """A send's deliveries in the order they were made, `page` rows at a time."""
    columns = [deliveries.c[name] for name in DeliveryRow.__dataclass_fields__]
    wanted = sa.select(*columns).where(deliveries.c.send_id == send_id)
    if state is not None:
        wanted = wanted.where(deliveries.c.state == state)
    last = 0
    while True:
        rows = connection.execute(
            wanted.where(deliveries.c.id > last).order_by(deliveries.c.id).limit(page)
        ).all()
        for row in rows:
            values = dict(row._mapping)  # noqa: SLF001  (SQLAlchemy's public name)
            yield DeliveryRow(**{**values, "state": State(values["state"])})
        if len(rows) < page:
            return
        last = rows[-1].id


@dataclass(frozen=True)
class EventRow:
    """One line of a delivery's history."""

    kind: str
    attempt: int
    at: datetime
    reason: str
    host: str
    smtp_code: int | None
    enhanced_code: str
    reply: str


def history(connection: sa.Connection, delivery_id: int) -> list[EventRow]:
    """Everything that happened to a delivery, in the order we learned of it."""
    columns = [events.c[name] for name in EventRow.__dataclass_fields__]
    found = (
        sa.select(*columns)
        .where(events.c.delivery_id == delivery_id)
        .order_by(events.c.id)
    )
    return [EventRow(*row) for row in connection.execute(found)]
