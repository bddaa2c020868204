"""One SMTP connection that carries one message after another, pipelined (RFC 2920).

A message's body, its final dot and the next message's MAIL, RCPT and DATA leave in one
write, so a message costs one round trip. Everything is driven by callbacks: a reply
comes in, is matched with what was asked, and the next write follows from it. Where the
server does not offer PIPELINING the same steps are taken one at a time.

What the guarantees rest on:

- every parcel taken gets exactly one outcome, whatever the server does;
- after the dot silence means doubt, before it the parcel goes back as it was;
- a reply that came before the question is never taken for its answer: the session ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from distributor.reply import (
    Garbage,
    Outcome,
    Reply,
    ReplyReader,
    Stage,
    goes_ahead,
    judge,
)
from distributor.sending.parcel import Parcel, Ready, prepare
from distributor.sending.relay import Offers, Timeouts
from distributor.sending.wire import END


class Owner(Protocol):
    """What a session asks of the pool."""

    def take(self) -> Parcel | None:
        """The next parcel, now the session's; None if there is none."""

    def started(self, parcel: Parcel) -> bool:
        """The dot is about to leave; False forbids it."""

    def finished(self, parcel: Parcel, outcome: Outcome) -> None:
        """The parcel's one outcome."""

    def rests(self, session: Session) -> None:
        """Nothing to do until `wake`."""

    def ended(self, session: Session) -> None:
        """The session is over."""


class _Await(Enum):
    """What the next reply answers."""

    DOT = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    VOID = auto()  # the lone dot that ends a transaction without recipients
    RESET = auto()
    QUIT = auto()


_ENVELOPE = (_Await.MAIL, _Await.RCPT, _Await.DATA)
_STAGES = {
    _Await.MAIL: Stage.MAIL,
    _Await.RCPT: Stage.RCPT,
    _Await.DATA: Stage.DATA,
    _Await.DOT: Stage.DOT,
}


