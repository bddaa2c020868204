"""The facts of an issue, typed strictly from text: number, date, language and so on.

Every fact is read from a string, whether it comes from front matter or from an
option: no YAML guessing (the language `no` is Norwegian, not "false").
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from distributor.articles import canonical
from distributor.errors import Problem

REQUIRED = ("title", "number", "date", "language", "base_url")
KEYS = (*REQUIRED, "subject", "preheader", "contact")
LONGEST_LINE = 1_000
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# The shape of RFC 5646 §2.1: language, then subtags of one to eight characters.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*|x(?:-[A-Za-z0-9]{1,8})+")
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+")


def read_facts(
    given: Mapping[str, tuple[int | None, str]], problems: list[Problem]
) -> dict[str, Any]:
    """Type every given fact; what is wrong or missing is appended to `problems`.

    Args:
        given: Key -> (line or None, text).
        problems: Takes all that is wrong, not only the first.

    Returns:
        The typed facts that were good; complete only if no problem was added.
    """
    facts: dict[str, Any] = {}
    for key, (line, text) in given.items():
        if key not in KEYS:
            problems.append(Problem(line, _unknown(key)))
            continue
        try:
            facts[key] = _READERS[key](text)
        except ValueError as error:
            problems.append(Problem(line, f"{key}: {error}"))
    problems += [
        Problem(1, f"'{key}' is missing; add a line '{key}: {_EXAMPLES[key]}'")
        for key in REQUIRED
        if key not in given
    ]
    facts.setdefault("subject", facts.get("title", ""))
    return facts


def check_slug(slug: str) -> list[Problem]:
    """Say what is wrong with the name of an issue (it becomes path and URL)."""
    if _SLUG.fullmatch(slug) and len(slug) <= 80:
        return []
    message = (
        f"'{slug}' cannot name an issue; use lower-case letters, digits and single "
        "hyphens, at most 80, such as wic-news-7"
    )
    return [Problem(None, message)]


def _unknown(key: str) -> str:
    close = difflib.get_close_matches(key.lower(), KEYS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(KEYS)}"
    return f"unknown key '{key}'; {hint}"


def one_line(text: str) -> str:
    """A text for one line, such as a subject; ValueError says what is wrong."""
    stripped = text.strip()
    if not stripped:
        raise ValueError("is empty; write some text")
    if "\n" in stripped or "\r" in stripped:
        raise ValueError("holds a line break; keep it on one line")
    if len(stripped) > LONGEST_LINE:
        raise ValueError(f"has {len(stripped)} characters; keep it under 1000")
    return stripped


def _optional_line(text: str) -> str:
    return one_line(text) if text.strip() else ""


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError(f"'{text}' is not a number from 1 up, such as 7")
    return int(text)


def _date(text: str) -> datetime:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        message = f"'{text}' is not a date; write it like {_EXAMPLES['date']}"
        raise ValueError(message) from None
    if date.tzinfo is None:
        message = f"'{text}' needs a time and its zone, like {_EXAMPLES['date']}"
        raise ValueError(message)
    return date


def _language(text: str) -> str:
    if len(text) <= 35 and _LANGUAGE.fullmatch(text):
        return text
    raise ValueError(f"'{text}' is not a language tag, such as en, no or zh-Hans")


def _base_url(text: str) -> str:
    if not _is_web_address(text):
        raise ValueError(
            f"'{text}' is not the address of a site; write it like "
            "https://news.example.org, without query or fragment"
        )
    return text.rstrip("/")


def _is_web_address(text: str) -> bool:
    """Absolute http(s), printable ASCII, a host, no user, query or fragment."""
    if not re.fullmatch(r"[!-~]+", text) or re.search(r"""[?#@"'<>\\`{}|^]""", text):
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(_HOST.fullmatch(host or ""))


_READERS: dict[str, Callable[[str], object]] = {
    "title": one_line,
    "subject": one_line,
    "number": _number,
    "date": _date,
    "language": _language,
    "base_url": _base_url,
    "preheader": _optional_line,
    "contact": canonical,
}
_EXAMPLES = {
    "title": "WIC News 7",
    "number": "7",
    "date": "2023-06-30T09:00:00+08:00",
    "language": "en",
    "base_url": "https://news.example.org",
}
