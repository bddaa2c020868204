from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.anchor import anchors

LONG = "WIC attends the APEC Seminar on Collaborative Transformation and Development"


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("WIC holds the Symposium", "wic-holds-the-symposium"),
        ("  “AI for Social Good” – 2023!  ", "ai-for-social-good-2023"),
        ("China’s plan", "chinas-plan"),
        ("Über Straße, Łódź & Ærø", "uber-strasse-lodz-aero"),
        (LONG, "wic-attends-the-apec-seminar-on-collaborative-transformation"),
        ("x" * 70, "x" * 60),
    ],
)
def test_an_anchor_is_readable_and_cut_after_a_word(title, anchor):
    assert anchors([title]) == [anchor]


def test_a_title_without_latin_letters_gets_an_anchor_of_its_own():
    first, second = anchors(["尼山对话", "互联网"])
    assert first != second
    assert re.fullmatch(r"article-[0-9a-f]{8}", first)
    assert anchors(["互联网", "尼山对话"]) == [second, first]


def test_titles_that_read_alike_get_numbers():
    assert anchors(["A 2", "A", "a!", "A?"]) == ["a-2", "a", "a-3", "a-4"]


def test_a_number_still_fits_into_sixty_characters():
    titles = [f"{'word ' * 12}{mark}" for mark in "!?."]
    assert [len(a) <= 60 for a in anchors(titles)] == [True] * 3


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20))
def test_anchors_are_always_unique_valid_and_the_same(titles):
    found = anchors(titles)
    assert len(set(found)) == len(titles)
    assert all(re.fullmatch(r"[a-z0-9-]{1,60}", anchor) for anchor in found)
    assert anchors(titles) == found
