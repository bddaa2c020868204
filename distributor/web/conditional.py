"""Conditional requests and content coding as pure functions (RFC 9110 §8.8, §13).

Nothing here knows of requests or responses: header values in, decisions out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

# RFC 9110 §8.8.3: W/"..." or "..."; the opaque part has no quote and no control.
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")


def entity_tags(header: str) -> frozenset[str]:
    """The quoted tags of an If-None-Match list, without their `W/`.

    Weak and strong compare alike here (§13.1.2). Broken members are passed over.
    """
    return frozenset(_ENTITY_TAG.findall(header))


def not_modified(
    headers: Mapping[str, str], *, etag: str, last_modified: datetime
) -> bool:
    """Whether 304 is the answer to a GET or HEAD with these request headers.

    Args:
        headers: Request headers by lower-case name.
        etag: Strong tag of what would be sent, with its quotes.
        last_modified: Aware; when it last changed.
    """
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None:
        # §13.2.2: where it is present, If-Modified-Since does not count at all.
        return if_none_match.strip() == "*" or etag in entity_tags(if_none_match)
    since = parse_http_date(headers.get("if-modified-since", ""))
    return since is not None and last_modified.replace(microsecond=0) <= since


def parse_http_date(value: str) -> datetime | None:
    """An HTTP date in UTC (§5.6.7, old forms too), or None if it is none."""
    try:
        parsed = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed


def http_date(moment: datetime) -> str:
    """`Tue, 15 Nov 1994 08:12:31 GMT`; `moment` is aware."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding value admits gzip (§12.5.3); absent means no."""
    qualities = dict(_coding(part) for part in header.lower().split(","))
    for name in ("gzip", "x-gzip", "*"):
        if name in qualities:
            return qualities[name]
    return False


def _coding(part: str) -> tuple[str, bool]:
    """`gzip;q=0.5` -> ("gzip", True); a quality of zero or nonsense refuses."""
    name, _, parameter = part.partition(";")
    key, _, value = parameter.partition("=")
    if key.strip() != "q":
        return name.strip(), True
    value = value.strip()
    return name.strip(), bool(_QUALITY.match(value)) and float(value) > 0
