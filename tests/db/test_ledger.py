"""Claiming and recording, on both engines."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

import subscribers
from distributor.delivery import Event, EventKind, State, fold
from distributor.sending.fanout import Order, place
from distributor.storage import accounts, ledger, sends
from distributor.storage.ledger import Entry
from distributor.storage.tables import deliveries
from tests.fakes.people import NOW, PEPPER, make_audience, make_issue

HOUR = timedelta(hours=1)


@pytest.fixture
def send_id(engine):
    """A running send to five readers."""
    with engine.begin() as connection:
        to = make_audience(connection, 5)
        issue_id = make_issue(connection)
    order = Order(issue_id, "h", "Subject", (to.id,))
    return place(engine, order, now=NOW, deadline_s=3600)[0]


def claim(connection, send_id, *, limit=100, slot=0, after=0):
    return ledger.claim_pending(
        connection, send_id=send_id, after=after, limit=limit, slot=slot, now=NOW
    )


def entry(claimed, kind, **more):
    return Entry(claimed.delivery_id, Event(kind, claimed.attempt), **more)


def test_a_claim_bills_each_delivery_once(engine, send_id):
    with engine.begin() as connection:
        first = claim(connection, send_id, limit=3)
        second = claim(connection, send_id, limit=3, slot=1)
        assert [len(first), len(second)] == [3, 2]
        assert {c.attempt for c in first + second} == {1}
        assert all(c.subscribed for c in first)
        assert not claim(connection, send_id)
        assert accounts.tally(connection, send_id).states == {State.SENDING: 5}


def test_two_claims_at_once_share_no_row(engine, send_id):
    if engine.dialect.name == "sqlite":
        return  # one writer at a time: there is no "at once"
    with engine.connect() as one, engine.connect() as other, one.begin(), other.begin():
        mine = {c.delivery_id for c in claim(one, send_id, limit=3)}
        theirs = {c.delivery_id for c in claim(other, send_id, limit=3, slot=1)}
        assert len(mine) == 3
        assert len(theirs) == 2
        assert not mine & theirs


@pytest.mark.parametrize("stop", [sends.pause, "cancel"])
def test_a_send_that_was_stopped_is_not_claimed(engine, send_id, stop):
    with engine.begin() as connection:
        if stop == "cancel":
            sends.cancel(connection, send_id, now=NOW)
        else:
            stop(connection, send_id)
        assert not claim(connection, send_id)


def test_who_left_before_the_claim_is_told_apart(engine, send_id):
    with engine.begin() as connection:
        subscription = connection.scalar(
            sa.select(deliveries.c.subscription_id).limit(1)
        )
        subscribers.unsubscribe(
            connection, subscription, via=subscribers.Via.ONE_CLICK, now=NOW
        )
        gone = [c for c in claim(connection, send_id) if not c.subscribed]
    assert [c.subscription_id for c in gone] == [subscription]


def test_who_was_suppressed_before_the_claim_is_told_apart(engine, send_id):
    with engine.begin() as connection:
        subscribers.suppress(
            connection,
            subscribers.parse_address("reader3@example.org"),
            grounds=subscribers.Grounds("complaint"),
            pepper=PEPPER,
            now=NOW,
        )
        gone = [c for c in claim(connection, send_id) if not c.subscribed]
    assert [c.recipient for c in gone] == ["reader3@example.org"]


def test_outcomes_of_a_chunk_are_recorded_with_their_events(engine, send_id):
    with engine.begin() as connection:
        a, b, c, d, e = claim(connection, send_id)
        entries = [
            entry(a, EventKind.ACCEPTED, smtp_code=250, reply="2.0.0 ok", host="mx"),
            entry(b, EventKind.REJECTED, smtp_code=550, enhanced_code="5.1.1"),
            entry(c, EventKind.DEFERRED, smtp_code=450, due_at=NOW + HOUR),
            entry(d, EventKind.DOUBTED, due_at=NOW + HOUR),
            entry(e, EventKind.RELEASED),
        ]
        ledger.record(connection, entries, now=NOW)
        rows = {row.id: row for row in accounts.deliveries_of(connection, send_id)}
        [told] = accounts.history(connection, a.delivery_id)
    assert rows[a.delivery_id].state is State.ACCEPTED
    assert rows[a.delivery_id].accepted_at == NOW
    assert rows[b.delivery_id].state is State.REJECTED
    assert rows[b.delivery_id].enhanced_code == "5.1.1"
    assert rows[c.delivery_id].due_at == NOW + HOUR
    assert rows[d.delivery_id].state is State.IN_DOUBT
    assert rows[e.delivery_id].state is State.PENDING
    assert (told.kind, told.smtp_code, told.reply, told.host) == (
        "accepted",
        250,
        "2.0.0 ok",
        "mx",
    )


def test_recording_twice_and_late_is_the_same_as_once(engine, send_id):
    with engine.begin() as connection:
        [one] = claim(connection, send_id, limit=1)
        story = [
            entry(one, EventKind.BOUNCED),
            entry(one, EventKind.ACCEPTED),
            entry(one, EventKind.ACCEPTED),
        ]
        for step in story:
            ledger.record(connection, [step], now=NOW)
        state = connection.scalar(
            sa.select(deliveries.c.state).where(deliveries.c.id == one.delivery_id)
        )
        told = accounts.history(connection, one.delivery_id)
    assert state == fold(step.event for step in story).state == State.BOUNCED
    assert [line.kind for line in told] == ["bounced", "accepted", "accepted"]


def test_two_events_of_one_delivery_in_one_chunk_keep_the_stronger(engine, send_id):
    with engine.begin() as connection:
        [one] = claim(connection, send_id, limit=1)
        both = [entry(one, EventKind.ACCEPTED), entry(one, EventKind.DOUBTED)]
        ledger.record(connection, both, now=NOW)
        tally = accounts.tally(connection, send_id)
    assert tally.states[State.ACCEPTED] == 1


def test_the_cursor_leaves_released_rows_for_the_next_turn(engine, send_id):
    with engine.begin() as connection:
        first = claim(connection, send_id, limit=2)
        ledger.record(
            connection, [entry(c, EventKind.RELEASED) for c in first], now=NOW
        )
        rest = claim(connection, send_id, after=first[-1].delivery_id)
        again = claim(connection, send_id)
    assert len(rest) == 3
    assert {c.delivery_id for c in again} == {c.delivery_id for c in first}
    assert {c.attempt for c in again} == {2}


def test_due_retries_and_doubts_are_claimed_when_their_time_comes(engine, send_id):
    with engine.begin() as connection:
        a, b, c, *_ = claim(connection, send_id)
        entries = [
            entry(a, EventKind.DEFERRED, due_at=NOW + HOUR),
            entry(b, EventKind.DOUBTED, due_at=NOW + HOUR),
            entry(c, EventKind.DOUBTED, due_at=None),
        ]
        ledger.record(connection, entries, now=NOW)
        arguments = {"send_id": send_id, "limit": 10, "slot": 0}
        early = ledger.claim_due(connection, now=NOW, **arguments)
        due = ledger.claim_due(connection, now=NOW + HOUR, **arguments)
        tally = accounts.tally(connection, send_id)
    assert not early
    assert {c.delivery_id for c in due} == {a.delivery_id, b.delivery_id}
    assert {c.attempt for c in due} == {2}
    assert tally.resent_after_doubt == 1


def test_a_slot_knows_what_its_last_owner_held_and_which_journal(engine, send_id):
    with engine.begin() as connection:
        assert ledger.journal_of(connection, 3) is None
        held = claim(connection, send_id, limit=2, slot=3)
        claim(connection, send_id, limit=2, slot=4)
        for journal_id in ("one", "two"):
            ledger.take_slot(connection, 3, journal_id=journal_id, host="h", now=NOW)
        left = ledger.left_behind(connection, 3)
        known = ledger.journal_of(connection, 3)
    assert {one.delivery_id for one in left} == {c.delivery_id for c in held}
    assert known == "two"
