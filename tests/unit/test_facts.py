from __future__ import annotations

import pytest

from distributor.errors import Problem
from distributor.facts import check_slug, read_facts

GOOD = {
    "title": "News 7",
    "number": "7",
    "date": "2023-06-30T09:00:00+08:00",
    "language": "en",
    "base_url": "https://news.example.org",
}


def read(**changes):
    problems: list[Problem] = []
    given = {key: (3, value) for key, value in (GOOD | changes).items()}
    return read_facts(given, problems), problems


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("number", "0", "'0' is not a number from 1 up"),
        ("number", "-1", "not a number"),
        ("number", "7.0", "not a number"),
        ("number", "٧", "not a number"),
        ("number", "9" * 10, "not a number"),
        ("date", "30 June 2023", "not a date; write it like 2023-06-30T"),
        ("date", "2023-06-30", "needs a time and its zone"),
        ("date", "2023-06-30T09:00:00", "needs a time and its zone"),
        ("date", "2023-13-01T00:00:00Z", "not a date"),
        ("language", "english!", "not a language tag"),
        ("language", "zh_CN", "not a language tag"),
        ("language", "e", "not a language tag"),
        ("language", "en-" + "-".join(["abcdefgh"] * 5), "not a language tag"),
        ("base_url", "news.example.org", "not the address of a site"),
        ("base_url", "ftp://news.example.org", "not the address of a site"),
        ("base_url", "https://", "not the address of a site"),
        ("base_url", "https://:80", "not the address of a site"),
        ("base_url", "https://a.org/?q", "without query or fragment"),
        ("base_url", "https://me@a.org", "not the address of a site"),
        ("base_url", "https://a.org:x", "not the address of a site"),
        ("base_url", "https://[::1", "not the address of a site"),
        ("base_url", "https://a b.org", "not the address of a site"),
        ("base_url", 'https://a.org/"x', "not the address of a site"),
        ("title", "  ", "is empty"),
        ("subject", "", "is empty"),
        ("subject", "a\nBcc: all@example.org", "holds a line break"),
        ("subject", "a\rb", "holds a line break"),
        ("preheader", "a\nb", "holds a line break"),
        ("title", "x" * 1_001, "has 1001 characters"),
    ],
)
def test_a_malformed_fact_is_named_with_its_line_and_what_would_be_right(
    key, text, says
):
    _, (problem,) = read(**{key: text})
    assert problem.line == 3
    assert problem.message.startswith(f"{key}: ")
    assert says in problem.message


@pytest.mark.parametrize("tag", ["en", "no", "zh-Hans", "pt-BR", "de-1996", "x-own"])
def test_language_tags_are_taken_as_text(tag):
    facts, problems = read(language=tag)
    assert problems == []
    assert facts["language"] == tag


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("https://a.example/", "https://a.example"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://[::1]:8000/x/", "https://[::1]:8000/x"),
        ("http://localhost", "http://localhost"),
        ("http://a.example:8000", "http://a.example:8000"),
        ("http://[::1]", "http://[::1]"),
    ],
)
def test_the_site_may_have_port_and_path_and_loses_its_last_slash(written, read_as):
    facts, problems = read(base_url=written)
    assert problems == []
    assert facts["base_url"] == read_as


def test_the_subject_defaults_to_the_title():
    facts, _ = read(title=" News 7 ")
    assert facts["subject"] == "News 7"


def test_an_empty_preheader_is_none():
    assert read(preheader=" ")[0]["preheader"] == ""


def test_every_missing_fact_is_named_with_an_example():
    problems: list[Problem] = []
    read_facts({}, problems)
    text = "\n".join(map(str, problems))
    for key in GOOD:
        assert f"'{key}' is missing; add a line '{key}: " in text
    assert len(problems) == len(GOOD)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("preheder", "did you mean 'preheader'?"),
        ("Title", "did you mean 'title'?"),
        ("no", "known are title, number"),
    ],
)
def test_an_unknown_key_is_named_with_the_likely_one(key, says):
    _, (problem,) = read(**{key: "x"})
    assert f"unknown key '{key}'; " in problem.message
    assert says in problem.message


@pytest.mark.parametrize("slug", ["a", "wic-news-7", "2023-06"])
def test_a_slug_of_letters_digits_and_hyphens_is_good(slug):
    assert check_slug(slug) == []


@pytest.mark.parametrize(
    "slug", ["", "A", "a_b", "../x", "a--b", "-a", "a\n", "x" * 81]
)
def test_any_other_slug_is_refused_with_an_example(slug):
    (problem,) = check_slug(slug)
    assert "wic-news-7" in problem.message
