"""The services of the Compose file, really started, without Docker.

Each runs its own command and health check from the file; only host names, ports and
paths are those of this machine, with a real PostgreSQL and a real Redis behind them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fakes.composefile import ROOT, compose, our_services

SERVICES = our_services(compose({"POSTGRES_PASSWORD": "trial"}))
PORT_IN_THE_FILE = "8000"
WELL_WITHIN_S = 30
ENDS_WITHIN_S = 15

pytestmark = [pytest.mark.db, pytest.mark.broker]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def measured() -> dict[str, str]:
    """What coverage hands down to the processes of a test that it measures."""
    return {k: v for k, v in os.environ.items() if k.startswith("COVERAGE_PROCESS")}


class Compose:
    """One workspace and its surroundings, in which services of the file are run."""

    def __init__(self, workspace: Path, database_url: str, broker_url: str) -> None:
        self.workspace = workspace
        self.port = free_port()
        self.environment = {
            **measured(),
            "PATH": os.environ["PATH"],
            "HOME": str(workspace),
            "PYTHONPATH": str(ROOT),
            "DISTRIBUTOR_WORKSPACE": str(workspace),
            "DISTRIBUTOR_DATABASE_URL": database_url,
            "DISTRIBUTOR_BROKER_URL": broker_url,
            "DISTRIBUTOR_SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        }

    def here(self, words: list[str]) -> list[str]:
        """A command of the file as this machine must call it."""
        program, *rest = [word.replace(PORT_IN_THE_FILE, self.port) for word in words]
        match program:
            case "python":
                return [sys.executable, *rest]
            case "distributor":
                return [sys.executable, "-m", "distributor", *rest]
        raise AssertionError(f"{program} is not in the image")

    def command(self, name: str) -> list[str]:
        return self.here(["distributor", *SERVICES[name]["command"]])

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.workspace,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def check(self, name: str) -> subprocess.CompletedProcess[str]:
        """One run of the service's health check."""
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(self.here(words))

    @contextmanager
    def service(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """The service in a process group of its own; nothing outlives the block."""
        with (self.workspace / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.command(name),
                cwd=self.workspace,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def said(self, name: str) -> str:
        return (self.workspace / f"{name}.log").read_text(encoding="utf-8")


@pytest.fixture
def machine(
    tmp_path: Path, make_postgres: Callable[..., str], redis_url: str
) -> Compose:
    """A new workspace with an empty database: no tables yet."""
    workspace = tmp_path / "workspace"
    made = subprocess.run(
        [sys.executable, "-m", "distributor", "init", str(workspace)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return Compose(workspace, make_postgres(), redis_url)


def wait_until_well(
    machine: Compose, name: str, process: subprocess.Popen[bytes]
) -> None:
    deadline = time.monotonic() + WELL_WITHIN_S
    while True:
        checked = machine.check(name)
        assert process.poll() is None, machine.said(name)
        if checked.returncode == 0:
            return
        assert time.monotonic() < deadline, checked.stderr + machine.said(name)
        time.sleep(0.2)


def wait_until_at_work(
    machine: Compose, name: str, process: subprocess.Popen[bytes]
) -> None:
    """A worker says that it is ready; the others are watched for a moment."""
    deadline = time.monotonic() + WELL_WITHIN_S
    while name == "worker" and " ready." not in machine.said(name):
        assert time.monotonic() < deadline, machine.said(name)
        time.sleep(0.1)
    time.sleep(1)
    assert process.poll() is None, machine.said(name)


def test_migrate_makes_the_tables_and_a_second_run_changes_nothing(
    machine: Compose,
) -> None:
    engine = sa.create_engine(
        machine.environment["DISTRIBUTOR_DATABASE_URL"], poolclass=sa.NullPool
    )
    assert not sa.inspect(engine).get_table_names()
    for _ in range(2):
        done = machine.run(machine.command("migrate"))
        assert done.returncode == 0, done.stderr
        assert {"deliveries", "subscribers"} <= set(
            sa.inspect(engine).get_table_names()
        )
    engine.dispose()


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_a_service_starts_is_well_and_ends_cleanly_when_asked(
    machine: Compose, name: str
) -> None:
    migrated = machine.run(machine.command("migrate"))
    assert migrated.returncode == 0, migrated.stderr
    with machine.service(name) as process:
        wait_until_well(machine, name, process)
        wait_until_at_work(machine, name, process)
        process.send_signal(signal.SIGTERM)
        status = process.wait(ENDS_WITHIN_S)
    assert status == 0, machine.said(name)
    assert "Traceback" not in machine.said(name)


def test_web_is_not_well_when_it_does_not_run(machine: Compose) -> None:
    assert machine.check("web").returncode != 0


def test_the_worker_is_not_well_without_its_broker(machine: Compose) -> None:
    machine.environment["DISTRIBUTOR_BROKER_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    assert machine.check("worker").returncode != 0


def test_the_scheduler_is_not_well_without_its_tables(machine: Compose) -> None:
    assert machine.check("scheduler").returncode != 0
