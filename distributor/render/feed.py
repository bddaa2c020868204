"""The newsletter as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

A pure function of its arguments: no clock, no database, same feed, same bytes. This
is the only module that imports feedgen; feedgen is unmaintained, so everything it
gets wrong is put right here (each case has a test in `tests/unit/test_feed_traps.py`).
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

import feedgen.entry
import feedgen.feed
from lxml import etree

# feedgen formats RSS dates under a process-wide setlocale(), which leaves threads in
# the wrong locale. RFC 822 dates need no locale at all.
feedgen.feed.formatRFC2822 = format_datetime
feedgen.entry.formatRFC2822 = format_datetime

RSS_PATH = "/feeds/rss.xml"
ATOM_PATH = "/feeds/atom.xml"
JSON_PATH = "/feeds/feed.json"

RSS_TYPE = "application/rss+xml"
ATOM_TYPE = "application/atom+xml"
JSON_TYPE = "application/feed+json"

EMPTY_SINCE = datetime(2000, 1, 1, tzinfo=UTC)
"""When a feed without entries was last updated: a fixed date, never the clock."""

GENERATOR = "distributor"
TTL_MINUTES = 60
RSS_SPECIFICATION = "https://www.rssboard.org/rss-specification"
JSON_FEED_VERSION = "https://jsonfeed.org/version/1.1"

_ATOM = "{http://www.w3.org/2005/Atom}"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
# What XML 1.0 §2.2 does not admit (lone surrogates included).
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class FeedEntry:
    """One issue in a feed.

    Attributes:
        id: Minted once and stored; never derived from URL, slug or title.
        url: Absolute URL of the issue's page.
        title: Plain text.
        summary: Plain text, one or two sentences.
        content_html: Clean HTML with absolute URLs; never the email's HTML.
        content_text: The same as plain text, or "" to leave it out.
        published: Aware; when the issue entered the feed.
        updated: Aware; last change of content, not before `published`.
        language: BCP 47 tag.
        tags: Plain-text categories.
    """

    id: str
    url: str
    title: str
    summary: str
    content_html: str
    content_text: str
    published: datetime
    updated: datetime
    language: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feed:
    """The newsletter as feed readers see it.

    Attributes:
        id: Stable `tag:` URI of the newsletter (Atom's feed id).
        title: Name of the newsletter.
        home_url: Absolute URL of the HTML archive; never that of a feed.
        base_url: Absolute URL of the site, no trailing slash; self links start so.
        description: One sentence; the title stands in where it is empty.
        language: BCP 47 tag.
        author_name: Who publishes.
        author_email: Public editorial address, or None to name none.
        entries: Newest first.
        hub_url: WebSub hub, or "".
    """

    id: str
    title: str
    home_url: str
    base_url: str
    description: str
    language: str
    author_name: str
    author_email: str | None
    entries: tuple[FeedEntry, ...]
    hub_url: str = ""

    @property
    def updated(self) -> datetime:
        """Newest change of any entry, whole seconds in UTC."""
        return max(
            (_whole_seconds(entry.updated) for entry in self.entries),
            default=EMPTY_SINCE,
        )

    @property
    def published(self) -> datetime:
        """When the newest entry came out, whole seconds in UTC."""
        return max(
            (_whole_seconds(entry.published) for entry in self.entries),
            default=EMPTY_SINCE,
        )


def rss(feed: Feed) -> bytes:
    """RSS 2.0 in UTF-8, after the RSS Advisory Board's profile."""
    generator = _generator(feed, self_path=RSS_PATH, self_type=RSS_TYPE)
    # Never the Atom namespace's variant: it would repeat dc:creator in Atom.
    generator.load_extension("dc", atom=False, rss=True)
    generator.description(_clean(feed.description or feed.title))
    generator.pubDate(feed.published)
    generator.ttl(TTL_MINUTES)
    generator.docs(RSS_SPECIFICATION)
    if feed.author_email:
        generator.managingEditor(
            f"{_clean(feed.author_email)} ({_clean(feed.author_name)})"
        )
    for entry in feed.entries:
        _add_rss_item(generator, entry, _clean(feed.author_name))
    # Read again, with CDATA kept, because feedgen drops every link but `self`.
    root = _reread(generator.rss_str())
    if feed.hub_url:
        self_link = root.find(f"channel/{_ATOM}link")
        assert self_link is not None  # noqa: S101  (written by _generator)
        hub = etree.Element(f"{_ATOM}link", {"rel": "hub", "href": feed.hub_url})
        self_link.addnext(hub)
    return _serialised(root)


def atom(feed: Feed) -> bytes:
    """Atom 1.0 (RFC 4287) in UTF-8."""
    generator = _generator(feed, self_path=ATOM_PATH, self_type=ATOM_TYPE)
    generator.id(feed.id)
    generator.subtitle(_clean(feed.description) or None)
    author = {"name": _clean(feed.author_name)}
    if feed.author_email:
        author["email"] = _clean(feed.author_email)
    generator.author(author)
    if feed.hub_url:
        generator.link(href=feed.hub_url, rel="hub")
    for entry in feed.entries:
        _add_atom_entry(generator, entry)
    root = _reread(generator.atom_str())
    for element, entry in zip(
        root.iterfind(f"{_ATOM}entry"), feed.entries, strict=True
    ):
        element.set(_XML_LANG, entry.language)
        # feedgen writes a bare <link href>: without rel, type and hreflang.
        for link in element.iterfind(f"{_ATOM}link"):
            link.set("rel", "alternate")
            link.set("type", "text/html")
            link.set("hreflang", entry.language)
    return _serialised(root)


def json_feed(feed: Feed) -> bytes:
    """JSON Feed 1.1 in UTF-8; feedgen has none, so this is written by hand."""
    document: dict[str, object] = {
        "version": JSON_FEED_VERSION,
        "title": _clean(feed.title),
        "home_page_url": feed.home_url,
        "feed_url": feed.base_url + JSON_PATH,
        "description": _clean(feed.description or feed.title),
        "language": feed.language,
        "authors": [_json_author(feed)],
    }
    if feed.hub_url:
        document["hubs"] = [{"type": "WebSub", "url": feed.hub_url}]
    document["items"] = [_json_item(entry) for entry in feed.entries]
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _generator(
    feed: Feed, *, self_path: str, self_type: str
) -> feedgen.feed.FeedGenerator:
    """What RSS and Atom share. One generator per format: CDATA spoils Atom."""
    generator = feedgen.feed.FeedGenerator()
    generator.title(_clean(feed.title))
    generator.language(feed.language)
    generator.generator(GENERATOR)
    # Its defaults are now(): the ETag would change with every request.
    generator.updated(feed.updated)
    generator.link(href=feed.base_url + self_path, rel="self", type=self_type)
    # RSS takes the last link() of any rel as the channel's, so this comes last.
    generator.link(href=feed.home_url, rel="alternate", type="text/html")
    return generator


def _add_rss_item(
    generator: feedgen.feed.FeedGenerator, entry: FeedEntry, author: str
) -> None:
    # Without `order` feedgen turns the feed upside down.
    item = generator.add_entry(order="append")
    item.title(_title(entry))
    item.link(href=entry.url)
    item.guid(entry.id, permalink=False)
    # Readers take an item's description for HTML: text is escaped once more.
    summary = _summary(entry)
    item.description(html.escape(summary, quote=False), isSummary=True)
    item.content(_clean(entry.content_html).replace("]]>", "]]&gt;"), type="CDATA")
    item.pubDate(_whole_seconds(entry.published))
    item.updated(_whole_seconds(entry.updated))
    for tag in entry.tags:
        item.category(term=_clean(tag))
    item.dc.dc_creator(author)


def _add_atom_entry(generator: feedgen.feed.FeedGenerator, entry: FeedEntry) -> None:
    item = generator.add_entry(order="append")
    item.id(entry.id)
    item.title(_title(entry))
    item.link(href=entry.url)
    item.published(_whole_seconds(entry.published))
    item.updated(_whole_seconds(entry.updated))
    item.summary(_summary(entry), type="text")
    item.content(_clean(entry.content_html), type="html")
    for tag in entry.tags:
        item.category(term=_clean(tag), label=_clean(tag))


def _json_author(feed: Feed) -> dict[str, str]:
    author = {"name": _clean(feed.author_name), "url": feed.home_url}
    if feed.author_email:
        author["url"] = f"mailto:{_clean(feed.author_email)}"
    return author


def _json_item(entry: FeedEntry) -> dict[str, object]:
    item: dict[str, object] = {
        "id": entry.id,
        "url": entry.url,
        "title": _title(entry),
        "summary": _summary(entry),
        "content_html": _clean(entry.content_html),
    }
    if entry.content_text:
        item["content_text"] = _clean(entry.content_text)
    item["date_published"] = _rfc3339(entry.published)
    item["date_modified"] = _rfc3339(entry.updated)
    if entry.tags:
        item["tags"] = [_clean(tag) for tag in entry.tags]
    item["language"] = entry.language
    return item


def _clean(text: str) -> str:
    """Without the characters XML cannot hold; in JSON too, so that all agree."""
    return _ILLEGAL.sub("", text)


def _title(entry: FeedEntry) -> str:
    """Never empty: no format allows that."""
    return _clean(entry.title) or entry.url


def _summary(entry: FeedEntry) -> str:
    return _clean(entry.summary) or _title(entry)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _rfc3339(moment: datetime) -> str:
    return _whole_seconds(moment).isoformat().replace("+00:00", "Z")


def _reread(document: bytes) -> etree._Element:
    parser = etree.XMLParser(
        strip_cdata=False, resolve_entities=False, no_network=True, huge_tree=True
    )
    return etree.fromstring(document, parser)


def _serialised(root: etree._Element) -> bytes:
    text = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return bytes(text) + b"\n"
