"""Per-person slots: places in an email that are filled for every recipient.

A token is exactly `slot-<nonce>-<slot>`: only letters, digits and hyphens, so that no
HTML parser, CSS inliner or URL quoting touches it. The nonce comes from the content's
own SHA-256: no text can contain the digest of itself, so no content forges a slot.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum

from distributor.errors import TemplateError


class Slot(StrEnum):
    """What stands in a slot; the composer fills it, escaped for its place."""

    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    VIEW = "view"
    NAME = "name"
    ADDRESS = "address"
    LIST = "list"


URLS = frozenset({Slot.UNSUBSCRIBE, Slot.PREFERENCES, Slot.VIEW})
REQUIRED = frozenset({*URLS, Slot.NAME, Slot.LIST})


def token(nonce: str, slot: Slot) -> str:
    """The text that stands for a slot in a rendition."""
    return f"slot-{nonce}-{slot}"


def split(content: str, nonce: str) -> list[str | Slot]:
    """Cut a rendition at its slots: texts (never empty) and slots in their order."""
    parts: list[str | Slot] = []
    position = 0
    for match in _pattern(nonce).finditer(content):
        if match.start() > position:
            parts.append(content[position : match.start()])
        parts.append(Slot(match[1]))
        position = match.end()
    if position < len(content):
        parts.append(content[position:])
    return parts


def count(content: str, nonce: str) -> Counter[Slot]:
    """How often each slot occurs."""
    return Counter(Slot(match[1]) for match in _pattern(nonce).finditer(content))


def check_html(html: str, nonce: str, *, template: str) -> None:
    """Refuse HTML whose slots are missing, unknown or not a whole href.

    Raises:
        TemplateError: Naming the template and what to put where.
    """
    _check(html, nonce, rf'href="{_prefix(nonce)}(\w+)"', template)


def check_text(text: str, nonce: str, *, template: str) -> None:
    """Refuse text whose URL slots do not stand alone on their line (see above)."""
    _check(text, nonce, rf"(?m)^{_prefix(nonce)}(\w+)$", template)


def _check(content: str, nonce: str, place: str, template: str) -> None:
    """Everything required is there, and every URL slot is in its place."""
    found = count(content, nonce)
    if content.count(_prefix(nonce)) != found.total():
        raise TemplateError(f"{template}: an unknown slot; known are {', '.join(Slot)}")
    for slot in sorted(REQUIRED - set(found)):
        raise TemplateError(
            f"{template}: the {slot} slot is missing; add {{{{ slots.{slot} }}}}"
        )
    placed = Counter(re.findall(place, content))
    for slot in sorted(URLS):
        if placed[slot] != found[slot]:
            raise TemplateError(
                f"{template}: {{{{ slots.{slot} }}}} must be a whole href in HTML, and "
                "alone on its line in plain text; nothing may stand beside it"
            )


def _prefix(nonce: str) -> str:
    return f"slot-{nonce}-"


def _pattern(nonce: str) -> re.Pattern[str]:
    return re.compile(f"{_prefix(re.escape(nonce))}({'|'.join(Slot)})")
