"""The links in emails: unsubscribe and preferences.

A token alone says who and what; no cookie, no login. A GET changes nothing, since
mail scanners open every link (RFC 8058 §3.1). Pages never name the person: a mail
may have been forwarded, and the worst a stranger may do with it is to unsubscribe.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from distributor.render.archive import Choice, Site
from distributor.storage.database import reading, writing
from subscribers import (
    InvalidToken,
    Keyring,
    Purpose,
    State,
    Subscription,
    Via,
    subscriptions_of,
    unsubscribe,
)

UNSUBSCRIBE_PATH = "/u/"
"""Before a token of Purpose.UNSUBSCRIBE over one number: the subscription's id."""
PREFERENCES_PATH = "/p/"
"""Before a token of Purpose.PREFERENCES over one number: the subscriber's id."""

EVERYTHING = "*"
"""Value of the preferences form for all lists at once; no slug looks like it."""

_STATUS = {
    State.CONFIRMED: "You are subscribed.",
    State.UNCONFIRMED: "You have not confirmed your subscription yet.",
    State.UNSUBSCRIBED: "You are not subscribed.",
}
_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


def private_page(content: str, *, status: int = 200) -> HTMLResponse:
    """A page that nobody may keep, index, or learn the address of."""
    return HTMLResponse(content, status_code=status, headers=_PRIVATE)


class Links:
    """The endpoints behind the tokens."""

    def __init__(
        self,
        *,
        engine: sa.Engine,
        keyring: Keyring,
        site: Site,
        clock: Callable[[], datetime],
    ) -> None:
        """`clock` gives the aware time of an unsubscription."""
        self._engine = engine
        self._keyring = keyring
        self._site = site
        self._clock = clock

    def unsubscribe_page(self, request: Request) -> HTMLResponse:
        """The question; asks no database, so scanners by the thousand are cheap."""
        self._number(request, Purpose.UNSUBSCRIBE)
        return private_page(self._site.unsubscribe(done=False))

    async def unsubscribe(self, request: Request) -> HTMLResponse:
        """Ends the subscription (RFC 8058 §3.2); twice is the same as once."""
        subscription_id = self._number(request, Purpose.UNSUBSCRIBE)
        via = _way_of(await form_fields(request))
        await run_in_threadpool(self._end, [subscription_id], via)
        return private_page(self._site.unsubscribe(done=True))

    def preferences_page(self, request: Request) -> HTMLResponse:
        """The person's lists, each with its button."""
        subscriber_id = self._number(request, Purpose.PREFERENCES)
        return private_page(self._preferences(subscriber_id, notice=""))

    async def leave_lists(self, request: Request) -> HTMLResponse:
        """Unsubscribes from the chosen lists, or from all."""
        subscriber_id = self._number(request, Purpose.PREFERENCES)
        chosen = (await form_fields(request)).get("list", [])
        if not chosen:
            raise HTTPException(400)
        content = await run_in_threadpool(self._leave, subscriber_id, chosen)
        return private_page(content)

    def _number(self, request: Request, purpose: Purpose) -> int:
        numbers = self._keyring.open(purpose, request.path_params["token"])
        if len(numbers) != 1:
            raise InvalidToken
        return numbers[0]

    def _end(self, subscription_ids: list[int], via: Via) -> None:
        now = self._clock()
        with writing(self._engine) as connection:
            for subscription_id in subscription_ids:
                unsubscribe(connection, subscription_id, via=via, now=now)

    def _leave(self, subscriber_id: int, chosen: list[str]) -> str:
        with reading(self._engine) as connection:
            leaving = [
                subscription
                for subscription in subscriptions_of(connection, subscriber_id)
                if subscription.list_slug in chosen or EVERYTHING in chosen
            ]
        if not leaving:
            raise HTTPException(400)
        self._end([subscription.id for subscription in leaving], Via.PAGE)
        names = ", ".join(subscription.list_name for subscription in leaving)
        return self._preferences(
            subscriber_id, notice=f"You will get no more mail from: {names}."
        )

    def _preferences(self, subscriber_id: int, *, notice: str) -> str:
        with reading(self._engine) as connection:
            found = subscriptions_of(connection, subscriber_id)
        choices = [_choice(subscription) for subscription in found]
        return self._site.preferences(choices, notice=notice)


async def form_fields(request: Request) -> dict[str, list[str]]:
    """The text fields of a form in either encoding, in any order; files are dropped.

    Raises:
        HTTPException: 400 for a form nobody can read, 413 for one too long.
    """
    fields: dict[str, list[str]] = {}
    async with request.form(max_files=5, max_fields=50) as form:
        for name, value in form.multi_items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value)
    return fields


def _way_of(fields: dict[str, list[str]]) -> Via:
    """Who asks: the mail program by one click, or the person on our page."""
    if "One-Click" in fields.get("List-Unsubscribe", []):
        return Via.ONE_CLICK
    if "page" in fields.get("from", []):
        return Via.PAGE
    raise HTTPException(400)


def _choice(subscription: Subscription) -> Choice:
    return Choice(
        slug=subscription.list_slug,
        name=subscription.list_name,
        status=_STATUS[subscription.state],
        may_leave=subscription.state is not State.UNSUBSCRIBED,
    )
