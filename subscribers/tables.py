"""The tables of people; the same on PostgreSQL and SQLite.

Times are timezone-aware UTC on both engines (`UTCDateTime`). Addresses are stored
once, in `subscribers`; suppressions know them only by a keyed hash, so that they
survive erasure and re-import.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64-bit key; SQLite numbers rows by itself only in an INTEGER column."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC; naive ones are refused, never guessed."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """To UTC; SQLite gets it naive because it keeps no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: give it a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Back to aware UTC."""
        if value is None:
            return None
        return (
            value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        )


lists = sa.Table(
    "lists",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("slug", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", UTCDateTime, nullable=False),
)

subscribers = sa.Table(
    "subscribers",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    # As the person wrote it, domain in IDNA A-labels; what RCPT TO gets.
    sa.Column("address", sa.String(254), nullable=False),
    # Case-folded, for "is this the same person?" (standards: RFC 5321 keeps case).
    sa.Column("address_key", sa.String(254), nullable=False, unique=True),
    # HMAC-SHA256 of address_key in hex; ties to suppressions without the address.
    sa.Column("address_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False, server_default=""),
    sa.Column("language", sa.String(35), nullable=False, server_default=""),
    sa.Column("time_zone", sa.String(64), nullable=False, server_default=""),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sqlite_autoincrement=True,
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column(
        "subscriber_id",
        sa.ForeignKey("subscribers.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("list_id", sa.ForeignKey("lists.id"), nullable=False),
    # unconfirmed | confirmed | unsubscribed
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False),
    # Consent: how (form | import | staff), its evidence in words, and when.
    sa.Column("consent_method", sa.String(16), nullable=False),
    sa.Column("consent_evidence", sa.Text, nullable=False, server_default=""),
    sa.Column("consented_at", UTCDateTime),
    sa.Column("confirmed_at", UTCDateTime),
    sa.Column("unsubscribed_at", UTCDateTime),
    # one_click | page | staff | import
    sa.Column("unsubscribed_via", sa.String(16), nullable=False, server_default=""),
    sa.UniqueConstraint("subscriber_id", "list_id"),
    sa.Index(None, "list_id", "state"),
    sqlite_autoincrement=True,
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("address_hash", sa.String(64), nullable=False, index=True),
    # bad_address | complaint | staff | ...: why this address must not be mailed.
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("source", sa.String(200), nullable=False, server_default=""),
    sa.Column("since", UTCDateTime, nullable=False),
    sa.Column("until", UTCDateTime),
    sa.Column("lifted_at", UTCDateTime),
    sa.Column("lifted_by", sa.String(200), nullable=False, server_default=""),
)
