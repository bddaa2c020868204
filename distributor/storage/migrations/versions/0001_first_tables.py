"""The tables of version 0.1: people, issues, sends, the delivery ledger.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import subscribers.tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "delivery_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", subscribers.tables.UTCDateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=64), server_default="", nullable=False),
        sa.Column("host", sa.String(length=255), server_default="", nullable=False),
        sa.Column("smtp_code", sa.Integer(), nullable=True),
        sa.Column(
            "enhanced_code", sa.String(length=16), server_default="", nullable=False
        ),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(
        op.f("ix_events_delivery_id"), "events", ["delivery_id"], unique=False
    )
    op.create_table(
        "issues",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("feed_id", sa.String(length=300), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column(
            "issue_date", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column(
            "created_at", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.Column(
            "published_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "updated_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issues")),
        sa.UniqueConstraint("feed_id", name=op.f("uq_issues_feed_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_issues_slug")),
    )
    op.create_table(
        "lists",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lists")),
        sa.UniqueConstraint("slug", name=op.f("uq_lists_slug")),
    )
    op.create_table(
        "slots",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("journal_id", sa.String(length=32), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column(
            "taken_at", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_slots")),
    )
    op.create_table(
        "subscribers",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("address_key", sa.String(length=254), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("language", sa.String(length=35), server_default="", nullable=False),
        sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column(
            "created_at", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_subscribers_address_hash")),
        sa.UniqueConstraint("address_key", name=op.f("uq_subscribers_address_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppressions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=200), server_default="", nullable=False),
        sa.Column(
            "since", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.Column(
            "until", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "lifted_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "lifted_by", sa.String(length=200), server_default="", nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    op.create_index(
        op.f("ix_suppressions_address_hash"),
        "suppressions",
        ["address_hash"],
        unique=False,
    )
    op.create_table(
        "renditions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "issue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("nonce", sa.String(length=32), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_renditions_issue_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_renditions")),
        sa.UniqueConstraint(
            "issue_id",
            "content_hash",
            "channel",
            name=op.f("uq_renditions_issue_id_content_hash_channel"),
        ),
    )
    op.create_table(
        "sends",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "issue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=998), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("candidates", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.Column(
            "scheduled_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "started_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "finished_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "deadline_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_sends_issue_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sends")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sends_issue_id"), "sends", ["issue_id"], unique=False)
    op.create_index(op.f("ix_sends_state"), "sends", ["state"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "subscriber_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "list_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column(
            "created_at", subscribers.tables.UTCDateTime(timezone=True), nullable=False
        ),
        sa.Column("consent_method", sa.String(length=16), nullable=False),
        sa.Column("consent_evidence", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "consented_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "confirmed_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "unsubscribed_at",
            subscribers.tables.UTCDateTime(timezone=True),
            nullable=True,
        ),
        sa.Column(
            "unsubscribed_via", sa.String(length=16), server_default="", nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["list_id"], ["lists.id"], name=op.f("fk_subscriptions_list_id")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_subscriptions_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint(
            "subscriber_id",
            "list_id",
            name=op.f("uq_subscriptions_subscriber_id_list_id"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_subscriptions_list_id_state"),
        "subscriptions",
        ["list_id", "state"],
        unique=False,
    )
    op.create_table(
        "deliveries",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "issue_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "subscriber_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "subscription_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "send_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "list_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column(
            "state", sa.String(length=16), server_default="pending", nullable=False
        ),
        sa.Column(
            "rank",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=64), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("doubts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column(
            "due_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column("smtp_code", sa.Integer(), nullable=True),
        sa.Column(
            "enhanced_code", sa.String(length=16), server_default="", nullable=False
        ),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "accepted_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.Column(
            "updated_at", subscribers.tables.UTCDateTime(timezone=True), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["issue_id"], ["issues.id"], name=op.f("fk_deliveries_issue_id")
        ),
        sa.ForeignKeyConstraint(
            ["list_id"], ["lists.id"], name=op.f("fk_deliveries_list_id")
        ),
        sa.ForeignKeyConstraint(
            ["send_id"], ["sends.id"], name=op.f("fk_deliveries_send_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "issue_id",
            "subscriber_id",
            name=op.f("uq_deliveries_issue_id_subscriber_id"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('deferred', 'in_doubt')"),
        sqlite_where=sa.text("state IN ('deferred', 'in_doubt')"),
    )
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["send_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_deliveries_sending",
        "deliveries",
        ["slot"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.create_table(
        "exclusions",
        sa.Column(
            "send_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "subscriber_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["send_id"], ["sends.id"], name=op.f("fk_exclusions_send_id")
        ),
        sa.PrimaryKeyConstraint("send_id", "subscriber_id", name=op.f("pk_exclusions")),
    )
    op.create_table(
        "send_lists",
        sa.Column(
            "send_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "list_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["list_id"], ["lists.id"], name=op.f("fk_send_lists_list_id")
        ),
        sa.ForeignKeyConstraint(
            ["send_id"], ["sends.id"], name=op.f("fk_send_lists_send_id")
        ),
        sa.PrimaryKeyConstraint("send_id", "list_id", name=op.f("pk_send_lists")),
    )


def downgrade() -> None:
    """Back to nothing: every table is dropped, with everything in it."""
    op.drop_table("send_lists")
    op.drop_table("exclusions")
    op.drop_index(
        "ix_deliveries_sending",
        table_name="deliveries",
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.drop_index(
        "ix_deliveries_pending",
        table_name="deliveries",
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.drop_index(
        "ix_deliveries_due",
        table_name="deliveries",
        postgresql_where=sa.text("state IN ('deferred', 'in_doubt')"),
        sqlite_where=sa.text("state IN ('deferred', 'in_doubt')"),
    )
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_subscriptions_list_id_state"), table_name="subscriptions")
    op.drop_table("subscriptions")
    op.drop_index(op.f("ix_sends_state"), table_name="sends")
    op.drop_index(op.f("ix_sends_issue_id"), table_name="sends")
    op.drop_table("sends")
    op.drop_table("renditions")
    op.drop_index(op.f("ix_suppressions_address_hash"), table_name="suppressions")
    op.drop_table("suppressions")
    op.drop_table("subscribers")
    op.drop_table("slots")
    op.drop_table("lists")
    op.drop_table("issues")
    op.drop_index(op.f("ix_events_delivery_id"), table_name="events")
    op.drop_table("events")
