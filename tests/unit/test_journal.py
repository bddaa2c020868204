from __future__ import annotations

import resource
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.reply import Kind, Outcome, Reply, Stage
from distributor.sending.journal import Journal, JournalEntries, read_entries

ACCEPTED = Outcome(Kind.ACCEPTED, Stage.DOT, Reply(250, "2.0.0", "queued"), "mx", "")
LOST = Outcome(Kind.IN_DOUBT, Stage.DOT, None, "mx", "connection lost")


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "slot-0.journal") as journal:
        journal.begin("first")
        yield journal


def test_what_was_written_is_read_back(journal):
    journal.started(1, 1)
    journal.outcome(1, 1, ACCEPTED)
    journal.started(2, 3)
    journal.outcome(2, 3, LOST)
    journal.started(4, 1)
    assert journal.read("first") == JournalEntries(
        started={(1, 1), (2, 3), (4, 1)}, outcomes={(1, 1): ACCEPTED, (2, 3): LOST}
    )


@pytest.mark.parametrize("journal_id", [None, "", "other", "fir"])
def test_a_journal_that_is_not_the_one_asked_for_says_nothing(journal, journal_id):
    assert journal.read(journal_id) is None


def test_no_file_says_nothing(tmp_path):
    assert Journal(tmp_path / "none").read("first") is None


def test_beginning_anew_forgets(journal):
    journal.started(1, 1)
    journal.begin("second")
    journal.started(2, 1)
    assert journal.read("first") is None
    assert journal.read("second") == JournalEntries(started={(2, 1)})


def test_closing_twice_is_as_good_as_once(journal):
    journal.close()
    journal.close()


texts = st.text(max_size=40)


@given(texts, texts, texts, st.sampled_from(Kind), st.sampled_from(Stage))
def test_no_text_breaks_a_line(tmp_path_factory, text, host, detail, kind, stage):
    path = tmp_path_factory.mktemp("journal") / "j"
    outcome = Outcome(kind, stage, Reply(550, "5.1.1", text), host, detail)
    with Journal(path) as journal:
        journal.begin("id")
        journal.outcome(1, 1, outcome)
        journal.started(2, 1)
        found = journal.read("id")
    assert found.damaged == 0
    assert found.started == {(2, 1)}
    read = found.outcomes[1, 1]
    assert (read.kind, read.stage, read.reply.code) == (kind, stage, 550)


WHOLE = b"journal\tx\ns\t1\t1\no\t1\t1\taccepted\tdot\t250\t2.0.0\tok\tmx\t\ns\t2\t1\n"


@given(st.integers(0, len(WHOLE)))
def test_a_torn_end_loses_only_the_torn_line(cut):
    found = read_entries(WHOLE[:cut], "x")
    whole = WHOLE[:cut].count(b"\n")
    if whole == 0:
        assert found is None
    else:
        assert found.damaged == 0
        assert len(found.started) + len(found.outcomes) == whole - 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"s",
        b"s\tx\t1",
        b"o\t1\t1\tlost",
        b"o\t1\t1\tnonsense\tdot\t0\t\t\t\t",
        b"\xff",
    ],
)
def test_a_line_that_makes_no_sense_is_counted_and_passed_over(line):
    found = read_entries(b"journal\tx\n" + line + b"\ns\t2\t1\n", "x")
    assert found.started == {(2, 1)}
    assert found.damaged == 1


def test_a_killed_process_loses_nothing_it_wrote(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from distributor.sending.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1])); journal.begin('k')\n"
        "for number in range(100): journal.started(number, 1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "j"
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(Journal(path).read("k").started) == 100


def test_a_full_disk_is_an_error_and_leaves_no_torn_line(journal):
    """The limit on a file's size stands for the disk: part of a line still fits."""
    journal.started(1, 1)
    size = journal.path.stat().st_size
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 3, limits[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            journal.started(2, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert journal.path.stat().st_size == size
    journal.started(3, 1)
    assert journal.read("first").started == {(1, 1), (3, 1)}


def test_nobody_else_may_read_a_journal(journal):
    assert journal.path.stat().st_mode & 0o077 == 0
