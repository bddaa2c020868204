"""Fragment ids of articles: readable, unique in an issue, the same every time."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

_LONGEST = 60
_GAP = re.compile(r"[^a-z0-9]+")
# A stroke or a ligature has no decomposition that would leave its letter behind.
_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i"}
    | dict.fromkeys("'’‘", "")
)


def anchors(titles: Iterable[str]) -> list[str]:
    """One id (`[a-z0-9-]+`, at most 60 characters) per title, in the same order.

    An id depends on its own title alone, so that links stay right when articles are
    reordered; only where two titles give one id do the later ones get `-2`, `-3`.
    """
    taken: set[str] = set()
    found = []
    for title in titles:
        anchor = _free(_slug(title), taken)
        taken.add(anchor)
        found.append(anchor)
    return found


def _slug(title: str) -> str:
    """ASCII words joined by hyphens; a digest where a title has none (CJK)."""
    plain = unicodedata.normalize("NFKD", title.casefold().translate(_SPELLED))
    ascii_only = "".join(c for c in plain if not unicodedata.combining(c))
    slug = _GAP.sub("-", ascii_only).strip("-")
    if not slug:
        return "article-" + hashlib.sha256(title.encode()).hexdigest()[:8]
    return _cut(slug, _LONGEST)


def _cut(slug: str, longest: int) -> str:
    """At most `longest` characters, ending with a whole word where there is one."""
    if len(slug) <= longest:
        return slug
    return slug[: longest + 1].rpartition("-")[0] or slug[:longest]


def _free(slug: str, taken: set[str]) -> str:
    """The slug itself, or with the first number that nobody has."""
    candidate, number = slug, 1
    while candidate in taken:
        number += 1
        suffix = f"-{number}"
        candidate = _cut(slug, _LONGEST - len(suffix)) + suffix
    return candidate
