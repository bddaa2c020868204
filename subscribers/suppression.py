"""Suppressions: addresses that must not be mailed, known by a keyed hash only.

So they outlive the person's erasure and stop a re-import, yet name nobody. A
suppression holds from `since` until `until` (for ever without), unless lifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from subscribers.addresses import Address
from subscribers.tables import suppressions
from subscribers.tokens import address_hash


@dataclass(frozen=True, slots=True)
class Suppression:
    """One reason not to mail an address.

    Attributes:
        id: Row number.
        address_hash: HMAC-SHA256 of the address key, hex.
        reason: `bad_address`, `complaint`, `staff`, …
        source: What told us: a delivery, a provider, a person; in words.
        since: From when it holds.
        until: When it ends by itself, or None.
        lifted_at: When staff ended it, or None.
        lifted_by: Who lifted it, or empty.
    """

    id: int
    address_hash: str
    reason: str
    source: str
    since: datetime
    until: datetime | None
    lifted_at: datetime | None
    lifted_by: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why an address shall not be mailed: `reason`, `source`, and until when."""

    reason: str
    source: str = ""
    until: datetime | None = None


def active_suppression(now: datetime) -> sa.ColumnElement[bool]:
    """SQL: a row of `suppressions` holds at `now`."""
    c = suppressions.c
    return sa.and_(
        c.lifted_at.is_(None),
        c.since <= now,
        sa.or_(c.until.is_(None), c.until > now),
    )


def suppress(
    conn: sa.Connection,
    address: Address,
    *,
    pepper: bytes,
    grounds: Grounds,
    now: datetime,
) -> bool:
    """Suppress `address` from `now` on; False when the same reason holds already.

    A reason that held until a date and comes again holds until the later one.
    """
    hashed = address_hash(pepper, address.key)
    same = sa.and_(
        suppressions.c.address_hash == hashed,
        suppressions.c.reason == grounds.reason,
        active_suppression(now),
    )
    rows = conn.execute(sa.select(suppressions.c.until).where(same)).all()
    if any(_reaches(row.until, grounds.until) for row in rows):
        return False
    if rows:
        conn.execute(sa.update(suppressions).where(same).values(until=grounds.until))
        return True
    conn.execute(
        sa.insert(suppressions).values(
            address_hash=hashed,
            reason=grounds.reason,
            source=grounds.source,
            since=now,
            until=grounds.until,
        )
    )
    return True


def _reaches(held: datetime | None, wanted: datetime | None) -> bool:
    """Whether `held` ends no sooner than `wanted`; None never ends."""
    return held is None or (wanted is not None and held >= wanted)


def lift(
    conn: sa.Connection, address: Address, *, pepper: bytes, by: str, now: datetime
) -> int:
    """End every suppression of `address` that holds at `now`; returns how many."""
    statement = (
        sa.update(suppressions)
        .where(
            suppressions.c.address_hash == address_hash(pepper, address.key),
            active_suppression(now),
        )
        .values(lifted_at=now, lifted_by=by)
    )
    return conn.execute(statement).rowcount


def is_suppressed(
    conn: sa.Connection, address: Address, *, pepper: bytes, now: datetime
) -> bool:
    """Whether `address` must not be mailed at `now`."""
    found = sa.select(suppressions.c.id).where(
        suppressions.c.address_hash == address_hash(pepper, address.key),
        active_suppression(now),
    )
    return conn.execute(found.limit(1)).one_or_none() is not None


def suppressions_of(
    conn: sa.Connection, address: Address, *, pepper: bytes
) -> list[Suppression]:
    """Every suppression `address` ever had, oldest first, the lifted ones too."""
    hashed = address_hash(pepper, address.key)
    return _read(conn, suppressions.c.address_hash == hashed)


def active_suppressions(conn: sa.Connection, *, now: datetime) -> list[Suppression]:
    """Every suppression that holds at `now`, oldest first."""
    return _read(conn, active_suppression(now))


def _read(conn: sa.Connection, where: sa.ColumnElement[bool]) -> list[Suppression]:
    rows = conn.execute(
        sa.select(suppressions).where(where).order_by(suppressions.c.id)
    )
    return [Suppression(**row) for row in rows.mappings()]
