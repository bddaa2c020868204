"""Plain-text lines measured in columns, as a terminal or mail program shows them.

A CJK character takes two columns and may be followed by a break, except before
closing and after opening punctuation (kinsoku, as in JIS X 4051 and UAX #14).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import wcwidth

WIDTH = 72
_SPACES = re.compile(r"([ \t\n]+)")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[!-~]+)")
_NO_START = frozenset(
    "，。、；：？！」』）】》〉〕］｝”’…—～・ー々ゝヽぁぃぅぇぉっゃゅょァィゥェォッャュョ,.;:?!)]}%"
)
_NO_END = frozenset("「『（【《〈〔［｛“‘([{$")


def plain(text: str) -> str:
    """The rule for this channel: U+00A0 is an ordinary space, so that lines wrap."""
    return text.replace("\u00a0", " ")


def columns(text: str) -> int:
    """Display width of a text without control characters."""
    return len(text) if text.isascii() else max(0, wcwidth.wcswidth(text))


def wrap(text: str, width: int = WIDTH) -> list[str]:
    """Break one paragraph into lines of at most `width` columns.

    A URL is never broken, even if it is longer; any other overlong word is. Runs of
    spaces stay as they are written, except where a line ends.
    """
    lines: list[str] = []
    line = ""
    for gap, unit in _units(plain(text).strip(" \t\n"), width):
        if line and columns(line + gap + unit) > width:
            lines.append(line)
            line = unit
        else:
            line += (gap if line else "") + unit
    return [*lines, line] if line else lines


def paragraph(text: str) -> str:
    """A paragraph as lines of at most 72 columns."""
    return "\n".join(wrap(text))


def item(text: str, number: int) -> str:
    """`12. text`, further lines indented below the text."""
    mark = f"{number:>2}. "
    lines = "\n".join(wrap(text, WIDTH - len(mark)))
    return indented(lines, mark, " " * len(mark))


def underlined(title: str, mark: str = "-") -> str:
    """A headline over as many lines as it needs, underlined as wide as the widest."""
    lines = wrap(title)
    return "\n".join([*lines, mark * max(columns(line) for line in lines)])


def indented(block: str, first: str, rest: str) -> str:
    """The block with a prefix before its first and before each further line."""
    head, *tail = block.split("\n")
    return "\n".join([first + head, *((rest + line).rstrip() for line in tail)])


def _units(text: str, width: int) -> Iterator[tuple[str, str]]:
    """(space before, unbreakable unit) in order."""
    gap = ""
    for piece in _SPACES.split(text):
        if piece.isspace():
            gap = piece.replace("\n", " ").replace("\t", " ")
            continue
        for unit in _breakable(piece, width):
            yield gap, unit
            gap = ""


def _breakable(word: str, width: int) -> Iterator[str]:
    """Cut a word where a line may break inside it."""
    if word.isascii() and ("://" in word or len(word) <= width):
        yield word
        return
    for index, piece in enumerate(_URL.split(word)):
        if index % 2:
            yield piece
        elif piece:
            yield from _clusters(piece, width)


def _clusters(word: str, width: int) -> Iterator[str]:
    """Longest runs without a permitted break, none wider than `width`."""
    run, last, used = "", "", 0
    for grapheme in wcwidth.iter_graphemes(word):
        size = columns(grapheme)
        if run and (_may_break(last, grapheme) or used + size > width):
            yield run
            run, used = "", 0
        run, last, used = run + grapheme, grapheme, used + size
    yield run


def _may_break(before: str, after: str) -> bool:
    """Whether a line may end between two graphemes that have no space between."""
    wide = columns(before) > 1 or columns(after) > 1
    return wide and before not in _NO_END and after not in _NO_START
