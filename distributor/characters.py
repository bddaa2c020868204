"""Characters that no channel can carry safely, found before anything is rendered.

Refused are what XML 1.0 cannot hold (control characters, unpaired surrogates,
U+FFFE and U+FFFF; section 2.2 Char), the separators that Python, YAML and browsers
disagree about (U+0085, U+2028, U+2029), and the bidirectional embeddings and
overrides (UAX #9), which make text read differently from what it is.
"""

from __future__ import annotations

import re
import unicodedata

from distributor.errors import Problem

_REFUSED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff\ufffe\uffff]"
)
_SHOWN = 20


def unified(text: str) -> str:
    """Return the text without byte order mark, every line ended by one LF."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def refused(text: str) -> list[Problem]:
    """Name the first refused characters with their lines (at most twenty).

    `text` has LF line ends (see `unified`).
    """
    found = []
    for match in _REFUSED.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        found.append(Problem(line, f"{_described(match[0])}; remove it"))
        if len(found) == _SHOWN:
            break
    return found


def _described(character: str) -> str:
    """`U+202E RIGHT-TO-LEFT OVERRIDE cannot be shown ...` for one character."""
    code = ord(character)
    kind = "an unpaired surrogate" if 0xD800 <= code <= 0xDFFF else "control character"
    name = unicodedata.name(character, kind)
    return f"the character U+{code:04X} ({name}) cannot be carried by mail and feeds"
