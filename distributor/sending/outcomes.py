"""What an attempt's outcome means for its delivery: one table, pure.

Whose fault it was decides: what concerns us (relay, login, refused sender) or never
reached the recipient's server leaves the delivery pending as if nothing had happened;
nobody is marked failed for our own misconfiguration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from distributor.delivery import Event, EventKind
from distributor.reply import Kind, Outcome, reason
from distributor.storage.ledger import Entry

_EVENTS = {
    Kind.ACCEPTED: EventKind.ACCEPTED,
    Kind.DEFERRED: EventKind.DEFERRED,
    Kind.REJECTED: EventKind.REJECTED,
    Kind.IN_DOUBT: EventKind.DOUBTED,
    Kind.RELEASED: EventKind.RELEASED,
    Kind.TROUBLE: EventKind.RELEASED,
}


@dataclass(frozen=True)
class RetryPolicy:
    """When to try again.

    Attributes:
        waits_s: Seconds to wait after the first, second, … transient failure; the
            last one repeats until the send's deadline.
        resend_doubts: Whether a delivery in doubt is sent again (same bytes).
        doubt_wait_s: Seconds to wait before that.
        max_doubts: After so many doubts a delivery is held for staff: what kills
            its sender every time must not do so for ever.
    """

    waits_s: Sequence[float]
    resend_doubts: bool = True
    doubt_wait_s: float = 60
    max_doubts: int = 3


def retry_at(
    policy: RetryPolicy, attempt: int, *, now: datetime, jitter: float
) -> datetime:
    """When a deferred delivery is due again.

    The wait is stretched by up to a quarter (`jitter` in [0, 1]), so that what was
    deferred together does not come back together. Greylisters want at least the
    first wait (RFC 6647), so it is never shortened.
    """
    wait_s = policy.waits_s[min(max(attempt, 1), len(policy.waits_s)) - 1]
    return now + timedelta(seconds=wait_s * (1 + jitter / 4))


def entry_for(
    outcome: Outcome,
    *,
    delivery_id: int,
    attempt: int,
    doubts: int,
    policy: RetryPolicy,
    now: datetime,
    jitter: float,
) -> Entry:
    """The ledger entry for an attempt's outcome."""
    kind = _EVENTS[outcome.kind]
    reply = outcome.reply
    due_at = None
    if kind is EventKind.DEFERRED:
        due_at = retry_at(policy, attempt, now=now, jitter=jitter)
    elif kind is EventKind.DOUBTED:
        due_at = doubt_due_at(policy, doubts, now=now)
    return Entry(
        delivery_id=delivery_id,
        event=Event(kind, attempt),
        reason=reason(reply) if reply else outcome.detail[:64],
        host=outcome.host,
        smtp_code=reply.code if reply else None,
        enhanced_code=reply.enhanced if reply else "",
        reply=reply.text if reply else outcome.detail,
        due_at=due_at,
    )


def doubt_due_at(policy: RetryPolicy, doubts: int, *, now: datetime) -> datetime | None:
    """When a delivery in doubt is sent again; None = held.

    `doubts` is how often it was in doubt before this time.
    """
    if not policy.resend_doubts or doubts + 1 >= policy.max_doubts:
        return None
    return now + timedelta(seconds=policy.doubt_wait_s)
