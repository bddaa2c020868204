"""Ids are `tag:` URIs after RFC 4151, minted from arguments only."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from distributor.errors import RefusedError
from distributor.publish import mint_feed_id

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# RFC 4151 §2.1 with a DNS name as authority.
TAG = re.compile(
    r"tag:[a-z0-9]+([.-][a-z0-9-]+)*,\d{4}-\d\d-\d\d:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*"
)


@pytest.mark.parametrize(
    ("base_url", "authority"),
    [
        ("https://news.example", "news.example"),
        ("https://NEWS.example:8443/archive", "news.example"),
        ("http://127.0.0.1:8000", "127.0.0.1"),
        ("http://localhost:8000", "localhost"),
        ("https://bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_site_and_the_issues_day_are_in_the_id(
    base_url: str, authority: str
) -> None:
    minted = mint_feed_id(base_url, NOON, "0b9f-7")
    assert minted == f"tag:{authority},2026-11-20:issue/0b9f-7"
    assert TAG.fullmatch(minted)


def test_the_day_is_that_of_the_issues_own_time_zone() -> None:
    date = datetime(2026, 11, 20, 0, 30, tzinfo=timezone(timedelta(hours=8)))
    assert mint_feed_id("https://a.example", date, "1").startswith(
        "tag:a.example,2026-11-20:"
    )


@pytest.mark.parametrize(
    "base_url",
    ["", "/archive", "http://[::1]:8000", "https://a..example", "https://a_b.example"],
)
def test_a_site_without_a_host_name_is_refused(base_url: str) -> None:
    with pytest.raises(RefusedError, match="base_url"):
        mint_feed_id(base_url, NOON, "1")


@pytest.mark.parametrize("unique", ["", "a b", "a:b", "a\nb", "ü", "a#b", "a/b"])
def test_what_cannot_stand_in_an_id_is_refused(unique: str) -> None:
    with pytest.raises(RefusedError, match="an id has only"):
        mint_feed_id("https://a.example", NOON, unique)
