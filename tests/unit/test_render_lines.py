from __future__ import annotations

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from distributor.characters import refused
from distributor.render.lines import columns, indented, item, plain, underlined, wrap


def test_a_paragraph_is_wrapped_between_words():
    assert wrap("one two three four", 9) == ["one two", "three", "four"]


def test_a_line_may_be_exactly_full():
    assert wrap("12345 789 12345 789", 9) == ["12345 789", "12345 789"]


def test_no_break_spaces_are_ordinary_spaces_here():
    assert plain("a\u00a0b") == "a b"
    assert wrap("one\u00a0two\u00a0three", 7) == ["one two", "three"]


def test_runs_of_spaces_stay_except_at_the_end_of_a_line():
    assert wrap("  Department \u00a0 Tel:1   23 ", 18) == ["Department   Tel:1", "23"]


def test_a_url_is_never_broken():
    url = "https://example.org/" + "x" * 100
    assert wrap(f"see {url}, or not", 20) == ["see", f"{url},", "or not"]


def test_any_other_overlong_word_is_broken():
    assert wrap("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


def test_chinese_is_measured_in_columns_and_broken_anywhere():
    assert wrap("中文可以在任何地方换行", 8) == ["中文可以", "在任何地", "方换行"]


def test_no_line_begins_with_closing_or_ends_with_opening_punctuation():
    assert wrap("一二三四，五六「七八」", 8) == ["一二三", "四，五六", "「七八」"]


def test_a_url_inside_chinese_stays_whole():
    lines = wrap("请看https://example.org/2023了解更多", 12)
    assert lines == ["请看", "https://example.org/2023", "了解更多"]
    assert wrap("https://example.org/2023，好", 12) == [*lines[1:2], "，好"]


def test_graphemes_are_never_torn():
    family = "👩‍👩‍👧‍👧"
    assert wrap(family * 3, 4) == [family * 2, family]


def test_a_long_headline_is_underlined_as_wide_as_its_widest_line():
    lines = underlined("word " * 20).split("\n")
    assert lines == ["word " * 13 + "word", "word " * 5 + "word", "-" * 69]


def test_a_wide_headline_is_underlined_by_columns():
    assert underlined("中文", "=") == "中文\n===="


def test_items_hang_under_their_numbers():
    assert item("word " * 16, 7) == " 7. " + "word " * 12 + "word\n    word word word"


def test_a_prefix_leaves_no_trailing_spaces_on_blank_lines():
    assert indented("a\n\nb", "* ", "  ") == "* a\n\n  b"


@given(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" 中，「」a:/")),
    st.integers(8, 72),
)
def test_no_line_is_wider_than_asked_and_no_character_is_lost(text, width):
    if refused(text):
        return
    lines = wrap(text, width)
    for line in lines:
        widest = max((wcwidth.wcswidth(c) for c in line), default=0)
        assert "://" in line or columns(line) <= max(width, widest, 2), line
        assert line.strip(" ") == line
    squeezed = "".join("".join(lines).split())
    assert squeezed == "".join(plain(text).split())


@pytest.mark.parametrize(("text", "size"), [("abc", 3), ("中", 2), ("é", 1), ("", 0)])
def test_columns(text, size):
    assert columns(text) == size
