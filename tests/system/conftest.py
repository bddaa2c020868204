"""A real web server on loopback, with three lists and issues on either database."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from distributor import publish
from distributor.issue import Article, Brand, Issue
from distributor.render.renditions import render
from distributor.render.templates import Templates, builtin_templates
from distributor.web.app import create_app
from subscribers import (
    Consent,
    Keyring,
    Method,
    Person,
    Purpose,
    add_list,
    metadata,
    parse_address,
    subscribe,
)
from tests.fakes.commands import WIC, WIC_FACTS, Staff, run_here

BRAND = Brand(
    newsletter="News & Views",
    publisher="The Publisher",
    description="All the news.",
    postal_address="1 Road, 12345 Town",
    accent="#8a1538",
    from_address="news@news.example",
    reply_to="editor@news.example",
)
START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TEMPLATES = Templates([builtin_templates()])


@dataclass
class Newsroom:
    """A served newsletter, and what staff would do to it from another process."""

    engine: sa.Engine
    base_url: str
    keyring: Keyring = field(default_factory=lambda: Keyring([("a", bytes(32))]))
    minutes: itertools.count[int] = field(default_factory=itertools.count)

    def now(self) -> datetime:
        return START + timedelta(minutes=next(self.minutes))

    def save(self, number: int, body: str = "The text.") -> str:
        issue = Issue(
            slug=f"issue-{number}",
            title=f"Issue <{number}>",
            subject=f"Issue {number}",
            number=number,
            date=START - timedelta(days=100 - number),
            language="en",
            base_url=self.base_url,
            preheader=f"What is in number {number} & what is not",
            articles=(Article(title="First & last", anchor="first", body=body),),
        )
        with self.engine.begin() as conn:
            publish.save_issue(
                conn,
                issue,
                render(issue, BRAND, TEMPLATES),
                feed_id=publish.mint_feed_id(
                    self.base_url, issue.date, f"{number}-{next(self.minutes)}"
                ),
                now=self.now(),
            )
        return issue.slug

    def publish(self, number: int, body: str = "The text.") -> str:
        slug = self.save(number, body)
        with self.engine.begin() as conn:
            publish.publish(conn, slug, self.now())
        return slug

    def subscribe(self, *slugs: str) -> None:
        """Somebody joins new lists: subscriber 1, subscriptions 1, 2, …"""
        with self.engine.begin() as conn:
            for slug in slugs:
                to = add_list(conn, slug, name=f"The {slug} list", now=START)
                subscribe(
                    conn,
                    Person(parse_address("ann@reader.example"), name="Ann"),
                    to=to,
                    consent=Consent(Method.FORM),
                    pepper=b"pepper",
                    now=START,
                )

    def unsubscribe_path(self, subscription_id: int = 1) -> str:
        return f"/u/{self.keyring.seal(Purpose.UNSUBSCRIBE, subscription_id)}"

    def preferences_path(self, subscriber_id: int = 1) -> str:
        return f"/p/{self.keyring.seal(Purpose.PREFERENCES, subscriber_id)}"

    def states(self) -> list[tuple[str, str]]:
        """State of every subscription and how it ended, by id."""
        query = "SELECT state, unsubscribed_via FROM subscriptions ORDER BY id"
        with self.engine.connect() as conn:
            return [(row[0], row[1]) for row in conn.execute(sa.text(query))]

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with self.engine.connect() as conn:
            return {
                table.name: sorted(
                    (tuple(row) for row in conn.execute(sa.select(table))), key=repr
                )
                for table in metadata.sorted_tables
            }


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Signals belong to the tests' own thread."""


@pytest.fixture
def serve() -> Iterator[Callable[[Any, uvicorn.Config], None]]:
    """Runs a uvicorn configuration in a thread until the test is over."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(config: uvicorn.Config, sockets: list[Any]) -> None:
        server = _Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture
def open_site(serve: Callable[..., None]) -> Callable[..., Newsroom]:
    """`open_site(engine)` serves that database and returns its newsroom."""

    def open_one(engine: sa.Engine, **options: Any) -> Newsroom:
        config = uvicorn.Config(
            "unset", host="127.0.0.1", port=0, log_level="critical", lifespan="on"
        )
        sock = config.bind_socket()
        room = Newsroom(engine, f"http://127.0.0.1:{sock.getsockname()[1]}")
        config.app = create_app(
            **{
                "engine": engine,
                "brand": BRAND,
                "base_url": room.base_url,
                "keyring": room.keyring,
                "templates": TEMPLATES,
                "clock": room.now,
                **options,
            }
        )
        serve(config, [sock])
        return room

    return open_one


@pytest.fixture
def newsroom(
    engine: sa.Engine, open_site: Callable[..., Newsroom]
) -> Iterator[Newsroom]:
    """Two published issues, one draft, and one person on three lists."""
    room = open_site(engine)
    room.publish(1)
    room.publish(2)
    room.save(3)
    room.subscribe("daily", "weekly", "yearly")
    return room


@pytest.fixture
def client(newsroom: Newsroom) -> Iterator[httpx.Client]:
    """Follows no redirect, keeps nothing."""
    with httpx.Client(base_url=newsroom.base_url, trust_env=False) as found:
        yield found


@pytest.fixture
def nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Staff:
    """A folder where no workspace has been started yet."""
    return Staff(tmp_path / "workspace", run_here(capfd))


@pytest.fixture
def staff(nowhere: Staff) -> Staff:
    assert nowhere.run("init", str(nowhere.root)).status == 0
    return nowhere


@pytest.fixture
def with_issue(staff: Staff) -> Staff:
    staff.done(*WIC, *WIC_FACTS)
    return staff
