from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors import TemplateError
from distributor.render.slots import Slot, check_html, check_text, count, split, token

NONCE = "0123456789abcdef"
HTML = "".join(f'<a href="slot-{NONCE}-{s}">' for s in ("unsubscribe", "view"))
HTML += f'<a href="slot-{NONCE}-preferences">slot-{NONCE}-name slot-{NONCE}-list'
TEXT = "\n".join(
    f"slot-{NONCE}-{s}" for s in ("unsubscribe", "view", "preferences", "name", "list")
)


def test_a_token_holds_letters_digits_and_hyphens_only():
    assert token(NONCE, Slot.NAME) == "slot-0123456789abcdef-name"


def test_a_rendition_is_cut_at_its_slots():
    content = f"Dear slot-{NONCE}-name, slot-{NONCE}-viewslot-{NONCE}-list"
    assert split(content, NONCE) == ["Dear ", Slot.NAME, ", ", Slot.VIEW, Slot.LIST]
    assert isinstance(split(content, NONCE)[1], Slot)


def test_another_nonce_is_text():
    assert split("slot-ffffffffffffffff-name", NONCE) == ["slot-ffffffffffffffff-name"]
    assert count("slot-ffffffffffffffff-name", NONCE) == Counter()
    assert split("", NONCE) == []


@given(st.lists(st.sampled_from(Slot) | st.text(max_size=5), max_size=30))
def test_split_and_join_give_the_same_content(parts):
    def joined(cut):
        return "".join(token(NONCE, p) if isinstance(p, Slot) else p for p in cut)

    content = joined(parts)
    assert joined(split(content, NONCE)) == content
    found = Counter(p for p in split(content, NONCE) if isinstance(p, Slot))
    assert count(content, NONCE) == found
    assert "" not in split(content, NONCE)


def test_complete_emails_pass():
    check_html(HTML, NONCE, template="t")
    check_text(TEXT, NONCE, template="t")


@pytest.mark.parametrize("slot", ["unsubscribe", "view", "preferences", "name", "list"])
def test_a_missing_slot_is_named_with_its_template(slot):
    for check, content in ((check_html, HTML), (check_text, TEXT)):
        with pytest.raises(TemplateError, match=f"t.j2: the {slot} slot is missing"):
            check(content.replace(f"-{slot}", "-address"), NONCE, template="t.j2")


@pytest.mark.parametrize(
    "bad",
    [
        f'<a href="https://x/slot-{NONCE}-view">',
        f'<a href="slot-{NONCE}-view?x">',
        f"slot-{NONCE}-unsubscribe",
    ],
)
def test_a_url_slot_must_be_a_whole_href(bad):
    with pytest.raises(TemplateError, match="must be a whole href"):
        check_html(HTML + bad, NONCE, template="t")


def test_a_url_slot_must_be_alone_on_its_line():
    with pytest.raises(TemplateError, match="alone on its line"):
        check_text(f"{TEXT}\nView: slot-{NONCE}-view", NONCE, template="t")


def test_an_unknown_slot_is_refused():
    with pytest.raises(TemplateError, match="known are unsubscribe, preferences"):
        check_text(f"{TEXT} slot-{NONCE}-password", NONCE, template="t")
