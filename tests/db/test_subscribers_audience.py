"""The audience: everybody on the lists once, and a reason for each who gets nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers import (
    Consent,
    Grounds,
    Method,
    Person,
    State,
    add_list,
    candidates,
    lift,
    parse_address,
    still_subscribed,
    subscribe,
    suppress,
    why_not,
)
from subscribers.tables import subscribers, subscriptions

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PEPPER = b"p" * 32
STATES = st.sampled_from([None, *State])


@pytest.fixture
def conn(engine):
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def lists(conn):
    return [add_list(conn, slug, name=slug, now=NOW) for slug in ("a", "b", "c")]


def address(number):
    return parse_address(f"reader{number}@example.org")


def put(conn, number, to, state):
    person = Person(address(number), name=f"Reader {number}")
    consent = Consent(Method.STAFF, state=state)
    subscribe(conn, person, to=to, consent=consent, pepper=PEPPER, now=NOW)


def bar(conn, number, *, until=None):
    grounds = Grounds("complaint", until=until)
    suppress(conn, address(number), pepper=PEPPER, grounds=grounds, now=NOW)


def taken(conn, lists, *, now=NOW):
    """address -> (list id, reason); fails when anybody comes twice."""
    rows = conn.execute(candidates([one.id for one in lists], now=now)).all()
    found = {row.address: (row.list_id, row.reason) for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize(
    ("state", "suppressed", "reason"),
    [
        (State.CONFIRMED, False, None),
        (State.UNCONFIRMED, False, "unconfirmed"),
        (State.UNSUBSCRIBED, False, "unsubscribed"),
        (State.CONFIRMED, True, "suppressed"),
        (State.UNCONFIRMED, True, "suppressed"),
        (State.UNSUBSCRIBED, True, "suppressed"),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_everybody_is_taken_or_has_a_reason(
    conn, lists, state, suppressed, reason, count
):
    put(conn, 1, lists[0], state)
    if suppressed:
        bar(conn, 1)
    assert taken(conn, lists[:count]) == {"reader1@example.org": (lists[0].id, reason)}


def expected(states, barred, list_ids):
    """The rule in plain Python: (list id, reason), or None for nobody of ours."""
    by_state = {
        state: [list_ids[n] for n, held in enumerate(states) if held is state]
        for state in State
    }
    for state in (State.CONFIRMED, State.UNCONFIRMED, State.UNSUBSCRIBED):
        if by_state[state]:
            reason = None if state is State.CONFIRMED else state.value
            return by_state[state][0], "suppressed" if barred else reason
    return None


@given(st.lists(st.tuples(STATES, STATES, st.booleans()), max_size=6))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_two_lists_give_each_person_once_by_the_best_subscription(engine, people):
    with engine.connect() as conn:
        lists = [add_list(conn, slug, name=slug, now=NOW) for slug in ("a", "b")]
        wanted = {}
        for number, (*states, barred) in enumerate(people):
            for to, state in zip(lists, states, strict=True):
                if state is not None:
                    put(conn, number, to, state)
            if barred:
                bar(conn, number)
            want = expected(states, barred, [one.id for one in lists])
            if want is not None:
                wanted[address(number).address] = want
        assert taken(conn, lists) == wanted
        conn.rollback()


def test_a_row_names_the_person_and_the_subscription(conn, lists):
    put(conn, 1, lists[1], State.CONFIRMED)
    [row] = conn.execute(candidates([one.id for one in lists], now=NOW)).mappings()
    tie = conn.execute(sa.select(subscriptions)).one()
    assert dict(row) == {
        "subscriber_id": tie.subscriber_id,
        "subscription_id": tie.id,
        "list_id": lists[1].id,
        "address": "reader1@example.org",
        "name": "Reader 1",
        "reason": None,
    }


def test_other_lists_and_their_people_are_left_out(conn, lists):
    put(conn, 1, lists[0], State.CONFIRMED)
    put(conn, 2, lists[2], State.CONFIRMED)
    assert set(taken(conn, lists[:1])) == {"reader1@example.org"}
    assert set(taken(conn, lists[:2])) == {"reader1@example.org"}
    assert taken(conn, [lists[1]]) == {}


@pytest.mark.parametrize("count", [1, 2])
def test_the_same_list_named_twice_is_that_list(conn, lists, count):
    put(conn, 1, lists[0], State.CONFIRMED)
    put(conn, 1, lists[1], State.CONFIRMED)
    assert taken(conn, lists[:count] * 2) == taken(conn, lists[:count])


def test_only_suppressions_that_hold_now_count_and_only_once(conn, lists):
    later = NOW + timedelta(days=1)
    for number in range(4):
        put(conn, number, lists[0], State.CONFIRMED)
    bar(conn, 0)
    bar(conn, 1, until=later)
    bar(conn, 2)
    lift(conn, address(2), pepper=PEPPER, by="eve", now=NOW)
    twice = Grounds("staff")
    suppress(conn, address(0), pepper=PEPPER, grounds=twice, now=NOW)
    reasons = [reason for _, reason in sorted(taken(conn, lists[:1]).items())]
    assert [why for _, why in reasons] == ["suppressed", "suppressed", None, None]
    at_the_end = taken(conn, lists[:1], now=later)
    assert at_the_end["reader0@example.org"][1] == "suppressed"
    assert at_the_end["reader1@example.org"][1] is None


def make_deliveries(conn):
    """A stand-in for the ledger: rows that name a subscription, also a missing one."""
    ledger = sa.Table(
        "ledger_rows",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("subscription_id", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(20)),
        prefixes=["TEMPORARY"],
    )
    ledger.create(conn)
    ties = conn.scalars(sa.select(subscriptions.c.id).order_by(subscriptions.c.id))
    rows = [{"id": n, "subscription_id": tie} for n, tie in enumerate(ties)]
    rows.append({"id": len(rows), "subscription_id": 4711})
    conn.execute(sa.insert(ledger), rows)
    return ledger


@pytest.fixture
def ledger(conn, lists):
    put(conn, 0, lists[0], State.CONFIRMED)
    put(conn, 1, lists[0], State.UNCONFIRMED)
    put(conn, 2, lists[0], State.UNSUBSCRIBED)
    put(conn, 3, lists[0], State.CONFIRMED)
    put(conn, 4, lists[0], State.CONFIRMED)
    bar(conn, 3)
    bar(conn, 4, until=NOW + timedelta(days=1))
    return make_deliveries(conn)


def test_the_claim_sees_who_is_still_subscribed(conn, ledger):
    def ids(now):
        holds = still_subscribed(ledger.c.subscription_id, now=now)
        chosen = sa.select(ledger.c.id).where(holds).order_by(ledger.c.id)
        return conn.scalars(chosen).all()

    assert ids(NOW) == [0]
    assert ids(NOW + timedelta(days=1)) == [0, 4]


def test_still_subscribed_works_inside_an_update(conn, ledger):
    gone = ~still_subscribed(ledger.c.subscription_id, now=NOW)
    changed = conn.execute(sa.update(ledger).where(gone).values(reason="gone"))
    assert changed.rowcount == 5
    kept = sa.select(ledger.c.id).where(ledger.c.reason.is_(None))
    assert conn.scalars(kept).all() == [0]


def test_why_not_tells_the_reason_of_each(conn, ledger):
    reason = why_not(ledger.c.subscription_id, now=NOW)
    conn.execute(sa.update(ledger).values(reason=reason))
    told = conn.scalars(sa.select(ledger.c.reason).order_by(ledger.c.id)).all()
    assert told == [
        "",
        "unconfirmed",
        "unsubscribed",
        "suppressed",
        "suppressed",
        "forgotten",
    ]


def test_the_claim_reads_by_index(engine, conn, ledger):
    if engine.dialect.name == "postgresql":
        # So few rows are read at once by any sane planner: ask what it would do.
        conn.execute(sa.text("SET LOCAL enable_seqscan = off"))
    holds = still_subscribed(ledger.c.subscription_id, now=NOW)
    statement = sa.select(ledger.c.id).where(ledger.c.id == 0, holds)
    text = str(statement.compile(engine, compile_kwargs={"literal_binds": True}).string)
    ask = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}
    plan = conn.execute(sa.text(f"{ask[engine.dialect.name]} {text}")).all()
    steps = "\n".join(str(row) for row in plan)
    for table in (subscriptions.name, subscribers.name, "suppressions"):
        assert f"Seq Scan on {table}" not in steps
        assert f"SCAN {table}" not in steps
    assert "ix_suppressions_address_hash" in steps
