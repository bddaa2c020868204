"""The tables of issues, sends and the delivery ledger (design: one row, one truth).

`deliveries.rank` orders what is known about a delivery (see
`distributor.delivery`): every change is "raise the rank or leave it", one compare
in SQL, so that late, doubled and reordered events are harmless.
"""

from __future__ import annotations

import sqlalchemy as sa

from subscribers import BigId, UTCDateTime, metadata

issues = sa.Table(
    "issues",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("slug", sa.String(100), nullable=False, unique=True),
    # Minted once, never derived again: guid, Atom id and JSON Feed id.
    sa.Column("feed_id", sa.String(300), nullable=False, unique=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("title", sa.String(500), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("issue_date", UTCDateTime, nullable=False),
    # SHA-256 of all renditions together, hex; tells "changed since".
    sa.Column("content_hash", sa.String(64), nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("published_at", UTCDateTime),
    sa.Column("updated_at", UTCDateTime),
)

renditions = sa.Table(
    "renditions",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("issue_id", sa.ForeignKey("issues.id"), nullable=False),
    # The issue's content hash: one complete set of channels per hash.
    sa.Column("content_hash", sa.String(64), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("nonce", sa.String(32), nullable=False, server_default=""),
    sa.UniqueConstraint("issue_id", "content_hash", "channel"),
)

sends = sa.Table(
    "sends",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("issue_id", sa.ForeignKey("issues.id"), nullable=False, index=True),
    # The renditions this send delivers; immutable once the send exists.
    sa.Column("content_hash", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(998), nullable=False),
    # scheduled | sending | paused | cancelled | finished
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("candidates", sa.Integer, nullable=False, server_default="0"),
    # Why the send waits though it is not paused, e.g. the relay refuses our login.
    sa.Column("trouble", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("scheduled_at", UTCDateTime),
    sa.Column("started_at", UTCDateTime),
    sa.Column("finished_at", UTCDateTime),
    sa.Column("deadline_at", UTCDateTime),
    sqlite_autoincrement=True,
)

send_lists = sa.Table(
    "send_lists",
    metadata,
    sa.Column("send_id", sa.ForeignKey("sends.id"), primary_key=True),
    sa.Column("list_id", sa.ForeignKey("lists.id"), primary_key=True),
)

exclusions = sa.Table(
    "exclusions",
    metadata,
    sa.Column("send_id", sa.ForeignKey("sends.id"), primary_key=True),
    sa.Column("subscriber_id", BigId, primary_key=True),
    sa.Column("reason", sa.String(32), nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("issue_id", sa.ForeignKey("issues.id"), nullable=False),
    # No foreign key: the row outlives the person (erasure empties `recipient`).
    sa.Column("subscriber_id", BigId, nullable=False),
    sa.Column("subscription_id", BigId, nullable=False),
    sa.Column("send_id", sa.ForeignKey("sends.id"), nullable=False),
    sa.Column("list_id", sa.ForeignKey("lists.id"), nullable=False),
    sa.Column("recipient", sa.String(254), nullable=False),
    sa.Column("name", sa.String(200), nullable=False, server_default=""),
    sa.Column("state", sa.String(16), nullable=False, server_default="pending"),
    sa.Column("rank", BigId, nullable=False, server_default="0"),
    sa.Column("reason", sa.String(64), nullable=False, server_default=""),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("doubts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("slot", sa.Integer),
    # When a deferred delivery, or one in doubt, is tried again; empty = held.
    sa.Column("due_at", UTCDateTime),
    sa.Column("smtp_code", sa.Integer),
    sa.Column("enhanced_code", sa.String(16), nullable=False, server_default=""),
    sa.Column("reply", sa.Text, nullable=False, server_default=""),
    sa.Column("accepted_at", UTCDateTime),
    sa.Column("updated_at", UTCDateTime),
    sa.UniqueConstraint("issue_id", "subscriber_id"),
    sqlite_autoincrement=True,
)
# What a claim scans: only rows still to be sent, in the order they were made. Small
# partial indexes, because the finished rows are nearly all of them.
sa.Index(
    "ix_deliveries_pending",
    deliveries.c.send_id,
    deliveries.c.id,
    postgresql_where=deliveries.c.state == "pending",
    sqlite_where=deliveries.c.state == "pending",
)
sa.Index(
    "ix_deliveries_due",
    deliveries.c.due_at,
    postgresql_where=deliveries.c.state.in_(["deferred", "in_doubt"]),
    sqlite_where=deliveries.c.state.in_(["deferred", "in_doubt"]),
)
sa.Index(
    "ix_deliveries_sending",
    deliveries.c.slot,
    postgresql_where=deliveries.c.state == "sending",
    sqlite_where=deliveries.c.state == "sending",
)

# Which journal belongs to what a slot holds: after a crash only that file may say
# "never started"; with any other, everything the slot held is in doubt.
slots = sa.Table(
    "slots",
    metadata,
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("journal_id", sa.String(32), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("taken_at", UTCDateTime, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    sa.Column("delivery_id", BigId, nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("reason", sa.String(64), nullable=False, server_default=""),
    sa.Column("host", sa.String(255), nullable=False, server_default=""),
    sa.Column("smtp_code", sa.Integer),
    sa.Column("enhanced_code", sa.String(16), nullable=False, server_default=""),
    sa.Column("reply", sa.Text, nullable=False, server_default=""),
)
