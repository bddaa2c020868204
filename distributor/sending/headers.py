"""Header fields that cannot become more than they are.

Whatever comes from outside (names, subjects, addresses) is one clean line before it is
encoded, and what was encoded is looked at again: CPython up to 3.11.9 and 3.12.4 turns
an encoded line break in a subject into a real header field (CVE-2024-6923).
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import AnyStr
from urllib.parse import quote

from distributor.envelope import is_mailable

_LINE = 78  # RFC 5322 §2.1.1
_WORD = 64
"""Longest encoded word: RFC 2047 allows 75, a field's name stands before the first."""

_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FINISHED = re.compile(r"(?:[\x20-\x7e]|\r\n (?=[\x21-\x7e]))*")
_ATOMS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
)
_Q_SAFE = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)
_URL = re.compile(r"https?://[!#-;=?-~]+")


def clean(text: str) -> str:
    """`text` as one line: no control characters, white space runs are one space."""
    text = _SURROGATE.sub("\ufffd", _UNCLEAN.sub(" ", text))
    return " ".join(text.split())


def unstructured(name: str, text: str) -> str:
    """A field of free text such as Subject, folded, with its CRLF."""
    text = clean(text)
    if _is_plain(text):
        return field(name, "\r\n ".join(_folded(text, first=_LINE - len(name) - 2)))
    return field(name, "\r\n ".join(encoded_words(text)))


def mailbox(name: str, display: str, address: str) -> str:
    """An address field such as From, with its CRLF; no display name if it is empty.

    Raises:
        ValueError: The address cannot stand in a header.
    """
    if not is_mailable(address):
        raise ValueError(f"{address!r} cannot stand in a {name} header")
    shown = phrase(display)
    if not shown:
        return f"{name}: {address}\r\n"
    last = len(shown) - shown.rfind("\n") - 1 + (0 if "\n" in shown else len(name) + 2)
    gap = " " if last + len(address) + 3 <= _LINE else "\r\n "
    return f"{name}: {shown}{gap}<{address}>\r\n"


@lru_cache(maxsize=256)
def phrase(display: str) -> str:
    """A display name (RFC 5322 §3.2.5): bare, quoted or encoded; "" stays empty."""
    text = clean(display)
    if len(text) <= _WORD and _is_plain(text):
        if not text or _ATOMS.fullmatch(text):
            return text
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        if len(escaped) <= _WORD:
            return f'"{escaped}"'
    return _examined("\r\n ".join(encoded_words(text)))


def field(name: str, value: str) -> str:
    """`Name: value` with its CRLF.

    Raises:
        ValueError: The value holds anything but printable ASCII and proper folds.
    """
    return f"{name}: {_examined(value)}\r\n"


def safe_url(url: str) -> str:
    """`url` percent-encoded where it holds anything that a header could trip over."""
    if _URL.fullmatch(url):
        return url
    return quote(_SURROGATE.sub("\ufffd", url), safe="!#$%&'()*+,/:;=?@[]~")


def encoded_words(text: str) -> list[str]:
    """RFC 2047 words of `text`, none splitting a character; B or Q, the shorter."""
    quoted = [_q(character) for character in text]
    if sum(map(len, quoted)) <= len(text.encode()) * 4 // 3:
        return [f"=?utf-8?q?{part}?=" for part in _packed(quoted, _WORD - 12)]
    sizes = [character.encode() for character in text]
    return [
        f"=?utf-8?b?{base64.b64encode(part).decode()}?="
        for part in _packed(sizes, (_WORD - 12) // 4 * 3)
    ]


def _q(character: str) -> str:
    if character == " ":
        return "_"
    octets = character.encode()
    return "".join(chr(o) if o in _Q_SAFE else f"={o:02X}" for o in octets)


def _packed(pieces: list[AnyStr], limit: int) -> list[AnyStr]:
    """Neighbouring pieces joined as long as they fit into `limit`."""
    packed = [pieces[0][:0]]
    for piece in pieces:
        if len(packed[-1]) + len(piece) > limit:
            packed.append(piece)
        else:
            packed[-1] += piece
    return packed


def _is_plain(text: str) -> bool:
    """Whether no reader could take it for anything encoded, and it can be folded."""
    if not text.isascii() or "=?" in text:
        return False
    return all(len(word) < _LINE - 12 for word in text.split())


def _folded(text: str, *, first: int) -> list[str]:
    lines, room = [""], first
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = _LINE - 1
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines


def _examined(value: str) -> str:
    if not _FINISHED.fullmatch(value):
        raise ValueError("a header value holds what no header may hold")
    return value
