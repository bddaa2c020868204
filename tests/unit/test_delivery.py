"""The state machine of a delivery, tested whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.delivery import (
    BUSY,
    OPEN,
    Event,
    EventKind,
    Standing,
    State,
    advance,
    fold,
    standing_of,
)

K = EventKind
events = st.builds(Event, st.sampled_from(EventKind), st.integers(0, 5))

# Story, and where it ends.
STORIES = [
    ([], State.PENDING),
    ([(K.CLAIMED, 1)], State.SENDING),
    ([(K.CLAIMED, 1), (K.RELEASED, 1)], State.PENDING),
    ([(K.CLAIMED, 1), (K.RELEASED, 1), (K.CLAIMED, 2)], State.SENDING),
    ([(K.CLAIMED, 1), (K.DEFERRED, 1)], State.DEFERRED),
    ([(K.CLAIMED, 1), (K.DEFERRED, 1), (K.CLAIMED, 2)], State.SENDING),
    ([(K.CLAIMED, 1), (K.DOUBTED, 1)], State.IN_DOUBT),
    # The answer was in the journal after all.
    ([(K.CLAIMED, 1), (K.DOUBTED, 1), (K.ACCEPTED, 1)], State.ACCEPTED),
    ([(K.CLAIMED, 1), (K.DOUBTED, 1), (K.DEFERRED, 1)], State.DEFERRED),
    ([(K.CLAIMED, 1), (K.DOUBTED, 1), (K.CLAIMED, 2)], State.SENDING),
    # Sent again after a doubt and refused then: the first one did arrive.
    (
        [(K.DOUBTED, 1), (K.CLAIMED, 2), (K.REJECTED, 2), (K.ACCEPTED, 1)],
        State.ACCEPTED,
    ),
    # The bounce overtook our own commit.
    ([(K.CLAIMED, 1), (K.BOUNCED, 1), (K.ACCEPTED, 1)], State.BOUNCED),
    ([(K.CLAIMED, 1), (K.DELIVERED, 1), (K.ACCEPTED, 1)], State.DELIVERED),
    ([(K.ACCEPTED, 1), (K.DELIVERED, 1), (K.BOUNCED, 1)], State.BOUNCED),
    # Cancelled while it was on the wire: it did leave.
    ([(K.CLAIMED, 1), (K.CANCELLED, 1), (K.ACCEPTED, 1)], State.ACCEPTED),
    ([(K.CLAIMED, 1), (K.CANCELLED, 1), (K.DEFERRED, 1)], State.CANCELLED),
    ([(K.DEFERRED, 3), (K.EXPIRED, 3)], State.EXPIRED),
    ([(K.SKIPPED, 0)], State.SKIPPED),
    ([(K.ACCEPTED, 1), (K.CLAIMED, 2)], State.ACCEPTED),
]


@pytest.mark.parametrize(("story", "end"), STORIES)
def test_a_story_ends_where_it_should(story, end):
    assert fold(Event(kind, attempt) for kind, attempt in story).state is end


def test_every_event_is_defined_in_every_state():
    for state in State:
        for kind in EventKind:
            after = advance(Standing(state, 3), Event(kind, 1))
            assert isinstance(after.state, State)


def test_every_state_can_be_reached():
    reached = {standing_of(Event(kind, 1)).state for kind in EventKind}
    assert reached | {State.PENDING} == set(State)


def test_busy_states_are_open_and_ends_are_not():
    assert BUSY < OPEN
    assert State.ACCEPTED not in OPEN


@given(st.lists(events, max_size=8), st.randoms())
def test_order_and_repetition_do_not_matter(story, random):
    shuffled = story + story[: len(story) // 2]
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(story)


@given(st.lists(events, max_size=8), events)
def test_the_rank_never_falls(story, event):
    before = fold(story)
    assert advance(before, event).rank >= before.rank


@given(st.integers(0, 1000))
def test_no_attempt_outranks_an_end_of_the_story(attempt):
    last_word = standing_of(Event(EventKind.DEFERRED, attempt)).rank
    assert last_word < standing_of(Event(EventKind.CANCELLED, 0)).rank


@given(st.integers(0, 1000))
def test_a_later_attempt_outranks_an_earlier_one(attempt):
    answer = standing_of(Event(EventKind.DEFERRED, attempt)).rank
    assert standing_of(Event(EventKind.CLAIMED, attempt + 1)).rank > answer
