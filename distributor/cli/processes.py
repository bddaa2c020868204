"""Starts and stops the processes of a workspace on this machine."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from distributor.cli.output import errors
from distributor.config import PREFIX, Settings
from distributor.errors import DistributorError
from distributor.storage.database import open_database
from distributor.tasks import beat, configure

_PR_SET_PDEATHSIG = 1  # prctl(2)
GRACE_S = 35
"""A worker may finish its ring (25 s) before it is killed."""


def celery_command(*, concurrency: int, log_level: str = "WARNING") -> list[str]:
    """The command line of one Celery worker with `concurrency` processes."""
    return [
        sys.executable,
        "-m",
        "celery",
        "--app=worker",
        "--quiet",
        "worker",
        f"--concurrency={concurrency}",
        f"--loglevel={log_level}",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]


def workspace_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the workspace named in it."""
    return {
        **os.environ,  # noqa: TID251  (handed on to a child)
        f"{PREFIX}WORKSPACE": str(settings.root),
    }


@contextmanager
def local_workers(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Celery worker processes, one per slot, that end with the block."""
    settings.var.mkdir(parents=True, exist_ok=True)
    with (settings.var / "worker.log").open("ab") as log:
        worker = subprocess.Popen(  # noqa: S603  (our own command line)
            celery_command(concurrency=settings.slots, log_level="INFO"),
            cwd=settings.root,
            env=workspace_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C at the terminal is for us; the worker is stopped politely below.
            start_new_session=True,
            preexec_fn=_end_with_parent(),  # noqa: PLW1509  (one prctl, no locks)
        )
    try:
        yield worker
    finally:
        stop(worker)


def _end_with_parent() -> Callable[[], object] | None:
    """Runs in the child: Linux asks it to end if we are killed outright."""
    if sys.platform != "linux":
        return None
    # Looked up here: between fork and exec nothing may be imported.
    return partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, signal.SIGTERM.value)


def stop(process: subprocess.Popen[bytes], *, grace_s: float = GRACE_S) -> None:
    """SIGTERM, and SIGKILL for the whole group if that was not heard in time."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def local_scheduler(settings: Settings) -> Iterator[threading.Event]:
    """A scheduler thread that ends with the block; yields its stop signal."""
    ended = threading.Event()
    thread = threading.Thread(
        target=run_scheduler, args=(settings, ended), name="scheduler", daemon=True
    )
    thread.start()
    try:
        yield ended
    finally:
        ended.set()
        thread.join()


def run_scheduler(settings: Settings, ended: threading.Event) -> None:
    """Ticks until told to end; a database or broker that is away is waited for."""
    configure(settings)
    engine = None
    while True:
        try:
            if engine is None:
                engine = open_database(settings.database, may_migrate=False)
            beat(settings, engine)
        except DistributorError as error:
            errors.print(f"scheduler: {error}; trying again", markup=False)
        if ended.wait(settings.tick_s):
            break
    if engine is not None:
        engine.dispose()


@contextmanager
def local_service(settings: Settings) -> Iterator[None]:
    """Workers and a scheduler for as long as the block lasts."""
    with local_workers(settings), local_scheduler(settings):
        yield
