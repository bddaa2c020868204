"""Issues and brands for tests: the real newsletter, and small ones made to order."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any

from distributor.issue import Article, Brand, Issue
from distributor.plaintext import issue_from_text

DATA = Path(__file__).parents[1] / "data"
WIC_TEXT = (DATA / "wic-news.txt").read_text(encoding="utf-8")
DATE = datetime.fromisoformat("2023-06-30T09:00:00+08:00")
BRAND = Brand(
    newsletter="WIC News",
    publisher="World Internet Conference",
    description="News of the World Internet Conference and its members.",
    postal_address="1 Example Road, Beijing 100000, China",
    accent="#0b5cad",
    from_address="news@example.org",
    reply_to="editor@example.org",
)


def wic_issue() -> Issue:
    """The real newsletter, imported from its plain text."""
    return issue_from_text(
        WIC_TEXT,
        slug="wic-news-7",
        number=7,
        date=DATE,
        language="en",
        base_url="https://news.example.org",
    )


def small_issue(*articles: tuple[str, str], **changes: Any) -> Issue:
    """An issue of (title, body) articles; by default one of them."""
    issue = Issue(
        slug="small-1",
        title="Small 1",
        subject="Small 1",
        number=1,
        date=DATE,
        language="en",
        base_url="https://news.example.org",
        preheader="",
        articles=tuple(
            Article(title=title, anchor=f"a{n}", body=body)
            for n, (title, body) in enumerate(articles or [("One", "Text.")], start=1)
        ),
    )
    return dataclasses.replace(issue, **changes)
