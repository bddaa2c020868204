"""The heartbeat: idempotent, on both engines."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from distributor.sending.fanout import Order, place
from distributor.storage import sends
from distributor.storage.sends import SendState
from distributor.storage.tables import issues
from distributor.tick import start, tick
from tests.fakes.people import NOW, make_audience, make_issue

HOUR = timedelta(hours=1)


@pytest.fixture
def scheduled(engine):
    """A send for an hour from now."""
    with engine.begin() as connection:
        to = make_audience(connection, 3)
        issue_id = make_issue(connection)
    order = Order(issue_id, "h", "Subject", (to.id,), NOW + HOUR)
    return place(engine, order, now=NOW, deadline_s=3600)[0]


def beat(engine, now):
    return tick(engine, now=now, slots=2, deadline_s=3600)


def state_of(engine, send_id):
    with engine.connect() as connection:
        return sends.get(connection, send_id).state


def test_nothing_happens_before_its_time(engine, scheduled):
    done = beat(engine, NOW)
    assert (done.started, done.ended, done.finished, done.ring) == ([], 0, [], [])
    assert state_of(engine, scheduled) is SendState.SCHEDULED


def test_a_send_starts_once_and_its_issue_is_published_first(engine, scheduled):
    assert beat(engine, NOW + HOUR).started == [scheduled]
    again = beat(engine, NOW + HOUR)
    assert again.started == []
    assert again.ring == [0, 1]
    with engine.connect() as connection:
        published = connection.scalar(sa.select(issues.c.published_at))
    assert published == NOW + HOUR
    assert not start(engine, scheduled, now=NOW + HOUR, deadline_s=1)


def test_a_cancelled_send_never_starts(engine, scheduled):
    with engine.begin() as connection:
        sends.cancel(connection, scheduled, now=NOW)
    assert beat(engine, NOW + HOUR).started == []
    assert not start(engine, scheduled, now=NOW + HOUR, deadline_s=1)


def test_what_is_past_its_deadline_ends_and_the_send_finishes(engine, scheduled):
    beat(engine, NOW + HOUR)
    done = beat(engine, NOW + 3 * HOUR)
    assert (done.ended, done.finished, done.ring) == (3, [scheduled], [])
    after = beat(engine, NOW + 3 * HOUR)
    assert (after.ended, after.finished) == (0, [])


def test_a_scheduled_send_to_nobody_finishes_at_once(engine):
    with engine.begin() as connection:
        to = make_audience(connection, 0)
        issue_id = make_issue(connection)
    order = Order(issue_id, "h", "Subject", (to.id,), NOW + HOUR)
    send_id, _ = place(engine, order, now=NOW, deadline_s=3600)
    done = beat(engine, NOW + HOUR)
    assert (done.started, done.finished) == ([send_id], [send_id])
