from __future__ import annotations

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from distributor.characters import refused
from distributor.errors import ContentError
from distributor.plaintext import issue_from_text
from tests.fakes.newsletters import DATE, WIC_TEXT, wic_issue

LONG = "A paragraph that is a good deal longer than the headline above it."


def read(text, **changes):
    options = {
        "slug": "news-1",
        "number": 1,
        "date": DATE,
        "language": "en",
        "base_url": "https://news.example.org",
        **changes,
    }
    return issue_from_text(text, **options)


def complaints(text, **changes):
    with pytest.raises(ContentError) as raised:
        read(text, **changes)
    return str(raised.value).split("\n")


def paragraphs(article):
    return article.body.split("\n\n")


def test_the_real_newsletter_has_twelve_articles_and_fourteen_paragraphs():
    issue = wic_issue()
    assert len(issue.articles) == 12
    assert [len(paragraphs(a)) for a in issue.articles] == [2, 2] + [1] * 10
    assert issue.title == issue.subject == "WIC News 7"
    assert issue.contact.startswith("Contact: Member Affairs Department \u00a0\u00a0 ")
    assert issue.contact.endswith("Tel:010-55636542")


def test_the_real_newsletter_is_kept_verbatim_and_in_order():
    issue = wic_issue()
    said = ["WIC News"]
    for article in issue.articles:
        said += [article.title, *paragraphs(article)]
    said.append(issue.contact)
    assert said == [line.strip() for line in WIC_TEXT.split("\n") if line.strip()]


def test_the_lines_of_headlines_are_those_of_the_text():
    lines = WIC_TEXT.split("\n")
    assert all(lines[a.line - 1] == a.title for a in wic_issue().articles)


def test_title_and_subject_can_be_given():
    issue = read(f"News\n\nOne\n\n{LONG}", title="The title", subject="Read this")
    assert (issue.title, issue.subject) == ("The title", "Read this")


@pytest.mark.parametrize(
    "headline",
    ["One", "What comes next?", "It works!", "“AI for Good”", "No. 7 is out"],
)
def test_a_headline_is_a_short_line_without_a_final_stop(headline):
    issue = read(f"News\n{headline}\n\n{LONG}\n\n{LONG}")
    (article,) = issue.articles
    assert article.title == headline
    assert article.body == f"{LONG}\n\n{LONG}"


@pytest.mark.parametrize("stop", [".", "。", ":", ";", ",", "…", '."', ".”", "。」"])
def test_a_short_line_with_a_final_stop_is_a_paragraph(stop):
    issue = read(f"News\n\nOne\n\nShort one{stop}\n\n{LONG}")
    assert len(issue.articles) == 1


def test_a_wrapped_paragraph_is_no_headline():
    issue = read(f"News\n\nOne\n\nwrapped\nover lines\n\n{LONG}")
    assert issue.articles[0].body == f"wrapped\nover lines\n\n{LONG}"


def test_a_last_line_without_text_below_is_a_paragraph():
    assert read(f"News\n\nOne\n\n{LONG}\n\nThe end").articles[0].body.endswith("end")


def test_lines_of_no_break_spaces_are_blank_and_edges_are_stripped():
    issue = read(f"News\n\n  One\t\n\u00a0\n    {LONG}\n\u00a0 \nMore.")
    assert issue.articles[0].title == "One"
    assert issue.articles[0].body == f"{LONG}\n\nMore."


@pytest.mark.parametrize("label", ["Contact:", "CONTACT US:", "联系人：", "Kontakt:"])
def test_the_contact_footer_is_the_last_block_that_says_so(label):
    footer = f"{label} the office\n\nTel: 1234567."
    issue = read(f"News\n\nOne\n\nContact: is a word.\n\n{LONG}\n\n{footer}")
    assert issue.contact == footer
    assert issue.articles[0].body == f"Contact: is a word.\n\n{LONG}"


