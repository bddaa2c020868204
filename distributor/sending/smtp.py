"""A pool of SMTP sessions to one relay: parcels in, one outcome out for each.

The feeder offers parcels and tops up when few are left; sessions take them one by one.
A relay's answer is an outcome; only our own broken ground (the journal cannot be
written) is an exception, raised by whatever the feeder awaits next.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from distributor.errors import RelayError
from distributor.reply import Kind, Outcome, Stage
from distributor.sending.parcel import Parcel
from distributor.sending.relay import RelayUrl, Timeouts, connect
from distributor.sending.session import Session

__all__ = ["Manner", "Parcel", "Pool", "RelayUrl", "Timeouts"]

_RETRY_S = 30.0
"""Pause between tries of a connection that the relay grants to others only."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How to use the relay.

    Attributes:
        connections: Most sessions at a time.
        ehlo_name: What we call ourselves; an ASCII host name.
        messages_per_connection: A session says QUIT after so many.
    """

    connections: int = 10
    ehlo_name: str = "localhost"
    messages_per_connection: int = 1000
    timeouts: Timeouts = field(default_factory=Timeouts)


class Pool:
    """Sessions to one relay, reused for everything that is offered.

    Attributes:
        in_flight: Parcels that a session has taken and not finished.
        trouble: Why the relay counts as gone; None as long as it serves. Everything
            offered then comes back as released at once; `open` tries again.
    """

    def __init__(
        self,
        relay: RelayUrl,
        manner: Manner,
        *,
        on_started: Callable[[Parcel], None],
        on_outcome: Callable[[Parcel, Outcome], None],
    ) -> None:
        """Connects nothing yet.

        `on_started` is called before a message's final dot is written; if it raises,
        the dot is not written. `on_outcome` is called exactly once for every parcel
        that is not taken back. Both run in the event loop and must be quick.
        """
        self._relay = relay
        self._manner = manner
        self._on_started = on_started
        self._on_outcome = on_outcome
        self._queue: deque[Parcel] = deque()
        self._sessions: set[Session] = set()
        self._resting: list[Session] = []
        self._lines: list[asyncio.Task[None]] = []
        self._down: dict[int, RelayError] = {}
        self._work = asyncio.Event()
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._failure: Exception | None = None
        self._context: ssl.SSLContext | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._closing = False
        self.in_flight = 0
        self.trouble: RelayError | None = None

    @property
    def queued(self) -> int:
        """Parcels offered and not yet taken by a session."""
        return len(self._queue)

    # --- For the feeder ---

    async def open(self) -> None:
        """Makes the first session; the others follow by themselves.

        Raises:
            RelayError: Not even one could be made.
        """
        self.trouble, self._closing = None, False
        self._down.clear()
        self._context = await asyncio.to_thread(self._relay.tls_context)
        first = await self._connect()
        self._watch()
        self._lines = [
            asyncio.create_task(self._keep(line, None if line else first))
            for line in range(self._manner.connections)
        ]
        for task in self._lines:
            task.add_done_callback(self._line_ended)

    def offer(self, parcels: Iterable[Parcel]) -> None:
        """Queues parcels and wakes sessions that rest."""
        self._queue.extend(parcels)
        if self.trouble is not None:
            self._release_queue(self.trouble)
            return
        if self._queue:
            self._work.set()
        resting, self._resting = self._resting, []
        for session in resting:
            if self._queue:
                session.wake()
            else:
                self._resting.append(session)

    def take_back(self) -> list[Parcel]:
        """Whatever no session has taken; it gets no outcome."""
        parcels = list(self._queue)
        self._queue.clear()
        self._work.clear()
        self._changed()
        return parcels

    async def idle(self) -> None:
        """Waits until nothing is queued or in flight.

        Raises:
            Exception: What `on_started` or `on_outcome` raised; sending has stopped.
        """
        await self._until(lambda: not self._queue and not self.in_flight)

    async def drained_below(self, count: int) -> None:
        """Waits until fewer than `count` are queued; raises like `idle`."""
        await self._until(lambda: len(self._queue) < count)

    async def close(self) -> None:
        """Lets sessions finish what they hold, says QUIT; the queue is released."""
        self._release_queue(None)
        self._closing = True
        while self.in_flight:
            await self._settled(lambda: not self.in_flight)
        resting, self._resting = self._resting, []
        for session in resting:
            session.quit()
        ends = [session.closed for session in self._sessions]
        if ends:
            await asyncio.wait(ends, timeout=self._manner.timeouts.quit_s)
        for line in self._lines:
            line.cancel()
        await self._hang_up()

    # --- For the sessions ---

    def take(self) -> Parcel | None:
        """The next parcel for a session."""
        if not self._queue or self._failure is not None:
            return None
        self.in_flight += 1
        parcel = self._queue.popleft()
        if not self._queue:
            self._work.clear()
        if self._waiting:
            self._changed()
        return parcel

    def started(self, parcel: Parcel) -> bool:
        """Tells the feeder; False if it could not write that down."""
        try:
            self._on_started(parcel)
        except Exception as error:  # noqa: BLE001  (raised again from `idle`)
            self._fail(error)
            return False
        return True

    def finished(self, parcel: Parcel, outcome: Outcome) -> None:
        """Tells the feeder how a parcel ended."""
        self.in_flight -= 1
        self._report(parcel, outcome)
        if self._waiting:
            self._changed()

    def rests(self, session: Session) -> None:
        """A session has nothing to do."""
        if self._closing:
            session.quit()
        else:
            self._resting.append(session)

    def ended(self, session: Session) -> None:
        """A session is over."""
        self._sessions.discard(session)
        if session in self._resting:
            self._resting.remove(session)

    # --- Connections ---

    async def _connect(self) -> Session:
        manner = self._manner
        transport, offers = await connect(
            self._relay,
            ehlo_name=manner.ehlo_name,
            timeouts=manner.timeouts,
            context=self._context,
        )
        session = Session(
            self,
            host=self._relay.host,
            offers=offers,
            timeouts=manner.timeouts,
            messages=manner.messages_per_connection,
        )
        self._sessions.add(session)
        session.begin(transport)
        return session

    async def _keep(self, line: int, session: Session | None) -> None:
        """Keeps one connection up as long as there is work for it."""
        failures = 0
        while not self._closing:
            error: RelayError | None = None
            try:
                if session is None:
                    await self._work.wait()
                    session = await self._connect()
                await asyncio.shield(session.closed)
                error = self._verdict(session)
            except RelayError as refusal:
                error = refusal
            session = None
            failures = failures + 1 if error else 0
            if error is None:
                self._down.pop(line, None)
            elif not self._closing:
                # Asked again, because `wait_for` up to Python 3.11 loses a
                # cancellation that comes together with the result.
                await self._pause(line, failures, error)

    def _line_ended(self, line: asyncio.Task[None]) -> None:
        """A bug in keeping a line must not leave the feeder waiting for ever."""
        error = None if line.cancelled() else line.exception()
        if isinstance(error, Exception):
            self._fail(error)

    def _verdict(self, session: Session) -> RelayError | None:
        """Whether a session that ended was any good."""
        if session.fruitful or not session.held_work:
            return None
        return RelayError(
            f"the SMTP relay {self._relay} ends connections without taking a message "
            f"({session.ending}): look into its log"
        )

    async def _pause(self, line: int, failures: int, error: RelayError) -> None:
        pauses = self._manner.timeouts.backoff_s
        if failures <= len(pauses):
            await asyncio.sleep(pauses[failures - 1])
            return
        self._down[line] = error
        fruitful = any(session.fruitful for session in self._sessions)
        if len(self._down) == len(self._lines) and not fruitful:
            self._give_up(error)
        await asyncio.sleep(_RETRY_S)

    def _give_up(self, error: RelayError) -> None:
        self.trouble, self._closing = error, True
        for line in self._lines:
            line.cancel()
        self._release_queue(error)

    async def _hang_up(self) -> None:
        for session in list(self._sessions):
            session.connection_lost(None)
        await asyncio.gather(*self._lines, return_exceptions=True)
        self._lines = []
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    def _watch(self) -> None:
        """One timer for all sessions instead of one per message."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        loop = asyncio.get_running_loop()
        times = self._manner.timeouts
        now = loop.time()
        for session in list(self._sessions):
            session.check(now)
        period = min(1.0, times.step_s / 4, times.dot_s / 4, times.quit_s / 4)
        self._watchdog = loop.call_later(period, self._watch)

    # --- Bookkeeping ---

    def _report(self, parcel: Parcel, outcome: Outcome) -> None:
        try:
            self._on_outcome(parcel, outcome)
        except Exception as error:  # noqa: BLE001  (raised again from `idle`)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._changed()

    def _release_queue(self, error: RelayError | None) -> None:
        detail = str(error) if error else "the pool was closed"
        for parcel in self.take_back():
            released = Outcome(
                Kind.RELEASED, Stage.CONNECT, None, self._relay.host, detail
            )
            self._report(parcel, released)
        self._changed()

    def _changed(self) -> None:
        for condition, future in self._waiting:
            ready = self._failure is not None or condition()
            if ready and not future.done():
                future.set_result(None)

    async def _until(self, condition: Callable[[], bool]) -> None:
        if self._failure is None:
            await self._settled(condition)
        if self._failure is not None:
            raise self._failure

    async def _settled(self, condition: Callable[[], bool]) -> None:
        while not condition():
            waiter = condition, asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter[1]
            finally:
                self._waiting.remove(waiter)
            if self._failure is not None:
                return
