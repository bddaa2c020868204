"""The one content model: what every channel of an issue says, before any channel."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from urllib.parse import urljoin, urlsplit

from markdown_it.token import Token

from distributor.issue import Brand, Issue, page_url
from distributor.markdown import tokens

# fmt: off
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
# fmt: on
_RIGHT_TO_LEFT = frozenset(
    {"ar", "arc", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}
)
_SUMMARY = 200


@dataclass(frozen=True)
class Section:
    """An article as tokens of its Markdown; the stream is shared and never changed."""

    title: str
    anchor: str
    body: tuple[Token, ...]


@dataclass(frozen=True)
class Content:
    """An issue and its brand with everything derived that several channels show.

    Attributes:
        page_url: Absolute URL of the issue's web page.
        written_date: The date as a reader of the issue's language writes it.
        direction: "ltr" or "rtl".
        summary: Plain text on one line, some 200 characters at most.
        digest: SHA-256 of issue and brand, 64 hex digits.
    """

    issue: Issue
    brand: Brand
    sections: tuple[Section, ...]
    contact: tuple[Token, ...]
    page_url: str
    written_date: str
    direction: str
    summary: str
    digest: str


def content_of(issue: Issue, brand: Brand) -> Content:
    """Derive the content model; pure, the same in any process, locale or zone."""
    sections = (Section(a.title, a.anchor, tokens(a.body)) for a in issue.articles)
    return Content(
        issue=issue,
        brand=brand,
        sections=tuple(sections),
        contact=tokens(issue.contact),
        page_url=page_url(issue.base_url, issue.slug),
        written_date=written_date(issue.date, issue.language),
        direction=direction(issue.language),
        summary=summary(issue),
        digest=digest(issue, brand),
    )


def written_date(date: datetime, language: str) -> str:
    """`30 June 2023` in English, 2023年6月30日 in Chinese and Japanese, else ISO."""
    primary = language.lower().partition("-")[0]
    if primary == "en":
        return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"
    if primary in {"zh", "ja"}:
        return f"{date.year}年{date.month}月{date.day}日"
    return date.date().isoformat()


def direction(language: str) -> str:
    """Writing direction of a BCP 47 tag, by its script if it names one."""
    primary, *rest = language.lower().split("-")
    scripts = [subtag for subtag in rest if len(subtag) == 4 and subtag.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in {"arab", "hebr", "thaa", "syrc"} else "ltr"
    return "rtl" if primary in _RIGHT_TO_LEFT else "ltr"


def summary(issue: Issue) -> str:
    """The preheader, or as many headlines as fit into one or two lines."""
    if issue.preheader:
        return issue.preheader
    text = issue.articles[0].title
    for article in issue.articles[1:]:
        longer = f"{text} · {article.title}"
        if len(longer) > _SUMMARY:
            break
        text = longer
    return shortened(text, _SUMMARY)


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters, cut after a word, with an ellipsis if cut."""
    if len(text) <= longest:
        return text
    cut = text[:longest]
    return (cut[:-1].rpartition(" ")[0] or cut[:-1]).rstrip() + "…"


def digest(issue: Issue, brand: Brand) -> str:
    """SHA-256 over what was written; where articles stand in a file has no part."""
    written = asdict(issue) | {"date": issue.date.isoformat()}
    written["articles"] = [
        (article.title, article.anchor, article.body) for article in issue.articles
    ]
    canonical = json.dumps([written, asdict(brand)], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def absolute(target: str, page_url: str) -> str:
    """A link's target as an absolute URL, or "" if it cannot be one."""
    try:
        joined = urljoin(page_url, target)
        parts = urlsplit(joined)
    except ValueError:
        return ""
    safe = parts.scheme in {"http", "https"} and parts.netloc
    return joined if safe or parts.scheme in {"mailto", "tel"} else ""
