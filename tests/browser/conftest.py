"""Chromium for the tests: one browser, no network, one page per test."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from distributor.render import slots
from distributor.render.renditions import render
from distributor.render.slots import Slot
from distributor.render.templates import Templates, builtin_templates
from tests.fakes.newsletters import BRAND, wic_issue

FILLED = {
    Slot.UNSUBSCRIBE: "https://news.example.org/u/abc",
    Slot.PREFERENCES: "https://news.example.org/p/abc",
    Slot.VIEW: "https://news.example.org/issues/wic-news-7/",
    Slot.NAME: "Ada Lovelace",
    Slot.ADDRESS: "a.long.address.without.any.place.to.break@subdomain.example.org",
    Slot.LIST: "WIC News Weekly",
}


@pytest.fixture(scope="session")
def documents() -> dict[str, str]:
    """The email of the real newsletter to one person, and its page."""
    made = render(wic_issue(), BRAND, Templates([builtin_templates()]))
    parts = slots.split(made.email_html, made.nonce)
    email = "".join(FILLED[p] if isinstance(p, Slot) else p for p in parts)
    return {"email": email, "page": made.web}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium: the system's own, else the one playwright installed.

    Not for the session: while it is open, playwright keeps an event loop running in
    this thread, and nothing else could run one.
    """
    found = shutil.which("chromium") or shutil.which("google-chrome")
    flags = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with warnings.catch_warnings(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def show(
    browser: Browser, documents: dict[str, str]
) -> Iterator[Callable[[str, int, str], Page]]:
    """`show(name or html, width, scheme)` -> a page; only our style sheet is served."""
    css = (builtin_templates() / "static" / "style.css").read_text(encoding="utf-8")

    def serve(route: Route) -> None:
        if Path(route.request.url).name == "style.css":
            route.fulfill(body=css, content_type="text/css")
        else:
            route.abort()

    opened: list[Page] = []

    def make(name: str, width: int, scheme: str = "light") -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        opened.append(page)
        page.route("**/*", serve)
        page.set_content(documents.get(name, name))
        return page

    yield make
    for page in opened:
        page.close()
