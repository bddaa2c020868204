"""CSV as people make it with spreadsheets: read it in bounded memory, write it safely.

Reading never holds more than one row, and a row is bounded in bytes, so that neither
a field of 10 MB nor a quote that is never closed costs memory. Writing follows the
advice of OWASP against formula injection: cells that a spreadsheet would calculate
get an apostrophe in front, and reading takes exactly that one off again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from subscribers.errors import InvalidCsv

MAX_CELL_BYTES = 1000
MAX_COLUMNS = 50
MAX_ROW_BYTES = 64_000
DELIMITERS = ",;\t"

_BOM = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_REMEDY = "save it as “CSV UTF-8”"
# Apostrophes in front count too, so that what we add can be told from what was there.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_LONE_RETURN = re.compile(r"\r(?!\n)")


class TextSink(Protocol):
    """Where CSV goes: a text file opened with `newline=""` will do."""

    def write(self, text: str, /) -> object:
        """Take `text`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        line: Number of the physical line where it begins, from 1.
        cells: Its text, protective apostrophes taken off; empty if it has a fault.
        fault: Why it cannot be used, or empty.
    """

    line: int
    cells: list[str]
    fault: str = ""


class _TooLongError(Exception):
    """The row being read has more bytes than any honest one."""


class _Lines:
    """The physical lines of a file, decoded; `number` is the last one's, from 1."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._row_bytes = 0
        self.number = 0

    def begin_row(self) -> None:
        self._row_bytes = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(MAX_ROW_BYTES + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        self._row_bytes += len(raw)
        if self._row_bytes > MAX_ROW_BYTES:
            self._skip_rest(raw)
            raise _TooLongError
        return self._decode(raw)

    def _skip_rest(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._file.readline(MAX_ROW_BYTES)

    def _decode(self, raw: bytes) -> str:
        if self.number == 1:
            raw = raw.removeprefix(_BOM)
            if raw.startswith(_UTF16_MARKS) or b"\0" in raw:
                raise InvalidCsv(
                    f"the file is not UTF-8 but looks like UTF-16: {_REMEDY}"
                )
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            shown = raw[error.start : error.start + 1].hex()
            raise InvalidCsv(
                f"line {self.number} is not UTF-8 (byte 0x{shown}); the file may be "
                f"Latin-1 or Windows-1252: {_REMEDY}"
            ) from None


def read_rows(file: BinaryIO) -> Iterator[Row]:
    """The rows of a CSV file in UTF-8, the header first; blank lines are left out.

    The delimiter (comma, semicolon or tab) is taken from the header. A row that
    cannot be used is given with its fault and the reading goes on behind it. Raises
    InvalidCsv for a file that is empty or in another encoding.
    """
    lines = _Lines(file)
    header = _header_line(lines)
    rows = _bounded(lines, delimiter=_delimiter(header))
    yield Row(lines.number, next(csv.reader([header], delimiter=_delimiter(header))))
    yield from rows


def _header_line(lines: _Lines) -> str:
    try:
        header = next((line for line in lines if line.strip()), "")
    except _TooLongError:
        raise InvalidCsv(
            f"line {lines.number} should name the columns but is longer than "
            f"{MAX_ROW_BYTES} bytes: is this a CSV file?"
        ) from None
    if not header:
        raise InvalidCsv("the file is empty: its first line must name the columns")
    if _LONE_RETURN.search(header):
        raise InvalidCsv(
            f"the file's lines end in a bare carriage return (old Mac): {_REMEDY}"
        )
    if '"' in header and header.count('"') % 2:
        raise InvalidCsv(
            f"line {lines.number} opens a quote and does not close it: the names of "
            "the columns must be in one line"
        )
    return header


def _delimiter(header: str) -> str:
    """The delimiter that cuts the header into the most cells; a comma in doubt."""
    return max(
        DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark)))
    )


def _bounded(lines: _Lines, *, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLongError:
            yield Row(first, [], _too_long(first, lines.number))
        except csv.Error as error:
            yield Row(first, [], f"is not CSV: {error}")
        else:
            if cells:
                yield _checked(first, cells)


def _too_long(first: int, last: int) -> str:
    if last > first:
        return (
            f"a quote is not closed: the row runs on to line {last} and is longer "
            f"than {MAX_ROW_BYTES} bytes"
        )
    return f"is longer than {MAX_ROW_BYTES} bytes"


def _checked(line: int, cells: list[str]) -> Row:
    if len(cells) > MAX_COLUMNS:
        return Row(line, [], f"has {len(cells)} cells; at most {MAX_COLUMNS} are read")
    for number, cell in enumerate(cells, start=1):
        # Bytes are counted only where characters leave it open.
        if len(cell) * 4 > MAX_CELL_BYTES and len(cell.encode()) > MAX_CELL_BYTES:
            return Row(line, [], f"cell {number} is longer than {MAX_CELL_BYTES} bytes")
    return Row(line, [unprotected(cell) for cell in cells])


def protected(cell: str) -> str:
    """`cell`, with an apostrophe in front if a spreadsheet would calculate it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unprotected(cell: str) -> str:
    """The inverse of `protected`; any other text is returned as it is."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def csv_line(cells: Sequence[str]) -> str:
    """One line of CSV (RFC 4180), every cell quoted and protected."""
    quoted = (protected(cell).replace('"', '""') for cell in cells)
    return ",".join(f'"{cell}"' for cell in quoted) + "\r\n"
