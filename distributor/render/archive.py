"""The pages around the issues: archive, feeds, unsubscribe, preferences, messages.

Plain HTML without script, in the look of an issue's page. A pure function of its
arguments, like every rendition: addresses come from `base_url`, never from a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from distributor.issue import Brand
from distributor.render.colour import readable
from distributor.render.content import direction, written_date
from distributor.render.feed import (
    ATOM_PATH,
    ATOM_TYPE,
    JSON_PATH,
    JSON_TYPE,
    RSS_PATH,
    RSS_TYPE,
)
from distributor.render.renditions import LIGHT_GROUND
from distributor.render.templates import Templates


@dataclass(frozen=True)
class ArchiveItem:
    """An issue as the archive lists it.

    Attributes:
        url: Absolute URL of its page.
        title: Plain text.
        summary: Plain text.
        number: The issue's number.
        date: The date the issue bears.
        language: BCP 47 tag of its title and summary.
    """

    url: str
    title: str
    summary: str
    number: int
    date: datetime
    language: str


@dataclass(frozen=True)
class Choice:
    """One list on somebody's preferences page.

    Attributes:
        slug: Name of the list in the form.
        name: Name of the list for people.
        status: How the person stands to it, in words.
        may_leave: Whether there is something to unsubscribe from.
    """

    slug: str
    name: str
    status: str
    may_leave: bool


@dataclass(frozen=True)
class FeedLink:
    """A feed as the page about feeds names it."""

    name: str
    url: str
    media_type: str
    hint: str


_FEEDS = (
    ("RSS", RSS_PATH, RSS_TYPE, "Works in every reader. If unsure, take this one."),
    ("Atom", ATOM_PATH, ATOM_TYPE, "The same issues in the format of RFC 4287."),
    ("JSON Feed", JSON_PATH, JSON_TYPE, "The same issues for programs that like JSON."),
)


@dataclass(frozen=True)
class Site:
    """Whose pages these are and where they stand.

    Attributes:
        brand: Who publishes.
        base_url: Absolute URL of the site, no trailing slash.
        templates: Where the templates come from; each page raises TemplateError if
            its template is broken.
    """

    brand: Brand
    base_url: str
    templates: Templates

    def archive(self, items: Sequence[ArchiveItem]) -> str:
        """The archive's index: every published issue, in the order given."""
        shown = [
            {
                "item": item,
                "written_date": written_date(item.date, "en"),
                "direction": direction(item.language),
            }
            for item in items
        ]
        return self._page("archive.html.j2", {"issues": shown})

    def feeds(self) -> str:
        """What feeds are and where ours stand."""
        return self._page("feeds.html.j2", {})

    def unsubscribe(self, *, done: bool) -> str:
        """The question with its button, or that it is done."""
        return self._page("unsubscribe.html.j2", {"done": done})

    def preferences(self, choices: Sequence[Choice], *, notice: str = "") -> str:
        """Somebody's lists; `notice` says what the last press of a button did."""
        return self._page("preferences.html.j2", {"choices": choices, "notice": notice})

    def message(self, title: str, text: str) -> str:
        """A page that says one thing: not found, not possible, not now."""
        return self._page("message.html.j2", {"title": title, "text": text})

    def _page(self, name: str, facts: dict[str, object]) -> str:
        links = [
            FeedLink(feed, self.base_url + path, media_type, hint)
            for feed, path, media_type, hint in _FEEDS
        ]
        shared = {
            "brand": self.brand,
            "base_url": self.base_url,
            "feed_links": links,
            "accent": {"light": readable(self.brand.accent, LIGHT_GROUND)},
        }
        return self.templates.html(name, shared | facts)
