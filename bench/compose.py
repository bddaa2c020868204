"""What composing one message costs: `python bench/compose.py [COUNT]`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from distributor.sending.compose import Composer, Facts, Person

HTML_OCTETS = 17_300
TEXT_OCTETS = 3_500
NONCE = "0123456789abcdef"
FACTS = Facts(
    subject="WIC News 7: “Women in computing” at the autumn fair",
    date=datetime(2026, 11, 24, 9, 0, tzinfo=UTC),
    language="en",
    issue_slug="wic-news-7",
    from_name="WIC News",
    from_address="news@news.example.org",
    reply_to="editors@news.example.org",
    list_name="WIC News weekly",
    list_slug="weekly",
    domain="news.example.org",
    view_url="https://news.example.org/issues/wic-news-7",
    archive_url="https://news.example.org/issues",
)


def composer() -> Composer:
    """One whose messages have about 27 kB."""
    line = '<p style="margin:0">Prose “with” quotes, as newsletters have it.</p>\n'
    html = (
        f"<p>Dear slot-{NONCE}-name</p>\n"
        + line * (HTML_OCTETS // len(line.encode()))
        + f'<a href="slot-{NONCE}-unsubscribe">Unsubscribe</a> '
        f'<a href="slot-{NONCE}-preferences">Preferences</a> '
        f'<a href="slot-{NONCE}-view">Online</a> slot-{NONCE}-list\n'
    )
    text = (
        f"Dear slot-{NONCE}-name,\n"
        + "Prose as newsletters have it.\n" * (TEXT_OCTETS // 30)
        + f"slot-{NONCE}-unsubscribe\nslot-{NONCE}-preferences\nslot-{NONCE}-view\n"
    )
    return Composer(FACTS, html=html, text=text, nonce=NONCE)


def person(number: int) -> Person:
    """A made-up reader; tokens have the length of real ones."""
    token = f"a{number:048x}"
    return Person(
        address=f"reader{number}@example.org",
        name=("Ann Lee", "Zoë Müller", "O'Neil, Pat", "")[number % 4],
        message_id=f"<{token}@news.example.org>",
        unsubscribe_url=f"https://news.example.org/u/{token}",
        preferences_url=f"https://news.example.org/p/{token}",
    )


def main() -> None:
    """Prints microseconds per message, the best of five rounds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    letter = composer()
    people = [person(number) for number in range(count)]
    rounds = []
    for _ in range(5):
        begun = time.perf_counter()
        for one in people:
            octets = len(letter.compose(one))
        rounds.append((time.perf_counter() - begun) / count)
    print(f"compose: {min(rounds) * 1e6:.1f} µs per message of {octets} octets")


if __name__ == "__main__":
    main()
