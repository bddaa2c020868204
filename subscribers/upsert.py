"""Inserting what may be there already, alike on both engines."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(
    conn: sa.Connection, table: sa.Table
) -> postgresql.Insert | sqlite.Insert:
    """`INSERT … ON CONFLICT DO NOTHING` into `table`, for the engine of `conn`.

    With both engines a row that is there already stays as it is and raises nothing,
    whichever unique key it collides with, and whoever inserts at the same time.
    """
    if conn.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
