"""The letters of running sends: stored renditions become parcels for the relay.

One composer per send and list, made when its first delivery is claimed and kept as
long as it is in use; renditions are immutable, so nothing here goes stale.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from functools import partial

import sqlalchemy as sa

import subscribers
from distributor.config import Settings
from distributor.envelope import Identity, needs_smtputf8
from distributor.errors import StorageError
from distributor.issue import page_url
from distributor.sending.compose import Composer, Facts, Person
from distributor.sending.parcel import Parcel
from distributor.storage import issues, sends
from distributor.storage.database import reading
from distributor.storage.issues import Channel
from distributor.storage.ledger import Claim
from subscribers import Purpose

KEPT = 16
"""Composers kept: a few sends to a few lists at a time, some 100 kB each."""


class LetterBox:
    """Makes parcels of claims."""

    def __init__(self, engine: sa.Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._people = People(settings)
        self._composers: OrderedDict[tuple[int, int], Composer] = OrderedDict()

    def parcel(self, claim: Claim) -> Parcel:
        """One attempt at one delivery; its bytes are made just before they leave."""
        composer = self._composer(claim.send_id, claim.list_id)
        return Parcel(
            delivery_id=claim.delivery_id,
            attempt=claim.attempt,
            mail_from=self._people.identity.return_path(claim.delivery_id),
            recipient=claim.recipient,
            message=partial(self._message, composer, claim),
            needs_smtputf8=needs_smtputf8(claim.recipient),
        )

    def _message(self, composer: Composer, claim: Claim) -> bytes:
        return composer.compose(self._people.person(claim))

    def _composer(self, send_id: int, list_id: int) -> Composer:
        key = (send_id, list_id)
        if key not in self._composers:
            self._composers[key] = self._made(send_id, list_id)
            if len(self._composers) > KEPT:
                self._composers.popitem(last=False)
        self._composers.move_to_end(key)
        return self._composers[key]

    def _made(self, send_id: int, list_id: int) -> Composer:
        with reading(self._engine) as connection:
            send = sends.get(connection, send_id)
            lists = {one.id: one for one, _ in subscribers.all_lists(connection)}
            if send is None or list_id not in lists:
                raise StorageError(f"send {send_id} has lost its list or itself")
            contents, nonce = issues.rendition_set(
                connection, send.issue_id, send.content_hash
            )
            issue = issues.find(connection, send.issue_slug)
        facts = common_facts(
            self._settings,
            subject=send.subject,
            date=send.started_at or send.created_at,
            language=issue.language if issue else self._settings.language,
            issue_slug=send.issue_slug,
            to=lists[list_id],
        )
        return Composer(
            facts,
            html=contents[Channel.EMAIL_HTML],
            text=contents[Channel.EMAIL_TEXT],
            nonce=nonce,
        )


class People:
    """Everything in a message that is one person's alone."""

    def __init__(self, settings: Settings) -> None:
        self.identity = identity_of(settings)
        self._base_url = settings.base_url
        self._seal = settings.keyring.seal

    def person(self, claim: Claim) -> Person:
        """The person of a claim, with links that only this person's mail holds."""
        unsubscribe = self._seal(Purpose.UNSUBSCRIBE, claim.subscription_id)
        preferences = self._seal(Purpose.PREFERENCES, claim.subscriber_id)
        return Person(
            address=claim.recipient,
            name=claim.name,
            message_id=self.identity.message_id(claim.delivery_id),
            unsubscribe_url=f"{self._base_url}/u/{unsubscribe}",
            preferences_url=f"{self._base_url}/p/{preferences}",
        )


def identity_of(settings: Settings) -> Identity:
    """How this newsletter names its deliveries on the wire."""
    return Identity(
        settings.keyring,
        bounce_domain=settings.return_domain,
        domain=settings.domain,
    )


def common_facts(
    settings: Settings,
    *,
    subject: str,
    date: datetime,
    language: str,
    issue_slug: str,
    to: subscribers.List,
) -> Facts:
    """What all messages of one issue to one list have in common."""
    return Facts(
        subject=subject,
        date=date,
        language=language,
        issue_slug=issue_slug,
        from_name=settings.newsletter,
        from_address=settings.from_address,
        reply_to=settings.reply_to or settings.from_address,
        list_name=to.name,
        list_slug=to.slug,
        domain=settings.domain,
        view_url=page_url(settings.base_url, issue_slug),
        archive_url=f"{settings.base_url}/",
        fallback_name=settings.fallback_name,
    )
