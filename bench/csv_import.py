"""Rows per second of the CSV import, and the memory it takes.

    python -m bench.csv_import [--rows 100000] [--database-url URL]

Without a URL: a SQLite file in a temporary folder. The database must be empty.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from subscribers import (
    Consent,
    ImportRequest,
    Method,
    add_list,
    candidates,
    import_csv,
    metadata,
)

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class People(io.RawIOBase):
    """A CSV file of any length that is never in memory."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._lines = self._made(rows)
        self._rest = b""

    def _made(self, rows: int) -> Iterator[bytes]:
        yield b"email,name,language\n"
        for number in range(rows):
            yield f"reader{number}@example.org,Reader {number},en\n".encode()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while len(self._rest) < len(buffer):
            line = next(self._lines, b"")
            if not line:
                break
            self._rest += line
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(engine: sa.Engine, rows: int) -> None:
    metadata.create_all(engine)
    before = megabytes()
    started = time.perf_counter()
    with engine.begin() as conn:
        into = add_list(conn, "bench", name="Bench", now=NOW)
        consent = Consent(Method.IMPORT, evidence="made up")
        request = ImportRequest(into=into, consent=consent, pepper=b"p" * 32, now=NOW)
        report = import_csv(conn, io.BufferedReader(People(rows)), request)
    took = time.perf_counter() - started
    assert report.added == rows, report
    print(
        f"{engine.dialect.name}: {rows} rows in {took:.1f} s, {rows / took:.0f} rows/s,"
        f" memory {before:.0f} -> {megabytes():.0f} MB"
    )
    for lists in ([into.id], [into.id, into.id + 1]):
        started = time.perf_counter()
        with engine.connect() as conn:
            taken = candidates(lists, now=NOW).subquery()
            count = conn.scalar(sa.select(sa.func.count(taken.c.address)))
        took = time.perf_counter() - started
        print(f"  audience of {len(lists)} list(s): {count} rows in {took:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--database-url", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.database_url or f"sqlite:///{Path(folder) / 'bench.sqlite'}"
        measure(sa.create_engine(url), arguments.rows)


if __name__ == "__main__":
    main()
