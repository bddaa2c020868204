"""Lists: their slugs, their counts, and what an unknown one is answered with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from subscribers import (
    Consent,
    InvalidList,
    ListCounts,
    Method,
    Person,
    State,
    UnknownList,
    add_list,
    all_lists,
    get_list,
    parse_address,
    subscribe,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PEPPER = b"p" * 32


@pytest.fixture
def conn(engine):
    with engine.connect() as connection:
        yield connection


def test_a_list_is_found_by_its_slug(conn):
    made = add_list(conn, "wic-news", name="WIC News", description="Weekly", now=NOW)
    assert get_list(conn, "wic-news") == made
    assert (made.name, made.description) == ("WIC News", "Weekly")


@pytest.mark.parametrize("slug", ["a", "2026", "a-b", "a" * 63])
def test_a_slug_is_one_label_of_a_domain(conn, slug):
    assert add_list(conn, slug, name="N", now=NOW).slug == slug


@pytest.mark.parametrize(
    "slug", ["", "-a", "a-", "A", "ä", "a b", "a.b", "a\n", "a" * 64, "../etc"]
)
def test_a_slug_that_could_not_be_a_label_is_refused(conn, slug):
    with pytest.raises(InvalidList, match="cannot name a list"):
        add_list(conn, slug, name="N", now=NOW)
    assert all_lists(conn) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (" ", "needs a name"),
        ("a\r\nBcc: x@example.org", "one line"),
        ("x" * 201, "at most 200"),
    ],
)
def test_a_list_s_name_is_one_line(conn, name, words):
    with pytest.raises(InvalidList, match=words):
        add_list(conn, "news", name=name, now=NOW)


def test_a_second_list_of_the_same_name_is_refused_and_changes_nothing(conn):
    made = add_list(conn, "news", name="First", now=NOW)
    with pytest.raises(InvalidList, match="exists already"):
        add_list(conn, "news", name="Second", now=NOW)
    assert get_list(conn, "news") == made


def test_an_unknown_list_is_answered_with_the_nearest(conn):
    add_list(conn, "wic-news", name="WIC", now=NOW)
    add_list(conn, "jobs", name="Jobs", now=NOW)
    with pytest.raises(UnknownList) as caught:
        get_list(conn, "wic-new")
    assert caught.value.known == ["jobs", "wic-news"]
    assert "did you mean 'wic-news'?" in str(caught.value)


def test_counts_are_by_state_and_a_list_of_nobody_has_zeros(conn):
    empty = add_list(conn, "z-empty", name="Empty", now=NOW)
    news = add_list(conn, "news", name="News", now=NOW)
    states = [State.CONFIRMED] * 3 + [State.UNCONFIRMED] * 2 + [State.UNSUBSCRIBED]
    for number, state in enumerate(states):
        subscribe(
            conn,
            Person(parse_address(f"reader{number}@example.org")),
            to=news,
            consent=Consent(Method.STAFF, state=state),
            pepper=PEPPER,
            now=NOW,
        )
    assert all_lists(conn) == [
        (news, ListCounts(confirmed=3, unconfirmed=2, unsubscribed=1)),
        (empty, ListCounts()),
    ]
