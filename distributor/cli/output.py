"""How answers look: JSON for programs, short tables and sentences for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(sentence: str) -> None:
    """One line for the person at the terminal; markup in it is shown, not obeyed."""
    console.print(sentence, markup=False)


def print_json(answer: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
) -> None:
    """A plain table; `right` names the columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> Text:
    """As it is: what a mail server replied is never read as markup."""
    return Text("" if value is None else str(value))


def iso(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second, or None."""
    return None if moment is None else moment.isoformat(timespec="seconds")


def local(moment: datetime | None, time_zone: str) -> str:
    """For people: `2023-06-30 09:00 CST` in the newsletter's time zone."""
    if moment is None:
        return "-"
    return moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M %Z")


def counted(count: int, noun: str, *, plural: str | None = None) -> str:
    """`1 subscriber`, `1,200 subscribers`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
