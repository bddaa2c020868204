"""Opening, migrating and refusing databases, on both engines."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from distributor.errors import ConfigError, StorageError
from distributor.storage.database import (
    migrate,
    open_database,
    open_engine,
    reading,
    schema_is_current,
    writing,
)
from distributor.storage.locks import slot_lock
from subscribers import metadata
from tests.fakes.people import NOW


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.db)])
def empty(request, tmp_path):
    """An engine on a database without a single table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'deep' / 'empty.sqlite'}"
    else:
        url = request.getfixturevalue("make_postgres")()
    engine = open_engine(url)
    yield engine
    engine.dispose()


def url_of(engine):
    return engine.url.render_as_string(hide_password=False)


def test_migrations_make_exactly_the_tables_of_the_code(empty):
    migrate(empty)
    with reading(empty) as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_migrating_again_and_from_two_hosts_at_once_is_harmless(empty):
    program = (
        "import sys; from distributor.storage.database import migrate, open_engine; "
        "engine = open_engine(sys.argv[1]); migrate(engine); engine.dispose()"
    )
    command = [sys.executable, "-c", program, url_of(empty)]
    hosts = [subprocess.Popen(command) for _ in range(3)]
    assert [host.wait(60) for host in hosts] == [0, 0, 0]
    assert schema_is_current(empty)


def test_a_database_without_tables_says_how_to_make_them(empty):
    with pytest.raises(StorageError, match="distributor migrate"):
        open_database(url_of(empty), may_migrate=False)


def test_a_database_from_a_newer_version_is_refused_and_unchanged(empty):
    migrate(empty)
    with writing(empty) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match=r"newer version.*9999"):
        open_database(url_of(empty), may_migrate=True)
    with reading(empty) as connection:
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    assert found == "9999"


def test_sqlite_commits_survive_a_power_cut(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with reading(engine) as connection:
        pragma = connection.exec_driver_sql
        assert pragma("PRAGMA synchronous").scalar() == 2  # FULL
        assert pragma("PRAGMA journal_mode").scalar() == "wal"
        assert pragma("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_reading_changes_nothing(empty):
    migrate(empty)
    table = metadata.tables["lists"]
    with reading(empty) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO lists (slug, name, created_at) "
                "VALUES ('x', 'x', CURRENT_TIMESTAMP)"
            )
        )
    with reading(empty) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


@pytest.mark.parametrize("url", ["nonsense", "oracle99://x/y", ""])
def test_an_unusable_url_is_a_sentence(url):
    with pytest.raises(ConfigError, match="database_url"):
        open_engine(url)


def test_a_server_that_is_not_there_is_a_sentence():
    engine = open_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(StorageError, match="cannot be used"), reading(engine) as c:
        c.execute(sa.text("SELECT 1"))


def test_a_slot_has_one_holder_at_a_time(empty, tmp_path):
    with empty.connect() as one, empty.connect() as other:
        with slot_lock(one, 1, folder=tmp_path) as first:
            with slot_lock(other, 1, folder=tmp_path) as second:
                assert (first, second) == (True, False)
            with slot_lock(other, 2, folder=tmp_path) as elsewhere:
                assert elsewhere
        with slot_lock(other, 1, folder=tmp_path) as after:
            assert after


def test_a_file_that_is_no_database_is_a_sentence(tmp_path):
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"this is a letter to my aunt, not a database" * 100)
    with pytest.raises(StorageError, match="not a database"):
        open_database(f"sqlite:///{path}", may_migrate=True)


def test_a_broken_constraint_stays_our_bug(engine):
    add = sa.insert(metadata.tables["lists"])
    values = {"slug": "x", "name": "x", "created_at": NOW}
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(add, [values, values])
    with reading(engine) as connection:
        found = sa.select(sa.func.count()).select_from(metadata.tables["lists"])
        assert connection.scalar(found) == 0
