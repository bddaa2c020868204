"""Saving and publishing: ids minted once, nothing changed twice, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from distributor import publish
from distributor.errors import RefusedError, UnknownError
from distributor.issue import Article, Brand, Issue
from distributor.render.feed import atom
from distributor.render.renditions import Renditions
from distributor.storage import issues
from distributor.storage.issues import Channel, StoredIssue
from distributor.storage.tables import renditions as renditions_table

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEED_ID = "tag:news.example,2026-11-18:issue/seven"
BASE = "https://news.example"
BRAND = Brand(
    newsletter="News",
    publisher="Publisher",
    description="All the news.",
    postal_address="1 Road",
    accent="#0b5394",
    from_address="news@news.example",
    reply_to="editor@news.example",
)
ISSUE = Issue(
    slug="seven",
    title="News 7",
    subject="News 7",
    number=7,
    date=datetime(2026, 11, 18, 9, 0, tzinfo=timezone(timedelta(hours=8))),
    language="en",
    base_url=BASE,
    preheader="",
    articles=(Article(title="One", anchor="one", body="One."),),
)


def rendered(word: str) -> Renditions:
    """Renditions that differ in everything if the word differs."""
    return Renditions(
        email_html=f"<html>{word} slot",
        email_text=f"{word} slot",
        feed_html=f"<p>{word}</p>",
        web=f"<!doctype html>{word}",
        summary=f"All about {word}",
        nonce=word.ljust(16, "0"),
        content_hash=word.ljust(64, "0"),
    )


@pytest.fixture
def save(engine: sa.Engine) -> Callable[..., StoredIssue]:
    """Saves in a transaction of its own."""

    def save_one(
        word: str = "first",
        issue: Issue = ISSUE,
        feed_id: str = FEED_ID,
        now: datetime = NOW,
    ) -> StoredIssue:
        with engine.begin() as conn:
            return publish.save_issue(
                conn, issue, rendered(word), feed_id=feed_id, now=now
            )

    return save_one


@pytest.fixture
def issued(engine: sa.Engine) -> Callable[..., StoredIssue]:
    """Publishes in a transaction of its own."""

    def publish_one(slug: str = "seven", now: datetime = NOW + HOUR) -> StoredIssue:
        with engine.begin() as conn:
            return publish.publish(conn, slug, now)

    return publish_one


def renditions_kept(engine: sa.Engine) -> int:
    with engine.connect() as conn:
        return (
            conn.scalar(sa.select(sa.func.count()).select_from(renditions_table)) or 0
        )


def feed_of(engine: sa.Engine, base_url: str = BASE):
    with engine.connect() as conn:
        return publish.newsletter_feed(conn, BRAND, base_url)


def test_a_saved_issue_is_there_with_all_its_channels_but_not_public(
    engine: sa.Engine, save
) -> None:
    stored = save()
    assert (stored.slug, stored.feed_id, stored.number) == ("seven", FEED_ID, 7)
    assert (stored.title, stored.summary) == ("News 7", "All about first")
    assert stored.issue_date == ISSUE.date
    assert (stored.created_at, stored.published_at) == (NOW, None)
    with engine.connect() as conn:
        found = issues.rendition_set(conn, stored.id, stored.content_hash)
    first = rendered("first")
    assert found == (
        {
            Channel.EMAIL_HTML: first.email_html,
            Channel.EMAIL_TEXT: first.email_text,
            Channel.FEED_HTML: first.feed_html,
            Channel.WEB: first.web,
        },
        first.nonce,
    )
    assert feed_of(engine).entries == ()


def test_saving_the_same_twice_changes_nothing(engine: sa.Engine, save, issued) -> None:
    save()
    before = issued()
    assert save(feed_id="tag:other,2026-01-01:issue/x", now=NOW + 9 * HOUR) == before
    assert renditions_kept(engine) == 4


def test_saving_other_contents_keeps_the_earlier_ones_for_the_sends(
    engine: sa.Engine, save
) -> None:
    first = save("first")
    second = save("second")
    assert second.content_hash != first.content_hash
    assert renditions_kept(engine) == 8
    with engine.connect() as conn:
        kept, nonce = issues.rendition_set(conn, first.id, first.content_hash)
    assert kept[Channel.EMAIL_TEXT] == "first slot"
    assert nonce == rendered("first").nonce


def test_going_back_to_earlier_contents_uses_their_set_again(
    engine: sa.Engine, save
) -> None:
    first = save("first")
    save("second")
    assert save("first").content_hash == first.content_hash
    assert renditions_kept(engine) == 8


def test_a_change_before_publication_is_no_update(save, issued) -> None:
    save("first")
    save("second", now=NOW + HOUR)
    assert issued(now=NOW + 2 * HOUR).updated_at is None


def test_a_change_after_publication_is_an_update_and_visible_at_once(
    engine: sa.Engine, save, issued
) -> None:
    save("first")
    issued()
    assert save("second", now=NOW + 5 * HOUR).updated_at == NOW + 5 * HOUR
    entry = feed_of(engine).entries[0]
    assert entry.content_html == "<p>second</p>"
    assert entry.published == NOW + HOUR
    assert entry.updated == NOW + 5 * HOUR


def test_publishing_twice_keeps_the_first_time(save, issued) -> None:
    save()
    first = issued(now=NOW + HOUR)
    assert issued(now=NOW + 7 * HOUR) == first
    assert first.published_at == NOW + HOUR


def test_an_issue_enters_the_feed_when_published_whatever_its_date(
    engine: sa.Engine, save, issued
) -> None:
    save()
    issued(now=NOW + HOUR)
    assert feed_of(engine).entries[0].published == NOW + HOUR


def test_the_feed_id_survives_all_that_can_happen_to_an_issue(
    engine: sa.Engine, save, issued
) -> None:
    save()
    issued()
    save("second", issue=replace(ISSUE, title="Another title", number=70))
    with engine.begin() as conn:
        publish.rename(conn, "seven", "news-seven", NOW + 3 * HOUR)
    save("third", issue=replace(ISSUE, slug="news-seven", base_url="https://b.example"))
    issued("news-seven")
    feed = feed_of(engine, "https://b.example")
    assert [entry.id for entry in feed.entries] == [FEED_ID]
    assert feed.entries[0].url == "https://b.example/issues/news-seven/"
    assert feed.id == feed_of(engine).id == "tag:news.example,2026-11-18:newsletter"


def test_the_feed_has_the_newest_fifty_newest_first(
    engine: sa.Engine, save, issued
) -> None:
    for number in range(publish.FEED_ENTRIES + 2):
        save(
            issue=replace(ISSUE, slug=f"n{number}", number=number),
            feed_id=f"tag:news.example,2026-11-18:issue/{number}",
        )
        issued(f"n{number}", now=NOW + number * HOUR)
    feed = feed_of(engine)
    assert len(feed.entries) == publish.FEED_ENTRIES
    assert feed.entries[0].url == "https://news.example/issues/n51/"
    assert feed.entries[-1].url == "https://news.example/issues/n2/"


def test_the_feed_of_a_newsletter_without_issues_is_valid_and_empty(engine) -> None:
    feed = feed_of(engine)
    assert feed.entries == ()
    assert feed.id == "tag:news.example,2000-01-01:newsletter"
    assert (feed.title, feed.author_email) == ("News", "editor@news.example")
    assert b"<entry" not in atom(feed)


def test_the_feed_speaks_the_language_of_its_newest_issue(
    engine: sa.Engine, save, issued
) -> None:
    save(issue=replace(ISSUE, language="zh-Hans"))
    issued()
    assert feed_of(engine).language == "zh-Hans"


def test_publishing_what_was_never_saved_says_what_to_do(engine: sa.Engine) -> None:
    with engine.begin() as conn, pytest.raises(UnknownError, match=r"'eight'.*list"):
        publish.publish(conn, "eight", NOW)


def test_a_feed_id_cannot_be_given_to_two_issues(engine: sa.Engine, save) -> None:
    save()
    with pytest.raises(RefusedError, match="belongs to another issue"):
        save(issue=replace(ISSUE, slug="eight"))
    with engine.connect() as conn:
        assert [stored.slug for stored in issues.all_issues(conn)] == ["seven"]


@pytest.mark.parametrize(
    ("field", "length"), [("slug", 101), ("title", 501), ("language", 36)]
)
def test_names_too_long_for_the_database_are_refused_by_name(
    save, field: str, length: int
) -> None:
    issue = replace(ISSUE, **{field: "x" * length})
    with pytest.raises(RefusedError, match=f"{field} has {length} characters"):
        save(issue=issue)


def test_nothing_is_visible_if_the_transaction_fails(engine: sa.Engine, save) -> None:
    save("first")
    with engine.connect() as conn:
        publish.save_issue(conn, ISSUE, rendered("second"), feed_id="x", now=NOW)
        publish.publish(conn, "seven", NOW)
        conn.rollback()
    assert feed_of(engine).entries == ()
    assert renditions_kept(engine) == 4


def test_two_who_save_a_new_issue_at_once_make_one_issue(
    engine: sa.Engine, save
) -> None:
    ids = [f"tag:news.example,2026-11-18:issue/{n}" for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda feed_id: save(feed_id=feed_id), ids))
    assert len({(one.id, one.feed_id) for one in stored}) == 1
    assert renditions_kept(engine) == 4


def test_every_change_is_newer_than_all_before_even_if_the_clock_went_back(
    engine: sa.Engine, save, issued
) -> None:
    seen = []
    save("first")
    issued(now=NOW)
    for hours, word in enumerate(["second", "third", "fourth"]):
        save(word, now=NOW - hours * HOUR)
        with engine.connect() as conn:
            seen.append(issues.freshness(conn).newest)
    assert seen == sorted(set(seen))
    assert seen[0] > NOW


def test_renaming_to_the_same_name_changes_nothing(
    engine: sa.Engine, save, issued
) -> None:
    save()
    before = issued()
    with engine.begin() as conn:
        assert publish.rename(conn, "seven", "seven", NOW + HOUR) == before


def test_renaming_onto_another_issue_is_refused(engine: sa.Engine, save) -> None:
    save()
    save(issue=replace(ISSUE, slug="eight"), feed_id=f"{FEED_ID}-8")
    with engine.begin() as conn, pytest.raises(RefusedError, match="eight"):
        publish.rename(conn, "seven", "eight", NOW)


def test_renaming_what_is_not_there_is_refused(engine: sa.Engine) -> None:
    with engine.begin() as conn, pytest.raises(UnknownError, match="'seven'"):
        publish.rename(conn, "seven", "eight", NOW)


def test_an_entry_can_be_shown_before_it_is_published(save) -> None:
    entry = publish.feed_entry(save(), "<p>first</p>", BASE)
    assert entry.published == entry.updated == ISSUE.date


def test_an_issue_never_saved_can_be_shown_as_an_entry_too() -> None:
    entry = publish.draft_entry(ISSUE, rendered("first"), BASE)
    assert entry.id == "tag:news.example,2026-11-18:issue/seven"
    assert entry.url == f"{BASE}/issues/seven/"
    assert (entry.content_html, entry.summary) == ("<p>first</p>", "All about first")
    assert entry.published == entry.updated == ISSUE.date
