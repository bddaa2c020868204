"""An SMTP server that does at each stage what a test tells it to.

`rules` maps (stage, number of the message) to an action; number 0 stands for all.
Messages are numbered from 1 as their MAIL commands arrive. Stages: connect, ehlo,
mail, rcpt, data, dot, rset, quit. Actions: a text is the reply; `CLOSE` hangs up;
`SILENCE` never says anything again; bytes are sent as they are; `Drip` sends octet by
octet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class Do(Enum):
    CLOSE = auto()
    SILENCE = auto()


CLOSE, SILENCE = Do


@dataclass(frozen=True)
class Drip:
    text: str


Action = str | bytes | Do | Drip

_REPLIES = {
    "connect": "220 fake.example ESMTP",
    "helo": "250 fake.example",
    "mail": "250 2.1.0 Ok",
    "rcpt": "250 2.1.5 Ok",
    "data": "354 Go on",
    "dot": "250 2.0.0 Queued",
    "rset": "250 2.0.0 Ok",
    "quit": "221 2.0.0 Bye",
}


@dataclass(frozen=True)
class Received:
    """A message as it came in, dot-stuffing undone; `accepted` = we said 250."""

    mail_from: str
    recipient: str
    message: bytes
    accepted: bool


@dataclass
class ScriptedServer:
    rules: Mapping[tuple[str, int], Action] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("PIPELINING", "ENHANCEDSTATUSCODES")
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    begun: int = 0
    most_at_once: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def accepted(self) -> list[Received]:
        return [one for one in self.received if one.accepted]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedServer]:
        talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            task = asyncio.current_task()
            talks[task] = writer
            self.most_at_once = max(self.most_at_once, len(talks))
            try:
                await _Talk(self, reader, writer).run()
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                del talks[task]
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            tasks = list(talks)
            for writer in talks.values():
                writer.transport.abort()
            await asyncio.gather(*tasks)
            await server.wait_closed()


class _Talk:
    """One connection."""

    def __init__(
        self,
        server: ScriptedServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.number = 0
        self.mail_from = self.recipient = self.said = ""
        self.open = False
        server.connections += 1

    async def run(self) -> None:
        if not await self.answer("connect"):
            return
        while line := await self.reader.readline():
            assert line.endswith(b"\r\n"), f"a command ended in a bare LF: {line!r}"
            command = line[:-2].decode()
            self.server.commands.append(command)
            if not await self.obey(command):
                return

    async def obey(self, command: str) -> bool:
        verb, _, rest = command.partition(" ")
        stage = verb.lower()
        if stage == "mail":
            self.server.begun += 1
            self.number = self.server.begun
            self.mail_from, self.recipient = _path(rest), ""
            went_on = await self.answer("mail")
            self.open = not self.refused()
            return went_on
        if stage == "rcpt":
            if not self.open:
                return await self.say("503 5.5.1 Need MAIL")
            went_on = await self.answer("rcpt")
            if not self.refused():
                self.recipient = _path(rest)
            return went_on
        if stage == "data":
            return await self.data()
        if stage in {"ehlo", "helo", "rset", "quit"}:
            return await self.answer(stage) and stage != "quit"
        return await self.say("502 5.5.2 Unknown command")

    async def data(self) -> bool:
        if not self.recipient and ("data", self.number) not in self.server.rules:
            return await self.say("554 5.5.1 No valid recipients")
        if not await self.answer("data"):
            return False
        if "354" not in self.codes():
            return True
        text = b""
        while not (b"\r\n" + text).endswith(b"\r\n.\r\n"):
            text += await self.reader.readuntil(b"\r\n")
        went_on = await self.answer("dot")
        message = b"\r\n" + text[:-3]
        message = message.replace(b"\r\n..", b"\r\n.")[2:]
        accepted = "250" in self.codes()
        self.server.received.append(
            Received(self.mail_from, self.recipient, message, accepted)
        )
        return went_on

    async def answer(self, stage: str) -> bool:
        """Acts as told; False if that was the end of the connection."""
        rules = self.server.rules
        everywhere = rules.get((stage, 0), self.usual(stage))
        return await self.say(rules.get((stage, self.number or -1), everywhere))

    def usual(self, stage: str) -> str:
        if stage == "ehlo":
            lines = ("fake.example", *self.server.extensions)
            return "\r\n".join(
                [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
            )
        return _REPLIES[stage]

    async def say(self, action: Action) -> bool:
        self.said = ""
        if action is CLOSE:
            self.writer.transport.abort()
            return False
        if action is SILENCE:
            await self.reader.read()
            return False
        if isinstance(action, Drip):
            self.said = action.text
            for octet in f"{action.text}\r\n".encode():
                self.writer.write(bytes([octet]))
                await self.writer.drain()
                await asyncio.sleep(0.001)
        elif isinstance(action, bytes):
            self.said = action.decode("latin-1")
            self.writer.write(action)
        elif isinstance(action, str):
            self.said = action
            self.writer.write(f"{action}\r\n".encode())
        await self.writer.drain()
        return "421" not in self.codes()

    def codes(self) -> list[str]:
        return [line[:3] for line in self.said.split("\r\n")]

    def refused(self) -> bool:
        return any(code.startswith(("4", "5")) for code in self.codes())


def _path(rest: str) -> str:
    return rest[rest.index("<") + 1 : rest.index(">")]
