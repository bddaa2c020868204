"""Sends: making one with its audience, steering it, and what the tick looks for.

Nothing here commits. State changes are compare-and-set: they return whether they
changed anything, so that two people pressing at once get one change.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from distributor.delivery import Event, EventKind, State, standing_of
from distributor.storage.tables import (
    deliveries,
    events,
    exclusions,
    issues,
    send_lists,
    sends,
)
from subscribers import candidates


class SendState(StrEnum):
    """Where a send stands."""

    SCHEDULED = "scheduled"  # its time has not come; the audience is not frozen yet
    SENDING = "sending"  # workers may claim its deliveries
    PAUSED = "paused"  # staff stopped it; it can be resumed
    CANCELLED = "cancelled"  # staff ended it; what was not accepted stays unsent
    FINISHED = "finished"  # every delivery has come to an end or is held


@dataclass(frozen=True)
class Send:
    """One send as stored."""

    id: int
    issue_id: int
    issue_slug: str
    content_hash: str
    subject: str
    state: SendState
    candidates: int
    trouble: str
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None


def create(
    connection: sa.Connection,
    *,
    issue_id: int,
    content_hash: str,
    subject: str,
    list_ids: Collection[int],
    scheduled_at: datetime | None,
    now: datetime,
) -> int:
    """A scheduled send of one set of renditions to lists; returns its id."""
    made = connection.execute(
        sa.insert(sends).values(
            issue_id=issue_id,
            content_hash=content_hash,
            subject=subject,
            state=SendState.SCHEDULED,
            created_at=now,
            scheduled_at=scheduled_at,
        )
    )
    [send_id] = made.inserted_primary_key or [0]
    rows = [
        {"send_id": send_id, "list_id": list_id} for list_id in sorted(set(list_ids))
    ]
    connection.execute(sa.insert(send_lists), rows)
    return int(send_id)


def get(connection: sa.Connection, send_id: int) -> Send | None:
    """The send, or None."""
    row = connection.execute(_sends().where(sends.c.id == send_id)).one_or_none()
    return _send(row) if row else None


def latest(connection: sa.Connection) -> Send | None:
    """The newest send, or None."""
    row = connection.execute(_sends().order_by(sends.c.id.desc()).limit(1)).first()
    return _send(row) if row else None


def in_state(connection: sa.Connection, *states: SendState) -> list[Send]:
    """Sends in one of these states, oldest first."""
    found = _sends().where(sends.c.state.in_(states)).order_by(sends.c.id)
    return [_send(row) for row in connection.execute(found)]


def _sends() -> sa.Select[tuple[object, ...]]:
    columns = [
        sends.c[name] if name != "issue_slug" else issues.c.slug.label(name)
        for name in Send.__dataclass_fields__
    ]
    return sa.select(*columns).join(issues, issues.c.id == sends.c.issue_id)


def _send(row: sa.Row[tuple[object, ...]]) -> Send:
    values = dict(row._mapping)  # noqa: SLF001  (SQLAlchemy's public name for it)
    return Send(**{**values, "state": SendState(values["state"])})


def lists_of(connection: sa.Connection, send_id: int) -> list[int]:
    """Ids of the lists a send goes to."""
    found = sa.select(send_lists.c.list_id).where(send_lists.c.send_id == send_id)
    return sorted(connection.scalars(found))


@dataclass(frozen=True)
class Frozen:
    """A snapshot in numbers; `candidates == deliveries + sum(excluded.values())`."""

    candidates: int
    deliveries: int
    excluded: dict[str, int]


def freeze_audience(
    connection: sa.Connection, send: Send, *, list_ids: Sequence[int], now: datetime
) -> Frozen:
    """Writes one delivery or one exclusion for every candidate of the lists.

    The connection must see one moment throughout (`database.snapshotting`). A person
    who already has a delivery of this issue, from whatever send, gets no second one:
    UNIQUE (issue, subscriber) decides, also between two sends at once.
    """
    # Not a CTE: sqlite3 counts no rows of a statement that begins with WITH.
    people = candidates(list_ids, now=now).subquery("candidate")
    counting = connection.execution_options(preserve_rowcount=True)
    made = counting.execute(_insert_deliveries(connection, send, people))
    excluded = counting.execute(_insert_exclusions(send, people))
    total = connection.scalar(sa.select(sa.func.count()).select_from(people)) or 0
    if total != made.rowcount + excluded.rowcount:
        raise AssertionError(
            f"send {send.id}: {total} candidates, but {made.rowcount} deliveries "
            f"and {excluded.rowcount} exclusions"
        )
    return Frozen(total, made.rowcount, excluded_counts(connection, send.id))


def _insert_deliveries(
    connection: sa.Connection, send: Send, people: sa.Subquery
) -> sa.Executable:
    chosen = sa.select(
        sa.literal(send.issue_id),
        sa.literal(send.id),
        people.c.subscriber_id,
        people.c.subscription_id,
        people.c.list_id,
        people.c.address,
        people.c.name,
    ).where(people.c.reason.is_(None))
    names = "issue_id send_id subscriber_id subscription_id list_id recipient name"
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.sqlite import (  # type: ignore[assignment] # noqa: PLC0415
            insert,
        )
    return (
        insert(deliveries).from_select(names.split(), chosen).on_conflict_do_nothing()
    )


def _insert_exclusions(send: Send, people: sa.Subquery) -> sa.Executable:
    own = sa.exists().where(
        deliveries.c.issue_id == send.issue_id,
        deliveries.c.subscriber_id == people.c.subscriber_id,
        deliveries.c.send_id == send.id,
    )
    left_out = sa.select(
        sa.literal(send.id),
        people.c.subscriber_id,
        sa.func.coalesce(people.c.reason, "already_in_another_send"),
    ).where(~own)
    return sa.insert(exclusions).from_select(
        ["send_id", "subscriber_id", "reason"], left_out
    )


def excluded_counts(connection: sa.Connection, send_id: int) -> dict[str, int]:
    """How many candidates were left out, by reason."""
    counted = (
        sa.select(exclusions.c.reason, sa.func.count())
        .where(exclusions.c.send_id == send_id)
        .group_by(exclusions.c.reason)
        .order_by(exclusions.c.reason)
    )
    return {str(reason): int(count) for reason, count in connection.execute(counted)}


def begin(
    connection: sa.Connection, send_id: int, *, now: datetime, deadline: datetime
) -> bool:
    """Scheduled -> sending; of two callers at once, one gets True."""
    return _change(
        connection,
        send_id,
        {SendState.SCHEDULED},
        state=SendState.SENDING,
        started_at=now,
        deadline_at=deadline,
    )


def set_candidates(connection: sa.Connection, send_id: int, total: int) -> None:
    """Notes how many people were looked at when the audience was frozen."""
    connection.execute(
        sa.update(sends).where(sends.c.id == send_id).values(candidates=total)
    )


def pause(connection: sa.Connection, send_id: int) -> bool:
    """Sending -> paused; nothing is claimed any more, what is claimed goes out."""
    return _change(
        connection, send_id, {SendState.SENDING}, state=SendState.PAUSED, trouble=""
    )


def resume(connection: sa.Connection, send_id: int) -> bool:
    """Paused -> sending."""
    return _change(connection, send_id, {SendState.PAUSED}, state=SendState.SENDING)


def cancel(connection: sa.Connection, send_id: int, *, now: datetime) -> bool:
    """Any unfinished state -> cancelled; what waits is cancelled by `end_waiting`."""
    unfinished = {SendState.SCHEDULED, SendState.SENDING, SendState.PAUSED}
    return _change(
        connection, send_id, unfinished, state=SendState.CANCELLED, finished_at=now
    )


def set_trouble(connection: sa.Connection, send_id: int, sentence: str) -> bool:
    """Notes why a running send waits, or with "" that it no longer does."""
    changed = connection.execute(
        sa.update(sends)
        .where(
            sends.c.id == send_id,
            sends.c.state == SendState.SENDING,
            sends.c.trouble != sentence,
        )
        .values(trouble=sentence)
    )
    return changed.rowcount == 1


def _change(
    connection: sa.Connection,
    send_id: int,
    allowed: Collection[SendState],
    **values: object,
) -> bool:
    changed = connection.execute(
        sa.update(sends)
        .where(sends.c.id == send_id, sends.c.state.in_(allowed))
        .values(**values)
    )
    return changed.rowcount == 1


def finish(connection: sa.Connection, *, now: datetime) -> list[int]:
    """Running sends with nothing left to do -> finished; returns their ids.

    A delivery in doubt that is held (no due time) does not keep a send open.
    """
    waiting = sa.exists().where(
        deliveries.c.send_id == sends.c.id,
        sa.or_(
            deliveries.c.state.in_([State.PENDING, State.SENDING, State.DEFERRED]),
            sa.and_(
                deliveries.c.state == State.IN_DOUBT, deliveries.c.due_at.is_not(None)
            ),
        ),
    )
    done = connection.execute(
        sa.update(sends)
        .where(sends.c.state == SendState.SENDING, ~waiting)
        .values(state=SendState.FINISHED, finished_at=now, trouble="")
        .returning(sends.c.id)
    )
    return [send_id for (send_id,) in done]


def due_to_start(connection: sa.Connection, now: datetime) -> list[int]:
    """Scheduled sends whose time has come."""
    due = sa.select(sends.c.id).where(
        sends.c.state == SendState.SCHEDULED, sends.c.scheduled_at <= now
    )
    return list(connection.scalars(due.order_by(sends.c.id)))


def end_waiting(connection: sa.Connection, *, now: datetime) -> int:
    """Ends what will never be sent: of cancelled sends, and past the deadline.

    Deliveries in doubt stay in doubt (they may have arrived), but are held.
    """
    cancelled = sa.exists().where(
        sends.c.id == deliveries.c.send_id, sends.c.state == SendState.CANCELLED
    )
    expired = sa.exists().where(
        sends.c.id == deliveries.c.send_id, sends.c.deadline_at <= now
    )
    ended = _end(connection, cancelled, EventKind.CANCELLED, now=now)
    ended += _end(connection, expired, EventKind.EXPIRED, now=now)
    connection.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.state == State.IN_DOUBT,
            deliveries.c.due_at.is_not(None),
            sa.or_(cancelled, expired),
        )
        .values(due_at=None)
    )
    return ended


def _end(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool],
    kind: EventKind,
    *,
    now: datetime,
) -> int:
    reached = standing_of(Event(kind))
    ended = connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state.in_([State.PENDING, State.DEFERRED]), condition)
        .values(state=reached.state, rank=reached.rank, due_at=None, updated_at=now)
        .returning(deliveries.c.id, deliveries.c.attempts)
    ).all()
    rows = [
        {"delivery_id": id_, "kind": kind, "attempt": attempts, "at": now}
        for id_, attempts in ended
    ]
    if rows:
        connection.execute(sa.insert(events), rows)
    return len(rows)


def slots_with_work(
    connection: sa.Connection, *, slots: int, now: datetime
) -> list[int]:
    """Which slots to ring: all of them while work is due, and any that still hold.

    A slot beyond the configured number may hold rows from before it was lowered.
    """
    held = sa.select(deliveries.c.slot).where(deliveries.c.state == State.SENDING)
    ring = {slot for slot in connection.scalars(held.distinct()) if slot is not None}
    if has_due_work(connection, now):
        ring |= set(range(slots))
    return sorted(ring)


def has_due_work(connection: sa.Connection, now: datetime) -> bool:
    """Whether any running send has a delivery that may be claimed now."""
    running = sa.select(sends.c.id).where(sends.c.state == SendState.SENDING)
    for condition in (
        deliveries.c.state == State.PENDING,
        sa.and_(
            deliveries.c.state.in_([State.DEFERRED, State.IN_DOUBT]),
            deliveries.c.due_at <= now,
        ),
    ):
        found = sa.select(deliveries.c.id).where(
            deliveries.c.send_id.in_(running), condition
        )
        if connection.scalar(found.limit(1)) is not None:
            return True
    return False
