"""RFC 9110: when 304 is the answer, and which coding is admitted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from distributor.web.conditional import (
    accepts_gzip,
    entity_tags,
    http_date,
    not_modified,
    parse_http_date,
)

CHANGED = datetime(2026, 11, 20, 8, 0, 0, 500, tzinfo=UTC)
SAME = "Fri, 20 Nov 2026 08:00:00 GMT"
BEFORE = "Fri, 20 Nov 2026 07:59:59 GMT"
AFTER = "Sat, 21 Nov 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", W/"y","abc"'}, True),
        ({"if-none-match": '"x" , "with,comma" , "abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": " * "}, True),
        ({"if-none-match": '"xyz"'}, False),
        ({"if-none-match": '"ABC"'}, False),
        ({"if-none-match": "abc"}, False),
        ({"if-none-match": ""}, False),
        ({"if-none-match": '"*"'}, False),
        ({"if-none-match": '"abc-gzip"'}, False),
        ({"if-none-match": '"xyz"', "if-modified-since": AFTER}, False),
        ({"if-none-match": '"abc"', "if-modified-since": BEFORE}, True),
        ({"if-modified-since": SAME}, True),
        ({"if-modified-since": AFTER}, True),
        ({"if-modified-since": BEFORE}, False),
        ({"if-modified-since": "Friday, 20-Nov-26 08:00:00 GMT"}, True),
        ({"if-modified-since": "Fri Nov 20 08:00:00 2026"}, True),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": ""}, False),
        ({"if-modified-since": "Fri, 99 Nov 2026 08:00:00 GMT"}, False),
        ({"if-modified-since": "1, 2, 3"}, False),
    ],
)
def test_conditional_requests(headers: dict[str, str], *, unchanged: bool) -> None:
    found = not_modified(headers, etag='"abc"', last_modified=CHANGED)
    assert found is unchanged


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("gzip ; q=1.0", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("br, deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=nonsense", False),
        ("gzip;level=9", True),
        ("agzip", False),
    ],
)
def test_which_requests_admit_gzip(header: str, *, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_a_list_of_tags_loses_its_weakness_but_not_its_quotes() -> None:
    assert entity_tags('W/"a", "b,c" , ""') == {'"a"', '"b,c"', '""'}


def test_an_http_date_is_written_in_greenwich_time_and_read_back() -> None:
    moment = datetime(2026, 11, 20, 16, 0, tzinfo=timezone(timedelta(hours=8)))
    assert http_date(moment) == SAME
    assert parse_http_date(SAME) == moment
