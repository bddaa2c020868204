"""A mail server that remembers everything it accepted: the sends' independent witness.

It offers PIPELINING and answers at once; `answers` may refuse chosen recipients. It
lives in a thread of the test, so killing workers never loses its memory.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage

Answer = Callable[[str, int], str]
"""(recipient, how often it was tried before) -> reply to RCPT."""


def accept_all(_recipient: str, _tries: int) -> str:
    return "250 2.1.5 ok"


class Recorder:
    def __init__(self, answer: Answer = accept_all, *, delay_s: float = 0) -> None:
        self.answer = answer
        self.delay_s = delay_s
        self.accepted: list[tuple[str, str, bytes]] = []  # recipient, sender, message
        self.tried: Counter[str] = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def recipients(self) -> Counter[str]:
        return Counter(recipient for recipient, _, _ in self.accepted)

    def messages_to(self, recipient: str) -> list[bytes]:
        return [message for to, _, message in self.accepted if to == recipient]

    def parsed(self, recipient: str) -> EmailMessage:
        [message] = self.messages_to(recipient)
        parsed = message_from_bytes(message, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def __enter__(self) -> Recorder:
        self._thread.start()
        self._server = self._run(
            self._loop.create_server(lambda: _Session(self), "127.0.0.1", self.port)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_exception: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _stop(self) -> None:
        self._server.close()
        for session in list(_Session.open):
            session.transport.abort()
        await asyncio.sleep(0)


class _Session(asyncio.Protocol):
    open: set[_Session] = set()  # noqa: RUF012

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.buffer = b""
        self.in_data = self.thinking = False
        self.sender = self.recipient = ""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.open.add(self)
        self.say("220 recorder ESMTP")

    def connection_lost(self, error) -> None:
        self.open.discard(self)

    def say(self, line: str) -> None:
        self.transport.write(f"{line}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.thinking and self._step():
            pass

    def _step(self) -> bool:
        end = b"\r\n.\r\n" if self.in_data else b"\r\n"
        head, found, rest = self.buffer.partition(end)
        if not found:
            return False
        self.buffer = rest
        if self.in_data:
            self._message(head)
        else:
            self._command(head.decode())
        return True

    def _message(self, message: bytes) -> None:
        self.in_data = False
        self.recorder.accepted.append((self.recipient, self.sender, message))
        loop = asyncio.get_running_loop()
        if self.recorder.delay_s:
            self.thinking = True
            loop.call_later(self.recorder.delay_s, self._thought)
        else:
            self.say("250 2.0.0 kept")

    def _thought(self) -> None:
        """Replies keep their order: what was pipelined waits for this one."""
        self.thinking = False
        self.say("250 2.0.0 kept")
        self.data_received(b"")

    def _command(self, line: str) -> None:
        verb = line[:4].upper()
        if verb == "EHLO":
            self.transport.write(
                b"250-recorder\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
            )
        elif verb == "MAIL":
            self.sender, self.recipient = _address(line), ""
            self.say("250 2.1.0 ok")
        elif verb == "RCPT":
            self._rcpt(_address(line))
        elif verb == "DATA":
            self.in_data = bool(self.recipient)
            self.say("354 go on" if self.in_data else "503 5.5.1 no recipient")
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            self.transport.close()
        else:
            self.say("250 2.0.0 ok")

    def _rcpt(self, recipient: str) -> None:
        reply = self.recorder.answer(recipient, self.recorder.tried[recipient])
        self.recorder.tried[recipient] += 1
        if reply.startswith("2"):
            self.recipient = recipient
        self.say(reply)


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]
