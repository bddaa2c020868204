"""Named queries on issues and their renditions; takes a connection, commits nothing.

The row of an issue points at one complete set of renditions by `content_hash`. Sets
are only ever added: a send refers to the set it delivers, whatever is written later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from distributor.storage.tables import issues, renditions


class Channel(StrEnum):
    """The forms of an issue, as named in `renditions.channel`."""

    EMAIL_HTML = "email_html"
    EMAIL_TEXT = "email_text"
    FEED_HTML = "feed_html"
    WEB = "web"


@dataclass(frozen=True)
class StoredIssue:
    """A row of `issues`; times are aware UTC.

    Attributes:
        id: Primary key.
        slug: Name in commands, paths and URLs; may be renamed.
        feed_id: Minted once; guid, Atom id and JSON Feed id.
        number: The issue's number.
        title: Plain text.
        summary: Plain text.
        language: BCP 47 tag.
        issue_date: The date the issue bears.
        content_hash: Names its current set of renditions.
        created_at: When it was first saved.
        published_at: When it entered page and feeds, or None.
        updated_at: Last change after publication, or None.
    """

    id: int
    slug: str
    feed_id: str
    number: int
    title: str
    summary: str
    language: str
    issue_date: datetime
    content_hash: str
    created_at: datetime
    published_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True)
class Freshness:
    """Differs whenever anything the public sees has changed; a cache key.

    Attributes:
        published: How many issues are published.
        newest: Latest publication or change, or None before the first.
    """

    published: int
    newest: datetime | None


_COLUMNS = [issues.c[name] for name in StoredIssue.__dataclass_fields__]
# Built once: the web asks it with every request.
_FRESHNESS = sa.select(
    sa.func.count(),
    sa.func.max(issues.c.published_at),
    sa.func.max(issues.c.updated_at),
).where(issues.c.published_at.is_not(None))
_NEWEST_FIRST = (issues.c.published_at.desc(), issues.c.id.desc())


def find(
    connection: sa.Connection, slug: str, *, lock: bool = False
) -> StoredIssue | None:
    """The issue of that name; `lock` keeps other writers off until the commit."""
    query = sa.select(*_COLUMNS).where(issues.c.slug == slug)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else StoredIssue(*row)


def all_issues(connection: sa.Connection) -> list[StoredIssue]:
    """Every issue, published or not, latest date first."""
    query = sa.select(*_COLUMNS).order_by(
        issues.c.issue_date.desc(), issues.c.id.desc()
    )
    return [StoredIssue(*row) for row in connection.execute(query)]


def published(
    connection: sa.Connection, *, limit: int | None = None
) -> list[StoredIssue]:
    """Published issues, newest publication first."""
    return [
        StoredIssue(*row)
        for row in connection.execute(_published(*_COLUMNS).limit(limit))
    ]


def published_with(
    connection: sa.Connection, channel: Channel, *, limit: int | None = None
) -> list[tuple[StoredIssue, str]]:
    """Published issues with one of their renditions, newest publication first."""
    query = _with_rendition(_published(*_COLUMNS, renditions.c.content), channel)
    return [
        (StoredIssue(*row[:-1]), str(row[-1]))
        for row in connection.execute(query.limit(limit))
    ]


def published_rendition(
    connection: sa.Connection, slug: str, channel: Channel
) -> tuple[StoredIssue, str] | None:
    """A published issue with one of its renditions; None if there is none such."""
    query = _with_rendition(_published(*_COLUMNS, renditions.c.content), channel)
    row = connection.execute(query.where(issues.c.slug == slug)).one_or_none()
    return None if row is None else (StoredIssue(*row[:-1]), str(row[-1]))


def freshness(connection: sa.Connection) -> Freshness:
    """How fresh the published issues are, in one small query."""
    row = connection.execute(_FRESHNESS).one()
    count, published_at, updated_at = row
    newest = max((t for t in (published_at, updated_at) if t is not None), default=None)
    return Freshness(published=count, newest=newest)


def first_feed_id(connection: sa.Connection) -> str | None:
    """The id that was minted first of all, published or not."""
    return connection.scalar(sa.select(issues.c.feed_id).order_by(issues.c.id).limit(1))


def add(connection: sa.Connection, values: Mapping[str, Any]) -> None:
    """Inserts an issue; does nothing if its slug or feed id is there already."""
    _insert_new(connection, issues, values)


def change(connection: sa.Connection, issue_id: int, values: Mapping[str, Any]) -> None:
    """Writes these columns of the issue."""
    connection.execute(issues.update().where(issues.c.id == issue_id).values(**values))


def add_renditions(
    connection: sa.Connection,
    issue_id: int,
    content_hash: str,
    *,
    contents: Mapping[Channel, str],
    nonce: str,
) -> None:
    """Adds a set of renditions; a set that is there stays as it is."""
    for channel, content in sorted(contents.items()):
        row = {
            "issue_id": issue_id,
            "content_hash": content_hash,
            "channel": str(channel),
            "content": content,
            "nonce": nonce,
        }
        _insert_new(connection, renditions, row)


def rendition_set(
    connection: sa.Connection, issue_id: int, content_hash: str
) -> tuple[dict[Channel, str], str]:
    """The contents by channel, and the nonce of their slots; empty if unknown."""
    rows = connection.execute(
        sa.select(renditions.c.channel, renditions.c.content, renditions.c.nonce).where(
            renditions.c.issue_id == issue_id,
            renditions.c.content_hash == content_hash,
        )
    ).all()
    contents = {Channel(row.channel): str(row.content) for row in rows}
    return contents, str(rows[0].nonce) if rows else ""


def _published(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return (
        sa.select(*columns)
        .where(issues.c.published_at.is_not(None))
        .order_by(*_NEWEST_FIRST)
    )


def _with_rendition(query: sa.Select[Any], channel: Channel) -> sa.Select[Any]:
    return query.join_from(
        issues,
        renditions,
        (renditions.c.issue_id == issues.c.id)
        & (renditions.c.content_hash == issues.c.content_hash),
    ).where(renditions.c.channel == str(channel))


def _insert_new(
    connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]
) -> None:
    """Two processes may save the same thing at once: the second does nothing."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())
