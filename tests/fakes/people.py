"""Makes lists, subscribers and issues in a database, the way the product does."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import sqlalchemy as sa

import subscribers
from distributor.storage.tables import issues

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PEPPER = bytes(32)


def make_list(connection: sa.Connection, slug: str = "news") -> subscribers.List:
    return subscribers.add_list(connection, slug, name=slug.title(), now=NOW)


def join(
    connection: sa.Connection,
    address: str,
    to: subscribers.List,
    *,
    state: subscribers.State = subscribers.State.CONFIRMED,
    name: str = "",
) -> None:
    subscribers.subscribe(
        connection,
        subscribers.Person(subscribers.parse_address(address), name=name),
        to=to,
        consent=subscribers.Consent(subscribers.Method.IMPORT, at=NOW, state=state),
        pepper=PEPPER,
        now=NOW,
    )


def make_audience(
    connection: sa.Connection, count: int, slug: str = "news"
) -> subscribers.List:
    """A list with `count` confirmed readers, reader0@… to reader{count-1}@…"""
    to = make_list(connection, slug)
    for number in range(count):
        join(connection, f"reader{number}@example.org", to, name=f"Reader {number}")
    return to


def make_issue(connection: sa.Connection, slug: str = "seven") -> int:
    made = connection.execute(
        sa.insert(issues).values(
            slug=slug,
            feed_id=f"tag:example.org,2026:{slug}",
            number=7,
            title="Issue Seven",
            summary="",
            language="en",
            issue_date=NOW,
            content_hash="h",
            created_at=NOW,
        )
    )
    return int(made.inserted_primary_key[0])


def add_readers(connection: sa.Connection, count: int) -> subscribers.List:
    """As `make_audience`, by the importer: for lists of thousands."""
    to = make_list(connection)
    rows = "".join(f"reader{n}@example.org,Reader {n}\n" for n in range(count))
    request = subscribers.ImportRequest(
        into=to,
        consent=subscribers.Consent(subscribers.Method.IMPORT, at=NOW),
        pepper=PEPPER,
        now=NOW,
    )
    file = io.BytesIO(b"email,name\n" + rows.encode())
    subscribers.import_csv(connection, file, request)
    return to
