"""What surrounds every request and response: headers that protect, a cap on bodies."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 64 * 1024
"""Octets of a request's body; a one-click POST has some thirty."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src https: 'self'; style-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ONE_YEAR_S = 31_536_000


def protective_headers(*, https: bool) -> dict[str, str]:
    """Headers of every response that does not set them itself.

    Args:
        https: Whether the site is public by https only; then browsers are told so.
    """
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Cache-Control": "no-store",
    }
    if https:
        headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR_S}"
    return headers


class Shield:
    """ASGI middleware, outermost, so that it covers error pages too."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        """Put `headers` where the application sets none of that name."""
        self._app = app
        self._headers = dict(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with headers added and bodies counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, _Counted(scope, receive), send_protected)


class _Counted:
    """Receives a body and refuses it as soon as it is too long."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._announced = Headers(scope=scope).get("content-length", "0")
        self._seen = 0

    async def __call__(self) -> Message:
        if self._announced.isdecimal() and int(self._announced) > MAX_BODY:
            raise HTTPException(413)
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > MAX_BODY:
            raise HTTPException(413)
        return message
