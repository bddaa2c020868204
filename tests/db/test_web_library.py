"""The web's memory: a document is made once, until something is published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from distributor.issue import Brand
from distributor.render.archive import Site
from distributor.render.templates import Templates, builtin_templates
from distributor.storage import issues
from distributor.storage.issues import Channel
from distributor.web.library import Library

START = datetime(2026, 1, 1, tzinfo=UTC)
BRAND = Brand(
    "News", "Publisher", "", "1 Road", "#0b5394", "n@a.example", "e@a.example"
)
SITE = Site(BRAND, "https://a.example", Templates([builtin_templates()]))


@pytest.fixture
def add(engine: sa.Engine):
    def add_one(slug: str, hours: int) -> None:
        with engine.begin() as conn:
            issues.add(
                conn,
                {
                    "slug": slug,
                    "feed_id": f"tag:a.example,2026-01-01:issue/{slug}",
                    "number": 1,
                    "title": slug,
                    "summary": "",
                    "language": "en",
                    "issue_date": START,
                    "content_hash": slug,
                    "created_at": START,
                    "published_at": START + timedelta(hours=hours),
                },
            )
            found = issues.find(conn, slug)
            assert found is not None
            contents = {Channel.WEB: f"page {slug}", Channel.FEED_HTML: slug}
            issues.add_renditions(conn, found.id, slug, contents=contents, nonce="")

    return add_one


def test_a_document_is_made_once_until_something_is_published(engine, add) -> None:
    add("a", 1)
    library = Library(engine, SITE)
    first = library.index()
    assert library.index() is first
    add("b", 2)
    second = library.index()
    assert second is not first
    assert library.index() is second


def test_only_so_many_documents_are_kept_and_the_oldest_goes_first(engine, add) -> None:
    for hours, slug in enumerate("abc"):
        add(slug, hours)
    library = Library(engine, SITE, capacity=2)
    pages = {slug: library.page(slug) for slug in "abc"}
    assert library.page("c") is pages["c"]
    assert library.page("b") is pages["b"]
    again = library.page("a")
    assert again is not pages["a"]
    assert again == pages["a"]


@pytest.mark.parametrize("slug", ["none", "A", "", "a/b", "a\x00", "a" * 101, "ä"])
def test_what_is_no_published_issue_is_no_page(engine, slug: str) -> None:
    assert Library(engine, SITE).page(slug) is None


def test_a_page_is_as_old_as_its_last_change(engine, add) -> None:
    add("a", 1)
    library = Library(engine, SITE)
    page = library.page("a")
    assert page is not None
    assert page.modified == START + timedelta(hours=1)
    with engine.begin() as conn:
        found = issues.find(conn, "a")
        assert found is not None
        issues.change(conn, found.id, {"updated_at": START + timedelta(hours=5)})
    page = library.page("a")
    assert page is not None
    assert page.modified == START + timedelta(hours=5)
