"""`distributor send`, `test` and `up` with real workers and a real mail server."""

from __future__ import annotations

import email
import email.policy
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest

from distributor.cli.capture import CaptureServer
from tests.fakes.commands import (
    WIC,
    WIC_FACTS,
    Answer,
    Staff,
    ended,
    run_apart,
    run_here,
    start,
)
from tests.system.test_compose_services import free_port

NASTY = ["Anna <b>Bold</b>", "{{ 7 * 7 }}", "{% raw %}", 'Q "uote" & Co', "王秀英"]


@dataclass(frozen=True)
class Launched:
    """A command that runs as a process."""

    process: subprocess.Popen[bytes]
    log: Path

    def answer(self) -> Answer:
        return ended(self.process, log=self.log, within_s=45)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CaptureServer]:
    with CaptureServer(tmp_path / "mailbox") as running:
        yield running


@pytest.fixture
def staff(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], server: CaptureServer
) -> Staff:
    """A workspace with the newsletter, whose relay is the capture server."""
    made = Staff(tmp_path / "workspace", run_here(capfd))
    assert made.run("init", str(made.root)).status == 0
    made.setting(f'smtp_url = "{server.url}"\ntick_s = 0.5')
    made.done(*WIC, *WIC_FACTS)
    return made


@pytest.fixture
def launch(staff: Staff, tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts a command of the workspace; what a failed test leaves is killed."""
    running: list[Launched] = []

    def launch_one(*words: str) -> Launched:
        log = tmp_path / words[0]
        process = start("-w", staff.root, *words, log=log)
        running.append(Launched(process, log))
        return running[-1]

    yield launch_one
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(10)


def kept(server: CaptureServer) -> list[EmailMessage]:
    """Every message that the server accepted, parsed."""
    folder = Path(server.handler.maildir._path) / "new"
    found = []
    for path in folder.iterdir():
        message = email.message_from_bytes(
            path.read_bytes(), policy=email.policy.default
        )
        assert isinstance(message, EmailMessage)
        found.append(message)
    return found


def workers_of(root: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cwd", "cmdline"])
        if process.info["cwd"] == str(root)
        and "celery" in " ".join(process.info["cmdline"] or [])
    ]


def wait_for(what: Callable[[], object], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_everyone_gets_it_once_and_names_stay_text(
    staff: Staff, server: CaptureServer, tmp_path: Path
) -> None:
    staff.done("list", "add", "news")
    rows = "".join(
        f'r{n}@example.org,"{name.replace(chr(34), chr(34) * 2)}"\n'
        for n, name in enumerate(NASTY)
    )
    people = staff.file("people.csv", "email,name\n" + rows)
    staff.done("subscriber", "import", people, "--list", "news")
    send = ("-w", staff.root, "send", "wic", "--list", "news", "--yes", "--json")
    answer = run_apart(*send, log=tmp_path / "send", within_s=90)
    assert answer.status == 0, answer
    status = answer.json()
    assert status["deliveries"] == {"accepted": len(NASTY)}
    assert status["state"] == "finished"
    assert status["accepted_per_second"] > 0
    messages = kept(server)
    assert {m["Delivered-To"] for m in messages} == {
        f"r{n}@example.org" for n in range(len(NASTY))
    }
    for message in messages:
        name = NASTY[int(message["Delivered-To"][1])]
        text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        assert text is not None
        assert html is not None
        assert name in text.get_content()
        assert "<b>Bold</b>" not in html.get_content()
        assert "49" not in text.get_content().partition("Dear")[2][:20]
    assert workers_of(staff.root) == []
    again = run_apart(*send, log=tmp_path / "again")
    assert again.status == 1
    assert again.err.startswith("distributor: ")
    assert len(kept(server)) == len(NASTY)


def test_a_test_message_arrives_and_the_ledger_knows_nothing(
    staff: Staff, server: CaptureServer
) -> None:
    said = staff.done("test", "wic", "me@example.org", "you@example.org").out
    assert said.count("250") == 2
    messages = kept(server)
    assert {m["Delivered-To"] for m in messages} == {
        "me@example.org",
        "you@example.org",
    }
    assert all(m["Subject"].startswith("[Test] ") for m in messages)
    assert "nothing was ever sent" in staff.failed("status")


def test_a_test_message_that_is_refused_says_why(staff: Staff) -> None:
    answer = staff("test", "wic", "unknown1@example.org", "me@example.org")
    assert answer.status == 1
    assert "5.1.1" in answer.out
    assert "1 message not accepted" in answer.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0)]
)
def test_up_ends_cleanly_and_leaves_no_worker(
    staff: Staff, launch: Callable[..., Launched], number: int, status: int
) -> None:
    up = launch("up", "--port", free_port())
    ready = staff.root / "var" / "worker.log"
    wait_for(lambda: ready.exists() and " ready." in ready.read_text())
    up.process.send_signal(number)
    answer = up.answer()
    assert answer.status == status, answer
    assert "Traceback" not in answer.err
    assert workers_of(staff.root) == []


@pytest.mark.slow
def test_a_detached_send_goes_on_when_the_service_runs(
    staff: Staff, server: CaptureServer, launch: Callable[..., Launched]
) -> None:
    staff.people(4)
    staff.done("send", "wic", "-l", "news", "--yes", "--detach")
    up = launch("up", "--port", free_port())
    wait_for(lambda: len(kept(server)) == 4)
    wait_for(
        lambda: staff.done("status", "--json").json()["state"] == "finished",
    )
    up.process.terminate()
    assert up.answer().status == 0


@pytest.mark.slow
def test_a_worker_ends_with_a_command_that_was_killed(
    staff: Staff, launch: Callable[..., Launched]
) -> None:
    up = launch("up", "--port", free_port())
    ready = staff.root / "var" / "worker.log"
    wait_for(lambda: ready.exists() and " ready." in ready.read_text())
    up.process.kill()
    up.process.wait(10)
    wait_for(lambda: not workers_of(staff.root))


@pytest.mark.slow
def test_a_send_that_is_terminated_leaves_no_worker(
    staff: Staff, launch: Callable[..., Launched]
) -> None:
    staff.setting("retry_after_s = [600]")
    staff.people(200)
    sending = launch("send", "wic", "--list", "news", "--yes")
    wait_for(lambda: workers_of(staff.root))
    sending.process.terminate()
    answer = sending.answer()
    assert answer.status in {0, 128 + signal.SIGTERM}
    assert "Traceback" not in answer.err
    assert workers_of(staff.root) == []
