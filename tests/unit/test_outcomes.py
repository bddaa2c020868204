"""What outcomes mean for deliveries, and what a crash left behind: tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.delivery import EventKind
from distributor.reply import Kind, Outcome, Reply, Stage
from distributor.sending.journal import JournalEntries
from distributor.sending.outcomes import (
    RetryPolicy,
    doubt_due_at,
    entry_for,
    retry_at,
)
from distributor.sending.recovery import settle
from distributor.storage.ledger import Left

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
POLICY = RetryPolicy((300, 900, 3600), doubt_wait_s=60, max_doubts=3)


def outcome(kind, reply=None, detail=""):
    return Outcome(kind, Stage.DOT, reply, "mx.example", detail)


def entry(one, *, attempt=1, doubts=0, policy=POLICY):
    return entry_for(
        one,
        delivery_id=7,
        attempt=attempt,
        doubts=doubts,
        policy=policy,
        now=NOW,
        jitter=0,
    )


MEANINGS = [
    (Kind.ACCEPTED, EventKind.ACCEPTED, None),
    (Kind.DEFERRED, EventKind.DEFERRED, NOW + timedelta(seconds=300)),
    (Kind.REJECTED, EventKind.REJECTED, None),
    (Kind.IN_DOUBT, EventKind.DOUBTED, NOW + timedelta(seconds=60)),
    (Kind.RELEASED, EventKind.RELEASED, None),
    (Kind.TROUBLE, EventKind.RELEASED, None),
]


@pytest.mark.parametrize(("kind", "event", "due"), MEANINGS)
def test_every_outcome_has_one_meaning(kind, event, due):
    made = entry(outcome(kind, Reply(250, "2.0.0", "ok")))
    assert (made.event.kind, made.due_at) == (event, due)
    assert (made.event.attempt, made.host, made.smtp_code) == (1, "mx.example", 250)


def test_the_table_of_meanings_is_whole():
    assert {kind for kind, _, _ in MEANINGS} == set(Kind)


def test_an_outcome_without_a_reply_keeps_its_detail():
    made = entry(outcome(Kind.IN_DOUBT, detail="connection lost"))
    assert (made.reply, made.smtp_code, made.reason) == (
        "connection lost",
        None,
        "connection lost",
    )


@given(st.integers(0, 50), st.floats(0, 1))
def test_waits_grow_to_the_last_and_are_never_shortened(attempt, jitter):
    wait = (retry_at(POLICY, attempt, now=NOW, jitter=jitter) - NOW).total_seconds()
    base = POLICY.waits_s[min(max(attempt, 1), 3) - 1]
    assert base <= wait <= base * 1.25 + 0.001


def test_a_doubt_is_sent_again_until_it_has_doubted_too_often():
    assert doubt_due_at(POLICY, 0, now=NOW) == NOW + timedelta(seconds=60)
    assert doubt_due_at(POLICY, 1, now=NOW) is not None
    assert doubt_due_at(POLICY, 2, now=NOW) is None


def test_a_held_doubt_has_no_due_time():
    assert doubt_due_at(RetryPolicy((1,), resend_doubts=False), 0, now=NOW) is None


# Journal (None = lost), what becomes of attempt 2 of delivery 7.
KEY = (7, 2)
LEFT_BEHIND = [
    (JournalEntries(), EventKind.RELEASED, "worker_ended"),
    (JournalEntries(started={KEY}), EventKind.DOUBTED, "worker_ended"),
    (JournalEntries(started={(7, 1)}), EventKind.RELEASED, "worker_ended"),
    (
        JournalEntries(
            started={KEY}, outcomes={KEY: outcome(Kind.ACCEPTED, Reply(250, "", "ok"))}
        ),
        EventKind.ACCEPTED,
        "",
    ),
    (None, EventKind.DOUBTED, "journal_lost"),
]


@pytest.mark.parametrize(("journal", "event", "reason"), LEFT_BEHIND)
def test_what_a_crash_left_is_settled_by_the_journal(journal, event, reason):
    [made] = settle([Left(7, 2, 0)], journal, policy=POLICY, now=NOW)
    assert made.event.kind is event
    assert made.event.attempt == 2
    if reason:
        assert made.reason == reason
