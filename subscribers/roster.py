"""A CSV file read as people: which column is what, and what a good row is."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from subscribers.addresses import parse_address
from subscribers.errors import InvalidAddress, InvalidCsv
from subscribers.people import Person, State
from subscribers.spreadsheet import MAX_COLUMNS, Row, read_rows

# By priority: a table of people may have an `address` of streets beside `email`.
_ADDRESS_COLUMNS = ("email", "e-mail", "email address", "e-mail address", "address")
_OTHER_COLUMNS = {
    "name": "name",
    "language": "language",
    "time_zone": "time_zone",
    "time zone": "time_zone",
    "state": "state",
}
# A language tag (RFC 5646) as far as newsletters need it; the column holds 35.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """A good row: somebody, and the state that their subscription shall have."""

    person: Person
    state: State


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be used: its line in the file, from 1, and why."""

    line: int
    reason: str


class _BadCellError(Exception):
    """A cell makes no sense; the text says which and why."""


class Roster:
    """The people in a file, one after the other; only one row is in memory.

    Attributes:
        ignored: Names of the columns that mean nothing here.
    """

    def __init__(self, file: BinaryIO, *, default_state: State) -> None:
        """Read the header; raises InvalidCsv if the file is no table of people.

        `default_state` is for rows that do not tell one.
        """
        self._rows = read_rows(file)
        header = next(self._rows).cells
        self._width = len(header)
        self._places, self.ignored = _columns(header)
        self._default_state = default_state

    def __iter__(self) -> Iterator[Entry | Refusal]:
        """Every row behind the header, good or not; raises InvalidCsv."""
        for row in self._rows:
            try:
                yield self._entry(row)
            except (InvalidAddress, _BadCellError) as error:
                yield Refusal(row.line, str(error))

    def _entry(self, row: Row) -> Entry:
        if row.fault:
            raise _BadCellError(row.fault)
        if len(row.cells) > self._width:
            raise _BadCellError(
                f"has {len(row.cells)} cells under {self._width} columns: a cell that "
                "holds the delimiter needs quotes around it"
            )
        cells = {
            name: row.cells[place].strip()
            for name, place in self._places.items()
            if place < len(row.cells)
        }
        person = Person(
            address=parse_address(cells.get("address", "")),
            name=cells.get("name", ""),
            language=_language(cells.get("language", "")),
            time_zone=_time_zone(cells.get("time_zone", "")),
        )
        return Entry(person, self._state(cells.get("state", "")))

    def _state(self, text: str) -> State:
        try:
            return State(text.casefold()) if text else self._default_state
        except ValueError:
            raise _BadCellError(
                f"{text[:_SHOWN]!r} is no state: use {', '.join(State)} or nothing"
            ) from None


def _columns(header: list[str]) -> tuple[dict[str, int], list[str]]:
    """Where each known column is, and the names of the others; raises InvalidCsv."""
    if len(header) > MAX_COLUMNS:
        raise InvalidCsv(
            f"the first line names {len(header)} columns; at most {MAX_COLUMNS} are "
            "read: leave out what is not needed"
        )
    names = [" ".join(cell.casefold().split()) for cell in header]
    address = next((name for name in _ADDRESS_COLUMNS if name in names), None)
    if address is None:
        raise InvalidCsv(_no_address_column(header))
    wanted = {address: "address", **_OTHER_COLUMNS}
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        if wanted.get(name) in places:
            raise InvalidCsv(
                f"the column {name!r} comes more than once: leave only one of them"
            )
        if name in wanted:
            places[wanted[name]] = place
    return places, [name for name in names if name and name not in wanted]


def _no_address_column(header: list[str]) -> str:
    if any("@" in cell for cell in header):
        return (
            "the first line must name the columns but holds an address already: put "
            "a line like `email,name` above it"
        )
    shown = ", ".join(repr(cell.strip()[:_SHOWN]) for cell in header[:10])
    return f"no column is called `email` (the first line has {shown}): rename one"


def _language(text: str) -> str:
    if text and not _LANGUAGE.fullmatch(text):
        raise _BadCellError(
            f"{text[:_SHOWN]!r} is no language: use one like en or de-AT"
        )
    return text


def _time_zone(text: str) -> str:
    if text and not _is_time_zone(text):
        raise _BadCellError(
            f"{text[:_SHOWN]!r} is no time zone: use one like Europe/Berlin"
        )
    return text


@functools.lru_cache(maxsize=1024)
def _is_time_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
