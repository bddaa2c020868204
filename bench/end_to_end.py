"""From audience to complete ledger, against smtp-source in the same run.

    python bench/end_to_end.py [MESSAGES]

PostgreSQL (durable commits), Redis, two Celery worker processes and smtp-sink, all on
this machine; the 27 kB WIC message. smtp-source sends messages of the same size to
the same sink, before and after; the ratio is to the mean of both.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import sqlalchemy as sa
import stage

import subscribers
from distributor.cli import issues as issue_commands
from distributor.cli.processes import local_scheduler, local_workers
from distributor.cli.start import create_workspace
from distributor.cli.workspace import Workspace
from distributor.frontmatter import write_issue
from distributor.plaintext import issue_from_text
from distributor.sending.fanout import Order, place
from distributor.sending.sample import sample_message
from distributor.storage.database import migrate, open_engine, writing


def make_workspace(folder: Path, **settings: object) -> Workspace:
    create_workspace(
        folder,
        {
            "NAME": "WIC News",
            "PUBLISHER": "World Internet Conference",
            "BASE_URL": "https://news.bench.example",
            "FROM": "news@bench.example",
            "LANGUAGE": "en",
            "TIME_ZONE": "UTC",
            "POSTAL": "1 Example Street, Beijing",
        },
    )
    for name, value in settings.items():
        os.environ[f"DISTRIBUTOR_{name.upper()}"] = str(value)
    text = (stage.ROOT / "distributor/sample/wic-news.txt").read_text("utf-8")
    issue = issue_from_text(
        text,
        slug="wic",
        number=7,
        date=datetime(2023, 6, 30, 9, tzinfo=UTC),
        language="en",
        base_url="https://news.bench.example",
    )
    (folder / "issues/wic.md").write_text(write_issue(issue), "utf-8")
    return Workspace(folder)


def make_send(workspace: Workspace, count: int) -> tuple[float, int, int]:
    """(seconds for the snapshot, size of a message, id of the send)."""
    now = datetime.now(UTC)
    issue, renditions = workspace.rendered("wic")
    engine = workspace.engine
    with writing(engine) as connection:
        to = subscribers.add_list(connection, "bench", name="Bench", now=now)
        stored = issue_commands.save(workspace, connection, issue, renditions)
    stage.add_people(engine, count, list_id=to.id, now=now)
    size = len(sample_message(workspace.settings, issue, renditions))
    order = Order(stored.id, renditions.content_hash, issue.subject, (to.id,))
    began = time.perf_counter()
    send_id, _ = place(engine, order, now=datetime.now(UTC), deadline_s=86400)
    return time.perf_counter() - began, size, send_id


def wait_until_done(engine: sa.Engine, send_id: int) -> None:
    waiting = sa.text(
        "SELECT count(*) FROM deliveries WHERE send_id = :id AND state <> 'accepted'"
    )
    while True:
        with engine.connect() as connection:
            left = connection.scalar(waiting, {"id": send_id})
        if not left:
            return
        time.sleep(0.05)


def worker_memory(pid: int) -> list[float]:
    """MB (unique set size) of the worker's processes."""
    parent = psutil.Process(pid)
    children = parent.children(recursive=True)
    return [p.memory_full_info().uss / 1e6 for p in [parent, *children]]


def run(count: int, *, embedded: bool = False) -> dict[str, float]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(stage.folder())
        port = stack.enter_context(stage.sink())
        settings: dict[str, object] = {"smtp_url": f"smtp://127.0.0.1:{port}"}
        if not embedded:
            url = stack.enter_context(stage.postgres(folder / "pg"))
            settings["database_url"] = url
            settings["broker_url"] = stack.enter_context(stage.redis())
            migrate(open_engine(url))
        workspace = make_workspace(folder / "workspace", **settings)
        worker = stack.enter_context(local_workers(workspace.settings))
        time.sleep(4)  # Celery's own start is not what is measured
        snapshot_s, size, send_id = make_send(workspace, count)
        before = stage.smtp_source(port, messages=min(count, 20_000), size=size)
        began = time.perf_counter()
        with local_scheduler(workspace.settings):
            wait_until_done(workspace.engine, send_id)
            ours = count / (time.perf_counter() - began)
            memory = worker_memory(worker.pid)
        after = stage.smtp_source(port, messages=min(count, 20_000), size=size)
        workspace.engine.dispose()
    source = (before + after) / 2
    return {
        "message_bytes": size,
        "snapshot_per_s": count / snapshot_s,
        "smtp_source_per_s": source,
        "ours_per_s": ours,
        "ratio": ours / source,
        "largest_process_mb": max(memory),
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    for name, value in run(count).items():
        print(f"{name:>20} {value:12,.2f}")


if __name__ == "__main__":
    main()
