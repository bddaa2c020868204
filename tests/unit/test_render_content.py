from __future__ import annotations

import dataclasses

import pytest

from distributor.render.content import (
    absolute,
    content_of,
    digest,
    direction,
    shortened,
    summary,
    written_date,
)
from tests.fakes.newsletters import BRAND, DATE, small_issue


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", "30 June 2023"),
        ("EN-gb", "30 June 2023"),
        ("zh-Hans", "2023年6月30日"),
        ("ja", "2023年6月30日"),
        ("de", "2023-06-30"),
    ],
)
def test_dates_are_written_without_any_locale(language, written):
    assert written_date(DATE, language) == written


def test_every_month_has_its_name():
    names = [written_date(DATE.replace(month=m, day=1), "en") for m in range(1, 13)]
    assert names == [
        DATE.replace(month=m, day=1).strftime("%-d %B %Y") for m in range(1, 13)
    ]


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "ltr"), ("ar", "rtl"), ("he-IL", "rtl"), ("ar-Latn", "ltr"),
     ("az-Arab", "rtl"), ("x-1234", "ltr")],
)  # fmt: skip
def test_direction_follows_language_and_script(language, expected):
    assert direction(language) == expected


def test_the_summary_is_the_preheader_or_the_headlines_that_fit():
    assert summary(small_issue(preheader="Look")) == "Look"
    assert summary(small_issue(("A", "x"), ("B", "y"))) == "A · B"
    assert summary(small_issue(("A", "x"), ("B" * 250, "y"), ("C", "z"))) == "A"
    long = summary(small_issue(("word " * 60, "x")))
    assert long.endswith("word…")
    assert len(long) <= 200


def test_shortening_cuts_after_a_word_if_there_is_one():
    assert shortened("abc", 3) == "abc"
    assert shortened("ab cdef", 5) == "ab…"
    assert shortened("abcdef", 5) == "abcd…"


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("x", "https://a.org/i/x"),
        ("?q#f", "https://a.org/i/?q#f"),
        ("mailto:a@b.org", "mailto:a@b.org"),
        ("http:///x", ""),
        ("file:///etc/passwd", ""),
        ("http://[", ""),
    ],
)
def test_links_become_absolute_or_nothing(target, url):
    assert absolute(target, "https://a.org/i/") == url


def test_the_digest_covers_all_that_was_written_and_nothing_else():
    issue = small_issue()
    moved = dataclasses.replace(issue.articles[0], line=99)
    assert digest(dataclasses.replace(issue, articles=(moved,)), BRAND) == digest(
        issue, BRAND
    )
    changed = [
        dataclasses.replace(issue, contact="x"),
        dataclasses.replace(issue, date=DATE.replace(hour=1)),
        dataclasses.replace(issue, articles=issue.articles * 2),
    ]
    digests = {digest(other, BRAND) for other in [issue, *changed]}
    digests.add(digest(issue, dataclasses.replace(BRAND, accent="#000000")))
    assert len(digests) == 5


def test_the_page_is_below_the_site():
    content = content_of(small_issue(base_url="https://a.org/b"), BRAND)
    assert content.page_url == "https://a.org/b/issues/small-1/"
