"""A sample of the message: for `issue render`, and `test` to addresses of one's own.

It is composed exactly as a real one, for a delivery that does not exist: its links
open, but lead to nobody. The ledger knows nothing of it.
"""

from __future__ import annotations

import asyncio
import html as markup

from distributor.config import Settings
from distributor.issue import Issue
from distributor.render.renditions import Renditions
from distributor.render.slots import Slot, split
from distributor.reply import Kind, Outcome
from distributor.sending.compose import Composer, Facts, Person
from distributor.sending.letters import People, common_facts, identity_of
from distributor.sending.parcel import Parcel
from distributor.sending.smtp import Manner, Pool, RelayUrl
from distributor.storage.ledger import Claim
from subscribers import List

NOBODY = 0
"""Delivery, subscription and subscriber of the sample; ids begin at 1."""

SAMPLE_ADDRESS = "ada@subscribers.example"
SAMPLE_NAME = "Ada Lovelace"


def sample_message(
    settings: Settings,
    issue: Issue,
    renditions: Renditions,
    *,
    address: str = SAMPLE_ADDRESS,
    name: str = SAMPLE_NAME,
    subject_prefix: str = "",
) -> bytes:
    """The complete message (RFC 5322 bytes) as `address` would get it."""
    composer = Composer(
        _facts(settings, issue, subject_prefix),
        html=renditions.email_html,
        text=renditions.email_text,
        nonce=renditions.nonce,
    )
    return composer.compose(_person(settings, address, name))


def sample_parts(
    settings: Settings, issue: Issue, renditions: Renditions
) -> tuple[str, str]:
    """Email HTML and plain text with the sample subscriber's values in their slots."""
    person = _person(settings, SAMPLE_ADDRESS, SAMPLE_NAME)
    facts = _facts(settings, issue, "")
    values = {
        Slot.UNSUBSCRIBE: person.unsubscribe_url,
        Slot.PREFERENCES: person.preferences_url,
        Slot.VIEW: facts.view_url,
        Slot.NAME: person.name,
        Slot.ADDRESS: person.address,
        Slot.LIST: facts.list_name,
    }
    html = "".join(
        markup.escape(values[piece]) if isinstance(piece, Slot) else piece
        for piece in split(renditions.email_html, renditions.nonce)
    )
    text = "".join(
        values[piece] if isinstance(piece, Slot) else piece
        for piece in split(renditions.email_text, renditions.nonce)
    )
    return html, text


def send_sample(settings: Settings, message: bytes, address: str) -> Outcome:
    """Hands one message to the relay and returns what it said.

    Raises:
        RelayError: The relay cannot be used.
    """
    return asyncio.run(_deliver(settings, message, address))


async def _deliver(settings: Settings, message: bytes, address: str) -> Outcome:
    outcomes: list[Outcome] = []
    pool = Pool(
        RelayUrl.parse(settings.smtp_url.get_secret_value()),
        Manner(connections=1, ehlo_name=settings.return_domain),
        on_started=lambda _parcel: None,
        on_outcome=lambda _parcel, outcome: outcomes.append(outcome),
    )
    await pool.open()
    try:
        mail_from = identity_of(settings).return_path(NOBODY)
        pool.offer([Parcel(NOBODY, 1, mail_from, address, lambda: message)])
        await pool.idle()
    finally:
        await pool.close()
    return outcomes[0]


def accepted(outcome: Outcome) -> bool:
    """Whether the relay took it."""
    return outcome.kind is Kind.ACCEPTED


def _facts(settings: Settings, issue: Issue, subject_prefix: str) -> Facts:
    return common_facts(
        settings,
        subject=f"{subject_prefix}{issue.subject}",
        date=issue.date,
        language=issue.language,
        issue_slug=issue.slug,
        to=List(NOBODY, slug="test", name=settings.newsletter, description=""),
    )


def _person(settings: Settings, address: str, name: str) -> Person:
    nobody = Claim(
        delivery_id=NOBODY,
        send_id=NOBODY,
        list_id=NOBODY,
        subscription_id=NOBODY,
        subscriber_id=NOBODY,
        recipient=address,
        name=name,
        attempt=1,
        doubts=0,
        subscribed=True,
    )
    return People(settings).person(nobody)
