"""A workbench and settings for tests that drain in this process, clock by hand."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from distributor.config import Settings
from distributor.publish import mint_feed_id, save_issue
from distributor.render.renditions import render
from distributor.render.templates import Templates, builtin_templates
from distributor.sending.drain import Workbench
from distributor.sending.fanout import Order, place
from distributor.tasks import workbench
from subscribers import List
from tests.fakes.newsletters import small_issue
from tests.fakes.people import NOW, PEPPER


def make_settings(root: Path, **more: object) -> Settings:
    values = {
        "newsletter": "Test News",
        "publisher": "Tester",
        "base_url": "https://news.example.org",
        "postal_address": "1 Example Street",
        "from_address": "news@example.org",
        "secret_keys": "a:" + "11" * 32,
        "address_pepper": PEPPER.hex(),
        "root": root,
        "connections": 3,
        "retry_after_s": (60,),
    }
    return Settings(**{**values, **more})


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


def make_bench(settings: Settings, engine: sa.Engine, clock: Clock) -> Workbench:
    bench = workbench(settings, engine)
    numbers = iter(range(10**9))
    return replace(
        bench,
        clock=clock,
        jitter=lambda: 0,
        new_id=lambda: f"{os.getpid():016x}{next(numbers):016x}",
    )


def send_issue(
    engine: sa.Engine, settings: Settings, to: List, *, now: datetime = NOW
) -> int:
    """A running send of a real, rendered issue; returns its id."""
    issue = small_issue()
    renditions = render(issue, settings.brand, Templates([builtin_templates()]))
    feed_id = mint_feed_id(issue.base_url, issue.date, issue.slug)
    with engine.begin() as connection:
        stored = save_issue(connection, issue, renditions, feed_id=feed_id, now=now)
    order = Order(stored.id, renditions.content_hash, issue.subject, (to.id,))
    return place(engine, order, now=now, deadline_s=3600)[0]