class Session(asyncio.Protocol):
    """The protocol of one connection; `begin` starts it, `closed` tells its end.

    Attributes:
        closed: Done when the session is over.
        fruitful: Whether the server ever answered a final dot.
        ending: Why it is over, for staff.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        host: str,
        offers: Offers,
        timeouts: Timeouts,
        messages: int,
    ) -> None:
        self._owner = owner
        self._host = host
        self._offers = offers
        self._timeouts = timeouts
        self._left = messages
        self._reader = ReplyReader()
        self._expected: deque[_Await] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._deadline = 0.0
        self._dotted: Parcel | None = None
        self._ready: Ready | None = None
        self._ahead = False  # the server spoke before it was asked
        self.over = False
        self.fruitful = False
        self.held_work = False
        self.ending = ""
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._answers: dict[_Await, Callable[[Reply], None]] = {
            _Await.MAIL: self._on_mail,
            _Await.RCPT: self._on_rcpt,
            _Await.DATA: self._on_data,
            _Await.DOT: self._on_dot,
            _Await.VOID: self._on_void,
            _Await.RESET: self._on_reset,
            _Await.QUIT: self._on_quit,
        }

    # --- From the pool ---

    def begin(self, transport: asyncio.Transport) -> None:
        """Takes the connection over and looks for work."""
        self._transport = transport
        transport.set_protocol(self)
        self._go_on()

    def wake(self) -> None:
        """There may be work again (only for a resting session)."""
        self._go_on()

    def quit(self) -> None:
        """Says goodbye (only for a resting session)."""
        self._write(b"QUIT\r\n", (_Await.QUIT,))

    def check(self, now: float) -> None:
        """Ends the session if an answer is overdue; `now` is the loop's time."""
        if self._expected and now >= self._deadline:
            self._die("no answer in time")

    # --- From the network ---

    def data_received(self, data: bytes) -> None:
        """Matches every reply with what was asked."""
        replies = self._reader.feed(data)
        last = len(replies) - 1
        for position, reply in enumerate(replies):
            if self.over:
                return
            if isinstance(reply, Garbage):
                self._die(f"no SMTP reply: {reply.text}")
                return
            more = position < last or self._reader.partial
            self._ahead = more and len(self._expected) <= 1
            self._answered(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side, or the network, ended it."""
        self._die(f"connection lost ({exc})" if exc else "connection lost")

    def _answered(self, reply: Reply) -> None:
        if reply.code == 421:
            self._dismissed(reply)
        elif not self._expected:
            self._die(f"an answer to nothing: {reply}")
        else:
            asked = self._expected.popleft()
            self._set_deadline()
            self._answers[asked](reply)

    # --- Answers ---

    def _on_mail(self, reply: Reply) -> None:
        if not goes_ahead(Stage.MAIL, reply):
            self._refused(Stage.MAIL, reply)
        if self._offers.pipelining or self.over:
            return
        if self._ready is None:
            self._go_on()
        else:
            self._write(self._ready.commands[1], (_Await.RCPT,))

    def _on_rcpt(self, reply: Reply) -> None:
        if self._ready is not None and not goes_ahead(Stage.RCPT, reply):
            self._refused(Stage.RCPT, reply)
        if self._offers.pipelining or self.over:
            return
        if self._ready is None:
            self._go_on(b"RSET\r\n", _Await.RESET)
        else:
            self._write(self._ready.commands[2], (_Await.DATA,))

    def _on_data(self, reply: Reply) -> None:
        ready, text_wanted = self._ready, reply.code == 354
        if reply.code < 400 and (self._ahead or not text_wanted):
            self._die(f"out of step: {reply}")
        elif ready is not None and text_wanted:
            self._send_body(ready)
        elif text_wanted:
            # Everything was refused before; who wants a text all the same gets none.
            self._go_on(END, _Await.VOID)
        else:
            if ready is not None:
                self._refused(Stage.DATA, reply)
            self._go_on(b"RSET\r\n", _Await.RESET)

    def _send_body(self, ready: Ready) -> None:
        if not self._owner.started(ready.parcel):
            self._die("the start could not be written down")
            return
        self._ready, self._dotted = None, ready.parcel
        self._go_on(ready.body, _Await.DOT)

    def _on_dot(self, reply: Reply) -> None:
        parcel, self._dotted = self._dotted, None
        assert parcel is not None  # noqa: S101
        self.fruitful = True
        self._owner.finished(parcel, judge(Stage.DOT, reply, host=self._host))
        if 300 <= reply.code < 400:
            self._die(f"out of step: {reply}")
        elif not self._expected and not self.over:
            self._go_on()

    def _on_void(self, _reply: Reply) -> None:
        if not self._expected:
            self._go_on()

    def _on_reset(self, reply: Reply) -> None:
        if reply.code >= 300:
            self._die(f"RSET was answered {reply}")
        elif not self._expected:
            self._go_on()

    def _on_quit(self, _reply: Reply) -> None:
        self._transport.close()
        self._end("done")

    def _refused(self, stage: Stage, reply: Reply) -> None:
        ready, self._ready = self._ready, None
        assert ready is not None  # noqa: S101
        self._owner.finished(ready.parcel, judge(stage, reply, host=self._host))
        if reply.code < 400:
            self._die(f"out of step: {reply}")

    def _dismissed(self, reply: Reply) -> None:
        """421: the server is closing, whatever it was asked (RFC 5321 §3.8)."""
        asked = self._expected[0] if self._expected else _Await.QUIT
        parcel = self._dotted
        self._dotted = None
        if asked in _ENVELOPE and self._ready is not None:
            parcel, self._ready = self._ready.parcel, None
        if parcel is not None:
            stage = _STAGES[asked]
            self._owner.finished(parcel, judge(stage, reply, host=self._host))
        if len(self._expected) <= 1 and asked is not _Await.DOT:
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
        self._die(f"the server is closing: {reply}")

    # --- Going on ---

    def _go_on(self, content: bytes = b"", awaited: _Await | None = None) -> None:
        """Writes `content` and, if there is one, the next envelope behind it."""
        if self._ahead:
            self._die("answers before they were asked for")
            return
        asked = (awaited,) if awaited else ()
        if content and not self._offers.pipelining:
            self._write(content, asked)
            return
        ready = self._next()
        if ready is not None:
            self._ready, self.held_work = ready, True
            self._offer(content, asked, ready.commands)
        elif content:
            self._write(content, asked)
        elif self._left <= 0:
            self.quit()
        else:
            self._owner.rests(self)

    def _offer(
        self,
        content: bytes,
        asked: tuple[_Await, ...],
        commands: tuple[bytes, bytes, bytes],
    ) -> None:
        if self._offers.pipelining:
            self._write(b"".join((content, *commands)), (*asked, *_ENVELOPE))
        else:
            self._write(commands[0], (_Await.MAIL,))

    def _write(self, data: bytes, asked: tuple[_Await, ...]) -> None:
        if self._ahead:
            self._die("answers before they were asked for")
            return
        self._expected.extend(asked)  # nothing else is outstanding
        self._set_deadline()
        self._transport.write(data)

    def _set_deadline(self) -> None:
        if not self._expected:
            return
        asked, times = self._expected[0], self._timeouts
        if asked is _Await.DOT:
            wait_s = times.dot_s
        else:
            wait_s = times.quit_s if asked is _Await.QUIT else times.step_s
        self._deadline = self._loop.time() + wait_s

    def _next(self) -> Ready | None:
        while self._left > 0:
            parcel = self._owner.take()
            if parcel is None:
                return None
            ready = prepare(parcel, self._offers)
            if isinstance(ready, Ready):
                self._left -= 1
                return ready
            self._owner.finished(parcel, ready)
        return None

    # --- The end ---

    def _die(self, why: str) -> None:
        if self.over:
            return
        asked = next((one for one in self._expected if one in _ENVELOPE), _Await.DATA)
        dotted, self._dotted = self._dotted, None
        ready, self._ready = self._ready, None
        self._transport.abort()
        self._end(why)
        if dotted is not None:
            lost = judge(Stage.DOT, None, host=self._host, detail=why)
            self._owner.finished(dotted, lost)
        if ready is not None:
            lost = judge(_STAGES[asked], None, host=self._host, detail=why)
            self._owner.finished(ready.parcel, lost)

    def _end(self, why: str) -> None:
        self.over, self.ending = True, why
        self._expected.clear()
        self._owner.ended(self)
        self.closed.set_result(None)
