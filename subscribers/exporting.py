"""Export of a list as CSV that a spreadsheet opens safely and the import reads back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from subscribers.lists import List
from subscribers.spreadsheet import TextSink, csv_line
from subscribers.tables import subscribers, subscriptions

COLUMNS = (
    "email",
    "name",
    "language",
    "time_zone",
    "state",
    "consent_method",
    "consent_evidence",
    "consented_at",
    "confirmed_at",
    "unsubscribed_at",
    "unsubscribed_via",
)
"""Header of an export. The state keeps a later import from bringing anybody back."""

_PAGE = 1000


def export_csv(conn: sa.Connection, file: TextSink, *, of: List) -> int:
    """Write everybody who ever was on the list, in the order they joined.

    Quoted throughout, UTF-8 text with CRLF (RFC 4180), times in ISO 8601 (UTC). Read
    by key in pages of 1,000, so that memory stays the same. Returns the number of
    people.
    """
    file.write(csv_line(COLUMNS))
    written = last = 0
    while rows := conn.execute(_page(of, after=last)).all():
        for row in rows:
            file.write(csv_line([_text(value) for value in row[1:]]))
        written += len(rows)
        last = rows[-1].id
    return written


def _page(of: List, *, after: int) -> sa.Select[*tuple[Any, ...]]:
    person, tie = subscribers.c, subscriptions.c
    return (
        sa.select(
            tie.id,
            person.address,
            person.name,
            person.language,
            person.time_zone,
            *(tie[name] for name in COLUMNS[4:]),
        )
        .join(subscribers, person.id == tie.subscriber_id)
        .where(tie.list_id == of.id, tie.id > after)
        .order_by(tie.id)
        .limit(_PAGE)
    )


def _text(value: str | datetime | None) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else value
