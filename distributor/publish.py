"""The publish stage: an issue and its renditions become the page and the feeds.

Saving stores what was rendered; publishing makes it visible. Both belong into the
caller's transaction, so readers see either all of it or nothing. What a published
issue shows is what was saved last.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from distributor.errors import RefusedError, UnknownError
from distributor.issue import Brand, Issue, page_url
from distributor.render.feed import Feed, FeedEntry
from distributor.render.renditions import Renditions
from distributor.storage import issues
from distributor.storage.issues import Channel, StoredIssue
from distributor.storage.tables import issues as issues_table

FEED_ENTRIES = 50
"""How many of the newest issues a feed holds."""

NO_ISSUE_DATE = "2000-01-01"
"""Date in the feed's own id until the first issue lends its own."""


def mint_feed_id(base_url: str, issue_date: datetime, unique: str) -> str:
    """A `tag:` URI (RFC 4151) for a new issue; afterwards it is only ever read.

    Args:
        base_url: Absolute URL of the site; its host is the tagging authority.
        issue_date: Aware; the day on which that host was ours.
        unique: What tells issues apart, e.g. a UUID (`[A-Za-z0-9-]+`).

    Raises:
        RefusedError: The host or `unique` cannot stand in such a URI.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]+", unique):
        raise RefusedError(f"{unique!r}: an id has only letters, digits and -")
    day = issue_date.date().isoformat()
    return _tag_uri(base_url, day, f"issue/{unique}")


def save_issue(
    connection: sa.Connection,
    issue: Issue,
    renditions: Renditions,
    *,
    feed_id: str,
    now: datetime,
) -> StoredIssue:
    """Stores the issue with its renditions; the same again changes nothing.

    Args:
        connection: In a transaction; the caller commits.
        issue: What was written; its slug says which row.
        renditions: What it became. Other contents get a set of their own; earlier
            sets stay, because sends refer to them.
        feed_id: From `mint_feed_id`; ignored if the issue has one already.
        now: Aware; time of saving.

    Raises:
        RefusedError: A name too long for the database, or a feed id already taken.
    """
    facts = _facts(issue, renditions)
    _refuse_too_long({**facts, "slug": issue.slug})
    issues.add(
        connection, {**facts, "slug": issue.slug, "feed_id": feed_id, "created_at": now}
    )
    stored = issues.find(connection, issue.slug, lock=True)
    if stored is None:
        raise RefusedError(
            f"{issue.slug}: the feed id {feed_id} belongs to another issue; "
            "save it again with a new one"
        )
    issues.add_renditions(
        connection,
        stored.id,
        renditions.content_hash,
        contents=_contents(renditions),
        nonce=renditions.nonce,
    )
    if any(getattr(stored, name) != value for name, value in facts.items()):
        _change(connection, stored, facts, now)
    return _existing(connection, issue.slug)


def publish(connection: sa.Connection, slug: str, now: datetime) -> StoredIssue:
    """Makes the saved issue visible on page and feeds; twice is the same as once.

    Raises:
        UnknownError: No issue of that name was saved.
    """
    stored = _existing(connection, slug, lock=True)
    if stored.published_at is None:
        stamp = _later_than_any(connection, now)
        issues.change(connection, stored.id, {"published_at": stamp})
    return _existing(connection, slug)


def rename(
    connection: sa.Connection, slug: str, new_slug: str, now: datetime
) -> StoredIssue:
    """Gives the issue another slug (and so another URL); its feed id stays.

    Raises:
        UnknownError: No issue of that name was saved.
        RefusedError: Another issue has the new name.
    """
    stored = _existing(connection, slug, lock=True)
    if new_slug == slug:
        return stored
    if issues.find(connection, new_slug) is not None:
        raise RefusedError(f"{new_slug}: another issue has that name, choose another")
    _refuse_too_long({"slug": new_slug})
    _change(connection, stored, {"slug": new_slug}, now)
    return _existing(connection, new_slug)


def newsletter_feed(
    connection: sa.Connection, brand: Brand, base_url: str, *, language: str = "en"
) -> Feed:
    """The feed of everything published, newest first.

    Args:
        connection: Only read.
        brand: Who publishes.
        base_url: Absolute URL of the site, no trailing slash.
        language: Of the feed itself while it has no issues; then the newest one's.
    """
    entries = tuple(
        feed_entry(stored, content, base_url)
        for stored, content in issues.published_with(
            connection, Channel.FEED_HTML, limit=FEED_ENTRIES
        )
    )
    return Feed(
        id=_newsletter_id(issues.first_feed_id(connection), base_url),
        title=brand.newsletter,
        home_url=f"{base_url}/",
        base_url=base_url,
        description=brand.description,
        language=entries[0].language if entries else language,
        author_name=brand.publisher,
        author_email=brand.reply_to or None,
        entries=entries,
    )


def feed_entry(stored: StoredIssue, content_html: str, base_url: str) -> FeedEntry:
    """One issue as a feed entry; before publication it bears the issue's date."""
    entered = stored.published_at or stored.issue_date
    return FeedEntry(
        id=stored.feed_id,
        url=page_url(base_url, stored.slug),
        title=stored.title,
        summary=stored.summary,
        content_html=content_html,
        content_text="",
        published=entered,
        updated=stored.updated_at or entered,
        language=stored.language,
    )


