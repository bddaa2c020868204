"""People: they subscribe once, leave at once, and nobody but they bring them back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from subscribers import (
    Consent,
    Grounds,
    Joined,
    Method,
    Person,
    State,
    UnknownSubscriber,
    Via,
    active_suppressions,
    add_list,
    confirm,
    find_subscriber,
    get_subscription,
    is_suppressed,
    lift,
    parse_address,
    resubscribe,
    story,
    subscribe,
    subscriptions_of,
    suppress,
    suppressions_of,
    unsubscribe,
)
from subscribers.tables import subscribers

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
PEPPER = b"p" * 32
ANN = parse_address("Ann@Example.org")
IMPORT = Consent(Method.IMPORT, evidence="old system", at=NOW - timedelta(days=900))
FORM = Consent(Method.FORM, evidence="form 7", at=NOW, state=State.UNCONFIRMED)


@pytest.fixture
def conn(engine):
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def news(conn):
    return add_list(conn, "news", name="News", now=NOW)


def join(conn, to, *, address=ANN, name="", consent=IMPORT, now=NOW):
    person = Person(address, name=name, language="en", time_zone="Europe/Berlin")
    return subscribe(conn, person, to=to, consent=consent, pepper=PEPPER, now=now)


def only_subscription(conn, address=ANN):
    [found] = subscriptions_of(conn, find_subscriber(conn, address).id)
    return found


def test_a_person_is_stored_with_the_consent(conn, news):
    assert join(conn, news, name=" Ann\r\nB. ") is Joined.ADDED
    person = find_subscriber(conn, ANN)
    assert (person.address, person.name) == ("Ann@example.org", "Ann B.")
    assert (person.language, person.time_zone) == ("en", "Europe/Berlin")
    assert person.created_at == NOW
    found = only_subscription(conn)
    assert (found.subscriber_id, found.list_id) == (person.id, news.id)
    assert (found.list_slug, found.list_name) == ("news", "News")
    assert (found.address, found.name) == ("Ann@example.org", "Ann B.")
    assert (found.state, found.confirmed_at) == (State.CONFIRMED, NOW)
    assert (found.consent_method, found.consent_evidence) == ("import", "old system")
    assert found.consented_at == NOW - timedelta(days=900)
    assert (found.unsubscribed_at, found.unsubscribed_via) == (None, "")
    assert get_subscription(conn, found.id) == found


def test_another_spelling_is_the_same_person_and_overwrites_nothing(conn, news):
    join(conn, news, name="Ann")
    other = parse_address("ANN@EXAMPLE.ORG")
    assert join(conn, news, address=other, name="Other", now=LATER) is Joined.ALREADY
    assert find_subscriber(conn, other).name == "Ann"
    assert find_subscriber(conn, other).address == "Ann@example.org"
    assert only_subscription(conn).created_at == NOW


def test_one_person_may_be_on_many_lists(conn, news):
    jobs = add_list(conn, "jobs", name="Jobs", now=NOW)
    assert join(conn, news) is Joined.ADDED
    assert join(conn, jobs) is Joined.ADDED
    ties = subscriptions_of(conn, find_subscriber(conn, ANN).id)
    assert [tie.list_slug for tie in ties] == ["news", "jobs"]


def test_an_unconfirmed_subscription_is_confirmed_once(conn, news):
    join(conn, news, consent=FORM)
    tie = only_subscription(conn)
    assert (tie.state, tie.confirmed_at) == (State.UNCONFIRMED, None)
    assert confirm(conn, tie.id, now=LATER)
    assert not confirm(conn, tie.id, now=LATER + timedelta(days=1))
    tie = only_subscription(conn)
    assert (tie.state, tie.confirmed_at) == (State.CONFIRMED, LATER)


def test_confirming_brings_back_nobody_who_left(conn, news):
    join(conn, news, consent=FORM)
    tie = only_subscription(conn)
    unsubscribe(conn, tie.id, via=Via.PAGE, now=NOW)
    assert not confirm(conn, tie.id, now=LATER)
    assert only_subscription(conn).state is State.UNSUBSCRIBED


@pytest.mark.parametrize("state", [State.CONFIRMED, State.UNCONFIRMED])
def test_leaving_twice_is_the_same_as_once(conn, news, state):
    join(conn, news, consent=Consent(Method.FORM, state=state))
    tie = only_subscription(conn)
    assert unsubscribe(conn, tie.id, via=Via.ONE_CLICK, now=NOW)
    assert not unsubscribe(conn, tie.id, via=Via.PAGE, now=LATER)
    tie = only_subscription(conn)
    assert tie.state is State.UNSUBSCRIBED
    assert (tie.unsubscribed_at, tie.unsubscribed_via) == (NOW, "one_click")


def test_leaving_concerns_that_list_only(conn, news):
    jobs = add_list(conn, "jobs", name="Jobs", now=NOW)
    join(conn, news)
    tie = only_subscription(conn)
    join(conn, jobs)
    unsubscribe(conn, tie.id, via=Via.ONE_CLICK, now=NOW)
    ties = subscriptions_of(conn, find_subscriber(conn, ANN).id)
    assert [tie.state for tie in ties] == [State.UNSUBSCRIBED, State.CONFIRMED]


def test_a_subscription_that_is_not_there_can_be_asked_for_and_left(conn, news):
    assert get_subscription(conn, 4711) is None
    assert not unsubscribe(conn, 4711, via=Via.ONE_CLICK, now=NOW)
    assert not resubscribe(conn, 4711, now=NOW)
    assert not confirm(conn, 4711, now=NOW)


@pytest.mark.parametrize("method", [Method.IMPORT, Method.STAFF])
def test_nobody_else_brings_back_who_left(conn, news, method):
    join(conn, news)
    left = only_subscription(conn)
    unsubscribe(conn, left.id, via=Via.PAGE, now=NOW)
    left = only_subscription(conn)
    assert join(conn, news, consent=Consent(method), now=LATER) is Joined.LEFT_ALONE
    assert only_subscription(conn) == left


def test_the_person_comes_back_by_a_form(conn, news):
    join(conn, news)
    unsubscribe(conn, only_subscription(conn).id, via=Via.PAGE, now=NOW)
    assert join(conn, news, consent=FORM, now=LATER) is Joined.ADDED
    tie = only_subscription(conn)
    assert (tie.state, tie.confirmed_at) == (State.UNCONFIRMED, None)
    assert (tie.consent_evidence, tie.unsubscribed_at) == ("form 7", None)
    assert tie.unsubscribed_via == ""


def test_a_form_filled_in_again_takes_no_confirmation_away(conn, news):
    join(conn, news)
    assert join(conn, news, consent=FORM, now=LATER) is Joined.ALREADY
    assert only_subscription(conn).state is State.CONFIRMED


def test_the_person_takes_leaving_back(conn, news):
    join(conn, news)
    tie = only_subscription(conn)
    assert not resubscribe(conn, tie.id, now=NOW)
    unsubscribe(conn, tie.id, via=Via.ONE_CLICK, now=NOW)
    assert resubscribe(conn, tie.id, now=LATER)
    tie = only_subscription(conn)
    assert (tie.state, tie.confirmed_at) == (State.CONFIRMED, LATER)
    assert (tie.consent_method, tie.consented_at) == ("form", LATER)
    assert (tie.unsubscribed_at, tie.unsubscribed_via) == (None, "")


def test_an_unknown_address_is_named_as_people_read_it(conn, news):
    with pytest.raises(UnknownSubscriber, match="ann@exämple\\.de"):
        find_subscriber(conn, parse_address("ann@xn--exmple-cua.de"))
    with pytest.raises(UnknownSubscriber):
        story(conn, ANN, pepper=PEPPER)


def test_the_address_is_shown_in_its_own_letters(conn, news):
    idn = parse_address("ann@exämple.de")
    join(conn, news, address=idn)
    assert find_subscriber(conn, idn).address == "ann@xn--exmple-cua.de"
    assert find_subscriber(conn, idn).shown == "ann@exämple.de"


def suppress_ann(conn, reason="complaint", *, until=None, now=NOW):
    grounds = Grounds(reason, source="delivery 7", until=until)
    return suppress(conn, ANN, pepper=PEPPER, grounds=grounds, now=now)


@pytest.mark.parametrize("consent", [IMPORT, FORM])
def test_a_suppressed_address_is_left_alone_whoever_asks(conn, news, consent):
    suppress_ann(conn)
    assert join(conn, news, consent=consent, now=LATER) is Joined.LEFT_ALONE
    with pytest.raises(UnknownSubscriber):
        find_subscriber(conn, ANN)


def test_a_suppression_holds_from_its_beginning_to_its_end(conn):
    suppress_ann(conn, until=LATER)
    moments = [NOW - timedelta(seconds=1), NOW, LATER - timedelta(seconds=1), LATER]
    assert [
        is_suppressed(conn, ANN, pepper=PEPPER, now=moment) for moment in moments
    ] == [False, True, True, False]
    assert not is_suppressed(
        conn, parse_address("bob@example.org"), pepper=PEPPER, now=NOW
    )
    assert not is_suppressed(conn, ANN, pepper=b"other", now=NOW)


@pytest.mark.parametrize(
    ("first", "second", "changed", "holds_until"),
    [
        (None, None, False, None),
        (None, LATER, False, None),
        (LATER, LATER, False, LATER),
        (LATER, LATER - timedelta(days=1), False, LATER),
        (LATER, LATER + timedelta(days=9), True, LATER + timedelta(days=9)),
        (LATER, None, True, None),
    ],
)
def test_the_same_reason_again_only_lengthens(
    conn, first, second, changed, holds_until
):
    assert suppress_ann(conn, until=first)
    assert suppress_ann(conn, until=second) is changed
    [held] = suppressions_of(conn, ANN, pepper=PEPPER)
    assert held.until == holds_until


def test_reasons_are_kept_apart_and_lifted_together(conn):
    suppress_ann(conn, "complaint")
    suppress_ann(conn, "staff", now=LATER)
    assert [held.reason for held in active_suppressions(conn, now=LATER)] == [
        "complaint",
        "staff",
    ]
    assert lift(conn, ANN, pepper=PEPPER, by="eve", now=LATER) == 2
    assert lift(conn, ANN, pepper=PEPPER, by="eve", now=LATER) == 0
    assert active_suppressions(conn, now=LATER) == []
    assert [
        (held.lifted_at, held.lifted_by)
        for held in suppressions_of(conn, ANN, pepper=PEPPER)
    ] == [(LATER, "eve")] * 2
    assert suppress_ann(conn, "complaint", now=LATER)


def test_the_story_tells_everything_even_after_an_erasure(conn, news):
    join(conn, news)
    suppress_ann(conn)
    told = story(conn, ANN, pepper=PEPPER)
    assert told.subscriber == find_subscriber(conn, ANN)
    assert told.subscriptions == [only_subscription(conn)]
    assert [held.reason for held in told.suppressions] == ["complaint"]
    conn.execute(sa.delete(subscribers))
    told = story(conn, ANN, pepper=PEPPER)
    assert (told.subscriber, told.subscriptions) == (None, [])
    assert [held.source for held in told.suppressions] == ["delivery 7"]


def test_a_time_without_a_zone_is_refused_never_guessed(conn, news):
    with pytest.raises(StatementError, match="give it a time zone"):
        join(conn, news, now=datetime(2026, 1, 5))


def test_times_come_back_in_utc_whatever_zone_they_were_given_in(conn, news):
    zone = datetime.fromisoformat("2026-01-05T13:00:00+01:00")
    join(conn, news, now=zone)
    created = find_subscriber(conn, ANN).created_at
    assert (created, created.tzinfo) == (NOW, UTC)
