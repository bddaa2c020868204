"""Addresses: which can be mailed, how they are kept, when they are the same person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import InvalidAddress, clean_name, display_address, parse_address

GOOD = {
    "ann@example.org": ("ann@example.org", "ann@example.org"),
    "  ann@example.org\t": ("ann@example.org", "ann@example.org"),
    "Ann.B+News@Example.ORG": ("Ann.B+News@example.org", "ann.b+news@example.org"),
    "ann@Exämple.de": ("ann@xn--exmple-cua.de", "ann@xn--exmple-cua.de"),
    "ann@xn--exmple-cua.de": ("ann@xn--exmple-cua.de", "ann@xn--exmple-cua.de"),
    "Jörg@example.org": ("Jörg@example.org", "jörg@example.org"),
    "Straße@example.org": ("Straße@example.org", "strasse@example.org"),
    "rehearsal@relay.test": ("rehearsal@relay.test", "rehearsal@relay.test"),
}


@pytest.mark.parametrize("text", GOOD)
def test_an_address_keeps_its_spelling_and_has_a_folded_key(text):
    parsed = parse_address(text)
    assert (parsed.address, parsed.key) == GOOD[text]


BAD = {
    "empty": ("", "the address is empty"),
    "no at sign": ("ann.example.org", "@-sign"),
    "no dot in the domain": ("ann@localhost", "period"),
    "literal": ("ann@[192.0.2.1]", "bracketed IP"),
    "quoted local part": ('"ann b"@example.org', "Quoting"),
    "display name": ("Ann <ann@example.org>", "display name"),
    "line feed inside": ("ann\nbcc:x@example.org", "U+000A"),
    "carriage return inside": ("ann\rx@example.org", "U+000D"),
    "NUL": ("ann\0@example.org", "invalid characters"),
    "direction override": ("\u202eann@example.org", "unsafe"),
    "line separator": ("ann\u2028x@example.org", "unsafe"),
    "reserved domain": ("ann@example.invalid", "special-use"),
    "long local part": ("a" * 65 + "@example.org", "too long"),
    "local part long in octets": ("ä" * 33 + "@example.org", "too long"),
    "long address": ("ann@" + "abcdefgh." * 30 + "org", "too long"),
    "two at signs": ("ann@b@example.org", "@"),
    "formula": ("=cmd|'/c calc'!A1@example.org\n,x@example.org", "not an address"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_mailed_is_refused_with_its_reason(case):
    text, reason = BAD[case]
    with pytest.raises(InvalidAddress) as caught:
        parse_address(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refusal_shows_only_the_beginning_of_a_long_text():
    with pytest.raises(InvalidAddress) as caught:
        parse_address("x" * 10_000)
    assert "…" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_dots_and_tags_tell_people_apart():
    keys = {
        parse_address(f"{local}@example.org").key for local in ("ab", "a.b", "ab+c")
    }
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("ann@xn--exmple-cua.de", "ann@exämple.de"),
        ("ann@example.org", "ann@example.org"),
        ("not an address", "not an address"),
    ],
)
def test_people_see_the_domain_in_its_own_letters(stored, shown):
    assert display_address(stored) == shown


@given(
    st.builds(
        "{}@{}.{}".format,
        st.text("abcXYZäßİ.+-_09ς", min_size=1, max_size=70),
        st.text("abcäßéΣ-09", min_size=1, max_size=40),
        st.sampled_from(["org", "de", "ελ", "test"]),
    )
)
def test_parsing_what_was_parsed_changes_nothing(text):
    try:
        parsed = parse_address(text)
    except InvalidAddress:
        return
    assert parse_address(parsed.address) == parsed
    assert parse_address(display_address(parsed.address)) == parsed
    assert len(parsed.address) <= 254
    assert len(parsed.key) <= 254
    assert parsed.address.rpartition("@")[2].isascii()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  Ann \t B.  ", "Ann B."),
        ("Ann\r\nBcc: x@example.org", "Ann Bcc: x@example.org"),
        ("Ann\u2028B\u2029C\x85D", "Ann B C D"),
        ("Ann\0\x1b[31m", "Ann [31m"),
        ("\u202enna\u202c \u2066x\u2069", "nna x"),
        ("\ufeffAnn", "Ann"),
        ("Ann\ud800", "Ann"),
        ("", ""),
        ("<b>{{ Ann }}</b>", "<b>{{ Ann }}</b>"),
        ("李小龍 👩‍💻", "李小龍 👩‍💻"),
        ("x" * 199 + "  y", "x" * 199),
    ],
)
def test_a_name_becomes_one_safe_line(text, cleaned):
    assert clean_name(text) == cleaned


@given(st.text())
def test_cleaning_a_name_twice_is_the_same_as_once(text):
    once = clean_name(text)
    assert clean_name(once) == once
    assert len(once) <= 200
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in once)
