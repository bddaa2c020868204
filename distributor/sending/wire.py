"""Messages fit to be written after DATA, and nothing else can be.

A bare CR or LF, or a dot at the start of a line, is how one message is made to look
like two to some servers (SMTP smuggling). Looking for them costs more than composing
a message does, so what is composed from parts proven once carries the proof in its
type, and everything else is examined.
"""

from __future__ import annotations

import re

_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\x00")

END = b".\r\n"
"""What follows a message; every `Wire` ends in CRLF."""


class Wire(bytes):
    """A message with CRLF line ends only, no line starting with a dot, no NUL."""

    __slots__ = ()


def is_wire(data: bytes, *, after: bytes = b"\r\n") -> bool:
    """Whether `data`, written behind `after`, holds nothing that could break out.

    A part of a message may end inside a line, but never between CR and LF.
    """
    if _BARE.search(data) or data.endswith(b"\r"):
        return False
    return b"\n." not in after + data


def on_wire(message: bytes) -> Wire:
    """`message` as it may be written: dot-stuffed (RFC 5321 §4.5.2) where needed.

    Raises:
        ValueError: It holds a bare CR or LF or a NUL, or does not end in CRLF.
    """
    if type(message) is Wire:
        return message
    if _BARE.search(message) or not message.endswith(b"\r\n"):
        raise ValueError("a message must have CRLF line ends only and end in one")
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return Wire(b"." + stuffed if stuffed.startswith(b".") else stuffed)
