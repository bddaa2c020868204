from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.anchor import anchors
from distributor.articles import canonical, read_articles
from distributor.characters import refused
from distributor.errors import ContentError
from distributor.frontmatter import parse_issue, write_issue
from distributor.issue import Article, Issue
from tests.fakes.newsletters import DATA, wic_issue

HEAD = """\
title: News 7
number: 7
date: 2023-06-30T09:00:00+08:00
language: en
base_url: https://news.example.org
"""
BODY = "\n## One\n\nText.\n"


def parse(text):
    return parse_issue(text, source="news.md", slug="news-7")


def file(head=HEAD, body=BODY):
    return f"---\n{head}---\n{body}"


def complaints(text):
    with pytest.raises(ContentError) as raised:
        parse(text)
    return str(raised.value).split("\n")


def test_an_issue_file_is_read():
    issue = parse(file(HEAD + "preheader: Look\ncontact: |\n  Call us\n\n  or not\n"))
    assert issue == Issue(
        slug="news-7",
        title="News 7",
        subject="News 7",
        number=7,
        date=datetime(2023, 6, 30, 9, tzinfo=timezone(timedelta(hours=8))),
        language="en",
        base_url="https://news.example.org",
        preheader="Look",
        articles=(Article("One", "one", "Text."),),
        contact="Call us\n\nor not",
    )
    assert issue.articles[0].line == 14


def test_yaml_guesses_nothing():
    text = HEAD.replace("language: en", "language: no").replace("News 7", "on")
    issue = parse(file(text + "subject: 0x10\npreheader: ~\n"))
    assert (issue.language, issue.title) == ("no", "on")
    assert (issue.subject, issue.preheader) == ("0x10", "~")


def test_a_key_that_yaml_takes_for_false_is_an_unknown_key():
    (problem,) = complaints(file("no: 1\n" + HEAD))
    assert problem.startswith("news.md: line 2: unknown key 'no'")


def test_windows_line_ends_and_byte_order_mark_change_nothing():
    assert parse("\ufeff" + file().replace("\n", "\r\n")) == parse(file())


