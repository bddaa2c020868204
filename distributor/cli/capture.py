"""The demo's mail server: real SMTP on loopback, every message kept in a Maildir.

It behaves like the world in small: most recipients are accepted, some are deferred at
their first try and accepted at the next (greylisting), some do not exist. Who is who
can be read off the address, so that the numbers afterwards can be checked.
"""

from __future__ import annotations

import asyncio
import mailbox
import threading
from collections import Counter
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

GREYLISTED = "greylisted"
UNKNOWN = "unknown"


class CaptureHandler:
    """Answers RCPT by the address and keeps what is accepted."""

    def __init__(self, folder: Path) -> None:
        self.maildir = mailbox.Maildir(folder, create=True)
        self.counts: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """550 for unknown people, 450 at a greylisted one's first try, else 250."""
        if address.startswith(UNKNOWN):
            self.counts["rejected"] += 1
            return "550 5.1.1 No such person here"
        if address.startswith(GREYLISTED) and address not in self._seen:
            self._seen.add(address)
            self.counts["deferred"] += 1
            return "450 4.7.1 Greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keeps the message, with its envelope as the receiving side would note it."""
        content = envelope.original_content or b""
        head = (
            f"Return-Path: <{envelope.mail_from}>\r\n"
            f"Delivered-To: {', '.join(envelope.rcpt_tos)}\r\n"
        )
        with self._lock:
            self.maildir.add(head.encode() + content)
        self.counts["accepted"] += 1
        return "250 2.0.0 Kept"


class CaptureServer:
    """The server in a thread of its own, for as long as the `with` block lasts."""

    def __init__(self, folder: Path) -> None:
        self.handler = CaptureHandler(folder)
        self._loop = asyncio.new_event_loop()
        # aiosmtpd's own Controller cannot say which free port it was given.
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Its address as an smtp_url."""
        if self._server is None:
            raise RuntimeError("the capture server is not running")
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"smtp://{host}:{port}"

    def __enter__(self) -> CaptureServer:
        """Starts listening on a free port of the loopback interface."""
        self._thread.start()
        listening = self._loop.create_server(self._session, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        return self

    def _session(self) -> SMTP:
        return SMTP(
            self.handler, hostname="localhost", enable_SMTPUTF8=True, loop=self._loop
        )

    def __exit__(self, *_exception: object) -> None:
        """Stops listening; what was kept stays."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
