"""What is known about one delivery: a fold over its events, blind to their order.

Every event has a rank; the state of a delivery is that of its highest-ranked event.
A maximum does not care about order or repetition, so late, doubled and reordered
events (a DSN can overtake our own commit; Amazon SES promises no order) need no rule
of their own. The same comparison is one condition in SQL: `rank < :rank`.

Ranks below `DECIDED` belong to an attempt: a later attempt outranks an earlier one,
and within an attempt an answer outranks a doubt, a doubt outranks a start. Ranks from
`DECIDED` up say how the story ends, the strongest fact last: what the receiving side
told us outranks what we decided by ourselves, because the message did leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce


class State(StrEnum):
    """Where a delivery stands, as staff see it."""

    PENDING = "pending"  # waits for a worker
    SENDING = "sending"  # billed: a worker holds it, bytes may be leaving
    IN_DOUBT = "in_doubt"  # the final dot may have left; no answer is known
    DEFERRED = "deferred"  # transient failure; due again later
    ACCEPTED = "accepted"  # the next hop said 250: its responsibility now
    DELIVERED = "delivered"  # a DSN or provider says it arrived
    REJECTED = "rejected"  # 5xx in session: failed for good
    BOUNCED = "bounced"  # accepted first, failed later
    EXPIRED = "expired"  # the deadline passed first
    SKIPPED = "skipped"  # left or suppressed between snapshot and claim
    CANCELLED = "cancelled"  # staff cancelled the send first


class EventKind(StrEnum):
    """What can happen to a delivery."""

    CLAIMED = "claimed"  # attempt n begins: committed before its first byte
    RELEASED = "released"  # attempt n never reached the recipient's server
    DOUBTED = "doubted"  # attempt n may have been accepted; nobody knows
    DEFERRED = "deferred"  # 4xx
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    REJECTED = "rejected"  # 5xx
    ACCEPTED = "accepted"  # 250 after the final dot
    DELIVERED = "delivered"
    BOUNCED = "bounced"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `attempt` counts from 1, 0 = before any attempt."""

    kind: EventKind
    attempt: int = 0


DECIDED = 1 << 40
"""Ranks from here up are ends of the story, whatever the attempt."""

_STEPS = 8  # room for the phases of one attempt

_WITHIN_ATTEMPT = {
    EventKind.CLAIMED: (1, State.SENDING),
    EventKind.RELEASED: (2, State.PENDING),
    EventKind.DOUBTED: (3, State.IN_DOUBT),
    EventKind.DEFERRED: (4, State.DEFERRED),
}
_DECISIVE = {
    EventKind.CANCELLED: (1, State.CANCELLED),
    EventKind.EXPIRED: (2, State.EXPIRED),
    EventKind.SKIPPED: (3, State.SKIPPED),
    EventKind.REJECTED: (4, State.REJECTED),
    EventKind.ACCEPTED: (5, State.ACCEPTED),
    EventKind.DELIVERED: (6, State.DELIVERED),
    EventKind.BOUNCED: (7, State.BOUNCED),
}

OPEN = frozenset({State.PENDING, State.SENDING, State.IN_DOUBT, State.DEFERRED})
"""A send with a delivery in one of these has not finished."""

BUSY = frozenset({State.PENDING, State.SENDING})
"""What `send` waits for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """State plus the rank that put it there; `Standing()` is a new delivery."""

    state: State = State.PENDING
    rank: int = 0


def standing_of(event: Event) -> Standing:
    """Where a delivery stands if this is its strongest event."""
    if event.kind in _DECISIVE:
        strength, state = _DECISIVE[event.kind]
        return Standing(state, DECIDED + strength)
    phase, state = _WITHIN_ATTEMPT[event.kind]
    return Standing(state, event.attempt * _STEPS + phase)


def advance(standing: Standing, event: Event) -> Standing:
    """The standing after `event`: total, pure, commutative and idempotent.

    An event that does not apply leaves the standing as it is (and is still logged).
    """
    reached = standing_of(event)
    return reached if reached.rank > standing.rank else standing


def fold(events: Iterable[Event]) -> Standing:
    """The standing that a set of events adds up to, in whatever order."""
    return reduce(advance, events, Standing())
