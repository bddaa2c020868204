"""Import of people from CSV: streamed, set by set, all or nothing.

The caller owns the transaction: unless it asked to keep the good rows, one refused
row makes `import_csv` raise at the end, and the caller's transaction rolls back.
Nobody is brought back: whoever unsubscribed from the list or is suppressed is left
alone, and what is known about a person is never overwritten.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO

import sqlalchemy as sa

from subscribers.errors import ImportRefused
from subscribers.lists import List
from subscribers.people import Consent, State, consent_values, subscriber_values
from subscribers.roster import Entry, Refusal, Roster
from subscribers.spreadsheet import TextSink, csv_line
from subscribers.suppression import active_suppression
from subscribers.tables import subscribers, subscriptions, suppressions
from subscribers.upsert import insert_new

MAX_REFUSALS_KEPT = 1000
"""Refused rows that a report holds; all of them go to `refusals_to`."""


@dataclass(frozen=True)
class ImportRequest:
    """What to import into, and how.

    Attributes:
        into: The list.
        consent: What allows us to mail these people; the same for all of them.
        pepper: Key of the address hashes.
        now: The time of the import.
        keep_good: Import the good rows although others are refused.
        batch: Rows per statement.
        on_progress: Called with the rows read so far, after each batch.
        refusals_to: Gets every refused row at once, as CSV: line, reason.
    """

    into: List
    consent: Consent
    pepper: bytes = field(repr=False)
    now: datetime
    keep_good: bool = False
    batch: int = 1000
    on_progress: Callable[[int], object] | None = None
    refusals_to: TextSink | None = None


@dataclass
class ImportReport:
    """What became of a file's rows: rows = added + already + duplicates + the rest.

    Attributes:
        rows: Rows of people in the file, header and blank lines left out.
        added: New subscriptions.
        already: People who were on the list before.
        duplicates: Rows whose person came earlier in the same file.
        left_alone: People who unsubscribed or are suppressed; nothing was changed.
        refused: Rows that could not be used.
        refusals: The first 1,000 of these.
        ignored_columns: Columns of the file that mean nothing here.
    """

    rows: int = 0
    added: int = 0
    already: int = 0
    duplicates: int = 0
    left_alone: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)


def import_csv(
    conn: sa.Connection, file: BinaryIO, request: ImportRequest
) -> ImportReport:
    """Subscribe everybody in a CSV file to a list; memory does not grow with it.

    Columns, in any order and case: `email` (or e-mail, address), and if wanted
    `name`, `language`, `time_zone`, `state`. UTF-8, delimited by comma, semicolon or
    tab. Raises InvalidCsv if the file is no such table, ImportRefused (with the
    report) if rows were refused and `keep_good` is not set: roll back on both.
    """
    roster = Roster(file, default_state=request.consent.state)
    report = ImportReport(ignored_columns=roster.ignored)
    newest = sa.func.coalesce(sa.func.max(subscriptions.c.id), 0)
    last_id = conn.execute(sa.select(newest)).scalar_one()
    entries = iter(roster)
    batches = iter(lambda: list(itertools.islice(entries, request.batch)), [])
    for number, batch in enumerate(batches, start=1):
        report.rows += len(batch)
        people = _people(batch, request=request, report=report)
        if request.keep_good or not report.refused:
            _Batch(conn, people, request=request).store(report, last_id=last_id)
            _refresh_statistics(conn, batch=number)
        if request.on_progress is not None:
            request.on_progress(report.rows)
    if report.refused and not request.keep_good:
        report.added = 0
        raise ImportRefused(report)
    return report


def _refresh_statistics(conn: sa.Connection, *, batch: int) -> None:
    """Tell PostgreSQL, after 1, 10, 100… batches, how large the tables have become.

    Within one transaction nothing else does, and its plans for empty tables read
    everything for each batch: 900 rows a second instead of some thousands.
    """
    if conn.dialect.name == "postgresql" and str(batch).strip("0") == "1":
        conn.execute(sa.text("ANALYZE subscribers, subscriptions"))


def _people(
    batch: list[Entry | Refusal], *, request: ImportRequest, report: ImportReport
) -> dict[str, tuple[dict[str, str], State]]:
    """The good rows as columns of `subscribers`, by hash; the rest is reported."""
    people: dict[str, tuple[dict[str, str], State]] = {}
    for item in batch:
        if isinstance(item, Refusal):
            _refuse(item, request=request, report=report)
            continue
        values = subscriber_values(item.person, pepper=request.pepper)
        if values["address_hash"] in people:
            report.duplicates += 1
        else:
            people[values["address_hash"]] = values, item.state
    return people


def _refuse(refusal: Refusal, *, request: ImportRequest, report: ImportReport) -> None:
    report.refused += 1
    if len(report.refusals) < MAX_REFUSALS_KEPT:
        report.refusals.append(refusal)
    if request.refusals_to is not None:
        request.refusals_to.write(csv_line([str(refusal.line), refusal.reason]))


class _Batch:
    """Some people on their way into the database, four or so statements for all."""

    def __init__(
        self,
        conn: sa.Connection,
        people: dict[str, tuple[dict[str, str], State]],
        *,
        request: ImportRequest,
    ) -> None:
        self._conn = conn
        self._people = people
        self._request = request

    def store(self, report: ImportReport, *, last_id: int) -> None:
        """Insert who is new; `last_id` is the last subscription before the import."""
        barred = self._suppressed()
        report.left_alone += len(barred)
        self._drop(barred)
        for row in self._there_already():
            if row.id > last_id:
                report.duplicates += 1
            elif row.state == State.UNSUBSCRIBED.value:
                report.left_alone += 1
            else:
                report.already += 1
            self._drop([row.address_hash])
        if self._people:
            added = self._insert()
            report.added += added
            # Somebody else may have added them since we looked.
            report.already += len(self._people) - added

    def _drop(self, hashes: Iterable[str]) -> None:
        for hashed in hashes:
            self._people.pop(hashed, None)

    def _suppressed(self) -> Sequence[str]:
        found = sa.select(suppressions.c.address_hash).where(
            suppressions.c.address_hash.in_(list(self._people)),
            active_suppression(self._request.now),
        )
        return self._conn.scalars(found.distinct()).all()

    def _there_already(self) -> Sequence[sa.Row[int, str, str]]:
        found = (
            sa.select(
                subscriptions.c.id, subscriptions.c.state, subscribers.c.address_hash
            )
            .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
            .where(
                subscribers.c.address_hash.in_(list(self._people)),
                subscriptions.c.list_id == self._request.into.id,
            )
        )
        return self._conn.execute(found).all()

    def _insert(self) -> int:
        """Subscribers, then their subscriptions; returns how many were new."""
        now = self._request.now
        self._conn.execute(
            insert_new(self._conn, subscribers),
            [{**values, "created_at": now} for values, _ in self._people.values()],
        )
        return sum(self._subscribe(state) for state in State)

    def _subscribe(self, state: State) -> int:
        hashes = [key for key, (_, wanted) in self._people.items() if wanted is state]
        if not hashes:
            return 0
        request = self._request
        values = {
            "list_id": request.into.id,
            "created_at": request.now,
            **consent_values(replace(request.consent, state=state), now=request.now),
        }
        constants = [
            sa.literal(value, subscriptions.c[name].type).label(name)
            for name, value in values.items()
        ]
        people = (
            sa.select(subscribers.c.id, *constants)
            .where(subscribers.c.address_hash.in_(hashes))
            .order_by(subscribers.c.id)
        )
        statement = insert_new(self._conn, subscriptions).from_select(
            ["subscriber_id", *values], people
        )
        # Only an option makes SQLAlchemy keep an INSERT's count on PostgreSQL.
        kept = statement.execution_options(preserve_rowcount=True)
        return self._conn.execute(kept).rowcount
