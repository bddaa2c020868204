"""What a crash left behind, settled from the journal: pure decisions.

Of a delivery that a dead worker held, its journal says one of three things: the
outcome, "the message may have left" or nothing, and nothing means never attempted.
Without that journal (the host is gone) all of them are in doubt: at most the chunks
that were claimed, never the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from distributor.delivery import Event, EventKind
from distributor.sending.journal import JournalEntries
from distributor.sending.outcomes import RetryPolicy, doubt_due_at, entry_for
from distributor.storage.ledger import Entry, Left


def settle(
    left: Iterable[Left],
    journal: JournalEntries | None,
    *,
    policy: RetryPolicy,
    now: datetime,
) -> list[Entry]:
    """One ledger entry for every delivery that was left behind."""
    return [_settle_one(one, journal, policy=policy, now=now) for one in left]


def _settle_one(
    left: Left, journal: JournalEntries | None, *, policy: RetryPolicy, now: datetime
) -> Entry:
    key = (left.delivery_id, left.attempt)
    outcome = journal.outcomes.get(key) if journal else None
    if outcome is not None:
        return entry_for(
            outcome,
            delivery_id=left.delivery_id,
            attempt=left.attempt,
            doubts=left.doubts,
            policy=policy,
            now=now,
            jitter=0,
        )
    if journal is not None and key not in journal.started:
        return Entry(
            left.delivery_id,
            Event(EventKind.RELEASED, left.attempt),
            reason="worker_ended",
        )
    return Entry(
        left.delivery_id,
        Event(EventKind.DOUBTED, left.attempt),
        reason="worker_ended" if journal else "journal_lost",
        due_at=doubt_due_at(policy, left.doubts, now=now),
    )
