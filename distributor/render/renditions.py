"""An issue rendered once into the finished form of every channel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from distributor.errors import TemplateError
from distributor.issue import Brand, Issue
from distributor.render import slots
from distributor.render.colour import readable
from distributor.render.content import Content, content_of, shortened
from distributor.render.inline import inlined
from distributor.render.markup import Links, markup
from distributor.render.slots import Slot
from distributor.render.templates import Templates
from distributor.render.text import TextWriter

# The grounds of the templates that the accent colour must be readable on.
LIGHT_GROUND = "#f6f3ec"
DARK_GROUND = "#262b31"
_HEADLINE = 110


class Channel(StrEnum):
    """Where a rendition goes."""

    EMAIL_HTML = "email_html"
    EMAIL_TEXT = "email_text"
    FEED_HTML = "feed_html"
    WEB = "web"


@dataclass(frozen=True)
class Renditions:
    """The finished forms of one issue; the email's two still hold slots.

    Attributes:
        email_html: Whole document, CSS inlined, with slots.
        email_text: Plain text, LF line ends, with slots.
        feed_html: Clean HTML fragment for feed entries.
        web: Whole document of the issue's page.
        summary: Plain text on one line.
        nonce: 16 hex digits, part of every slot's token (see `slots`).
        content_hash: SHA-256 (64 hex digits) over everything above.
    """

    email_html: str
    email_text: str
    feed_html: str
    web: str
    summary: str
    nonce: str
    content_hash: str


def render(issue: Issue, brand: Brand, templates: Templates) -> Renditions:
    """Render an issue to all channels; the same input gives the same bytes.

    Raises:
        TemplateError: A template is broken, or leaves out a slot an email must have.
        ConfigError: The brand's accent colour is malformed.
    """
    content = content_of(issue, brand)
    nonce = content.digest[:16]
    facts = _facts(content)
    email_facts = facts | {"slots": {str(s): slots.token(nonce, s) for s in Slot}}
    email_html = _email_html(content, email_facts, templates, nonce)
    email_text = _email_text(content, email_facts, templates, nonce)
    feed_html = _feed_html(content, facts, templates)
    web = _web(content, facts, templates)
    _refuse_slots(nonce, {"feed.html.j2": feed_html, "page.html.j2": web})
    finished = (email_html, email_text, feed_html, web, content.summary)
    return Renditions(*finished, nonce=nonce, content_hash=_hash(nonce, *finished))


def _email_html(
    content: Content, facts: dict[str, object], templates: Templates, nonce: str
) -> str:
    name = "email.html.j2"
    html = templates.html(name, facts | _markup(content, anchored=True))
    slots.check_html(html, nonce, template=name)
    finished = inlined(html, template=name)
    if slots.count(html, nonce) != slots.count(finished, nonce):
        raise TemplateError(f"{name}: slots were lost while its CSS was inlined")
    slots.check_html(finished, nonce, template=name)
    return finished


def _email_text(
    content: Content, facts: dict[str, object], templates: Templates, nonce: str
) -> str:
    name = "email.txt.j2"
    writer = TextWriter(content.page_url)
    sections = [
        {"title": section.title, "text": writer.write(section.body)}
        for section in content.sections
    ]
    written = {"sections": sections, "contact": writer.write(content.contact)}
    text = templates.text(name, facts | written)
    slots.check_text(text, nonce, template=name)
    return text


def _feed_html(content: Content, facts: dict[str, object], templates: Templates) -> str:
    return templates.html("feed.html.j2", facts | _markup(content, anchored=False))


def _web(content: Content, facts: dict[str, object], templates: Templates) -> str:
    page = {"structured": _structured(content)}
    return templates.html(
        "page.html.j2", facts | page | _markup(content, anchored=True)
    )


def _markup(content: Content, *, anchored: bool) -> dict[str, object]:
    """Articles and contact as HTML; only whole pages have anchors to link to."""
    anchors = frozenset(section.anchor for section in content.sections)
    links = Links(content.page_url, anchors if anchored else frozenset())
    sections = [
        {
            "title": section.title,
            "anchor": section.anchor,
            "html": markup(section.body, links),
        }
        for section in content.sections
    ]
    contact = markup(content.contact, Links(content.page_url, phones=True))
    return {"sections": sections, "contact": contact}


def _facts(content: Content) -> dict[str, object]:
    """What every template may use."""
    issue, brand = content.issue, content.brand
    return {
        "issue": issue,
        "brand": brand,
        "page_url": content.page_url,
        "written_date": content.written_date,
        "direction": content.direction,
        "summary": content.summary,
        "accent": {
            "light": readable(brand.accent, LIGHT_GROUND),
            "dark": readable(brand.accent, DARK_GROUND),
        },
    }


def _structured(content: Content) -> dict[str, object]:
    """The page as schema.org sees it (JSON-LD NewsArticle)."""
    issue, brand = content.issue, content.brand
    publisher = {"@type": "Organization", "name": brand.publisher}
    return {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": shortened(issue.title, _HEADLINE),
        "description": content.summary,
        "datePublished": issue.date.isoformat(),
        "inLanguage": issue.language,
        "mainEntityOfPage": content.page_url,
        "author": publisher,
        "publisher": publisher,
        "hasPart": [
            {
                "@type": "NewsArticle",
                "headline": shortened(section.title, _HEADLINE),
                "url": f"{content.page_url}#{section.anchor}",
            }
            for section in content.sections
        ],
    }


def _refuse_slots(nonce: str, renditions: Mapping[str, str]) -> None:
    """What is public holds nothing per person."""
    for name, rendition in renditions.items():
        if f"slot-{nonce}" in rendition:
            message = f"{name}: slots belong in emails only; take them out of it"
            raise TemplateError(message)


def _hash(*parts: str) -> str:
    """SHA-256 over the parts, each with its length, so that none runs into the next."""
    running = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        running.update(f"{len(encoded)}:".encode())
        running.update(encoded)
    return running.hexdigest()