def test_contact_above_a_later_headline_stays_in_its_article():
    issue = read(f"News\n\nOne\n\n{LONG}\n\nContact: x.\n\nTwo\n\n{LONG}")
    assert issue.contact == ""
    assert [a.title for a in issue.articles] == ["One", "Two"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("News\n\nonly one long paragraph.", 3, "no articles were recognised"),
        (f"News\n\n{LONG}\n\nOne\n\n{LONG}", 3, "text before the first headline"),
        (f"News\n\nOne\n\nTwo, longer\n\n{LONG}", 3, "'One' looks like a headline"),
        (f"News\n\nOne\n\n{LONG}\n\none\n\n{LONG}", 7, "already used at line 3"),
        (f"News\n\nOne\x07\n\n{LONG}", 3, "U+0007"),
    ],
)
def test_text_that_makes_no_issue_is_explained_with_its_line(text, line, says):
    problems = complaints(text, source="news.txt")
    assert any(p.startswith(f"news.txt: line {line}: ") and says in p for p in problems)


def test_an_empty_text_has_no_articles():
    assert "no articles were recognised" in complaints(" \n")[0]


def test_a_text_of_more_than_two_megabytes_is_refused():
    assert "2,000,000" in complaints("x" * 2_000_001)[0]


def test_malformed_options_are_named_all_at_once():
    text = f"News\n\nOne\n\n{LONG}"
    naive = datetime(2023, 6, 30)
    problems = complaints(
        text, slug="No", number=0, date=naive, language="?", base_url="x"
    )
    assert len(problems) == 5
    assert all(problem.startswith("No: ") for problem in problems)


@pytest.mark.parametrize(
    ("written", "markdown"),
    [
        ("2 * 3 = 6, snake_case, a_b_c", None),
        ("AT&T & Co; 5 < 6 > 4", None),
        ("[sic] and [1] are fine", None),
        ("- and 2023 - 2025", "\\- and 2023 - 2025"),
        ("1. first", "1\\. first"),
        ("1) first", "1\\) first"),
        ("2023. was", "2023\\. was"),
        ("1.5 million", None),
        ("#1 in the list", None),
        ("# one", "\\# one"),
        ("> quoted", "\\> quoted"),
        ("*stars* and _lines_", "\\*stars\\* and \\_lines\\_"),
        ("[a](http://b)", "\\[a](http://b)"),
        ("<b>bold</b> &amp;", "\\<b>bold\\</b> \\&amp;"),
        ("`code` \\* C:\\dir\\", "\\`code\\` \\\\\\* C:\\dir\\\\"),
        ("--- | ---", "\\--- | ---"),
        ("=====", "\\====="),
        ("~~~", "\\~~~"),
    ],
)
def test_markdown_specials_are_escaped_only_where_they_would_act(written, markdown):
    issue = read(f"News\n\nOne\n\n{LONG}\n{written}")
    line = issue.articles[0].body.split("\n")[1]
    assert line == (written if markdown is None else markdown)
    assert shown(issue.articles[0].body) == f"{LONG} {written}"


def shown(body):
    """What a CommonMark reader shows; fails if there is any markup but paragraphs."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    said = []
    for token in parser.parse(body):
        assert token.type in {"paragraph_open", "inline", "paragraph_close"}
        for child in token.children or []:
            assert child.type in {"text", "softbreak", "text_special"}, child
            said.append(" " if child.type == "softbreak" else child.content)
        if token.type == "inline":
            said.append("\n\n")
    return "".join(said).strip("\n")


_MARKS = st.sampled_from("*_`[]()<>#+-.!|:\\&~=\"'/ 12ab;@?{}%\u00a0中")
_LINES = st.text(_MARKS | st.characters(exclude_categories=["Cs"]), max_size=40).map(
    lambda text: re.sub(r"\s+", " ", text).strip()
)


@given(st.lists(_LINES, min_size=1, max_size=4))
def test_any_text_is_shown_verbatim(lines):
    written = [line for line in lines if line and not refused(line)]
    text = "\n".join(["News", "", "H", "", f"{LONG}", *written])
    issue = read(text)
    assert shown(issue.articles[0].body) == " ".join([LONG, *written])


@given(st.lists(_LINES.filter(bool), min_size=1, max_size=5))
def test_any_text_makes_an_issue_or_a_content_error(blocks):
    try:
        issue = read("\n\n".join(blocks))
        found = issue.articles
    except ContentError as error:
        found = error.problems
    assert found
