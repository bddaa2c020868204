from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from distributor.characters import refused, unified


@pytest.mark.parametrize(
    ("character", "named"),
    [
        ("\x00", "U+0000"),
        ("\x0b", "U+000B"),
        ("\x1f", "U+001F"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("\u2028", "U+2028 (LINE SEPARATOR)"),
        ("\u202a", "LEFT-TO-RIGHT EMBEDDING"),
        ("\u202e", "RIGHT-TO-LEFT OVERRIDE"),
        ("\ud800", "U+D800 (an unpaired surrogate)"),
        ("\ufffe", "U+FFFE"),
        ("\uffff", "U+FFFF"),
    ],
)
def test_a_character_no_channel_can_carry_is_named_with_its_line(character, named):
    (problem,) = refused(f"one\ntwo {character}\nthree")
    assert problem.line == 2
    assert named in problem.message
    assert "remove it" in problem.message


@pytest.mark.parametrize("character", ["\t", "\n", "\u00a0", "\u200f", "é", "👩", "中"])
def test_ordinary_characters_pass(character):
    assert refused(character) == []


def test_a_binary_file_gives_twenty_problems_not_a_million():
    assert len(refused("\x00" * 100_000)) == 20


@given(st.text(st.characters(codec=None)))
def test_whatever_passes_fits_into_xml(text):
    text = unified(text)
    if not refused(text):
        etree.Element("t").text = text


@given(st.text())
def test_line_ends_are_unified_once_and_for_all(text):
    once = unified(text)
    assert "\r" not in once
    assert unified(once.removeprefix("\ufeff")) == once.removeprefix("\ufeff")


def test_windows_and_old_mac_line_ends_and_byte_order_mark_are_taken():
    assert unified("\ufeffa\r\nb\rc\n") == "a\nb\nc\n"
