"""The pool alone, with no ledger, beside smtp-source: `python bench/smtp_bare.py [N]`.

Both send messages of the same size over ten connections to the same smtp-sink, in
turns; the ratio is of the medians.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import compose
import stage

from distributor.reply import Kind, Outcome
from distributor.sending.journal import Journal
from distributor.sending.smtp import Manner, Parcel, Pool, RelayUrl

CONNECTIONS = 10
ROUNDS = 3


async def pool_rate(port: int, count: int, journal: Journal) -> float:
    """Messages per second, composed, journalled and handed over."""
    letter = compose.composer()
    accepted = 0

    def finished(parcel: Parcel, outcome: Outcome) -> None:
        nonlocal accepted
        journal.outcome(parcel.delivery_id, parcel.attempt, outcome)
        accepted += outcome.kind is Kind.ACCEPTED

    pool = Pool(
        RelayUrl.parse(f"smtp://127.0.0.1:{port}"),
        Manner(connections=CONNECTIONS),
        on_started=lambda parcel: journal.started(parcel.delivery_id, parcel.attempt),
        on_outcome=finished,
    )
    await pool.open()
    begun = time.perf_counter()
    for first in range(0, count, 500):
        pool.offer(parcel(letter, number) for number in range(first, first + 500))
        await pool.drained_below(250)
    await pool.idle()
    took = time.perf_counter() - begun
    await pool.close()
    if accepted < count:
        raise RuntimeError(f"only {accepted} of {count} were accepted")
    return accepted / took


def parcel(letter: compose.Composer, number: int) -> Parcel:
    person = compose.person(number)
    return Parcel(
        delivery_id=number,
        attempt=1,
        mail_from=f"bounce+a{number:048x}@news.example.org",
        recipient=person.address,
        message=partial(letter.compose, person),
    )


def journal_cost(folder: Path, count: int = 20_000) -> float:
    """Seconds per append."""
    with Journal(folder / "bare.journal") as journal:
        journal.begin("bench")
        begun = time.perf_counter()
        for number in range(count):
            journal.started(number, 1)
        return (time.perf_counter() - begun) / count


def main() -> None:
    """Prints both rates and their ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    size = len(compose.composer().compose(compose.person(0)))
    ours, theirs = [], []
    with stage.sink() as port, tempfile.TemporaryDirectory() as name:
        with Journal(Path(name) / "slot.journal") as journal:
            for _ in range(ROUNDS):
                journal.begin("bench")
                theirs.append(stage.smtp_source(port, messages=count, size=size))
                ours.append(asyncio.run(pool_rate(port, count, journal)))
        append = journal_cost(Path(name))
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"journal: {append * 1e6:.1f} µs per append")
    print(f"smtp-source: {statistics.median(theirs):,.0f} messages/s of {size} octets")
    print(
        f"pool: {statistics.median(ours):,.0f} messages/s ({ratio:.2f} × smtp-source)"
    )


if __name__ == "__main__":
    main()