def draft_entry(issue: Issue, renditions: Renditions, base_url: str) -> FeedEntry:
    """An issue as it would stand in the feeds, its id still provisional."""
    return FeedEntry(
        id=mint_feed_id(base_url, issue.date, issue.slug),
        url=page_url(base_url, issue.slug),
        title=issue.title,
        summary=renditions.summary,
        content_html=renditions.feed_html,
        content_text="",
        published=issue.date,
        updated=issue.date,
        language=issue.language,
    )


def _facts(issue: Issue, renditions: Renditions) -> dict[str, Any]:
    """What may change from one saving to the next."""
    return {
        "number": issue.number,
        "title": issue.title,
        "summary": renditions.summary,
        "language": issue.language,
        "issue_date": issue.date,
        "content_hash": renditions.content_hash,
    }


def _contents(renditions: Renditions) -> dict[Channel, str]:
    return {
        Channel.EMAIL_HTML: renditions.email_html,
        Channel.EMAIL_TEXT: renditions.email_text,
        Channel.FEED_HTML: renditions.feed_html,
        Channel.WEB: renditions.web,
    }


def _existing(
    connection: sa.Connection, slug: str, *, lock: bool = False
) -> StoredIssue:
    stored = issues.find(connection, slug, lock=lock)
    if stored is None:
        raise UnknownError(
            f"no issue {slug!r} has been saved: `distributor issue list` shows them all"
        )
    return stored


def _change(
    connection: sa.Connection,
    stored: StoredIssue,
    values: dict[str, Any],
    now: datetime,
) -> None:
    if stored.published_at is not None:
        values = {**values, "updated_at": _later_than_any(connection, now)}
    issues.change(connection, stored.id, values)


def _later_than_any(connection: sa.Connection, now: datetime) -> datetime:
    """`now`, but after every change so far even if the clock went back.

    Readers' caches ask only for the newest change: each one has to be newer.
    """
    newest = issues.freshness(connection).newest
    return now if newest is None else max(now, newest + timedelta(microseconds=1))


def _refuse_too_long(values: dict[str, Any]) -> None:
    for name, value in values.items():
        limit = getattr(issues_table.c[name].type, "length", None)
        if limit is not None and len(value) > limit:
            raise RefusedError(
                f"the issue's {name} has {len(value)} characters, "
                f"at most {limit} can be stored: shorten it"
            )


def _newsletter_id(first_feed_id: str | None, base_url: str) -> str:
    """Stands on the first id ever minted, so that a new base URL changes nothing."""
    if first_feed_id is None:
        return _tag_uri(base_url, NO_ISSUE_DATE, "newsletter")
    tagging_entity = first_feed_id.rpartition(":")[0]
    return f"{tagging_entity}:newsletter"


def _tag_uri(base_url: str, day: str, specific: str) -> str:
    host = urlsplit(base_url).hostname or ""
    try:
        authority = host.encode("idna").decode("ascii")
    except UnicodeError:
        authority = ""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", authority):
        raise RefusedError(
            f"base_url {base_url!r}: needs a host name like news.example.org"
        )
    return f"tag:{authority},{day}:{specific}"
