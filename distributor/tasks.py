"""Celery is the doorbell: a task says "there may be work at slot n", nothing more.

The ledger is the queue. A ring carries a number, is acknowledged early, expires, and
may be lost or doubled without harm: the slot's lock turns a second worker away, and
the next tick rings again while there is work.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import sqlalchemy as sa
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from distributor.config import DoubtPolicy, Settings
from distributor.errors import DistributorError
from distributor.reply import Outcome
from distributor.sending.drain import Workbench
from distributor.sending.drain import drain as drain_slot
from distributor.sending.letters import LetterBox
from distributor.sending.outcomes import RetryPolicy
from distributor.sending.smtp import Manner, Parcel, Pool, RelayUrl, Timeouts
from distributor.storage.database import open_database
from distributor.tick import Ticked, tick

DRAIN_S = 25.0
"""Seconds one ring may work: shorter than any shutdown grace (30 s is common)."""

RING_EXPIRES_S = 60
"""A ring nobody heard for so long is stale; the tick has rung again since."""

log = structlog.get_logger()
app = Celery("distributor")


def now() -> datetime:
    """The clock of everything that runs in a worker or scheduler."""
    return datetime.now(UTC)  # noqa: TID251  (a door: the clock enters here)


def configure(settings: Settings) -> Celery:
    """Points the one Celery application at a workspace's broker."""
    app.conf.update(
        broker_url=settings.broker,
        broker_transport_options=_transport_options(settings),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # the default gives up after 100
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        result_backend=None,
        task_default_queue="distributor",
        task_create_missing_queues=True,
        task_publish_retry=False,  # a lost ring is replaced by the next tick
        # Never shorter than the wait for the final dot: killing it makes a doubt.
        task_time_limit=settings.final_dot_timeout_s + 120,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_heartbeat=0,
    )
    app.settings = settings
    return app


def _transport_options(settings: Settings) -> dict[str, object]:
    if settings.broker.startswith("filesystem:"):
        folders = {}
        for name in ("data_folder_in", "data_folder_out", "control_folder"):
            folder = (
                settings.var / "broker" / name.removesuffix("_in").removesuffix("_out")
            )
            folder.mkdir(parents=True, exist_ok=True)
            folders[name] = str(folder)
        return {**folders, "polling_interval": 0.2}
    return {
        # Early acknowledgement, short slices: nothing stays unacknowledged for long.
        "visibility_timeout": 300,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": "distributor:",
    }


def ring(slots: Iterable[int]) -> bool:
    """Rings for these slots; False if the broker cannot be reached (no harm done)."""
    try:
        # A connection of its own, some milliseconds each tick: no pooled one that has
        # gone stale while the broker was away can swallow a ring.
        with app.connection_for_write() as connection:
            for slot in slots:
                drain.apply_async(
                    (slot,), expires=RING_EXPIRES_S, connection=connection
                )
    except (OperationalError, OSError) as error:
        log.warning("ring.lost", error=str(error))
        return False
    return True


@app.task(name="distributor.drain")  # type: ignore[untyped-decorator]
def drain(slot: int) -> None:
    """Works at a slot for up to `DRAIN_S`, then rings again if there may be more."""
    settings: Settings = app.settings
    until = time.monotonic() + DRAIN_S
    try:
        drained = drain_slot(
            bench_of(settings, os.getpid()),
            slot,
            stop=lambda: time.monotonic() >= until,
        )
    except (DistributorError, OSError) as error:
        # Ledger or journal cannot be written (database gone, disk full): sending has
        # stopped; the tick rings again.
        log.error("drain.stopped", slot=slot, error=str(error))  # noqa: TRY400
        return
    if drained.claimed or drained.recovered:
        log.info(
            "drain.done",
            slot=slot,
            claimed=drained.claimed,
            recovered=drained.recovered,
        )
    if drained.more:
        ring([slot])


@cache
def bench_of(settings: Settings, pid: int) -> Workbench:
    """This process's workbench; a forked child (another pid) makes its own.

    Connections must not be shared across a fork, hence the pid.
    """
    log.debug("bench.made", pid=pid)
    return workbench(settings, open_database(settings.database, may_migrate=False))


def workbench(settings: Settings, engine: sa.Engine) -> Workbench:
    """A workbench on real clock, chance and ids."""
    relay = RelayUrl.parse(settings.smtp_url.get_secret_value())
    manner = Manner(
        connections=settings.connections,
        messages_per_connection=settings.messages_per_connection,
        ehlo_name=settings.return_domain,
        timeouts=Timeouts(
            step_s=settings.smtp_timeout_s, dot_s=settings.final_dot_timeout_s
        ),
    )

    def open_pool(
        on_started: Callable[[Parcel], None],
        on_outcome: Callable[[Parcel, Outcome], None],
    ) -> Pool:
        return Pool(relay, manner, on_started=on_started, on_outcome=on_outcome)

    return Workbench(
        engine=engine,
        folder=slots_folder(settings),
        host=socket.gethostname(),
        letters=LetterBox(engine, settings),
        open_pool=open_pool,
        policy=retry_policy(settings),
        chunk=settings.chunk,
        clock=now,
        jitter=random.random,
        new_id=lambda: secrets.token_hex(16),
    )


def slots_folder(settings: Settings) -> Path:
    """Where this host's slot locks and journals live."""
    return settings.var / "slots"


def retry_policy(settings: Settings) -> RetryPolicy:
    """When to try again, from the settings."""
    return RetryPolicy(
        waits_s=tuple(settings.retry_after_s),
        resend_doubts=settings.in_doubt is DoubtPolicy.RESEND,
        doubt_wait_s=settings.doubt_wait_s,
        max_doubts=settings.max_doubts,
    )


def beat(settings: Settings, engine: sa.Engine) -> Ticked:
    """One tick of the scheduler, with its rings."""
    done = tick(engine, now=now(), slots=settings.slots, deadline_s=settings.deadline_s)
    ring(done.ring)
    return done
