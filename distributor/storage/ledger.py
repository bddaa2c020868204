"""The delivery ledger's hot path: claim, record, recover; a few statements per chunk.

Every change of a delivery goes through `record`: it writes the event and raises the
delivery's rank, or leaves it (see `distributor.delivery`). Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from distributor.delivery import Event, EventKind, State, standing_of
from distributor.storage.tables import deliveries, events, sends, slots
from subscribers import UTCDateTime, still_subscribed

_RANK_OF_CLAIM = standing_of(Event(EventKind.CLAIMED, 0)).rank
_RANK_PER_ATTEMPT = standing_of(Event(EventKind.CLAIMED, 1)).rank - _RANK_OF_CLAIM


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery that a worker has been billed for.

    Attributes:
        subscribed: Whether the person still was, at the moment of the claim.
    """

    delivery_id: int
    send_id: int
    list_id: int
    subscription_id: int
    subscriber_id: int
    recipient: str
    name: str
    attempt: int
    doubts: int
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One event for the ledger, with what is to be known about it afterwards."""

    delivery_id: int
    event: Event
    reason: str = ""
    host: str = ""
    smtp_code: int | None = None
    enhanced_code: str = ""
    reply: str = ""
    due_at: datetime | None = None


_CLAIMED = (
    deliveries.c.id,
    deliveries.c.send_id,
    deliveries.c.list_id,
    deliveries.c.subscription_id,
    deliveries.c.subscriber_id,
    deliveries.c.recipient,
    deliveries.c.name,
    deliveries.c.attempts,
    deliveries.c.doubts,
)


def claim_pending(
    connection: sa.Connection,
    *,
    send_id: int,
    after: int,
    limit: int,
    slot: int,
    now: datetime,
) -> list[Claim]:
    """Bills up to `limit` pending deliveries of a running send to `slot`.

    `after` is the last id this drain claimed: the scan never walks again over the
    dead index entries of what it has already taken.
    """
    chosen = (
        sa.select(deliveries.c.id)
        .where(
            deliveries.c.send_id == send_id,
            deliveries.c.state == sa.literal_column("'pending'"),
            deliveries.c.id > after,
            _running(send_id),
        )
        .order_by(deliveries.c.id)
    )
    return _claim(connection, chosen, limit=limit, slot=slot, now=now)


def claim_due(
    connection: sa.Connection, *, send_id: int, limit: int, slot: int, now: datetime
) -> list[Claim]:
    """Bills deliveries whose retry is due: deferred ones, and doubts to send again."""
    chosen = (
        sa.select(deliveries.c.id)
        .where(
            deliveries.c.send_id == send_id,
            deliveries.c.state.in_(
                [sa.literal_column("'deferred'"), sa.literal_column("'in_doubt'")]
            ),
            deliveries.c.due_at <= now,
            _running(send_id),
        )
        .order_by(deliveries.c.due_at)
    )
    return _claim(connection, chosen, limit=limit, slot=slot, now=now)


def _running(send_id: int) -> sa.ColumnElement[bool]:
    return sa.exists().where(sends.c.id == send_id, sends.c.state == "sending")


def _claim(
    connection: sa.Connection,
    chosen: sa.Select[tuple[int]],
    *,
    limit: int,
    slot: int,
    now: datetime,
) -> list[Claim]:
    # SKIP LOCKED: the other slots' workers take the rows after ours, nobody waits.
    picked = chosen.limit(limit).with_for_update(skip_locked=True).cte("picked")
    attempts = deliveries.c.attempts + 1
    statement = (
        sa.update(deliveries)
        .where(deliveries.c.id.in_(sa.select(picked.c.id)))
        .values(
            state=State.SENDING,
            attempts=attempts,
            rank=_RANK_OF_CLAIM + _RANK_PER_ATTEMPT * attempts,
            slot=slot,
            due_at=None,
            updated_at=now,
        )
        .returning(deliveries.c.id)
    )
    claimed = connection.scalars(statement).all()
    return _claimed(connection, claimed, now=now) if claimed else []


def _claimed(
    connection: sa.Connection, ids: Sequence[int], *, now: datetime
) -> list[Claim]:
    # A statement of its own: it looks again whether the person is still subscribed,
    # after the claim, and SQLite's RETURNING cannot name another table's columns.
    still = still_subscribed(deliveries.c.subscription_id, now=now)
    rows = connection.execute(
        sa.select(*_CLAIMED, still).where(deliveries.c.id.in_(ids))
    )
    claims = [Claim(*row) for row in rows]
    return sorted(claims, key=lambda claim: claim.delivery_id)


def record(
    connection: sa.Connection, entries: Sequence[Entry], *, now: datetime
) -> None:
    """Writes events and raises standings, for a whole chunk in one or two statements.

    An event that a stronger one has overtaken is still logged.
    """
    if not entries:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(_RECORD_POSTGRESQL, _columns(entries, now))
    else:
        connection.execute(sa.insert(events), [_event_row(e, now) for e in entries])
        connection.execute(_RECORD_ROW, [_standing_row(e, now) for e in entries])


def _event_row(entry: Entry, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": entry.delivery_id,
        "kind": entry.event.kind,
        "attempt": entry.event.attempt,
        "at": now,
        "reason": entry.reason,
        "host": entry.host,
        "smtp_code": entry.smtp_code,
        "enhanced_code": entry.enhanced_code,
        "reply": entry.reply,
    }


def _standing_row(entry: Entry, now: datetime) -> dict[str, Any]:
    reached = standing_of(entry.event)
    accepted = entry.event.kind is EventKind.ACCEPTED
    return {
        "key": entry.delivery_id,
        "new_rank": reached.rank,
        "new_state": reached.state.value,
        "doubt": int(entry.event.kind is EventKind.DOUBTED),
        "why": entry.reason,
        "code": entry.smtp_code,
        "enhanced": entry.enhanced_code,
        "said": entry.reply,
        "due": entry.due_at,
        "accepted": now if accepted else None,
        "now": now,
    }


_RECORD_ROW = (
    sa.update(deliveries)
    .where(
        deliveries.c.id == sa.bindparam("key"),
        deliveries.c.rank < sa.bindparam("new_rank"),
    )
    .values(
        rank=sa.bindparam("new_rank"),
        state=sa.bindparam("new_state"),
        doubts=deliveries.c.doubts + sa.bindparam("doubt"),
        reason=sa.bindparam("why"),
        smtp_code=sa.bindparam("code"),
        enhanced_code=sa.bindparam("enhanced"),
        reply=sa.bindparam("said"),
        due_at=sa.bindparam("due"),
        accepted_at=sa.func.coalesce(
            sa.bindparam("accepted", type_=UTCDateTime), deliveries.c.accepted_at
        ),
        updated_at=sa.bindparam("now"),
    )
)

# One statement for events and standings of a chunk. `unnest` of a few arrays costs
# the server far less than hundreds of bound parameters or a statement per row.
_RECORD_POSTGRESQL = sa.text(
    """
    WITH entry AS (
      SELECT * FROM unnest(
        CAST(:ids AS bigint[]), CAST(:kinds AS text[]), CAST(:attempts AS int[]),
        CAST(:ranks AS bigint[]), CAST(:states AS text[]), CAST(:doubts AS int[]),
        CAST(:reasons AS text[]), CAST(:hosts AS text[]), CAST(:codes AS int[]),
        CAST(:enhanced AS text[]), CAST(:replies AS text[]),
        CAST(:due AS timestamptz[]), CAST(:accepted AS timestamptz[])
      ) AS t(id, kind, attempt, rank, state, doubt, reason, host, code, enhanced,
             reply, due_at, accepted_at)
    ), logged AS (
      INSERT INTO events (delivery_id, kind, attempt, at, reason, host, smtp_code,
                          enhanced_code, reply)
      SELECT id, kind, attempt, :now, reason, host, code, enhanced, reply FROM entry
    )
    UPDATE deliveries AS d
    SET rank = entry.rank, state = entry.state, doubts = d.doubts + entry.doubt,
        reason = entry.reason, smtp_code = entry.code,
        enhanced_code = entry.enhanced, reply = entry.reply, due_at = entry.due_at,
        accepted_at = coalesce(entry.accepted_at, d.accepted_at), updated_at = :now
    FROM (SELECT DISTINCT ON (id) * FROM entry ORDER BY id, rank DESC) AS entry
    WHERE d.id = entry.id AND d.rank < entry.rank
    """
)


def _columns(entries: Sequence[Entry], now: datetime) -> dict[str, Any]:
    reached = [standing_of(entry.event) for entry in entries]
    kinds = [entry.event.kind for entry in entries]
    return {
        "ids": [entry.delivery_id for entry in entries],
        "kinds": [kind.value for kind in kinds],
        "attempts": [entry.event.attempt for entry in entries],
        "ranks": [standing.rank for standing in reached],
        "states": [standing.state.value for standing in reached],
        "doubts": [int(kind is EventKind.DOUBTED) for kind in kinds],
        "reasons": [entry.reason for entry in entries],
        "hosts": [entry.host for entry in entries],
        "codes": [entry.smtp_code for entry in entries],
        "enhanced": [entry.enhanced_code for entry in entries],
        "replies": [entry.reply for entry in entries],
        "due": [entry.due_at for entry in entries],
        "accepted": [now if kind is EventKind.ACCEPTED else None for kind in kinds],
        "now": now,
    }


@dataclass(frozen=True, slots=True)
class Left:
    """A delivery that a slot's last owner still held when it ended."""

    delivery_id: int
    attempt: int
    doubts: int


def left_behind(connection: sa.Connection, slot: int) -> list[Left]:
    """What the slot's last owner never settled; call it holding the slot's lock."""
    found = sa.select(
        deliveries.c.id, deliveries.c.attempts, deliveries.c.doubts
    ).where(
        deliveries.c.state == sa.literal_column("'sending'"), deliveries.c.slot == slot
    )
    return [Left(*row) for row in connection.execute(found)]


def journal_of(connection: sa.Connection, slot: int) -> str | None:
    """Id of the journal that the slot's last owner wrote; None before the first."""
    return connection.scalar(sa.select(slots.c.journal_id).where(slots.c.slot == slot))


def take_slot(
    connection: sa.Connection, slot: int, *, journal_id: str, host: str, now: datetime
) -> None:
    """Notes whose journal tells about this slot from now on."""
    connection.execute(sa.delete(slots).where(slots.c.slot == slot))
    connection.execute(
        sa.insert(slots).values(
            slot=slot, journal_id=journal_id, host=host, taken_at=now
        )
    )
