"""Lists: what one subscribes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from subscribers.addresses import MAX_NAME, clean_name
from subscribers.errors import InvalidList, UnknownList
from subscribers.tables import lists, subscriptions
from subscribers.upsert import insert_new

# A slug becomes one label of the List-Id (RFC 2919), hence a DNS label's length.
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class List:
    """A list; `slug` names it on the command line and in its List-Id."""

    id: int
    slug: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class ListCounts:
    """How many subscriptions of a list are in which state."""

    confirmed: int = 0
    unconfirmed: int = 0
    unsubscribed: int = 0


def add_list(
    conn: sa.Connection, slug: str, *, name: str, now: datetime, description: str = ""
) -> List:
    """Make a list; raises InvalidList for a bad slug or name, or one that exists."""
    if not _SLUG.fullmatch(slug):
        raise InvalidList(
            f"{slug!r} cannot name a list: use up to 63 small letters a-z, digits and "
            "inner hyphens, like weekly-news"
        )
    name = _checked_name(name)
    values = {"slug": slug, "name": name, "description": description}
    statement = insert_new(conn, lists).values(created_at=now, **values)
    row = conn.execute(statement.returning(lists.c.id)).one_or_none()
    if row is None:
        raise InvalidList(f"the list {slug!r} exists already: use it, or another name")
    return List(id=row.id, **values)


def _checked_name(name: str) -> str:
    cleaned = clean_name(name)
    if not cleaned:
        raise InvalidList("a list needs a name that people can read")
    if cleaned != name.strip():
        raise InvalidList(
            f"the name of a list is one line of at most {MAX_NAME} characters, "
            "without control characters and repeated spaces"
        )
    return cleaned


def get_list(conn: sa.Connection, slug: str) -> List:
    """The list called `slug`; raises UnknownList, which names those that exist."""
    columns = (lists.c.id, lists.c.slug, lists.c.name, lists.c.description)
    row = conn.execute(sa.select(*columns).where(lists.c.slug == slug)).one_or_none()
    if row is None:
        known = conn.scalars(sa.select(lists.c.slug).order_by(lists.c.slug)).all()
        raise UnknownList(slug, known=known)
    return List(row.id, row.slug, row.name, row.description)


def all_lists(conn: sa.Connection) -> list[tuple[List, ListCounts]]:
    """Every list with its counts, by slug; a list that nobody is on has zeros."""
    counted: dict[int, dict[str, int]] = {}
    by_state = sa.select(
        subscriptions.c.list_id, subscriptions.c.state, sa.func.count().label("n")
    ).group_by(subscriptions.c.list_id, subscriptions.c.state)
    for row in conn.execute(by_state):
        counted.setdefault(row.list_id, {})[row.state] = row.n
    columns = (lists.c.id, lists.c.slug, lists.c.name, lists.c.description)
    return [
        (
            List(row.id, row.slug, row.name, row.description),
            ListCounts(**counted.get(row.id, {})),
        )
        for row in conn.execute(sa.select(*columns).order_by(lists.c.slug))
    ]
