"""People: who subscribed to what, with which consent, and how they left.

Nobody who left comes back by an import or by staff; only the person returns, by a
form or by undoing it on the preferences page.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from subscribers.addresses import Address, clean_name, display_address
from subscribers.errors import UnknownSubscriber
from subscribers.lists import List
from subscribers.suppression import Suppression, is_suppressed, suppressions_of
from subscribers.tables import lists, subscribers, subscriptions
from subscribers.tokens import address_hash
from subscribers.upsert import insert_new


class State(StrEnum):
    """What a subscription is; only a confirmed one is mailed."""

    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"


class Method(StrEnum):
    """How somebody consented."""

    FORM = "form"
    IMPORT = "import"
    STAFF = "staff"


class Via(StrEnum):
    """How somebody unsubscribed."""

    ONE_CLICK = "one_click"
    PAGE = "page"
    STAFF = "staff"
    IMPORT = "import"


class Joined(StrEnum):
    """What `subscribe` did."""

    ADDED = "added"
    ALREADY = "already"
    LEFT_ALONE = "left_alone"  # unsubscribed or suppressed before; unchanged


@dataclass(frozen=True, slots=True)
class Consent:
    """What allows us to mail somebody.

    Attributes:
        method: How it was given.
        evidence: In words: where it can be looked up.
        at: When it was given, or None if that is not known.
        state: What the subscription becomes; `unconfirmed` asks for a click first.
    """

    method: Method
    evidence: str = ""
    at: datetime | None = None
    state: State = State.CONFIRMED


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to subscribe; the name is cleaned when it is stored."""

    address: Address
    name: str = ""
    language: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person as stored; `address` is the form for RCPT TO."""

    id: int
    address: str
    name: str
    language: str
    time_zone: str
    created_at: datetime

    @property
    def shown(self) -> str:
        """The address for people to read."""
        return display_address(self.address)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The tie between a person and a list, with its consent."""

    id: int
    subscriber_id: int
    address: str
    name: str
    list_id: int
    list_slug: str
    list_name: str
    state: State
    created_at: datetime
    consent_method: str
    consent_evidence: str
    consented_at: datetime | None
    confirmed_at: datetime | None
    unsubscribed_at: datetime | None
    unsubscribed_via: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known about one address; `subscriber` is None after an erasure."""

    subscriber: Subscriber | None
    subscriptions: list[Subscription]
    suppressions: list[Suppression]


def subscribe(
    conn: sa.Connection,
    person: Person,
    *,
    to: List,
    consent: Consent,
    pepper: bytes,
    now: datetime,
) -> Joined:
    """Subscribe a person to a list; what is there already is never overwritten.

    A suppressed address is left alone, whoever asks. Somebody who unsubscribed comes
    back only by a form, which is the person's own doing.
    """
    if is_suppressed(conn, person.address, pepper=pepper, now=now):
        return Joined.LEFT_ALONE
    subscriber_id = _stored(conn, person, pepper=pepper, now=now)
    values = consent_values(consent, now=now)
    row = {"subscriber_id": subscriber_id, "list_id": to.id, "created_at": now}
    added = insert_new(conn, subscriptions).values(**row, **values)
    if conn.execute(added.returning(subscriptions.c.id)).one_or_none() is not None:
        return Joined.ADDED
    gone = sa.and_(
        subscriptions.c.subscriber_id == subscriber_id,
        subscriptions.c.list_id == to.id,
        subscriptions.c.state == State.UNSUBSCRIBED.value,
    )
    if consent.method is Method.FORM:
        back = sa.update(subscriptions).where(gone)
        back = back.values(**values, unsubscribed_at=None, unsubscribed_via="")
        return Joined.ADDED if conn.execute(back).rowcount else Joined.ALREADY
    left = conn.execute(sa.select(subscriptions.c.id).where(gone)).one_or_none()
    return Joined.ALREADY if left is None else Joined.LEFT_ALONE


def _stored(
    conn: sa.Connection, person: Person, *, pepper: bytes, now: datetime
) -> int:
    conn.execute(
        insert_new(conn, subscribers).values(
            **subscriber_values(person, pepper=pepper), created_at=now
        )
    )
    same = subscribers.c.address_key == person.address.key
    return int(conn.execute(sa.select(subscribers.c.id).where(same)).scalar_one())


def subscriber_values(person: Person, *, pepper: bytes) -> dict[str, str]:
    """The columns of `subscribers` for a person, `created_at` left out."""
    return {
        "address": person.address.address,
        "address_key": person.address.key,
        "address_hash": address_hash(pepper, person.address.key),
        "name": clean_name(person.name),
        "language": person.language,
        "time_zone": person.time_zone,
    }


def consent_values(consent: Consent, *, now: datetime) -> dict[str, Any]:
    """The columns of `subscriptions` that tell state and consent."""
    values: dict[str, Any] = {
        "state": consent.state.value,
        "consent_method": consent.method.value,
        "consent_evidence": consent.evidence,
        "consented_at": consent.at,
        "confirmed_at": now if consent.state is State.CONFIRMED else None,
    }
    if consent.state is State.UNSUBSCRIBED:
        values |= {"unsubscribed_at": now, "unsubscribed_via": Via.IMPORT.value}
    return values


def confirm(conn: sa.Connection, subscription_id: int, *, now: datetime) -> bool:
    """Confirm a subscription; False when there was nothing unconfirmed."""
    statement = (
        sa.update(subscriptions)
        .where(
            subscriptions.c.id == subscription_id,
            subscriptions.c.state == State.UNCONFIRMED.value,
        )
        .values(state=State.CONFIRMED.value, confirmed_at=now)
    )
    return conn.execute(statement).rowcount == 1


def unsubscribe(
    conn: sa.Connection, subscription_id: int, *, via: Via, now: datetime
) -> bool:
    """End one subscription, for ever; False when it had ended or is not there.

    Twice is the same as once: the first time and way stay on record.
    """
    statement = (
        sa.update(subscriptions)
        .where(
            subscriptions.c.id == subscription_id,
            subscriptions.c.state != State.UNSUBSCRIBED.value,
        )
        .values(
            state=State.UNSUBSCRIBED.value,
            unsubscribed_at=now,
            unsubscribed_via=via.value,
        )
    )
    return conn.execute(statement).rowcount == 1


def resubscribe(conn: sa.Connection, subscription_id: int, *, now: datetime) -> bool:
    """The person takes an unsubscription back; False when there was none.

    Only for a door that the person's own token opened: it makes a new consent.
    """
    statement = (
        sa.update(subscriptions)
        .where(
            subscriptions.c.id == subscription_id,
            subscriptions.c.state == State.UNSUBSCRIBED.value,
        )
        .values(
            state=State.CONFIRMED.value,
            consent_method=Method.FORM.value,
            consent_evidence="took the unsubscription back on the preferences page",
            consented_at=now,
            confirmed_at=now,
            unsubscribed_at=None,
            unsubscribed_via="",
        )
    )
    return conn.execute(statement).rowcount == 1


def find_subscriber(conn: sa.Connection, address: Address) -> Subscriber:
    """The person with this address, however it is spelled; raises UnknownSubscriber."""
    found = _subscriber(conn, address)
    if found is None:
        raise UnknownSubscriber(
            f"nobody here has the address {display_address(address.address)}: "
            "look for another spelling, or import it to a list"
        )
    return found


def _subscriber(conn: sa.Connection, address: Address) -> Subscriber | None:
    c = subscribers.c
    columns = (c.id, c.address, c.name, c.language, c.time_zone, c.created_at)
    row = conn.execute(
        sa.select(*columns).where(c.address_key == address.key)
    ).one_or_none()
    return None if row is None else Subscriber(*row)


def get_subscription(conn: sa.Connection, subscription_id: int) -> Subscription | None:
    """The subscription with its person and list; None when it is not there."""
    found = _subscriptions(conn, subscriptions.c.id == subscription_id)
    return found[0] if found else None


def subscriptions_of(conn: sa.Connection, subscriber_id: int) -> list[Subscription]:
    """Every subscription of a person, also the ended ones, by list."""
    return _subscriptions(conn, subscriptions.c.subscriber_id == subscriber_id)


def story(conn: sa.Connection, address: Address, *, pepper: bytes) -> Story:
    """Everything known about `address`; raises UnknownSubscriber if that is nothing."""
    barred = suppressions_of(conn, address, pepper=pepper)
    person = _subscriber(conn, address)
    if person is None:
        if not barred:
            find_subscriber(conn, address)
        return Story(subscriber=None, subscriptions=[], suppressions=barred)
    ties = subscriptions_of(conn, person.id)
    return Story(subscriber=person, subscriptions=ties, suppressions=barred)


def _subscriptions(
    conn: sa.Connection, where: sa.ColumnElement[bool]
) -> list[Subscription]:
    c = subscriptions.c
    columns = [c[field.name] for field in fields(Subscription) if field.name in c]
    statement = (
        sa.select(
            *columns,
            subscribers.c.address,
            subscribers.c.name,
            lists.c.slug.label("list_slug"),
            lists.c.name.label("list_name"),
        )
        .join(subscribers, subscribers.c.id == c.subscriber_id)
        .join(lists, lists.c.id == c.list_id)
        .where(where)
        .order_by(c.list_id)
    )
    rows = conn.execute(statement).mappings()
    return [Subscription(**{**row, "state": State(row["state"])}) for row in rows]
