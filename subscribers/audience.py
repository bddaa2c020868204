"""The audience as SQL: who gets a send, who does not and why, who still may.

These build statements and run none, so that a caller can make them part of one
`INSERT … SELECT` or one claiming `UPDATE`. They are the same on both engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from subscribers.suppression import active_suppression
from subscribers.tables import subscribers, subscriptions, suppressions


class Exclusion(StrEnum):
    """Why somebody on a list gets nothing; the first that applies."""

    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    UNCONFIRMED = "unconfirmed"
    # Only in `why_not`: the person was erased after the audience was taken.
    FORGOTTEN = "forgotten"


def candidates(
    list_ids: Sequence[int], *, now: datetime
) -> sa.Select[*tuple[Any, ...]]:
    """One row per person who holds any subscription to any of the lists.

    Columns: `subscriber_id, subscription_id, list_id, address, name, reason`. The
    subscription is a confirmed one if there is any, of the lowest list id. `reason`
    is NULL for who gets the send, else an `Exclusion`: suppressed at `now` wins,
    and unconfirmed wins over unsubscribed. No order.
    """
    chosen = _one_per_person(list_ids)
    # Joined to a distinct set rather than asked per row: one pass over each table.
    barred = (
        sa.select(suppressions.c.address_hash)
        .where(active_suppression(now))
        .distinct()
        .subquery("barred")
    )
    reason = sa.case(
        (barred.c.address_hash.is_not(None), sa.literal(Exclusion.SUPPRESSED.value)),
        (chosen.c.state == "confirmed", sa.null()),
        else_=chosen.c.state,
    )
    return sa.select(
        chosen.c.subscriber_id,
        chosen.c.id.label("subscription_id"),
        chosen.c.list_id,
        subscribers.c.address,
        subscribers.c.name,
        reason.label("reason"),
    ).select_from(
        chosen.join(subscribers, subscribers.c.id == chosen.c.subscriber_id).outerjoin(
            barred, barred.c.address_hash == subscribers.c.address_hash
        )
    )


def _one_per_person(list_ids: Sequence[int]) -> sa.FromClause:
    """The subscription that counts; on a single list there is only one each."""
    c = subscriptions.c
    columns = (c.id, c.subscriber_id, c.list_id, c.state)
    if len(set(list_ids)) == 1:
        only = sa.select(*columns).where(c.list_id == list_ids[0])
        return only.subquery("chosen")
    weight = sa.case(
        (c.state == "confirmed", 0), (c.state == "unconfirmed", 1), else_=2
    )
    order = sa.func.row_number().over(
        partition_by=c.subscriber_id, order_by=(weight, c.list_id)
    )
    ranked = (
        sa.select(*columns, order.label("place"))
        .where(c.list_id.in_(list_ids))
        .subquery("ranked")
    )
    return sa.select(ranked).where(ranked.c.place == 1).subquery("chosen")


def still_subscribed(
    subscription_id: sa.ColumnElement[int], *, now: datetime
) -> sa.ColumnElement[bool]:
    """SQL: the subscription is confirmed and its address not suppressed at `now`.

    `subscription_id` is a column of the statement that this becomes part of, for
    example `deliveries.c.subscription_id`. Three index look-ups per row. False also
    when the person was erased.
    """
    return (
        sa.exists()
        .where(
            subscriptions.c.id == subscription_id,
            subscriptions.c.state == "confirmed",
            subscribers.c.id == subscriptions.c.subscriber_id,
            ~_suppressed_subscriber(now),
        )
        .correlate_except(subscriptions, subscribers)
    )


def why_not(
    subscription_id: sa.ColumnElement[int], *, now: datetime
) -> sa.ColumnElement[str]:
    """SQL: the `Exclusion` that keeps the subscription from being mailed, or ''."""
    reason = sa.case(
        (_suppressed_subscriber(now), Exclusion.SUPPRESSED.value),
        (subscriptions.c.state == "confirmed", ""),
        else_=subscriptions.c.state,
    )
    found = (
        sa.select(reason)
        .where(
            subscriptions.c.id == subscription_id,
            subscribers.c.id == subscriptions.c.subscriber_id,
        )
        .correlate_except(subscriptions, subscribers)
        .scalar_subquery()
    )
    return sa.func.coalesce(found, Exclusion.FORGOTTEN.value)


def _suppressed_subscriber(now: datetime) -> sa.ColumnElement[bool]:
    return (
        sa.exists()
        .where(
            suppressions.c.address_hash == subscribers.c.address_hash,
            active_suppression(now),
        )
        .correlate_except(suppressions)
    )
