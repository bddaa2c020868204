"""A message for each person out of one rendition: segments joined, nothing else.

Everything that is the same for everybody is encoded once per send and list: headers,
both parts, the MIME structure. What differs stands in slots; a message is the join of
some dozen segments. The same delivery gives the same bytes at every attempt: the date
is the send's, the Message-ID the delivery's, the boundary the content's.
"""

from __future__ import annotations

import hashlib
import html as markup
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from distributor.render.slots import Slot, split
from distributor.sending import headers, quoted
from distributor.sending.wire import Wire, is_wire

_MARKUP = re.compile("[&<>\"']")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.+_-]{1,200}@[A-Za-z0-9.-]{1,255}>")


@dataclass(frozen=True, slots=True)
class Facts:
    """What all messages of a send to one list have in common.

    Attributes:
        date: Aware; the send's, the same at every attempt.
        language: BCP 47 tag of the issue.
        from_name: Shown as the sender, usually the newsletter's name.
        reply_to: A monitored address.
        list_slug: First label of the List-Id, `[a-z0-9-]+`.
        domain: The sender's domain: rest of the List-Id, sender in Feedback-ID.
        view_url: This issue on the web.
        archive_url: All issues on the web.
        fallback_name: For people without a name.
    """

    subject: str
    date: datetime
    language: str
    issue_slug: str
    from_name: str
    from_address: str
    reply_to: str
    list_name: str
    list_slug: str
    domain: str
    view_url: str
    archive_url: str
    fallback_name: str = "reader"


@dataclass(frozen=True, slots=True)
class Person:
    """What one person's message differs in.

    Attributes:
        message_id: With angle brackets (see `envelope.Identity`).
        unsubscribe_url: Absolute; the one-click address as well (RFC 8058).
    """

    address: str
    name: str
    message_id: str
    unsubscribe_url: str
    preferences_url: str


# Where a person's values go, besides the slots of either part.
_TO, _ID, _ONE_CLICK = range(3)
_HTML = {Slot.UNSUBSCRIBE: 3, Slot.PREFERENCES: 4, Slot.NAME: 5, Slot.ADDRESS: 6}
_TEXT = {Slot.UNSUBSCRIBE: 7, Slot.PREFERENCES: 8, Slot.NAME: 9, Slot.ADDRESS: 10}


class Composer:
    """Joins messages; made once per send and list."""

    def __init__(self, facts: Facts, *, html: str, text: str, nonce: str) -> None:
        """Encodes all that is common.

        Raises:
            ValueError: The text part is empty, or a fact cannot stand in a header.
        """
        if not text.strip() or not html.strip():
            raise ValueError("a message needs text and HTML")
        self._fallback = facts.fallback_name
        digest = hashlib.sha256(f"{nonce}\0{html}\0{text}".encode()).hexdigest()
        # "=_" cannot occur in quoted-printable text (RFC 2045 §6.7).
        boundary = f"=_{digest[:32]}"
        segments: list[bytes | int] = [
            *_head(facts, boundary),
            _part_head(boundary, "text/plain"),
            *_part(text, nonce, _TEXT, _same(facts)),
            b"\r\n",
            _part_head(boundary, "text/html"),
            *_part(html, nonce, _HTML, _escaped(_same(facts))),
            f"\r\n--{boundary}--\r\n".encode(),
        ]
        self._segments, self._places = _joined(segments)

    def compose(self, person: Person) -> Wire:
        """The complete message, ready to be written after DATA.

        Raises:
            ValueError: Address or Message-ID cannot stand in a header.
        """
        values = self._values(person)
        segments = self._segments.copy()
        for position, which in self._places:
            segments[position] = values[which]
        return Wire(b"".join(segments))

    def _values(self, person: Person) -> list[bytes]:
        if not _MESSAGE_ID.fullmatch(person.message_id):
            raise ValueError(f"{person.message_id!r} is not a Message-ID")
        one_click = headers.safe_url(person.unsubscribe_url)
        slots = (
            one_click,
            headers.safe_url(person.preferences_url),
            headers.clean(person.name) or self._fallback,
            person.address,
        )
        plain = [quoted.value(value) for value in slots]
        return [
            headers.mailbox("To", person.name, person.address).encode(),
            person.message_id.encode(),
            one_click.encode(),
            *(
                quoted.value(markup.escape(value)) if _MARKUP.search(value) else same
                for value, same in zip(slots, plain, strict=True)
            ),
            *plain,
        ]