def test_everything_wrong_is_said_at_once_in_the_order_of_lines():
    head = "title: ''\nnumbr: 7\ndate: 2023-06-30\nlanguage: e\nbase_url: x\n"
    problems = complaints(file(head, "\nhello\n\n## A\n\nx\n\n## a\n\ny\n\n## B\n"))
    starts = [problem.removeprefix("news.md: line ") for problem in problems]
    lines = [int(start.partition(":")[0]) for start in starts]
    assert lines == [1, 2, 3, 4, 5, 6, 9, 15, 19]
    assert "did you mean 'number'" in problems[2]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the first line must be '---'"),
        ("# News\n", 1, "there is no front matter"),
        ("+++\ntitle = 1\n+++\n", 1, "not TOML; begin and end it with '---'"),
        ("---\ntitle: x\n\n## A\n", 1, "the front matter is never closed"),
        (file("- a\n- b\n"), 2, "must be lines of 'key: value'"),
        (file("just words\n"), 2, "must be lines of 'key: value'"),
        (file(HEAD + "title: x: y\n"), 7, "not valid YAML"),
        (file(HEAD + '"a\n'), 7, "not valid YAML"),
        (file(HEAD + "title: again\n"), 7, "'title' was already given at line 2"),
        (file(HEAD + "subject: [a, b]\n"), 7, "a list or mapping"),
        (file(HEAD + "subject:\n  a: b\n"), 8, "a list or mapping"),
        (file(HEAD + "subject: &a x\n"), 7, "anchors, aliases and tags are refused"),
        (file(HEAD + "subject: *a\n"), 7, "anchors, aliases and tags are refused"),
        (file(HEAD + "subject: !!str x\n"), 7, "anchors, aliases and tags"),
        (file(HEAD + "subject: !!python/name:os.system\n"), 7, "anchors, aliases"),
        (file(HEAD + 'subject: "a\\x07b"\n'), 7, "subject: the character U+0007"),
        (file(HEAD + 'subject: "a\\nBcc: b"\n'), 7, "subject: holds a line break"),
        (file("x" * 65_000 + "\n"), 1, "longer than 64,000 characters"),
        (file(body="\n## A\n\nx\x1by\n"), 11, "U+001B"),
        (file(body="\n## A\u202e\n\nxy\n"), 9, "RIGHT-TO-LEFT OVERRIDE"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained(text, line, says):
    problems = complaints(text)
    assert any(p.startswith(f"news.md: line {line}: ") and says in p for p in problems)


def test_an_empty_front_matter_lacks_every_fact():
    assert len(complaints(file(""))) == 5


def test_an_alias_bomb_is_refused_at_once():
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"
    assert any("refused" in problem for problem in complaints(file(HEAD + bomb)))


def test_deep_nesting_is_refused_at_once():
    assert any(
        "list" in p
        for p in complaints(file(HEAD + "x: " + "[" * 3_000 + "]" * 3_000 + "\n"))
    )


def test_a_file_of_more_than_two_megabytes_is_refused():
    (problem,) = complaints(file(body="\n## A\n\n" + "x" * 2_000_000))
    assert problem.endswith("an issue may have 2,000,000")


def test_the_name_of_the_issue_is_checked_too():
    with pytest.raises(ContentError, match="cannot name an issue"):
        parse_issue(file(), source="x", slug="No Good")


@pytest.mark.parametrize("name", ["rich.md", "chinese.md"])
def test_sample_issues_round_trip(name):
    issue = parse((DATA / "issues" / name).read_text(encoding="utf-8"))
    assert parse(write_issue(issue)) == issue


def test_the_real_newsletter_round_trips_and_stays_readable():
    issue = wic_issue()
    text = write_issue(issue)
    assert parse_issue(text, source="x", slug=issue.slug) == issue
    assert "number: 7\ndate: 2023-06-30T09:00:00+08:00\nlanguage: en\n" in text
    assert "\\" not in text


_LETTERS = st.characters(exclude_categories=["Cs"])
_LINES = (
    st.text(_LETTERS, min_size=1, max_size=80)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: text and not refused(text))
)
_BODIES = st.text(_LETTERS | st.sampled_from("\n -#>`\\"), max_size=200).map(canonical)


def _is_one_article(body):
    problems = refused(body)
    found = read_articles(f"## T\n\n{body}\n", first_line=1, problems=problems)
    return not problems and len(found) == 1 and "\r" not in body


@st.composite
def _issues(draw):
    titles = draw(
        st.lists(_LINES, min_size=1, max_size=4, unique_by=lambda t: t.casefold())
    )
    bodies = [draw(_BODIES.filter(_is_one_article)) for _ in titles]
    articles = zip(titles, anchors(titles), bodies, strict=True)
    contact = draw(st.text(_LETTERS | st.just("\n")).map(canonical))
    offset = draw(st.integers(-14 * 60, 14 * 60))
    return Issue(
        slug="news-7",
        title=draw(_LINES),
        subject=draw(_LINES),
        number=draw(st.integers(1, 999_999_999)),
        date=draw(st.datetimes(timezones=st.just(timezone(timedelta(minutes=offset))))),
        language=draw(st.sampled_from(["en", "no", "zh-Hans", "x-y"])),
        base_url=draw(st.sampled_from(["https://a.org", "http://a.org:80/b"])),
        preheader=draw(_LINES | st.just("")),
        articles=tuple(Article(t, a, b) for t, a, b in articles),
        contact="" if refused(contact) or "\r" in contact else contact,
    )


@given(_issues())
def test_what_is_written_is_read_back_exactly(issue):
    assert parse(write_issue(issue)) == issue


@given(st.text(max_size=300))
def test_no_text_makes_anything_but_an_issue_or_a_content_error(text):
    for candidate in (text, file(text), file(body=text)):
        try:
            parse(candidate)
        except ContentError as error:
            problems = error.problems
        else:
            problems = ["none"]
        assert problems


def test_a_date_in_utc_round_trips():
    issue = dataclasses.replace(parse(file()), date=datetime(2026, 1, 1, tzinfo=UTC))
    assert parse(write_issue(issue)) == issue
