"""Time of a full rendering of the real newsletter: `python bench/render.py [RUNS]`."""

from __future__ import annotations

import statistics
import sys
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from distributor.issue import Brand  # noqa: E402
from distributor.plaintext import issue_from_text  # noqa: E402
from distributor.render.renditions import render  # noqa: E402
from distributor.render.templates import Templates, builtin_templates  # noqa: E402

BRAND = Brand(
    newsletter="WIC News",
    publisher="World Internet Conference",
    description="News of the World Internet Conference and its members.",
    postal_address="1 Example Road, Beijing 100000, China",
    accent="#0b5cad",
    from_address="news@example.org",
    reply_to="editor@example.org",
)


def main(runs: int) -> None:
    """Print the first rendering's time and the median of the warm ones."""
    issue = issue_from_text(
        (ROOT / "tests/data/wic-news.txt").read_text(encoding="utf-8"),
        slug="wic-news-7",
        number=7,
        date=datetime.fromisoformat("2023-06-30T09:00:00+08:00"),
        language="en",
        base_url="https://news.example.org",
    )
    templates = Templates([builtin_templates()])
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        render(issue, BRAND, templates)
        times.append((time.perf_counter() - started) * 1_000)
    cold, *warm = times
    print(f"first rendering of the WIC issue: {cold:.0f} ms")
    print(f"warm median: {statistics.median(warm):.1f} ms ({runs} runs)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
