from __future__ import annotations

import pytest

from distributor.articles import read_articles
from distributor.errors import Problem


def read(body, first_line=1):
    problems: list[Problem] = []
    articles = read_articles(body, first_line=first_line, problems=problems)
    return articles, [str(problem) for problem in problems]


def test_every_second_level_headline_begins_an_article():
    articles, problems = read("\n## One\n\ntext\n\n### below\n\nmore\n## Two\n- x\n", 9)
    assert problems == []
    assert [(a.title, a.body, a.line) for a in articles] == [
        ("One", "text\n\n### below\n\nmore", 10),
        ("Two", "- x", 17),
    ]


def test_a_title_is_plain_text_exactly_as_written():
    articles, _ = read("   ##  *a* `b` \\# <c> &amp; ##  \n\nx")
    assert articles[0].title == "*a* `b` \\# <c> &amp; ##"


def test_headlines_inside_code_and_quotations_begin_no_article():
    body = "## One\n\n```\n## not\n```\n\n> ## nor this\n\n    ## nor that"
    articles, problems = read(body)
    assert problems == []
    assert len(articles) == 1


def test_an_article_keeps_the_indentation_of_its_first_line():
    articles, _ = read("## One\n\n \n    code\n")
    assert articles[0].body == "    code"


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("", 1, "there is no article; begin each with a line '## Title'"),
        ("just text", 1, "there is no article"),
        ("\nHello\n\n## A\n\nx", 2, "text before the first article"),
        ("## A\n\n## B\n\nx", 1, "the article 'A' has no text"),
        ("## A\n\nx\n## B\n\n[l]: http://x", 4, "the article 'B' has no text"),
        ("## A\n\n***", 1, "the article 'A' has no text"),
        ("##\n\nx", 1, "an article without a title"),
        ("## " + "x" * 1001 + "\n\nx", 1, "a title of 1001 characters"),
        ("## A\n\n# B\n\nx", 3, "a heading of the first level"),
        ("## A\n\nB\n===\n\nx", 3, "a heading of the first level"),
        ("## A\n\nText\n---\n\nx", 3, "put a blank line above '---'"),
        ("## A\n\nx\n\n```\nopen\n\n## B\n\ny", 5, "this code block is never closed"),
        ("## A\n\nx\n\n~~~", 5, "this code block is never closed"),
        ("## A\n\nx\n##B\ny", 3, "put a space after '##'"),
    ],
)
def test_what_would_be_lost_or_misread_is_named_with_its_line(body, line, says):
    _, (problem,) = read(body)
    assert problem.startswith(f"line {line}: ")
    assert says in problem


def test_two_articles_with_one_title_are_named_with_both_lines():
    _, (problem,) = read("## A b\n\nx\n\n## a  B\n\ny", 11)
    assert problem.startswith("line 15: the title 'a  B' was already used at line 11")


@pytest.mark.parametrize("fence", ["```", "~~~~", "````"])
def test_a_closed_code_block_is_fine(fence):
    _, problems = read(f"## A\n\n{fence} py\nx\n{fence}\n\n## B\n\ny")
    assert problems == []


def test_everything_wrong_is_said_at_once():
    _, problems = read("intro\n\n## A\n\n# B\n\n##C\n")
    assert len(problems) == 3
