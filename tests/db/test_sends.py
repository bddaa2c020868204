"""Sends: audience, steering, the tick's queries, on both engines."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

import subscribers
from distributor.delivery import Event, EventKind, State
from distributor.errors import RefusedError
from distributor.sending.fanout import Order, place, start_scheduled
from distributor.storage import accounts, ledger, sends
from distributor.storage.ledger import Entry
from distributor.storage.sends import SendState
from distributor.storage.tables import deliveries, exclusions
from tests.fakes.people import NOW, PEPPER, join, make_audience, make_issue, make_list

HOUR = timedelta(hours=1)


@pytest.fixture
def issue_id(engine):
    with engine.begin() as connection:
        return make_issue(connection)


def place_one(engine, issue_id, *list_ids, now=NOW, at=None):
    order = Order(issue_id, "h", "Subject", list_ids, at)
    return place(engine, order, now=now, deadline_s=3600)


def mixed_list(connection, slug="news"):
    """Two eligible, one of each kind that is left out."""
    to = make_list(connection, slug)
    for name in ("a", "b", "gone", "barred"):
        join(connection, f"{name}@example.org", to)
    join(connection, "new@example.org", to, state=subscribers.State.UNCONFIRMED)
    gone = subscribers.find_subscriber(
        connection, subscribers.parse_address("gone@example.org")
    )
    [tie] = subscribers.subscriptions_of(connection, gone.id)
    subscribers.unsubscribe(connection, tie.id, via=subscribers.Via.PAGE, now=NOW)
    subscribers.suppress(
        connection,
        subscribers.parse_address("barred@example.org"),
        grounds=subscribers.Grounds("complaint"),
        pepper=PEPPER,
        now=NOW,
    )
    return to


def test_every_candidate_is_a_delivery_or_an_exclusion_with_its_reason(
    engine, issue_id
):
    with engine.begin() as connection:
        to = mixed_list(connection)
    send_id, frozen = place_one(engine, issue_id, to.id)
    assert frozen.candidates == 5
    assert frozen.deliveries == 2
    assert frozen.excluded == {"suppressed": 1, "unconfirmed": 1, "unsubscribed": 1}
    with engine.connect() as connection:
        send = sends.get(connection, send_id)
    assert send.state is SendState.SENDING
    assert send.candidates == 5
    assert send.deadline_at == NOW + HOUR


def test_somebody_on_two_lists_gets_one_delivery(engine, issue_id):
    with engine.begin() as connection:
        one, two = make_list(connection, "one"), make_list(connection, "two")
        for to in (one, two):
            join(connection, "both@example.org", to)
        join(connection, "other@example.org", two)
    _, frozen = place_one(engine, issue_id, one.id, two.id)
    assert (frozen.candidates, frozen.deliveries) == (2, 2)


def test_a_second_send_of_an_issue_reaches_only_who_has_not_got_it(engine, issue_id):
    with engine.begin() as connection:
        one, two = make_list(connection, "one"), make_list(connection, "two")
        join(connection, "both@example.org", one)
        join(connection, "both@example.org", two)
        join(connection, "other@example.org", two)
    place_one(engine, issue_id, one.id)
    _, frozen = place_one(engine, issue_id, two.id)
    assert frozen.deliveries == 1
    assert frozen.excluded == {"already_in_another_send": 1}


def test_two_people_pressing_send_at_once_make_one_delivery_each(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 300)
    start = threading.Barrier(4)
    refused = []

    def press():
        start.wait()
        try:
            place_one(engine, issue_id, to.id)
        except RefusedError as error:
            refused.append(str(error))

    people = [threading.Thread(target=press) for _ in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    with engine.connect() as connection:
        made = connection.scalar(sa.select(sa.func.count()).select_from(deliveries))
        running = sends.in_state(connection, SendState.SENDING)
    assert made == 300
    assert len(running) == 1
    assert len(refused) == 3
    assert all("already in another send" in sentence for sentence in refused)


@pytest.mark.parametrize("people", [0, 1])
def test_a_send_to_nobody_is_refused_and_leaves_nothing(engine, issue_id, people):
    with engine.begin() as connection:
        to = make_list(connection)
        if people:
            join(connection, "n@example.org", to, state=subscribers.State.UNCONFIRMED)
    with pytest.raises(RefusedError, match="nobody would get this"):
        place_one(engine, issue_id, to.id)
    with engine.connect() as connection:
        assert sends.latest(connection) is None
        assert not connection.execute(sa.select(exclusions)).all()


def test_a_scheduled_send_freezes_its_audience_when_it_starts(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 2)
    send_id, frozen = place_one(engine, issue_id, to.id, at=NOW + HOUR)
    assert frozen is None
    with engine.begin() as connection:
        join(connection, "late@example.org", to)
        assert sends.due_to_start(connection, NOW) == []
        assert sends.due_to_start(connection, NOW + HOUR) == [send_id]
    started = start_scheduled(engine, send_id, now=NOW + HOUR, deadline_s=60)
    again = start_scheduled(engine, send_id, now=NOW + HOUR, deadline_s=60)
    assert started.deliveries == 3
    assert again is None


# State before, action, whether it may, state after.
STEERING = [
    ("sending", sends.pause, True, "paused"),
    ("paused", sends.pause, False, "paused"),
    ("paused", sends.resume, True, "sending"),
    ("sending", sends.resume, False, "sending"),
    ("scheduled", sends.pause, False, "scheduled"),
    ("finished", sends.pause, False, "finished"),
    ("finished", sends.resume, False, "finished"),
    ("cancelled", sends.resume, False, "cancelled"),
    ("scheduled", "cancel", True, "cancelled"),
    ("sending", "cancel", True, "cancelled"),
    ("paused", "cancel", True, "cancelled"),
    ("finished", "cancel", False, "finished"),
]


@pytest.mark.parametrize(("before", "action", "may", "after"), STEERING)
def test_a_send_is_steered_by_compare_and_set(
    engine, issue_id, before, action, may, after
):
    with engine.begin() as connection:
        to = make_audience(connection, 1)
    send_id, _ = place_one(engine, issue_id, to.id)
    with engine.begin() as connection:
        table = sends.sends
        connection.execute(sa.update(table).values(state=before))
        if action == "cancel":
            done = sends.cancel(connection, send_id, now=NOW)
        else:
            done = action(connection, send_id)
        assert done is may
        assert sends.get(connection, send_id).state == after


def claim_all(connection, send_id):
    return ledger.claim_pending(
        connection, send_id=send_id, after=0, limit=100, slot=0, now=NOW
    )


def test_cancelling_ends_what_waits_and_lets_the_wire_speak(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 4)
    send_id, _ = place_one(engine, issue_id, to.id)
    with engine.begin() as connection:
        a, b, c = ledger.claim_pending(
            connection, send_id=send_id, after=0, limit=3, slot=0, now=NOW
        )
        events = [
            Entry(a.delivery_id, Event(EventKind.DEFERRED, 1), due_at=NOW + HOUR),
            Entry(b.delivery_id, Event(EventKind.DOUBTED, 1), due_at=NOW + HOUR),
        ]
        ledger.record(connection, events, now=NOW)
        sends.cancel(connection, send_id, now=NOW)
        assert sends.end_waiting(connection, now=NOW) == 2
        assert sends.end_waiting(connection, now=NOW) == 0
        ledger.record(
            connection, [Entry(c.delivery_id, Event(EventKind.ACCEPTED, 1))], now=NOW
        )
        states = accounts.tally(connection, send_id).states
        history = accounts.history(connection, a.delivery_id)
        due = connection.scalar(
            sa.select(deliveries.c.due_at).where(deliveries.c.id == b.delivery_id)
        )
    assert states == {State.CANCELLED: 2, State.IN_DOUBT: 1, State.ACCEPTED: 1}
    assert [line.kind for line in history] == ["deferred", "cancelled"]
    assert due is None


def test_what_waits_past_the_deadline_expires_and_the_send_finishes(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 3)
    send_id, _ = place_one(engine, issue_id, to.id)
    with engine.begin() as connection:
        assert sends.end_waiting(connection, now=NOW + HOUR / 2) == 0
        assert sends.finish(connection, now=NOW) == []
        assert sends.end_waiting(connection, now=NOW + HOUR) == 3
        assert sends.finish(connection, now=NOW + HOUR) == [send_id]
        assert sends.finish(connection, now=NOW + HOUR) == []
        assert accounts.tally(connection, send_id).states == {State.EXPIRED: 3}


def test_a_held_doubt_does_not_keep_a_send_open_but_a_due_one_does(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 1)
    send_id, _ = place_one(engine, issue_id, to.id)
    with engine.begin() as connection:
        [one] = claim_all(connection, send_id)
        doubt = Event(EventKind.DOUBTED, 1)
        ledger.record(
            connection, [Entry(one.delivery_id, doubt, due_at=NOW + HOUR)], now=NOW
        )
        assert sends.finish(connection, now=NOW) == []
        connection.execute(sa.update(deliveries).values(due_at=None))
        assert sends.finish(connection, now=NOW) == [send_id]


def test_slots_are_rung_while_work_is_due_or_a_slot_holds_rows(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 2)
    send_id, _ = place_one(engine, issue_id, to.id)
    with engine.begin() as connection:
        assert sends.slots_with_work(connection, slots=2, now=NOW) == [0, 1]
        claims = ledger.claim_pending(
            connection, send_id=send_id, after=0, limit=9, slot=7, now=NOW
        )
        # Slot 7 is beyond the configured two: lowered since, but it holds rows.
        assert sends.slots_with_work(connection, slots=2, now=NOW) == [7]
        deferred = [
            Entry(c.delivery_id, Event(EventKind.DEFERRED, 1), due_at=NOW + HOUR)
            for c in claims
        ]
        ledger.record(connection, deferred, now=NOW)
        assert sends.slots_with_work(connection, slots=2, now=NOW) == []
        assert sends.slots_with_work(connection, slots=2, now=NOW + HOUR) == [0, 1]
        sends.pause(connection, send_id)
        assert sends.slots_with_work(connection, slots=2, now=NOW + HOUR) == []


def test_trouble_is_noted_and_cleared(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 1)
    send_id, _ = place_one(engine, issue_id, to.id)
    with engine.begin() as connection:
        assert sends.set_trouble(connection, send_id, "no relay")
        assert not sends.set_trouble(connection, send_id, "no relay")
        assert sends.get(connection, send_id).trouble == "no relay"
        assert sends.set_trouble(connection, send_id, "")


def test_deliveries_are_listed_in_order_over_pages(engine, issue_id):
    with engine.begin() as connection:
        to = make_audience(connection, 5)
    send_id, _ = place_one(engine, issue_id, to.id)
    with engine.begin() as connection:
        [first, *_] = ledger.claim_pending(
            connection, send_id=send_id, after=0, limit=1, slot=0, now=NOW
        )
        everyone = list(accounts.deliveries_of(connection, send_id, page=2))
        waiting = list(
            accounts.deliveries_of(connection, send_id, state=State.PENDING, page=2)
        )
    assert [row.id for row in everyone] == sorted(row.id for row in everyone)
    assert len(everyone) == 5
    assert first.delivery_id not in {row.id for row in waiting}
    assert len(waiting) == 4
