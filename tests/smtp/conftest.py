"""What tests of sending share: parcels, and a pool whose every word is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import pytest

from distributor.reply import Kind, Outcome
from distributor.sending.parcel import Parcel
from distributor.sending.relay import RelayUrl, Timeouts
from distributor.sending.smtp import Manner, Pool

QUICK = Timeouts(step_s=0.4, dot_s=0.8, quit_s=0.4, backoff_s=(0.01, 0.02))


def message_of(number: int) -> bytes:
    return f"Subject: {number}\r\n\r\nDear reader {number}\r\n".encode()


def make_parcel(number: int, text: bytes | None = None, **changes: object) -> Parcel:
    values: dict[str, object] = {
        "delivery_id": number,
        "attempt": 1,
        "mail_from": f"bounce+{number}@bounces.example.org",
        "recipient": f"reader{number}@example.org",
        "message": lambda: text or message_of(number),
    }
    return Parcel(**(values | changes))


@dataclass
class Books:
    """What the pool told its feeder."""

    started: list[int] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    twice: list[int] = field(default_factory=list)

    def start(self, parcel: Parcel) -> None:
        self.started.append(parcel.delivery_id)

    def finish(self, parcel: Parcel, outcome: Outcome) -> None:
        if parcel.delivery_id in self.outcomes:
            self.twice.append(parcel.delivery_id)
        self.outcomes[parcel.delivery_id] = outcome

    def kinds(self) -> dict[int, Kind]:
        return {number: one.kind for number, one in sorted(self.outcomes.items())}

    def of(self, kind: Kind) -> list[int]:
        return [number for number, one in self.kinds().items() if one is kind]


@dataclass
class Sender:
    """Sends parcels through a pool of its own and keeps the books."""

    books: Books = field(default_factory=Books)

    def pool(
        self, url: str, *, connections: int = 1, per_connection: int = 1000
    ) -> Pool:
        manner = Manner(
            connections=connections,
            ehlo_name="sender.example",
            messages_per_connection=per_connection,
            timeouts=QUICK,
        )
        return Pool(
            RelayUrl.parse(url),
            manner,
            on_started=self.books.start,
            on_outcome=self.books.finish,
        )

    @contextlib.asynccontextmanager
    async def opened(self, url: str, **manner: int) -> AsyncIterator[Pool]:
        pool = self.pool(url, **manner)
        await pool.open()
        try:
            yield pool
        finally:
            await pool.close()

    async def send(
        self, url: str, parcels: Iterable[Parcel] | int, **manner: int
    ) -> Books:
        """Everything offered at once; returns when every parcel has its outcome."""
        if isinstance(parcels, int):
            parcels = [make_parcel(number) for number in range(1, parcels + 1)]
        parcels = list(parcels)
        async with self.opened(url, **manner) as pool:
            pool.offer(parcels)
            await asyncio.wait_for(pool.idle(), 20)
            assert pool.queued == pool.in_flight == 0
        assert self.books.twice == []
        assert self.books.outcomes.keys() == {one.delivery_id for one in parcels}
        return self.books


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def parcel() -> Callable[..., Parcel]:
    return make_parcel


@pytest.fixture
def text_of() -> Callable[[int], bytes]:
    return message_of
