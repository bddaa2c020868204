"""Alembic's entry: runs the migrations on the engine it is handed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

import distributor.storage.tables  # noqa: F401  (registers its tables)
from subscribers import metadata


def run() -> None:
    """All revisions up to the target, in one transaction on both engines."""
    engine: sa.Engine = context.config.attributes["engine"]
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two hosts starting at once: the second waits, then finds nothing to do.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7461001)"))
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=engine.dialect.name == "sqlite",
        )
        context.run_migrations()


run()
