"""What must happen though nobody asked: the heartbeat of sends, idempotent.

Every few seconds a scheduler calls `tick`. It starts sends whose time has come, ends
what was cancelled or has passed its deadline, closes what is complete, and says which
slots to ring. All of it is compare-and-set, so ten schedulers are as harmless as one,
and a scheduler that was away finds everything by itself when it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from distributor.publish import publish
from distributor.sending import fanout
from distributor.storage import sends
from distributor.storage.database import reading, writing


@dataclass
class Ticked:
    """What one tick did.

    Attributes:
        started: Sends whose time had come.
        ended: Deliveries cancelled or expired.
        finished: Sends that are complete.
        ring: Slots to ring.
    """

    started: list[int] = field(default_factory=list)
    ended: int = 0
    finished: list[int] = field(default_factory=list)
    ring: list[int] = field(default_factory=list)


def tick(engine: sa.Engine, *, now: datetime, slots: int, deadline_s: float) -> Ticked:
    """One heartbeat; the caller rings `ring`."""
    done = Ticked()
    with reading(engine) as connection:
        due = sends.due_to_start(connection, now)
    for send_id in due:
        if start(engine, send_id, now=now, deadline_s=deadline_s):
            done.started.append(send_id)
    with writing(engine) as connection:
        done.ended = sends.end_waiting(connection, now=now)
        done.finished = sends.finish(connection, now=now)
        done.ring = sends.slots_with_work(connection, slots=slots, now=now)
    return done


def start(engine: sa.Engine, send_id: int, *, now: datetime, deadline_s: float) -> bool:
    """Starts a scheduled send; its issue is published first, the mail links to it."""
    with writing(engine) as connection:
        send = sends.get(connection, send_id)
        if send is None or send.state is not sends.SendState.SCHEDULED:
            return False
        publish(connection, send.issue_slug, now)
    frozen = fanout.start_scheduled(engine, send_id, now=now, deadline_s=deadline_s)
    return frozen is not None
