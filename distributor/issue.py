"""An issue of the newsletter as a value: what was written, before any rendering."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Article:
    """One headline with its text.

    Attributes:
        title: The headline, plain text on one line, verbatim.
        anchor: Stable fragment id, unique in the issue (`[a-z0-9-]+`).
        body: Markdown (CommonMark; raw HTML is text, never markup).
        line: 1-based line of the headline in the source file; where an article
            stands in a file is not part of what it says, so it is not compared.
    """

    title: str
    anchor: str
    body: str
    line: int = field(default=1, compare=False)


@dataclass(frozen=True)
class Issue:
    """One dated number of a newsletter.

    Attributes:
        slug: Name in commands, paths and URLs (`[a-z0-9-]+`).
        title: What the issue is called, e.g. "WIC News 7".
        subject: Subject line of the email (defaults to the title).
        number: The issue's number, 1 and up.
        date: Aware datetime of the issue; never taken from a clock.
        language: BCP 47 tag, e.g. "en" or "zh-Hans".
        base_url: Absolute https/http URL of the public site, no trailing slash.
        preheader: One line shown by mail clients beside the subject.
        articles: In editorial order, at least one.
        contact: Markdown of the contact footer, or "".
    """

    slug: str
    title: str
    subject: str
    number: int
    date: datetime
    language: str
    base_url: str
    preheader: str
    articles: tuple[Article, ...]
    contact: str = ""


@dataclass(frozen=True)
class Brand:
    """Who publishes, as shown in every channel (from `distributor.toml`).

    Attributes:
        newsletter: Name of the newsletter, e.g. "WIC News".
        publisher: Legal or organisation name.
        description: One sentence about the newsletter (feeds, archive).
        postal_address: One line; law wants it in every bulk mail (CAN-SPAM).
        accent: Brand colour `#rrggbb`, contrast at least 4.5:1 on white.
        from_address: Visible sender address.
        reply_to: Where replies go, a monitored address.
    """

    newsletter: str
    publisher: str
    description: str
    postal_address: str
    accent: str
    from_address: str
    reply_to: str


def page_url(base_url: str, slug: str) -> str:
    """Absolute URL of an issue's page."""
    return f"{base_url}/issues/{slug}/"
