"""What the public reads, from the database, kept in memory until something changes.

Every request asks one small question: how fresh are the published issues? So another
process may publish, and it is visible here at once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from distributor.issue import page_url
from distributor.publish import newsletter_feed
from distributor.render import feed
from distributor.render.archive import ArchiveItem, Site
from distributor.storage import issues
from distributor.storage.database import reading
from distributor.storage.issues import Channel, Freshness, StoredIssue
from distributor.web.document import Document

HTML = "text/html; charset=utf-8"
FEEDS: dict[str, tuple[str, Callable[[feed.Feed], bytes]]] = {
    feed.RSS_PATH: (feed.RSS_TYPE, feed.rss),
    feed.ATOM_PATH: (feed.ATOM_TYPE, feed.atom),
    feed.JSON_PATH: (feed.JSON_TYPE, feed.json_feed),
}

_SLUG = re.compile(r"[a-z0-9-]{1,100}")

Make = Callable[[sa.Connection], Document | None]


class Library:
    """Documents by path; safe to share between threads."""

    def __init__(self, engine: sa.Engine, site: Site, *, capacity: int = 500) -> None:
        """Keep up to `capacity` documents; nothing is read before the first request."""
        self._capacity = capacity
        self._engine = engine
        self._site = site
        self._lock = threading.Lock()
        self._freshness: Freshness | None = None
        self._kept: dict[str, Document] = {}

    def index(self) -> Document | None:
        """The archive's index."""
        return self._document("/", self._index)

    def feeds_page(self) -> Document | None:
        """The page about the feeds."""
        return self._document("/feeds/", self._feeds_page)

    def feed(self, path: str) -> Document | None:
        """The feed at a path of `FEEDS`."""
        return self._document(path, lambda connection: self._feed(connection, path))

    def page(self, slug: str) -> Document | None:
        """The page of a published issue, or None."""
        if not _SLUG.fullmatch(slug):
            return None  # PostgreSQL would raise at a NUL
        return self._document(
            f"/issues/{slug}/", lambda connection: self._page(connection, slug)
        )

    def newest_url(self) -> str | None:
        """URL of the page of the issue published last, or None before the first."""
        with reading(self._engine) as connection:
            newest = issues.published(connection, limit=1)
        return page_url(self._site.base_url, newest[0].slug) if newest else None

    def _document(self, key: str, make: Make) -> Document | None:
        with reading(self._engine) as connection:
            found = issues.freshness(connection)
            with self._lock:
                if found != self._freshness:
                    self._kept.clear()
                    self._freshness = found
                if key in self._kept:
                    return self._kept[key]
                document = make(connection)
                if document is not None:
                    self._keep(key, document)
                return document

    def _keep(self, key: str, document: Document) -> None:
        if len(self._kept) >= self._capacity:
            del self._kept[next(iter(self._kept))]  # the oldest
        self._kept[key] = document

    def _index(self, connection: sa.Connection) -> Document:
        found = issues.published(connection)
        items = [self._item(stored) for stored in found]
        return _html(self._site.archive(items), _newest(connection))

    def _item(self, stored: StoredIssue) -> ArchiveItem:
        return ArchiveItem(
            url=page_url(self._site.base_url, stored.slug),
            title=stored.title,
            summary=stored.summary,
            number=stored.number,
            date=stored.issue_date,
            language=stored.language,
        )

    def _feeds_page(self, connection: sa.Connection) -> Document:
        return _html(self._site.feeds(), _newest(connection))

    def _feed(self, connection: sa.Connection, path: str) -> Document:
        media_type, write = FEEDS[path]
        base_url = self._site.base_url
        contents = newsletter_feed(connection, self._site.brand, base_url)
        return Document(
            body=write(contents),
            media_type=f"{media_type}; charset=utf-8",
            modified=contents.updated,
            links=(f'<{base_url}{path}>; rel="self"',),
        )

    def _page(self, connection: sa.Connection, slug: str) -> Document | None:
        found = issues.published_rendition(connection, slug, Channel.WEB)
        if found is None:
            return None
        stored, content = found
        return _html(content, stored.updated_at or stored.published_at)


def _html(content: str, modified: datetime | None) -> Document:
    return Document(
        body=content.encode(), media_type=HTML, modified=modified or feed.EMPTY_SINCE
    )


def _newest(connection: sa.Connection) -> datetime | None:
    return issues.freshness(connection).newest
