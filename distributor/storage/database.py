"""Opens the database, on either engine, with the durability the ledger needs.

SQLite: WAL, `synchronous=FULL` (NORMAL may forget attempts at a power cut), one
writer at a time by `BEGIN IMMEDIATE` so that no transaction fails half-way for
having read first. PostgreSQL: as it comes, `synchronous_commit=on`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
)

from distributor.errors import ConfigError, StorageError

MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_TIMEOUT_S = 60


def open_engine(url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sa.Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://…`; connects lazily.

    `busy_timeout_s` is how long SQLite waits for another writer.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed, busy_timeout_s)
        return sa.create_engine(
            parsed, pool_pre_ping=True, pool_size=5, hide_parameters=True
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(
            "database_url: must be like postgresql://user:password@host/name "
            "or sqlite:////path/to/file"
        ) from error


def _open_sqlite(url: sa.URL, busy_timeout_s: float) -> sa.Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, connect_args={"timeout": busy_timeout_s}, hide_parameters=True
    )
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # None = we say BEGIN ourselves, see `_begin`.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that changes nothing and never waits for a writer."""
    with translated(), engine.connect() as connection:
        connection = connection.execution_options(reading=True)  # noqa: PLW2901
        with connection.begin() as transaction:
            yield connection
            transaction.rollback()


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction; commits at the end, rolls back on any exception."""
    with translated(), engine.begin() as connection:
        yield connection


@contextmanager
def snapshotting(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A writing transaction in which every statement sees the same moment."""
    with translated(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(  # noqa: PLW2901
                isolation_level="REPEATABLE READ"
            )
        with connection.begin():
            yield connection


_OUR_BUGS = (IntegrityError, ProgrammingError, DataError)


@contextmanager
def translated() -> Iterator[None]:
    """Turns "the database cannot be used" into a sentence; leaves our bugs alone."""
    try:
        yield
    except DatabaseError as error:
        # A constraint or a statement that is wrong is our bug, not the database's.
        if isinstance(error, _OUR_BUGS) or is_serialization_failure(error):
            raise
        raise StorageError(
            f"the database cannot be used: {_first_line(error)}; "
            "check DISTRIBUTOR_DATABASE_URL and that the server runs"
        ) from error


def is_serialization_failure(error: DBAPIError) -> bool:
    """Whether the transaction lost a race and may simply be run again."""
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def alembic_config(engine: sa.Engine) -> Config:
    """Alembic's configuration for this engine; there is no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def migrate(engine: sa.Engine) -> None:
    """Brings the schema to this program's version; harmless when it is there."""
    with translated():
        if not schema_is_current(engine):
            command.upgrade(alembic_config(engine), "head")


def schema_is_current(engine: sa.Engine) -> bool:
    """False when `migrate` has work; raises StorageError for a newer database."""
    script = ScriptDirectory.from_config(alembic_config(engine))
    with translated(), reading(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {r.revision for r in script.walk_revisions()}:
        raise StorageError(
            f"the database is from a newer version of distributor (schema {found}): "
            "install that version, nothing was changed"
        )
    return found == script.get_current_head()


def open_database(url: str, *, may_migrate: bool) -> sa.Engine:
    """An engine on a schema of this version.

    Args:
        url: SQLAlchemy URL.
        may_migrate: Whether to create or upgrade the schema here and now; where
            several hosts share a database, that is for `distributor migrate`.

    Raises:
        StorageError: Unreachable, newer, or older and `may_migrate` is False.
    """
    engine = open_engine(url)
    try:
        _make_ready(engine, may_migrate=may_migrate)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_ready(engine: sa.Engine, *, may_migrate: bool) -> None:
    if may_migrate:
        migrate(engine)
    elif not schema_is_current(engine):
        raise StorageError("the database is not set up: run `distributor migrate`")
