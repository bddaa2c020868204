from __future__ import annotations

import pytest

from distributor.markdown import tokens
from distributor.render.text import TextWriter

PAGE = "https://news.example.org/issues/a/"


def write(body, writer=None):
    return (writer or TextWriter(PAGE)).write(tokens(body))


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("one\ntwo *three* **four** `five`", "one two three four five"),
        ("one\\\ntwo", "one\ntwo"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("### Head\n\nx", "Head\n\nx"),
        ("- a\n- b\n  - c", "* a\n* b\n  * c"),
        ("- a\n\n- b", "* a\n\n* b"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("1. a\n\n   b", "1. a\n\n   b"),
        ("-\n- b", "*\n* b"),
        ("> a\n> b\n>\n> c", "> a b\n>\n> c"),
        ("    x  y\n\n    z", "    x  y\n\n    z"),
        ("```py\na = 1\n```", "    a = 1"),
        ("a\n\n***\n\nb", "a\n\n* * *\n\nb"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n1 | 2"),
        ("<b>x</b> &amp; \\*", "<b>x</b> & *"),
        ("a\u00a0b", "a b"),
        ("![A chart](c.png)", f"[Image: A chart] [1]\n\n[1] {PAGE}c.png"),
        ("[t](/x)", "t [1]\n\n[1] https://news.example.org/x"),
        ("[t](#there)", f"t [1]\n\n[1] {PAGE}#there"),
        ("<https://a.org/x>", "https://a.org/x"),
        ("[https://a.org](https://a.org)", "https://a.org"),
        ("<me@a.org>", "me@a.org"),
        ("[t](ftp://a.org/)", "t"),
        ("", ""),
    ],
)
def test_markdown_as_plain_text(markdown, text):
    assert write(markdown) == text


def test_links_are_numbered_through_the_issue_and_listed_once():
    writer = TextWriter(PAGE)
    first = write("[a](https://a.org/) [b](https://b.org/)", writer)
    second = write("[b again](https://b.org/) [c](https://c.org/)", writer)
    assert first == "a [1] b [2]\n\n[1] https://a.org/\n[2] https://b.org/"
    assert second == "b again [2] c [3]\n\n[3] https://c.org/"


def test_a_url_too_long_for_its_number_stands_alone():
    url = "https://a.org/" + "x" * 70
    assert write(f"[a]({url})") == f"a [1]\n\n[1]\n{url}"


def test_deep_lists_stay_wide_enough_to_read():
    deep = "\n".join("  " * n + "- level" for n in range(9))
    assert write(deep).count("level") == 9


def test_list_items_and_quotations_wrap_under_themselves():
    lines = write("- " + "word " * 20).split("\n")
    assert [line[:6] for line in lines] == ["* word", "  word"]
    assert all(len(line) <= 72 for line in lines)
    assert write("> " + "word " * 20).count("\n> word") == 1