def _head(facts: Facts, boundary: str) -> list[bytes | int]:
    """The header fields, with places for the recipient, the id and one-click."""
    before = headers.mailbox("From", facts.from_name, facts.from_address)
    return [
        before.encode(),
        _TO,
        (
            headers.mailbox("Reply-To", "", facts.reply_to)
            + headers.unstructured("Subject", facts.subject)
            + headers.field("Date", format_datetime(facts.date))
            + "Message-ID: "
        ).encode(),
        _ID,
        ("\r\n" + _list_fields(facts) + "List-Unsubscribe: <").encode(),
        _ONE_CLICK,
        (
            ">\r\n"
            + headers.field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
            + _manners(facts)
            + headers.field("MIME-Version", "1.0")
            + headers.field(
                "Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'
            )
            + "\r\n"
        ).encode(),
    ]


def _list_fields(facts: Facts) -> str:
    """RFC 2919, 2369 and 5064."""
    name = headers.phrase(facts.list_name)
    gap = "\r\n " if len(name) + len(facts.domain) > 30 else " "
    list_id = f"{name}{gap if name else ''}<{facts.list_slug}.{facts.domain}>"
    return (
        headers.field("List-Id", list_id)
        + _url_field(
            "List-Help", f"mailto:{quote(facts.reply_to, safe='@+')}?subject=help"
        )
        + _url_field("List-Archive", headers.safe_url(facts.archive_url))
        + headers.field("List-Post", "NO")
        + _url_field("Archived-At", headers.safe_url(facts.view_url))
    )


def _url_field(name: str, url: str) -> str:
    """A URL cannot be folded, and readers differ about a fold right before it."""
    return headers.field(name, f"<{url}>")


def _manners(facts: Facts) -> str:
    """What tells programs that nobody waits for their answer (RFC 3834)."""
    parts = (facts.issue_slug, facts.list_slug, "newsletter", facts.domain)
    feedback = ":".join(re.sub(r"[^A-Za-z0-9._-]", "-", part) for part in parts)
    return (
        headers.field("Feedback-ID", feedback)
        + headers.field("Auto-Submitted", "auto-generated")
        + headers.field("Precedence", "bulk")
        + headers.field("X-Auto-Response-Suppress", "OOF, AutoReply")
        + headers.field("Content-Language", facts.language)
    )


def _part_head(boundary: str, kind: str) -> bytes:
    return (
        f'--{boundary}\r\nContent-Type: {kind}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()


def _same(facts: Facts) -> dict[Slot, str]:
    """Slots that hold the same for the whole list."""
    return {
        Slot.VIEW: headers.safe_url(facts.view_url),
        Slot.LIST: quoted.one_line(facts.list_name),
    }


def _escaped(values: Mapping[Slot, str]) -> dict[Slot, str]:
    return {slot: markup.escape(value) for slot, value in values.items()}


def _part(
    content: str, nonce: str, places: Mapping[Slot, int], same: Mapping[Slot, str]
) -> list[bytes | int]:
    """A part as encoded segments and the places of what differs."""
    pieces: list[str | Slot] = [""]
    for piece in split(content, nonce):
        known = same.get(piece, piece) if isinstance(piece, Slot) else piece
        if isinstance(known, Slot) or isinstance(pieces[-1], Slot):
            pieces.append(known)
        else:
            pieces[-1] += known
    return [
        places[piece] if isinstance(piece, Slot) else quoted.part(piece)
        for piece in pieces
    ]


def _joined(
    segments: list[bytes | int],
) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Neighbouring fixed segments as one, and which value belongs where."""
    joined: list[bytes] = [b""]
    places: list[tuple[int, int]] = []
    for segment in segments:
        if isinstance(segment, int):
            places.append((len(joined), segment))
            joined += [b"", b""]
        else:
            joined[-1] += segment
    if not all(map(is_wire, joined)):
        raise ValueError("a segment holds what must not be written after DATA")
    return joined, places
