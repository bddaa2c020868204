"""The one Markdown dialect: CommonMark with tables; raw HTML is text, not markup.

Everything that reads an article's body goes through `tokens`, so that the check of
an issue and its renderings can never disagree about what the text says.
"""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": False, "typographer": False}).enable(
    "table"
)


@lru_cache(maxsize=512)
def tokens(body: str) -> tuple[Token, ...]:
    """The token stream of a Markdown text; shared, so nobody may change a token."""
    return tuple(_PARSER.parse(body))


def has_text(body: str) -> bool:
    """Whether a reader would see anything (a link definition shows nothing)."""
    return any(
        token.content.strip() for token in tokens(body) if token.type in _VISIBLE
    )


_VISIBLE = frozenset({"inline", "fence", "code_block"})
