"""The named queries on issues and renditions, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from distributor.storage import issues
from distributor.storage.issues import Channel, Freshness

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def add(engine: sa.Engine):
    def add_one(slug: str, *, dated: int, published: int | None = None) -> int:
        with engine.begin() as conn:
            issues.add(
                conn,
                {
                    "slug": slug,
                    "feed_id": f"tag:a.example,2026-01-01:issue/{slug}",
                    "number": dated,
                    "title": slug.title(),
                    "summary": "",
                    "language": "en",
                    "issue_date": START + dated * DAY,
                    "content_hash": f"hash-{slug}",
                    "created_at": START,
                    "published_at": None
                    if published is None
                    else START + published * DAY,
                },
            )
            found = issues.find(conn, slug)
            assert found is not None
            issues.add_renditions(
                conn,
                found.id,
                found.content_hash,
                contents={Channel.WEB: f"page {slug}", Channel.FEED_HTML: slug},
                nonce="n",
            )
        return found.id

    return add_one


@pytest.fixture
def conn(engine: sa.Engine):
    with engine.connect() as connection:
        yield connection


def test_an_unknown_issue_is_none(conn: sa.Connection) -> None:
    assert issues.find(conn, "nothing") is None
    assert issues.find(conn, "nothing", lock=True) is None
    assert issues.published_rendition(conn, "nothing", Channel.WEB) is None
    assert issues.rendition_set(conn, 1, "none") == ({}, "")
    assert issues.first_feed_id(conn) is None


def test_published_issues_come_newest_publication_first(
    add, conn: sa.Connection
) -> None:
    add("late", dated=1, published=9)
    add("draft", dated=2)
    add("early", dated=3, published=4)
    add("same-day", dated=4, published=4)
    order = [stored.slug for stored in issues.published(conn)]
    assert order == ["late", "same-day", "early"]
    assert [stored.slug for stored in issues.published(conn, limit=1)] == ["late"]
    with_pages = issues.published_with(conn, Channel.WEB, limit=2)
    assert [page for _, page in with_pages] == ["page late", "page same-day"]


def test_all_issues_come_latest_date_first(add, conn: sa.Connection) -> None:
    add("old", dated=1, published=9)
    add("new", dated=5)
    assert [stored.slug for stored in issues.all_issues(conn)] == ["new", "old"]


def test_a_draft_has_no_public_rendition(add, conn: sa.Connection) -> None:
    add("draft", dated=1)
    add("out", dated=2, published=2)
    assert issues.published_rendition(conn, "draft", Channel.WEB) is None
    found = issues.published_rendition(conn, "out", Channel.WEB)
    assert found is not None
    assert (found[0].slug, found[1]) == ("out", "page out")


def test_only_the_current_set_of_renditions_is_public(
    engine: sa.Engine, add, conn: sa.Connection
) -> None:
    issue_id = add("out", dated=1, published=1)
    with engine.begin() as writer:
        issues.add_renditions(
            writer, issue_id, "other", contents={Channel.WEB: "other"}, nonce="m"
        )
    found = issues.published_rendition(conn, "out", Channel.WEB)
    assert found is not None
    assert found[1] == "page out"


def test_a_set_of_renditions_never_changes(
    engine: sa.Engine, add, conn: sa.Connection
) -> None:
    issue_id = add("out", dated=1)
    with engine.begin() as writer:
        issues.add_renditions(
            writer, issue_id, "hash-out", contents={Channel.WEB: "forged"}, nonce="m"
        )
    contents, nonce = issues.rendition_set(conn, issue_id, "hash-out")
    assert contents == {Channel.WEB: "page out", Channel.FEED_HTML: "out"}
    assert nonce == "n"


def test_freshness_sees_publications_and_changes_but_no_drafts(
    engine: sa.Engine, add
) -> None:
    seen = []

    def look() -> None:
        with engine.connect() as conn:
            seen.append(issues.freshness(conn))

    look()
    add("draft", dated=1)
    look()
    issue_id = add("out", dated=2, published=2)
    look()
    with engine.begin() as conn:
        issues.change(conn, issue_id, {"updated_at": START + 3 * DAY})
    look()
    assert seen == [
        Freshness(0, None),
        Freshness(0, None),
        Freshness(1, START + 2 * DAY),
        Freshness(1, START + 3 * DAY),
    ]


def test_the_first_feed_id_is_that_of_the_first_issue_ever(
    add, conn: sa.Connection
) -> None:
    add("b-first", dated=9)
    add("a-second", dated=1, published=1)
    assert issues.first_feed_id(conn) == "tag:a.example,2026-01-01:issue/b-first"


def test_nothing_is_committed_here(engine: sa.Engine, add) -> None:
    issue_id = add("out", dated=1)
    with engine.connect() as conn:
        issues.change(conn, issue_id, {"title": "Changed"})
    with engine.connect() as conn:
        found = issues.find(conn, "out")
    assert found is not None
    assert found.title == "Out"
