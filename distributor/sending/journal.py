"""What a crash leaves behind: a local append-only file per slot.

`started` is appended before a message's final dot leaves, `outcome` as soon as the
answer is known. Appends are single unbuffered `write` calls, so a killed process loses
none of them; only a power cut can, and then the committed attempt in the ledger still
counts as in doubt. The first line names the journal, because only the file that the
ledger knows may say "never started".
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from distributor.reply import Kind, Outcome, Reply, Stage, one_line

Attempt = tuple[int, int]
"""(delivery id, attempt number)."""


@dataclass
class JournalEntries:
    """What a journal says.

    Attributes:
        started: Attempts whose final dot may have left.
        outcomes: Attempts whose outcome is known.
        damaged: Complete lines that make no sense (never written by us).
    """

    started: set[Attempt] = field(default_factory=set)
    outcomes: dict[Attempt, Outcome] = field(default_factory=dict)
    damaged: int = 0


class Journal:
    """The journal of one slot; whoever uses it holds the slot's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1
        self._size = 0

    def read(self, journal_id: str | None) -> JournalEntries | None:
        """What the journal `journal_id` says; None if the file is not that journal."""
        if journal_id is None:
            return None
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return None
        return read_entries(text, journal_id)

    def begin(self, journal_id: str) -> None:
        """Forgets everything and starts the journal `journal_id`.

        The new file takes the old one's place in one step: a crash leaves either.
        Raises OSError (disk full, no permission).
        """
        self.close()
        fresh = self.path.with_name(f"{self.path.name}.new")
        self._file = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600
        )
        self._size = 0
        self._append(f"journal\t{journal_id}\n".encode())
        fresh.replace(self.path)

    def started(self, delivery_id: int, attempt: int) -> None:
        """The final dot of this attempt is about to leave. Raises OSError."""
        self._append(b"s\t%d\t%d\n" % (delivery_id, attempt))

    def outcome(self, delivery_id: int, attempt: int, outcome: Outcome) -> None:
        """How this attempt ended. Raises OSError."""
        reply = outcome.reply
        said = f"{reply.code}\t{reply.enhanced}\t{reply.text}" if reply else "0\t\t"
        line = (
            f"o\t{delivery_id}\t{attempt}\t{outcome.kind}\t{outcome.stage}\t{said}\t"
            f"{outcome.host}\t{outcome.detail}"
        )
        if line.count("\t") != 9 or "\n" in line:
            line = _escaped(delivery_id, attempt, outcome)
        self._append(line.encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        """Closes the file; twice is as good as once."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        written = os.write(self._file, line)
        if written == len(line):
            self._size += written
            return
        # A disk that fills up takes part of a line; the next one must not be glued
        # to it, so the part goes again.
        os.ftruncate(self._file, self._size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))


def _escaped(delivery_id: int, attempt: int, outcome: Outcome) -> str:
    reply = outcome.reply or Reply(0, "", "")
    cells = (reply.code, reply.enhanced, reply.text, outcome.host, outcome.detail)
    said = "\t".join(one_line(str(cell)) for cell in cells)
    return f"o\t{delivery_id}\t{attempt}\t{outcome.kind}\t{outcome.stage}\t{said}"


def read_entries(text: bytes, journal_id: str) -> JournalEntries | None:
    """The entries of a journal's bytes; a torn last line is as if never written."""
    first, *lines = text.split(b"\n")[:-1] or [b""]
    if first != f"journal\t{journal_id}".encode():
        return None
    entries = JournalEntries()
    for line in lines:
        try:
            _note(entries, line.decode("utf-8").split("\t"))
        except (ValueError, IndexError):
            entries.damaged += 1
    return entries


def _note(entries: JournalEntries, cells: list[str]) -> None:
    attempt = int(cells[1]), int(cells[2])
    if cells[0] == "s":
        entries.started.add(attempt)
        return
    _, _, _, kind, stage, code, enhanced, text, host, detail = cells
    reply = Reply(int(code), enhanced, text) if int(code) else None
    entries.outcomes[attempt] = Outcome(Kind(kind), Stage(stage), reply, host, detail)
