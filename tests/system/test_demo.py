"""`distributor demo` as a stranger runs it: one command, exact numbers, no trace."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from distributor.cli.demo import sample_list
from tests.fakes.commands import Answer, Staff, run_apart, run_here

PEOPLE = 60
REJECTED, DEFERRED = 2, 3  # numbers 25, 50; numbers 17, 34, 51
DELIVERY = {"address", "state", "reason", "attempts", "message_id", "smtp_code",
            "enhanced_code", "reply", "accepted_at"}  # fmt: skip
STATUS = {"id", "issue", "state", "candidates", "excluded", "deliveries",
          "in_doubt_resent", "started_at", "finished_at",
          "accepted_per_second"}  # fmt: skip

pytestmark = pytest.mark.slow


def demo(folder: Path, name: str = "demo") -> Answer:
    return run_apart(
        *("demo", "--people", str(PEOPLE), "--dir", "demo-workspace"),
        log=folder / name,
        within_s=120,
    )


def processes_in(folder: Path) -> list[str]:
    """Command lines of all processes that work in this folder or name it."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(folder) in (process.info["cwd"] or "") or str(folder) in line:
            found.append(line)
    return found


def test_the_demo_ends_with_exact_numbers_twice_and_leaves_nothing_running(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        answer = demo(tmp_path, name)
        assert answer.status == 0, answer
        assert "58 accepted and 2 rejected" in answer.out
        assert "Traceback" not in answer.err
        assert processes_in(tmp_path) == []
    root = tmp_path / "demo-workspace"
    assert len(list((root / "mailbox" / "new").iterdir())) == PEOPLE - REJECTED
    staff = Staff(root, run_here(capfd))
    status = staff.done("status", "--json").json()
    assert status.keys() >= STATUS
    assert status["deliveries"] == {"accepted": PEOPLE - REJECTED, "rejected": REJECTED}
    assert status["state"] == "finished"
    assert status["candidates"] == PEOPLE
    printed = staff.done("deliveries", "--format", "jsonl").out.splitlines()
    rows = [json.loads(line) for line in printed]
    assert len(rows) == PEOPLE
    assert all(row.keys() == DELIVERY for row in rows)
    assert len({row["message_id"] for row in rows}) == PEOPLE
    assert sum(row["attempts"] == 2 for row in rows) == DEFERRED
    assert {r["smtp_code"] for r in rows if r["state"] == "rejected"} == {550}


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "demo-workspace"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    answer = demo(tmp_path)
    assert answer.status == 1
    assert answer.err.startswith("distributor: ")
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("people", [1, 16, 17, 25, 60, 425, 500])
def test_the_expected_numbers_are_those_of_the_list(people: int) -> None:
    text, expected = sample_list(people)
    lines = text.splitlines()[1:]
    assert len(lines) == expected.people == people
    assert sum(ln.startswith("unknown") for ln in lines) == expected.rejected
    assert sum(ln.startswith("greylisted") for ln in lines) == expected.deferred_first
    assert expected.accepted + expected.rejected == people
