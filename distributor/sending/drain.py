"""One worker's turn at a slot: lock, recover, claim, send, record.

The order of things is the guarantee (design: bill before work):

1. Holding the slot's lock means that nobody else alive works on this slot.
2. What a dead predecessor held is settled from its journal before anything new.
3. A chunk is claimed in the transaction that records the outcomes of the last one.
   If that commit fails, nothing more is sent: no record, no send.
4. `started` is in the journal before a message's final dot leaves, the outcome as
   soon as it is known, so a crash leaves at most one doubt per open connection.

While a chunk is on the wire the next one is being committed in a thread, so the
database and the relay work at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from distributor.delivery import Event, EventKind
from distributor.errors import RelayError
from distributor.reply import Kind, Outcome
from distributor.sending.journal import Journal
from distributor.sending.letters import LetterBox
from distributor.sending.outcomes import RetryPolicy, entry_for
from distributor.sending.recovery import settle
from distributor.sending.smtp import Parcel, Pool
from distributor.storage import ledger, sends
from distributor.storage.database import translated
from distributor.storage.ledger import Claim, Entry
from distributor.storage.locks import slot_lock
from distributor.storage.sends import SendState

MOST_TROUBLES = 20
"""So many refusals in a row that concern us end a turn: the rest stays untouched."""

COMMIT_EVERY_S = 0.2
"""Outcomes wait at most this long for their commit, however slow the relay is."""

OpenPool = Callable[[Callable[[Parcel], None], Callable[[Parcel, Outcome], None]], Pool]


@dataclass(frozen=True)
class Workbench:
    """What a worker process needs at a slot; clock, chance and ids come from outside.

    Attributes:
        folder: Where slot locks and journals live.
        open_pool: Makes a pool for (on_started, on_outcome); connects nothing yet.
        chunk: Most deliveries claimed in one transaction.
        clock: Aware now.
        jitter: A number in [0, 1], new each time.
        new_id: A new random id, 32 hex digits.
    """

    engine: sa.Engine
    folder: Path
    host: str
    letters: LetterBox
    open_pool: OpenPool
    policy: RetryPolicy
    chunk: int
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    new_id: Callable[[], str]


@dataclass
class Drained:
    """What a turn came to.

    Attributes:
        held: False if somebody alive had the slot; then nothing was done.
        recovered: Deliveries settled for a dead predecessor.
        claimed: Attempts begun.
        more: Whether it stopped for time, with work perhaps left.
    """

    held: bool = True
    recovered: int = 0
    claimed: int = 0
    more: bool = False


def drain(bench: Workbench, slot: int, *, stop: Callable[[], bool]) -> Drained:
    """Works at the slot until there is nothing due or `stop()` says so.

    Raises:
        StorageError: The ledger could not be written; sending has stopped.
    """
    bench.folder.mkdir(parents=True, exist_ok=True)
    with (
        translated(),
        bench.engine.connect() as connection,
        slot_lock(connection, slot, folder=bench.folder) as held,
    ):
        if not held:
            return Drained(held=False)
        turn = _Turn(bench, connection, slot, stop)
        turn.recover()
        with turn.journal:
            asyncio.run(turn.run())
        return turn.drained


class _Turn:
    """The state of one turn; everything runs on the event loop but `_transact`."""

    def __init__(
        self,
        bench: Workbench,
        connection: sa.Connection,
        slot: int,
        stop: Callable[[], bool],
    ) -> None:
        self.bench = bench
        self.connection = connection
        self.slot = slot
        self.stop = stop
        self.drained = Drained()
        self.journal = Journal(bench.folder / f"slot-{slot}.journal")
        self.claims: dict[int, Claim] = {}
        self.entries: list[Entry] = []
        self.cursors: dict[int, int] = {}
        self.troubles: dict[int, str] = {}
        self.troubles_in_a_row = 0

    def recover(self) -> None:
        """Settles what a dead predecessor held, then starts a journal of our own."""
        bench, now = self.bench, self.bench.clock()
        with self.connection.begin():
            left = ledger.left_behind(self.connection, self.slot)
            known = ledger.journal_of(self.connection, self.slot)
            # Read only when it is needed: 25 s of sending are some 20 MB as objects.
            found = self.journal.read(known) if left else None
            entries = settle(left, found, policy=bench.policy, now=now)
            ledger.record(self.connection, entries, now=now)
        journal_id = bench.new_id()
        self.journal.begin(journal_id)
        with self.connection.begin():
            ledger.take_slot(
                self.connection,
                self.slot,
                journal_id=journal_id,
                host=bench.host,
                now=now,
            )
        self.drained.recovered = len(entries)

    async def run(self) -> None:
        """Feeds the pool until nothing is due, the time is up or the relay is gone."""
        running = self._running_sends()
        if not running:
            return
        pool = self.bench.open_pool(self._started, self._finished)
        try:
            await pool.open()
        except RelayError as error:
            self._note_trouble(running, str(error))
            return
        with ThreadPoolExecutor(1) as thread:
            try:
                await self._feed(pool, thread, running)
            finally:
                # Reached with an exception when a commit failed: what no session has
                # begun stays unsent, what is on the wire gets its line in the journal.
                pool.take_back()
                await pool.close()

    def _running_sends(self) -> list[int]:
        with self.connection.begin():
            found = sends.in_state(self.connection, SendState.SENDING)
        return [send.id for send in found]

    async def _feed(
        self, pool: Pool, thread: ThreadPoolExecutor, running: list[int]
    ) -> None:
        loop = asyncio.get_running_loop()
        exhausted = False
        while True:
            ending = exhausted or self._must_end(pool)
            if ending and not exhausted:
                self._release(pool.take_back())
            room = 0 if ending or pool.queued >= self.bench.chunk else self.bench.chunk
            entries, self.entries = self.entries, []
            claims = await loop.run_in_executor(
                thread, self._transact, entries, room, running
            )
            pool.offer([self._parcel(claim) for claim in claims])
            exhausted = ending or (room > 0 and not claims)
            if exhausted and not (pool.queued or pool.in_flight or self.entries):
                break
            await self._pause(pool, exhausted=exhausted)
        if pool.trouble is not None:
            self._note_trouble(running, str(pool.trouble))

    def _must_end(self, pool: Pool) -> bool:
        if pool.trouble is not None or self.troubles_in_a_row >= MOST_TROUBLES:
            return True
        self.drained.more = self.drained.more or self.stop()
        return self.drained.more

    async def _pause(self, pool: Pool, *, exhausted: bool) -> None:
        """Until the pool wants more, or outcomes have waited long enough."""
        wanted = pool.idle() if exhausted else pool.drained_below(self.bench.chunk)
        try:
            await asyncio.wait_for(wanted, COMMIT_EVERY_S)
        except TimeoutError:
            return

    def _transact(
        self, entries: list[Entry], room: int, running: list[int]
    ) -> list[Claim]:
        """One transaction: the last outcomes and the next claims (in the thread)."""
        now = self.bench.clock()
        with self.connection.begin():
            ledger.record(self.connection, entries, now=now)
            for send_id, sentence in self.troubles.items():
                sends.set_trouble(self.connection, send_id, sentence)
            claims = self._claim(room, running, now) if room else []
            left = [claim for claim in claims if not claim.subscribed]
            ledger.record(self.connection, [_skipped(claim) for claim in left], now=now)
        self.drained.claimed += len(claims)
        going = [claim for claim in claims if claim.subscribed]
        self.claims |= {claim.delivery_id: claim for claim in going}
        return going

    def _claim(self, room: int, running: list[int], now: datetime) -> list[Claim]:
        for send_id in running:
            claims = ledger.claim_due(
                self.connection, send_id=send_id, limit=room, slot=self.slot, now=now
            )
            if len(claims) < room:
                fresh = ledger.claim_pending(
                    self.connection,
                    send_id=send_id,
                    after=self.cursors.get(send_id, 0),
                    limit=room - len(claims),
                    slot=self.slot,
                    now=now,
                )
                # What is released during this turn stays behind the cursor: it waits
                # for the next turn instead of coming round at once for ever.
                if fresh:
                    self.cursors[send_id] = fresh[-1].delivery_id
                claims += fresh
            if claims:
                return claims
        return []

    def _parcel(self, claim: Claim) -> Parcel:
        return self.bench.letters.parcel(claim)

    def _started(self, parcel: Parcel) -> None:
        self.journal.started(parcel.delivery_id, parcel.attempt)

    def _finished(self, parcel: Parcel, outcome: Outcome) -> None:
        self.journal.outcome(parcel.delivery_id, parcel.attempt, outcome)
        claim = self.claims.pop(parcel.delivery_id)
        self._heed(claim.send_id, outcome)
        self.entries.append(self._entry(claim, outcome))

    def _heed(self, send_id: int, outcome: Outcome) -> None:
        """Keeps `sends.trouble` true: the last word of the relay about us."""
        if outcome.kind is Kind.TROUBLE:
            self.troubles_in_a_row += 1
            self.troubles[send_id] = outcome.detail or str(outcome.reply)
        elif outcome.kind is Kind.ACCEPTED:
            self.troubles_in_a_row = 0
            self.troubles[send_id] = ""

    def _entry(self, claim: Claim, outcome: Outcome) -> Entry:
        return entry_for(
            outcome,
            delivery_id=claim.delivery_id,
            attempt=claim.attempt,
            doubts=claim.doubts,
            policy=self.bench.policy,
            now=self.bench.clock(),
            jitter=self.bench.jitter(),
        )

    def _release(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            claim = self.claims.pop(parcel.delivery_id)
            event = Event(EventKind.RELEASED, claim.attempt)
            self.entries.append(Entry(claim.delivery_id, event))

    def _note_trouble(self, running: list[int], sentence: str) -> None:
        with self.connection.begin():
            for send_id in running:
                sends.set_trouble(self.connection, send_id, sentence)


def _skipped(claim: Claim) -> Entry:
    return Entry(
        claim.delivery_id, Event(EventKind.SKIPPED, claim.attempt), reason="left_before"
    )
