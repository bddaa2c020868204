from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.envelope import Identity, is_mailable, needs_smtputf8
from subscribers import Keyring

RING = Keyring([("a", b"k" * 32)])
IDENTITY = Identity(RING, "bounces.example.org", "news.example.org")

ids = st.integers(1, 2**63 - 1)


@given(ids)
def test_a_return_path_leads_back_to_its_delivery(delivery_id):
    path = IDENTITY.return_path(delivery_id)
    assert path == IDENTITY.return_path(delivery_id)
    assert len(path.rpartition("@")[0]) <= 64
    assert is_mailable(path)
    assert IDENTITY.delivery_of(path) == delivery_id
    assert IDENTITY.delivery_of(f"<{path.upper()}>") == delivery_id
    assert IDENTITY.delivery_of(f"prvs=1234abcdef={path}") == delivery_id


@given(ids)
def test_a_message_id_leads_back_but_never_opens_as_a_return_path(delivery_id):
    message_id = IDENTITY.message_id(delivery_id)
    assert message_id.startswith("<")
    assert IDENTITY.delivery_of_message(message_id) == delivery_id
    token = message_id.strip("<>").partition("@")[0]
    assert IDENTITY.delivery_of(f"bounce+{token}@bounces.example.org") is None


def test_ids_are_unlike_each_other():
    assert IDENTITY.message_id(1) != IDENTITY.message_id(2)
    assert IDENTITY.return_path(1) != IDENTITY.return_path(2)


def test_an_old_key_still_opens_what_it_sealed():
    path = IDENTITY.return_path(7)
    newer = Keyring([("b", b"n" * 32), ("a", b"k" * 32)])
    assert Identity(newer, "bounces.example.org", "x.org").delivery_of(path) == 7


def _forged(token: str) -> str:
    return f"bounce+{token}@bounces.example.org"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "<>",
        "bounce+@bounces.example.org",
        "ann@bounces.example.org",
        _forged("a" + "0" * 48),
        _forged("z" + "0" * 48),
        _forged(IDENTITY.return_path(1)[7:55]),
        IDENTITY.return_path(1).replace("bounces.", "other."),
        IDENTITY.return_path(1).removeprefix("bounce+"),
        Identity(RING, "other.example.org", "x.org").return_path(1)[:56]
        + "@bounces.example.org",
    ],
)
def test_what_is_not_ours_leads_nowhere(path):
    assert IDENTITY.delivery_of(path) is None


def test_a_message_id_of_somebody_else_leads_nowhere():
    assert IDENTITY.delivery_of_message("<1@elsewhere.example>") is None
    assert IDENTITY.delivery_of_message("<1@news.example.org>") is None
    two = RING.seal("return-path", 1, 2, context="message-id news.example.org")
    assert IDENTITY.delivery_of_message(f"<{two}@news.example.org>") is None


@pytest.mark.parametrize(
    ("address", "fit"),
    [
        ("ann+x@example.org", True),
        ("o'neil=a@xn--bcher-kva.example", True),
        ("jörg@example.org", True),
        ("a@b", True),
        ("a@bücher.example", False),
        ("a b@example.org", False),
        ("a@example.org>", False),
        ("a@example.org\r\nRCPT TO:<b@example.org>", False),
        ("a@example.org\n", False),
        ("a\u2028@example.org", False),
        ('"a b"@example.org', False),
        ("a@[127.0.0.1]", False),
        ("a@b@example.org", False),
        ("a,b@example.org", False),
        ("@example.org", False),
        ("a" * 65 + "@example.org", False),
        ("a@-example.org", False),
        ("", False),
    ],
)
def test_only_addresses_that_cannot_break_out_are_mailable(address, fit):
    assert is_mailable(address) is fit


def test_only_the_local_part_needs_smtputf8():
    assert needs_smtputf8("jörg@example.org")
    assert not needs_smtputf8("ann@bücher.example")
