"""Tokens: they open for their purpose, for years, and for nobody else's text."""

from __future__ import annotations

import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import (
    InvalidKeys,
    InvalidToken,
    Keyring,
    Purpose,
    address_hash,
    generate_key,
)

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
RING = Keyring([("b", NEW), ("a", OLD)])
NUMBERS = st.integers(-(2**63), 2**63 - 1)
PURPOSES = st.sampled_from(Purpose)


@given(
    PURPOSES, st.lists(NUMBERS, min_size=1, max_size=8), st.text("abc|.", max_size=9)
)
def test_a_token_opens_to_its_numbers(purpose, numbers, context):
    token = RING.seal(purpose, *numbers, context=context)
    assert RING.open(purpose, token, context=context) == tuple(numbers)
    assert RING.open(purpose, token.upper(), context=context) == tuple(numbers)
    assert RING.seal(purpose, *numbers, context=context) == token


@given(st.data(), NUMBERS)
def test_any_changed_character_is_refused(data, number):
    token = RING.seal(Purpose.UNSUBSCRIBE, number)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(
        st.characters().filter(lambda c: c.lower() != token[place] or not c.isascii())
    )
    with pytest.raises(InvalidToken):
        RING.open(Purpose.UNSUBSCRIBE, token[:place] + other + token[place + 1 :])


@given(PURPOSES, PURPOSES, NUMBERS)
def test_a_token_of_one_purpose_opens_for_no_other(made_for, used_for, number):
    token = RING.seal(made_for, number)
    if made_for is used_for:
        assert RING.open(used_for, token) == (number,)
    else:
        with pytest.raises(InvalidToken):
            RING.open(used_for, token)


def test_a_token_opens_in_its_own_context_only():
    token = RING.seal(Purpose.RETURN_PATH, 7, context="bounces.example.org")
    assert RING.open(Purpose.RETURN_PATH, token, context="bounces.example.org") == (7,)
    for context in ("", "bounces.example.net"):
        with pytest.raises(InvalidToken):
            RING.open(Purpose.RETURN_PATH, token, context=context)


WRONG = {
    "empty": "",
    "zero": "0",
    "exponent": "0e123",
    "unknown key": "z" + "0" * 48,
    "white space": "b " + "0" * 47,
    "trailing newline": RING.seal(Purpose.UNSUBSCRIBE, 1) + "\n",
    "cut": RING.seal(Purpose.UNSUBSCRIBE, 1)[:-1],
    "cut by a number": RING.seal(Purpose.UNSUBSCRIBE, 1, 2)[:-16],
    "longer": RING.seal(Purpose.UNSUBSCRIBE, 1) + "0" * 16,
    "huge": "b" + "0" * 160_000,
    "letters that fold to ascii": "\u212a" + "0" * 48,
}


@pytest.mark.parametrize("case", WRONG)
def test_every_wrong_token_is_refused_in_the_same_words(case):
    with pytest.raises(InvalidToken) as caught:
        RING.open(Purpose.UNSUBSCRIBE, WRONG[case])
    assert str(caught.value) == str(InvalidToken())


def test_a_new_key_keeps_old_tokens_opening_and_a_dropped_one_does_not():
    token = Keyring([("a", OLD)]).seal(Purpose.UNSUBSCRIBE, 5)
    assert RING.open(Purpose.UNSUBSCRIBE, token) == (5,)
    assert RING.seal(Purpose.UNSUBSCRIBE, 5)[0] == "b"
    with pytest.raises(InvalidToken):
        Keyring([("b", NEW)]).open(Purpose.UNSUBSCRIBE, token)
    with pytest.raises(InvalidToken):
        Keyring([("a", NEW)]).open(Purpose.UNSUBSCRIBE, token)


@pytest.mark.parametrize("number", [0, 1, -1, 2**63 - 1])
def test_a_return_path_has_room_for_the_token(number):
    token = RING.seal(Purpose.RETURN_PATH, number)
    assert len(token) == 49
    assert len(f"bounce+{token}") <= 64


def test_the_numbers_cannot_be_read_from_the_token():
    assert struct.pack(">q", 123456789).hex() not in RING.seal(
        Purpose.UNSUBSCRIBE, 123456789
    )


@pytest.mark.parametrize("numbers", [(), tuple(range(9))])
def test_a_token_carries_one_to_eight_numbers(numbers):
    with pytest.raises(ValueError, match="1 to 8"):
        RING.seal(Purpose.UNSUBSCRIBE, *numbers)


def test_a_keyring_survives_pickling_and_shows_no_secret():
    copy = pickle.loads(pickle.dumps(RING))
    token = RING.seal(Purpose.CONFIRM, 1)
    assert copy.open(Purpose.CONFIRM, token) == (1,)
    assert copy.seal(Purpose.CONFIRM, 1) == token
    assert repr(RING) == "Keyring(b, a)"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([], "at least one"),
        ([("A", OLD)], "key id 'A'"),
        ([("ab", OLD)], "key id 'ab'"),
        ([("a", OLD[:31])], "32 bytes, not 31"),
        ([("a", OLD), ("a", NEW)], "share an id"),
    ],
)
def test_keys_that_make_no_ring_are_refused_without_being_shown(keys, reason):
    with pytest.raises(InvalidKeys) as caught:
        Keyring(keys)
    assert reason in str(caught.value)
    assert OLD[:31].hex() not in str(caught.value)


def test_many_contexts_do_not_fill_the_memory():
    ring = Keyring([("a", OLD)])
    for number in range(1500):
        token = ring.seal(Purpose.CONFIRM, 1, context=str(number))
        assert ring.open(Purpose.CONFIRM, token, context=str(number)) == (1,)
    assert len(ring._known_data) <= 1024


def test_a_new_key_is_made_of_the_caller_s_randomness():
    asked = []

    def token_bytes(count):
        asked.append(count)
        return OLD

    assert generate_key(token_bytes) == OLD
    assert asked == [32]


def test_the_address_hash_needs_the_pepper():
    # RFC 4231 test case 2: HMAC-SHA-256 with key "Jefe".
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert address_hash(b"Jefe", "what do ya want for nothing?") == expected
    assert address_hash(b"other", "what do ya want for nothing?") != expected
