r"""Quoted-printable (RFC 2045 §6.7) in pieces that can be joined in any combination.

A piece starts and ends at the start of a line: where it would end inside one, a soft
break follows. So pieces encoded once and values encoded per person stand side by side
and the lines stay within 76 octets. A dot at the start of a line is written `=2E`, so
nothing ever needs dot-stuffing (RFC 5321 §4.5.2), and `From ` becomes `=46rom `, so no
mailbox quotes it and breaks a signature.
"""

from __future__ import annotations

import re

_WIDTH = 75  # and the `=` of a soft break
_SOFT = "=\r\n"

_TABLE = {
    octet: f"={octet:02X}"
    for octet in range(256)
    if octet != 9 and (octet < 32 or octet > 126 or octet == ord("="))
}
# What stands for itself on one line: no "=", no white space but inside, no dot first.
_BARE = re.compile(r"(?![.]|From )[ -<>-~]{1,75}")
# A long word of the same, such as a link: only to be cut, if no dot comes first.
_WORD = re.compile(r"[!-<>-~]{76,}")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def part(text: str) -> bytes:
    """`text` as a whole body part or a piece of one, any line ends becoming CRLF.

    Ends with CRLF if the text ends with a line end, else with a soft break.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    *lines, rest = _SURROGATE.sub("\ufffd", text).split("\n")
    encoded = "".join(f"{_line(line)}\r\n" for line in lines)
    if rest:
        encoded += f"{_line(rest, ends=False)}{_SOFT}"
    return encoded.encode("ascii")


def value(text: str) -> bytes:
    """What is put into a slot, as one piece; control characters and line ends go.

    Ends with a soft break; an empty text is an empty piece.
    """
    if _BARE.fullmatch(text):
        return f"{text}{_SOFT}".encode("ascii")
    if _WORD.fullmatch(text):
        cut = [text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)]
        if not any(piece.startswith(".") for piece in cut):
            return f"{_SOFT.join(cut)}{_SOFT}".encode("ascii")
    return part(one_line(text))


def one_line(text: str) -> str:
    """`text` without control characters and line ends (each becomes a space)."""
    return _UNPRINTABLE.sub(" ", text).replace("\n", " ").replace("\t", " ")


def _line(line: str, *, ends: bool = True) -> str:
    """One line, wrapped by soft breaks; `ends` = a line end follows."""
    text = line.encode().decode("latin-1").translate(_TABLE)
    if ends and text.endswith((" ", "\t")):
        text = f"{text[:-1]}={ord(text[-1]):02X}"
    pieces: list[str] = []
    position = 0
    while position < len(text) or not pieces:
        start = _start(text, position)
        room = _WIDTH - len(start)
        position += 1 if start else 0
        end = position + _fitting(text[position : position + room + 3], room)
        pieces.append(start + text[position:end])
        position = end
    return _SOFT.join(pieces)


def _start(text: str, position: int) -> str:
    """The first character, where it may not stand for itself."""
    if text.startswith(".", position):
        return "=2E"
    return "=46" if text.startswith("From ", position) else ""


def _fitting(text: str, room: int) -> int:
    """How much of `text` fits into `room` without cutting an `=XX`."""
    if len(text) <= room:
        return len(text)
    cut = text.rfind("=", max(room - 2, 0), room)
    return room if cut < 0 else cut
