"""Markdown tokens -> clean semantic HTML: no styles, absolute URLs only.

Raw HTML in content is text already in the token stream; nh3 stands behind it as a
second wall with an allow-list of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from distributor.render.content import absolute

_BLOCKS = {"p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "hr"}
_TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
_TAGS = {*_BLOCKS, *_TABLES, "code", "em", "strong", "a", "img", "br"}
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto", "tel"}
# "Tel:010-55636542" would be guessed at by mail programs, some as a URL "tel:010".
_PHONE = re.compile(
    r"(?i)(\b(?:tel|phone|telephone|mobile)[.:：\s]+)(\+?\d[\d ()/.-]{4,}\d)"
)


@dataclass(frozen=True)
class Links:
    """How links of one channel are written.

    Attributes:
        page_url: What relative links are relative to.
        anchors: Ids on the same page; links to them stay `#id`.
        phones: Make `tel:` links of telephone numbers.
    """

    page_url: str
    anchors: frozenset[str] = frozenset()
    phones: bool = False

    def target(self, written: str) -> str:
        """The href of a link, or "" if it leads nowhere safe."""
        if written.removeprefix("#") in self.anchors and written.startswith("#"):
            return written
        return absolute(written, self.page_url)


def markup(stream: Sequence[Token], links: Links) -> Markup:
    """Render one text; the tokens stay unchanged."""
    html = _RENDERER.render(stream, _OPTIONS, {"links": links})
    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=None,
        strip_comments=True,
    )
    return Markup(cleaned)  # noqa: S704 - every text in it was escaped, then cleaned


class _Renderer(RendererHTML):
    """markdown-it's renderer with absolute links and headings below the article's."""

    def heading_open(self, stream: Sequence[Token], index: int, *_: object) -> str:
        return f"<{_rank(stream[index])}>"

    def heading_close(self, stream: Sequence[Token], index: int, *_: object) -> str:
        return f"</{_rank(stream[index])}>\n"

    def link_open(
        self, stream: Sequence[Token], index: int, _: OptionsDict, env: EnvType
    ) -> str:
        target = env["links"].target(str(stream[index].attrGet("href")))
        href = f' href="{escapeHtml(target)}"' if target else ""
        return f"<a{href}{_title(stream[index])}>"

    def image(
        self, stream: Sequence[Token], index: int, options: OptionsDict, env: EnvType
    ) -> str:
        token = stream[index]
        source = absolute(str(token.attrGet("src")), env["links"].page_url)
        alt = escapeHtml(self.renderInlineAsText(token.children, options, env))
        return f'<img src="{escapeHtml(source)}" alt="{alt}"{_title(token)}>'

    def text(
        self, stream: Sequence[Token], index: int, _: OptionsDict, env: EnvType
    ) -> str:
        escaped = escapeHtml(stream[index].content)
        inside_link = any(token.type == "link_open" for token in stream[:index])
        if not env["links"].phones or inside_link:
            return escaped
        return _PHONE.sub(_phone_link, escaped)


def _rank(token: Token) -> str:
    """The article's own headline is h2: nothing inside it ranks as high."""
    return f"h{max(3, int(token.tag[1:]))}"


def _title(token: Token) -> str:
    title = token.attrGet("title")
    return f' title="{escapeHtml(str(title))}"' if title else ""


def _phone_link(match: re.Match[str]) -> str:
    number = re.sub(r"[^\d+-]", "", match[2])
    return f'{match[1]}<a href="tel:{number}">{match[2]}</a>'


_RENDERER = _Renderer()
_OPTIONS = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}).options
