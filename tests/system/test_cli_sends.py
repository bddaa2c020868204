"""Sends at the command line, without a worker: placed, steered, refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.commands import Answer, Staff, run_apart


def test_there_is_nothing_to_send_to(with_issue: Staff) -> None:
    with_issue.done("list", "add", "news")
    said = with_issue.failed("send", "wic", "--list", "news", "--yes")
    assert "news" in said or "nobody" in said
    assert "nothing was ever sent" in with_issue.failed("status")


def test_an_unknown_issue_or_list_is_not_sent(with_issue: Staff) -> None:
    with_issue.people(1)
    assert "no issue 'x'" in with_issue.failed("send", "x", "-l", "news", "--yes")
    assert "none" in with_issue.failed("send", "wic", "-l", "none", "--yes")


def test_without_a_terminal_a_send_needs_yes(with_issue: Staff, tmp_path: Path) -> None:
    with_issue.people(1)
    answer = run_apart(
        *("-w", with_issue.root, "send", "wic", "--list", "news"), log=tmp_path / "send"
    )
    assert answer.status == 2
    assert "add --yes" in answer.err
    assert "nothing was ever sent" in with_issue.failed("status")


def test_a_relay_that_is_not_there_is_told(with_issue: Staff) -> None:
    with_issue.setting('smtp_url = "smtp://127.0.0.1:1"')
    said = with_issue.failed("test", "wic", "me@example.org")
    assert "127.0.0.1" in said


def test_a_send_is_placed_though_the_relay_is_away(with_issue: Staff) -> None:
    with_issue.setting('smtp_url = "smtp://127.0.0.1:1"')
    with_issue.people(3)
    said = with_issue.done("send", "wic", "-l", "news", "--yes", "--detach").out
    assert "Send 1: 3 deliveries, 0 left out." in said
    assert "distributor up" in said
    status = with_issue.done("status", "--json").json()
    assert status["state"] == "sending"
    assert status["deliveries"] == {"pending": 3}
    [issue] = with_issue.done("issue", "list", "--json").json()
    assert issue["published_at"]


def test_a_send_can_be_paused_resumed_and_cancelled(with_issue: Staff) -> None:
    with_issue.people(3)
    with_issue.done("send", "wic", "-l", "news", "--yes", "--detach")
    assert "only a paused send" in with_issue.failed("resume")
    assert "Send 1 is paused" in with_issue.done("pause").out
    assert with_issue.done("status", "--json").json()["state"] == "paused"
    assert "only a running send" in with_issue.failed("pause", "1")
    assert "goes on" in with_issue.done("resume", "1").out
    assert with_issue.done("status", "--json").json()["state"] == "sending"
    said = with_issue.done("cancel", "--yes").out
    assert "Send 1 is cancelled" in said
    status = with_issue.done("status", "--json").json()
    assert status["state"] == "cancelled"
    assert status["deliveries"] == {"cancelled": 3}
    assert "ended already" in with_issue.failed("cancel", "--yes")
    assert "there is no send 2; the newest is 1" in with_issue.failed("pause", "2")


def test_a_later_send_is_scheduled_and_an_earlier_one_refused(
    with_issue: Staff,
) -> None:
    with_issue.people(1)
    send = ["send", "wic", "-l", "news", "--yes", "--at"]
    assert "is in the past" in with_issue.failed(*send, "2020-01-01T09:00")
    assert "write it like" in with_issue.failed(*send, "tomorrow")
    said = with_issue.done(*send, "2099-01-01T09:00").out
    assert "scheduled for 2099-01-01 09:00 UTC" in said
    status = with_issue.done("status", "--json").json()
    assert status["state"] == "scheduled"
    assert status["scheduled_at"] == "2099-01-01T09:00:00+00:00"
    assert "to start 2099-01-01 09:00" in with_issue.done("status").out


@pytest.mark.parametrize("how", [["--detach"], ["--at", "2099-01-01"]])
def test_a_program_reads_nothing_but_json_from_a_send(
    with_issue: Staff, how: list[str]
) -> None:
    with_issue.people(2)
    answer = with_issue.done("send", "wic", "-l", "news", "--yes", "--json", *how)
    assert answer.json()["id"] == 1


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_deliveries_are_printed_in_three_ways(with_issue: Staff, form: str) -> None:
    with_issue.people(2)
    with_issue.done("send", "wic", "-l", "news", "--yes", "--detach")
    lines = with_issue.done("deliveries", "--format", form).out.splitlines()
    assert sum("reader" in line for line in lines) == 2
    assert len(lines) == (2 if form == "jsonl" else 3)
    none = with_issue.done("deliveries", "--format", form, "--state", "accepted").out
    assert "reader" not in none


def test_a_reader_that_stops_reading_ends_it_without_a_word(
    with_issue: Staff, tmp_path: Path
) -> None:
    """`distributor deliveries | head -1`: the other end of the pipe is closed."""
    with_issue.people(5)
    with_issue.done("send", "wic", "-l", "news", "--yes", "--detach")
    read_end, write_end = os.pipe()
    os.close(read_end)
    answer = _run_into(write_end, with_issue.root, tmp_path)
    assert answer == Answer(1, "", "")


def _run_into(handle: int, root: Path, tmp_path: Path) -> Answer:

    error = tmp_path / "pipe.err"
    with error.open("wb") as err:
        ended = subprocess.run(
            [sys.executable, "-m", "distributor", "-w", str(root), "deliveries",
             "--format", "csv"],
            stdout=handle, stderr=err, stdin=subprocess.DEVNULL, check=False,
            timeout=60,
        )  # fmt: skip
    os.close(handle)
    return Answer(ended.returncode, "", error.read_text())
