"""What the three feeds hold, read back by schema, by profile and by feedparser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import feedparser
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from distributor.render.feed import EMPTY_SINCE, Feed, FeedEntry, atom, json_feed, rss

SCHEMA = Path(__file__).parents[1] / "data" / "schema"
NS = {
    "a": "http://www.w3.org/2005/Atom",
    "c": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
}
BEIJING = timezone(timedelta(hours=8))

NEW = FeedEntry(
    id="tag:news.example,2026-11-20:issue/8",
    url="https://news.example/issues/eight/",
    title="Fish & chips < “caviar”",
    summary="Is 3 < 4? Yes & no.",
    content_html='<h2>Fish &amp; chips</h2><p>新闻 <a href="https://x.example/">x</a></p>',
    content_text="Fish & chips\n\n新闻 x",
    published=datetime(2026, 11, 20, 9, 30, 15, 987654, tzinfo=BEIJING),
    updated=datetime(2026, 11, 22, 7, 0, tzinfo=UTC),
    language="zh-Hans",
    tags=("food", "fish & co"),
)
OLD = FeedEntry(
    id="tag:news.example,2026-01-02:issue/7",
    url="https://news.example/issues/seven/",
    title="Seven",
    summary="The seventh.",
    content_html="<p>Seven.</p>",
    content_text="",
    published=datetime(2026, 1, 2, tzinfo=UTC),
    updated=datetime(2026, 1, 2, tzinfo=UTC),
    language="en",
)
FEED = Feed(
    id="tag:news.example,2026-01-02:newsletter",
    title="News & Views",
    home_url="https://news.example/",
    base_url="https://news.example",
    description="All the news.",
    language="en",
    author_name="The Publisher",
    author_email="editor@news.example",
    entries=(NEW, OLD),
)
EMPTY = replace(FEED, entries=())
PLAIN = replace(FEED, description="", author_email=None)


def atom_grammar() -> etree.RelaxNG:
    text = (SCHEMA / "atom.rnc").read_text(encoding="utf-8")
    return etree.RelaxNG.from_rnc_string(text)


def json_problems(document: bytes) -> list[str]:
    schema = json.loads((SCHEMA / "jsonfeed-1.1.json").read_text(encoding="utf-8"))
    formats = jsonschema.FormatChecker()
    formats.checks("date-time", ValueError)(datetime.fromisoformat)
    formats.checks("uri", ValueError)(lambda url: urlsplit(url).netloc)
    validator = jsonschema.Draft202012Validator(schema, format_checker=formats)
    return [error.message for error in validator.iter_errors(json.loads(document))]


def channel(feed: Feed) -> etree._Element:
    found = etree.fromstring(rss(feed)).find("channel")
    assert found is not None
    return found


def names(element: etree._Element) -> list[str]:
    return [etree.QName(child).localname for child in element]


@pytest.mark.parametrize("feed", [FEED, EMPTY, PLAIN], ids=["full", "empty", "plain"])
def test_atom_obeys_the_grammar_of_rfc_4287(feed: Feed) -> None:
    grammar = atom_grammar()
    assert grammar.validate(etree.fromstring(atom(feed))), grammar.error_log


@pytest.mark.parametrize(
    "wrong",
    [
        (b"<author><name>The Publisher</name>", b"<author>"),
        (b"<title>Seven</title>", b""),
        (b'type="html"', b'type="CDATA"'),
        (b"2026-01-02T00:00:00+00:00", b"Fri, 02 Jan 2026"),
        (b'href="https://news.example/" rel', b"rel"),
    ],
)
def test_the_grammar_can_tell_a_broken_feed(wrong: tuple[bytes, bytes]) -> None:
    document = atom(FEED)
    assert wrong[0] in document
    assert not atom_grammar().validate(etree.fromstring(document.replace(*wrong)))


@pytest.mark.parametrize("feed", [FEED, EMPTY, PLAIN], ids=["full", "empty", "plain"])
def test_json_feed_obeys_the_schema_of_version_1_1(feed: Feed) -> None:
    assert json_problems(json_feed(feed)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        (b'"id": "tag:news.example,2026-01-02:issue/7",', b""),
        (b'"authors"', b'"author"'),
        (b"version/1.1", b"version/1"),
        (b'"2026-01-02T00:00:00Z"', b'"2026-01-02"'),
        (b'"2026-01-02T00:00:00Z"', b'"2026-13-02T00:00:00Z"'),
        (b'"url": "https://news.example/issues/seven/"', b'"url": "/issues/seven/"'),
    ],
)
def test_the_schema_can_tell_a_broken_feed(wrong: tuple[bytes, bytes]) -> None:
    document = json_feed(FEED)
    assert wrong[0] in document
    assert json_problems(document.replace(*wrong))


def test_rss_channel_follows_the_profile() -> None:
    found = channel(FEED)
    text = {name: found.findtext(name) for name in names(found)}
    assert text["title"] == "News & Views"
    assert text["description"] == "All the news."
    assert text["language"] == "en"
    assert text["lastBuildDate"] == "Sun, 22 Nov 2026 07:00:00 +0000"
    assert text["pubDate"] == "Fri, 20 Nov 2026 01:30:15 +0000"
    assert text["ttl"] == "60"
    assert text["generator"] == "distributor"
    assert text["docs"] == "https://www.rssboard.org/rss-specification"
    assert text["managingEditor"] == "editor@news.example (The Publisher)"
    self_link = found.find("a:link", NS)
    assert self_link is not None
    assert dict(self_link.attrib) == {
        "rel": "self",
        "type": "application/rss+xml",
        "href": "https://news.example/feeds/rss.xml",
    }


def test_rss_without_a_public_address_names_no_managing_editor() -> None:
    assert channel(PLAIN).find("managingEditor") is None


def test_a_feed_without_description_is_described_by_its_title() -> None:
    assert channel(PLAIN).findtext("description") == "News & Views"
    assert json.loads(json_feed(PLAIN))["description"] == "News & Views"


def test_rss_item_follows_the_profile() -> None:
    item = channel(FEED).find("item")
    assert item is not None
    assert item.findtext("title") == NEW.title
    assert item.findtext("link") == NEW.url
    assert item.findtext("c:encoded", None, NS) == NEW.content_html
    assert item.findtext("dc:creator", None, NS) == "The Publisher"
    assert item.find("author") is None
    assert [tag.text for tag in item.findall("category")] == ["food", "fish & co"]
    guid = item.find("guid")
    assert guid is not None
    assert (guid.text, guid.get("isPermaLink")) == (NEW.id, "false")


def test_rss_description_comes_before_the_content() -> None:
    order = names(channel(FEED).findall("item")[0])
    assert order.index("description") < order.index("encoded")


def test_rss_summary_survives_readers_that_take_it_for_html() -> None:
    parsed = feedparser.parse(rss(FEED))
    assert parsed.entries[0].summary == "Is 3 &lt; 4? Yes &amp; no."


def test_rss_dates_are_rfc_822_with_four_digit_years() -> None:
    dates = [d.text or "" for d in channel(FEED).iter("pubDate", "lastBuildDate")]
    form = (
        r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000"
    )
    assert len(dates) == 4
    assert all(re.fullmatch(form, date) for date in dates)
    assert parsedate_to_datetime(dates[2]) == NEW.published.replace(microsecond=0)


def test_atom_entry_says_all_it_knows() -> None:
    entry = etree.fromstring(atom(FEED)).find("a:entry", NS)
    assert entry is not None
    assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "zh-Hans"
    assert entry.findtext("a:published", None, NS) == "2026-11-20T01:30:15+00:00"
    assert entry.findtext("a:updated", None, NS) == "2026-11-22T07:00:00+00:00"
    summary, content = entry.find("a:summary", NS), entry.find("a:content", NS)
    assert summary is not None
    assert content is not None
    assert (summary.get("type"), summary.text) == ("text", NEW.summary)
    assert (content.get("type"), content.text) == ("html", NEW.content_html)
    tags = [(c.get("term"), c.get("label")) for c in entry.findall("a:category", NS)]
    assert tags == [("food", "food"), ("fish & co", "fish & co")]


def test_atom_names_language_author_and_itself() -> None:
    root = etree.fromstring(atom(FEED))
    links = {link.get("rel"): dict(link.attrib) for link in root.findall("a:link", NS)}
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    assert root.findtext("a:author/a:email", None, NS) == "editor@news.example"
    assert root.findtext("a:subtitle", None, NS) == "All the news."
    assert links["self"]["href"] == "https://news.example/feeds/atom.xml"
    assert links["self"]["type"] == "application/atom+xml"
    assert links["alternate"]["href"] == "https://news.example/"
    assert links["alternate"]["type"] == "text/html"


def test_json_feed_says_all_it_knows() -> None:
    document = json.loads(json_feed(FEED))
    assert document["feed_url"] == "https://news.example/feeds/feed.json"
    assert document["home_page_url"] == "https://news.example/"
    assert document["authors"] == [
        {"name": "The Publisher", "url": "mailto:editor@news.example"}
    ]
    assert document["items"][0] == {
        "id": NEW.id,
        "url": NEW.url,
        "title": NEW.title,
        "summary": NEW.summary,
        "content_html": NEW.content_html,
        "content_text": NEW.content_text,
        "date_published": "2026-11-20T01:30:15Z",
        "date_modified": "2026-11-22T07:00:00Z",
        "tags": ["food", "fish & co"],
        "language": "zh-Hans",
    }
    assert "content_text" not in document["items"][1]
    assert "tags" not in document["items"][1]
    assert json.loads(json_feed(PLAIN))["authors"][0]["url"] == "https://news.example/"


def test_an_id_is_the_same_in_all_three_formats() -> None:
    from_rss = [guid.text for guid in channel(FEED).iter("guid")]
    from_atom = [
        entry.findtext("a:id", None, NS)
        for entry in etree.fromstring(atom(FEED)).findall("a:entry", NS)
    ]
    from_json = [item["id"] for item in json.loads(json_feed(FEED))["items"]]
    assert from_rss == from_atom == from_json == [NEW.id, OLD.id]


@pytest.mark.parametrize("write", [rss, atom, json_feed])
def test_the_same_feed_gives_the_same_bytes(write) -> None:
    assert write(FEED) == write(FEED)


def test_an_empty_feed_is_dated_by_a_stated_day_and_not_by_the_clock() -> None:
    assert EMPTY.updated == EMPTY.published == EMPTY_SINCE
    assert b"2000-01-01T00:00:00+00:00" in atom(EMPTY)
    assert b"Sat, 01 Jan 2000 00:00:00 +0000" in rss(EMPTY)


def test_the_feed_is_as_new_as_its_newest_change_wherever_that_stands() -> None:
    corrected = replace(OLD, updated=datetime(2026, 12, 1, tzinfo=UTC))
    feed = replace(FEED, entries=(NEW, corrected))
    assert feed.updated == corrected.updated
    assert feed.published == NEW.published.replace(microsecond=0)


@pytest.mark.parametrize("write", [rss, atom], ids=["rss", "atom"])
def test_feedparser_reads_it_without_complaint(write) -> None:
    parsed = feedparser.parse(write(FEED))
    assert not parsed.bozo
    assert parsed.feed.title == "News & Views"
    assert parsed.feed.link == "https://news.example/"
    assert [entry.id for entry in parsed.entries] == [NEW.id, OLD.id]
    assert [entry.link for entry in parsed.entries] == [NEW.url, OLD.url]
    assert parsed.entries[0].title == NEW.title
    assert parsed.entries[0].content[0].value == NEW.content_html
    assert parsed.entries[0].published_parsed[:6] == (2026, 11, 20, 1, 30, 15)


@pytest.mark.parametrize("write", [rss, atom, json_feed])
def test_an_entry_without_a_summary_is_summed_up_by_its_title(write) -> None:
    feed = replace(FEED, entries=(replace(OLD, summary=""),))
    assert write(feed).count(b"Seven") >= 3


@given(title=st.text(min_size=1), html=st.text(), summary=st.text())
def test_any_text_at_all_comes_out_as_a_valid_feed_in_all_three(
    title: str, html: str, summary: str
) -> None:
    entry = replace(OLD, title=title, content_html=html, summary=summary)
    feed = replace(FEED, entries=(entry,))
    in_atom = etree.fromstring(atom(feed)).find("a:entry", NS)
    in_json = json.loads(json_feed(feed))["items"][0]
    assert in_atom is not None
    assert channel(feed).find("item/guid") is not None
    # XML turns a carriage return written as itself into a line feed; ours is escaped.
    assert (in_atom.findtext("a:title", None, NS) or "") == in_json["title"]
    assert (in_atom.findtext("a:content", None, NS) or "") == in_json["content_html"]
