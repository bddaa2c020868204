"""feedgen 1.0.0 gets these wrong; each test fails if its correction is taken out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from distributor.render.feed import Feed, FeedEntry, atom, json_feed, rss

ROOT = Path(__file__).parents[2]
NS = {"a": "http://www.w3.org/2005/Atom"}
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"

ENTRIES = tuple(
    FeedEntry(
        id=f"tag:news.example,2026-0{number}-01:issue/{number}",
        url=f"https://news.example/issues/{number}/",
        title=f"Number {number}",
        summary=f"Summary {number}",
        content_html=f"<p>Content {number} &amp; more</p>",
        content_text="",
        published=datetime(2026, number, 1, tzinfo=UTC),
        updated=datetime(2026, number, 1, tzinfo=UTC),
        language="en",
    )
    for number in (3, 2, 1)
)
FEED = Feed(
    id="tag:news.example,2026-01-01:newsletter",
    title="News",
    home_url="https://news.example/",
    base_url="https://news.example",
    description="All the news.",
    language="en",
    author_name="Publisher",
    author_email=None,
    entries=ENTRIES,
    hub_url="https://hub.example/",
)


def test_atom_entry_links_keep_rel_type_and_language() -> None:
    links = etree.fromstring(atom(FEED)).findall("a:entry/a:link", NS)
    assert [dict(link.attrib) for link in links] == [
        {
            "href": entry.url,
            "rel": "alternate",
            "type": "text/html",
            "hreflang": "en",
        }
        for entry in ENTRIES
    ]


def test_entries_stay_in_the_order_given() -> None:
    given = [entry.id for entry in ENTRIES]
    in_rss = [guid.text for guid in etree.fromstring(rss(FEED)).iter("guid")]
    in_atom = [
        found.text for found in etree.fromstring(atom(FEED)).findall("a:entry/a:id", NS)
    ]
    assert in_rss == in_atom == given


def test_the_channels_link_is_the_html_page_and_not_a_feed() -> None:
    assert etree.fromstring(rss(FEED)).findtext("channel/link") == FEED.home_url


def test_rss_names_the_hub_beside_itself() -> None:
    links = etree.fromstring(rss(FEED)).findall("channel/a:link", NS)
    found = [(link.get("rel"), link.get("href")) for link in links]
    assert found == [
        ("self", "https://news.example/feeds/rss.xml"),
        ("hub", "https://hub.example/"),
    ]


def test_the_hub_stands_in_atom_and_json_too() -> None:
    hub = etree.fromstring(atom(FEED)).find("a:link[@rel='hub']", NS)
    assert hub is not None
    assert hub.get("href") == "https://hub.example/"
    assert json.loads(json_feed(FEED))["hubs"] == [
        {"type": "WebSub", "url": "https://hub.example/"}
    ]


def test_no_hub_is_named_where_there_is_none() -> None:
    feed = replace(FEED, hub_url="")
    assert not any(b"hub" in write(feed) for write in (rss, atom, json_feed))


def test_atom_content_is_html_while_rss_content_is_cdata() -> None:
    types_used = {
        c.get("type") for c in etree.fromstring(atom(FEED)).iter("{*}content")
    }
    assert types_used == {"html"}
    assert b"<![CDATA[<p>Content 3 &amp; more</p>]]>" in rss(FEED)


def test_the_end_mark_of_cdata_inside_content_ends_nothing() -> None:
    content = "<p>a ]]> b <b>c</b></p>"
    feed = replace(FEED, entries=(replace(ENTRIES[0], content_html=content),))
    found = etree.fromstring(rss(feed)).findtext(f"channel/item/{CONTENT}")
    assert found == "<p>a ]]&gt; b <b>c</b></p>"


def test_every_date_comes_from_the_entries_and_none_from_the_clock() -> None:
    root = etree.fromstring(atom(FEED))
    assert [u.text for u in root.iter("{*}updated")] == [
        "2026-03-01T00:00:00+00:00",
        "2026-03-01T00:00:00+00:00",
        "2026-02-01T00:00:00+00:00",
        "2026-01-01T00:00:00+00:00",
    ]
    built = etree.fromstring(rss(FEED)).findtext("channel/lastBuildDate")
    assert built == "Sun, 01 Mar 2026 00:00:00 +0000"


def test_writing_a_feed_never_touches_the_processs_locale() -> None:
    called = []

    def watch(frame: types.FrameType, event: str, _argument: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        rss(FEED)
    finally:
        sys.setprofile(None)
    assert "format_datetime" in called
    assert "setlocale" not in called


@pytest.mark.parametrize(
    "character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"]
)
@pytest.mark.parametrize("write", [rss, atom, json_feed])
def test_characters_that_xml_cannot_hold_are_left_out(write, character: str) -> None:
    broken = replace(
        ENTRIES[0],
        title=f"Num{character}ber",
        summary=f"Sum{character}mary",
        content_html=f"<p>Con{character}tent</p>",
        tags=(f"ta{character}g",),
    )
    clean = replace(
        ENTRIES[0],
        title="Number",
        summary="Summary",
        content_html="<p>Content</p>",
        tags=("tag",),
    )
    feed = replace(FEED, title=f"Ne{character}ws", entries=(broken,))
    assert write(feed) == write(replace(FEED, entries=(clean,)))


def test_the_module_can_be_the_first_import_of_a_process() -> None:
    # Importing feedgen.util before feedgen.feed raises AttributeError.
    done = subprocess.run(
        [sys.executable, "-c", "import distributor.render.feed"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_else_in_the_product_imports_feedgen() -> None:
    importers = [
        path.name
        for package in ("distributor", "subscribers")
        for path in (ROOT / package).rglob("*.py")
        if "feedgen." in path.read_text(encoding="utf-8")
    ]
    assert importers == ["feed.py"]


def test_no_element_that_validators_refuse_is_written() -> None:
    tags = {
        etree.QName(element).localname for element in etree.fromstring(rss(FEED)).iter()
    }
    assert tags.isdisjoint({"textInput", "updatePeriod", "updateBase", "enclosure"})


def test_no_stylesheet_instruction_is_written() -> None:
    assert b"<?xml-stylesheet" not in rss(FEED) + atom(FEED)


def test_each_entry_keeps_its_own_language() -> None:
    chinese = replace(ENTRIES[0], language="zh-Hans")
    feed = replace(FEED, entries=(chinese, ENTRIES[1]))
    found = [
        e.get("{http://www.w3.org/XML/1998/namespace}lang")
        for e in etree.fromstring(atom(feed)).findall("a:entry", NS)
    ]
    assert found == ["zh-Hans", "en"]
