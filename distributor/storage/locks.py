"""Slot locks: the kernel or the database server says who is alive, never a clock.

A lease by the clock fails when the clock jumps or a stopped process wakes up. These
locks end with their holder: PostgreSQL's session advisory lock with the connection
that also writes the ledger, `flock` with the process (one host, as SQLite itself).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

ADVISORY_CLASS = 7461002
"""First key of our advisory locks; the second is the slot's number."""


@contextmanager
def slot_lock(connection: sa.Connection, slot: int, *, folder: Path) -> Iterator[bool]:
    """Holds the slot while inside; yields False if somebody alive has it.

    Args:
        connection: The connection that will write the ledger for this slot, outside
            a transaction.
        slot: The slot's number.
        folder: Where lock files live (SQLite only).
    """
    if connection.dialect.name == "postgresql":
        with _advisory_lock(connection, slot) as held:
            yield held
    else:
        with _file_lock(folder / f"slot-{slot}.lock") as held:
            yield held


@contextmanager
def _advisory_lock(connection: sa.Connection, slot: int) -> Iterator[bool]:
    keys = {"class": ADVISORY_CLASS, "slot": slot}
    with connection.begin():
        held = connection.scalar(
            sa.text("SELECT pg_try_advisory_lock(:class, :slot)"), keys
        )
    try:
        yield bool(held)
    finally:
        if held and not connection.invalidated:
            with connection.begin():
                connection.execute(
                    sa.text("SELECT pg_advisory_unlock(:class, :slot)"), keys
                )


@contextmanager
def _file_lock(path: Path) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
