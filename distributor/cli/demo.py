"""`distributor demo`: the whole way of one issue on this machine, in a minute."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

import subscribers
from distributor.cli.capture import GREYLISTED, UNKNOWN, CaptureServer
from distributor.cli.follow import follow, look
from distributor.cli.issues import import_issue, publish_now, save, write_files
from distributor.cli.output import counted, say
from distributor.cli.processes import local_service
from distributor.cli.progress import summarise
from distributor.cli.start import create_workspace
from distributor.cli.workspace import Workspace, now
from distributor.delivery import OPEN, State
from distributor.errors import DistributorError, RefusedError
from distributor.sending.fanout import Order, place
from distributor.storage.database import writing

MARK = ".distributor-demo"
"""A folder with this file was made by the demo and may be made anew by it."""

DEFERRED_EVERY = 17
REJECTED_EVERY = 25
NAMES = (
    "Ada Lovelace", "Zhang Wei", "Amélie Dubois", "", "José García", "王秀英",
    "Olu Adeyemi", "Søren Kjær", "Nguyễn Thị Mai", 'Grace "Amazing" Hopper',
    "Anna <b>Bold</b>", "Ravi Kumar", "Łukasz Nowak", "{{ name }}", "Fatima al-Fihri",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(demo)


@dataclass(frozen=True)
class Expected:
    """What the capture server will do with the sample list."""

    people: int
    deferred_first: int
    rejected: int

    @property
    def accepted(self) -> int:
        """Everyone who exists."""
        return self.people - self.rejected


def demo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where to put it; made anew each time.")
    ] = Path("demo-workspace"),
    people: Annotated[int, typer.Option(min=1, max=100_000, help="Subscribers.")] = 500,
) -> None:
    """Sends the sample issue to 500 sample subscribers, all on this machine.

    A mail server of its own catches everything; nothing leaves the machine, and
    nothing is left running.
    """
    _make_room(folder)
    with CaptureServer(folder / "mailbox") as server:
        workspace = _set_up(folder, server.url)
        csv_text, expected = sample_list(people)
        _import_everything(context, workspace, csv_text)
        send_id = _send(workspace)
        ok = _compare(workspace, send_id, server, expected)
    _where_to_look(workspace)
    if not ok:
        raise DistributorError("the numbers above do not agree: this is a bug")


def _make_room(folder: Path) -> None:
    if folder.exists():
        if not (folder / MARK).exists():
            raise RefusedError(
                f"{folder} exists and was not made by the demo: choose another --dir"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def _set_up(folder: Path, smtp_url: str) -> Workspace:
    say(f"1. A new workspace in {folder}/")
    create_workspace(
        folder,
        {
            "NAME": "WIC News",
            "PUBLISHER": "World Internet Conference",
            "BASE_URL": "http://127.0.0.1:8000",
            "FROM": "news@wic.example",
            "LANGUAGE": "en",
            "TIME_ZONE": "Asia/Shanghai",
            "POSTAL": "World Internet Conference, 1 Example Street, Beijing, China",
        },
    )
    config = folder / "distributor.toml"
    with config.open("a", encoding="utf-8") as file:
        file.write(
            "\n# --- The demo: its own mail server, quick retries ---\n"
            f'smtp_url = "{smtp_url}"\nretry_after_s = [2]\ntick_s = 1\n'
        )
    return Workspace(folder)


def sample_list(people: int) -> tuple[str, Expected]:
    """A CSV of so many sample people, and what should become of them."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["email", "name"])
    deferred = rejected = 0
    for number in range(1, people + 1):
        kind = "reader"
        if number % REJECTED_EVERY == 0:
            kind, rejected = UNKNOWN, rejected + 1
        elif number % DEFERRED_EVERY == 0:
            kind, deferred = GREYLISTED, deferred + 1
        name = NAMES[number % len(NAMES)]
        writer.writerow([f"{kind}{number:04}@subscribers.example", name])
    return text.getvalue(), Expected(people, deferred, rejected)


def _import_everything(
    context: typer.Context, workspace: Workspace, csv_text: str
) -> None:
    say("2. Import the newsletter of the World Internet Conference, and publish it")
    context.obj = workspace
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "wic-news.txt"
        text = files("distributor").joinpath("sample/wic-news.txt").read_bytes()
        source.write_bytes(text)
        import_issue(
            context,
            source,
            slug="wic-news",
            number=7,
            date="2023-06-30T09:00+08:00",
            title="WIC News, June 2023",
        )
    publish_now(workspace, "wic-news")
    say("3. Import the sample subscribers")
    with writing(workspace.engine) as connection:
        subscribers.add_list(connection, "wic-news", name="WIC News", now=now())
        request = subscribers.ImportRequest(
            into=subscribers.get_list(connection, "wic-news"),
            consent=subscribers.Consent(
                subscribers.Method.IMPORT, evidence="made up for the demo", at=now()
            ),
            pepper=workspace.settings.pepper,
            now=now(),
        )
        people = io.BytesIO(csv_text.encode())
        report = subscribers.import_csv(connection, people, request)
    say(f"   {counted(report.added, 'subscriber')}")


def _send(workspace: Workspace) -> int:
    slots = workspace.settings.slots
    say(f"4. Send it: {slots} Celery worker processes, {slots} slots")
    issue, renditions = workspace.rendered("wic-news")
    with writing(workspace.engine) as connection:
        list_id = subscribers.get_list(connection, "wic-news").id
        stored = save(workspace, connection, issue, renditions)
    order = Order(stored.id, renditions.content_hash, issue.subject, (list_id,))
    with local_service(workspace.settings):
        send_id, _ = place(
            workspace.engine, order, now=now(), deadline_s=workspace.settings.deadline_s
        )
        follow(workspace, send_id, until=OPEN)
    return send_id


def _compare(
    workspace: Workspace, send_id: int, server: CaptureServer, expected: Expected
) -> bool:
    summarise(workspace, send_id)
    _, tally = look(workspace, send_id)
    kept = len(server.handler.maildir)
    accepted = tally.states.get(State.ACCEPTED, 0)
    rejected = tally.states.get(State.REJECTED, 0)
    say(
        f"The mail server kept {counted(kept, 'message')}, refused "
        f"{server.handler.counts['rejected']} and deferred "
        f"{server.handler.counts['deferred']} at first; the ledger says "
        f"{accepted} accepted and {rejected} rejected."
    )
    found = (kept, accepted, rejected, server.handler.counts["deferred"])
    return found == (
        expected.accepted,
        expected.accepted,
        expected.rejected,
        expected.deferred_first,
    )


def _program(started_as: str) -> str:
    """What to type to run this program again; `make demo` has it on no PATH."""
    is_command = Path(started_as).name == "distributor"
    return started_as if is_command else "python -m distributor"


def _where_to_look(workspace: Workspace) -> None:
    root = workspace.settings.root
    program = _program(sys.argv[0])
    issue, renditions = workspace.rendered("wic-news")
    write_files(workspace, issue, renditions, root / "rendered")
    say(
        "\nWhere to look:\n"
        f"  the mailbox        {root / 'mailbox'}  (a Maildir: mutt -f opens it)\n"
        f"  the email          {root / 'rendered' / 'email.html'}\n"
        f"  its plain text     {root / 'rendered' / 'email.txt'}\n"
        f"  the feeds          {root / 'rendered'}/feed.rss, feed.atom, feed.json\n"
        f"  the web page       {root / 'rendered' / 'web.html'}\n"
        f"  all of it served   {program} -w {root} web, then http://127.0.0.1:8000/\n"
        f"  every recipient    {program} -w {root} deliveries"
    )
