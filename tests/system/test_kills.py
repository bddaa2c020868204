"""SIGKILL at random moments: real Celery workers, both pairs of database and broker.

The witness is a mail server in the test's own process. Nobody may be lost; whoever
got the issue twice must be reported as a delivery that was in doubt.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from distributor.cli.processes import local_scheduler, local_workers
from distributor.cli.start import create_workspace
from distributor.cli.workspace import Workspace
from distributor.config import CONFIG_NAME
from distributor.delivery import State
from distributor.storage import accounts
from distributor.storage.database import migrate, open_engine
from distributor.storage.tables import deliveries
from tests.fakes.benches import send_issue
from tests.fakes.people import add_readers
from tests.fakes.recorder import Recorder

VALUES = {
    "NAME": "Kill News",
    "PUBLISHER": "Tester",
    "BASE_URL": "https://news.example.org",
    "FROM": "news@example.org",
    "LANGUAGE": "en",
    "TIME_ZONE": "UTC",
    "POSTAL": "1 Example Street",
}


def make_workspace(folder: Path, settings: dict[str, object]) -> Workspace:
    create_workspace(folder, VALUES)
    with (folder / CONFIG_NAME).open("a") as file:
        for name, value in settings.items():
            file.write(f"{name} = {value!r}\n".replace("'", '"'))
    workspace = Workspace(folder)
    engine = open_engine(workspace.settings.database)
    migrate(engine)
    engine.dispose()
    return workspace


@contextlib.contextmanager
def service(workspace: Workspace) -> Iterator[psutil.Process]:
    with (
        local_workers(workspace.settings) as worker,
        local_scheduler(workspace.settings),
    ):
        yield psutil.Process(worker.pid)


def kill_one(worker: psutil.Process) -> None:
    """A prefork child, as the kernel's OOM killer would."""
    children = worker.children()
    if children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(children).pid, signal.SIGKILL)


def wait_until(condition, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def survive(
    workspace: Workspace, recorder: Recorder, *, count: int, kills: int
) -> None:
    engine = workspace.engine
    with engine.begin() as connection:
        to = add_readers(connection, count)
    moments = sorted(random.sample(range(count // 20, count * 9 // 10), kills))
    with service(workspace) as worker:
        send_id = send_issue(engine, workspace.settings, to, now=datetime.now(UTC))
        for moment in moments:
            wait_until(lambda at=moment: len(recorder.accepted) >= at, seconds=120)
            kill_one(worker)
        wait_until(lambda: done(engine, send_id, count), seconds=180)
    check(engine, send_id, recorder, count=count, kills=kills)
    engine.dispose()


def done(engine: sa.Engine, send_id: int, count: int) -> bool:
    with engine.connect() as connection:
        return accounts.tally(connection, send_id).states == {State.ACCEPTED: count}


def check(
    engine: sa.Engine, send_id: int, recorder: Recorder, *, count: int, kills: int
) -> None:
    got = recorder.recipients
    with engine.connect() as connection:
        tally = accounts.tally(connection, send_id)
        doubted = set(
            connection.scalars(
                sa.select(deliveries.c.recipient).where(deliveries.c.doubts > 0)
            )
        )
        expected = set(connection.scalars(sa.select(deliveries.c.recipient)))
    twice = {recipient for recipient, times in got.items() if times > 1}
    print(
        f"{count} deliveries, {kills} kills: {len(expected - set(got))} lost, "
        f"{sum(got.values()) - count} duplicates, {len(doubted)} in doubt"
    )
    assert set(got) == expected  # nobody lost, nobody else
    assert twice <= doubted  # every duplicate was reported
    assert tally.resent_after_doubt >= sum(got.values()) - count
    # At most one doubt per open connection of a killed process.
    assert len(doubted) <= kills * 10
    for recipient in twice:
        assert len(set(recorder.messages_to(recipient))) == 1  # the same bytes


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        yield server


def embedded(folder: Path, recorder: Recorder) -> Workspace:
    return make_workspace(folder, settings_for(recorder))


def settings_for(recorder: Recorder) -> dict[str, object]:
    return {"smtp_url": recorder.url, "doubt_wait_s": 1, "tick_s": 0.5}


@pytest.mark.slow
def test_embedded_workers_survive_kills(tmp_path, recorder):
    workspace = embedded(tmp_path / "w", recorder)
    survive(workspace, recorder, count=3000, kills=2)


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.broker
def test_distributed_workers_survive_kills(
    tmp_path, recorder, make_postgres, redis_url
):
    settings = settings_for(recorder)
    settings |= {"database_url": make_postgres(), "broker_url": redis_url}
    survive(make_workspace(tmp_path / "w", settings), recorder, count=3000, kills=2)


@pytest.mark.soak
@pytest.mark.db
@pytest.mark.broker
def test_twenty_thousand_deliveries_survive_five_kills(
    tmp_path, recorder, make_postgres, redis_url
):
    settings = settings_for(recorder)
    settings |= {"database_url": make_postgres(), "broker_url": redis_url}
    survive(make_workspace(tmp_path / "w", settings), recorder, count=20_000, kills=5)


@pytest.mark.soak
def test_twenty_thousand_embedded_deliveries_survive_five_kills(tmp_path, recorder):
    workspace = embedded(tmp_path / "w", recorder)
    survive(workspace, recorder, count=20_000, kills=5)
