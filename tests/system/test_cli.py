"""The command line, without sending: what it does, says and refuses."""

from __future__ import annotations

import email
import email.policy
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fakes.commands import WIC, WIC_FACTS, Answer, Staff, run_apart, run_here

MARKDOWN = """---
title: {title}
number: 8
date: 2023-07-30T09:00:00+08:00
language: en
base_url: https://news.example.org
---

## First

Its text.
"""


@pytest.fixture
def nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Staff:
    """A folder where no workspace has been started yet."""
    return Staff(tmp_path / "workspace", run_here(capfd))


@pytest.fixture
def staff(nowhere: Staff) -> Staff:
    assert nowhere.run("init", str(nowhere.root)).status == 0
    return nowhere


@pytest.fixture
def with_issue(staff: Staff) -> Staff:
    staff.done(*WIC, *WIC_FACTS)
    return staff


def test_init_writes_files_and_hides_the_secrets(nowhere: Staff) -> None:
    answer = nowhere.run("init", str(nowhere.root), "--name", 'The "Best" News\\')
    assert answer.status == 0
    names = {path.name for path in nowhere.root.iterdir()}
    assert names == {"distributor.toml", "secrets.toml", ".gitignore", "issues",
                     "templates", "var"}  # fmt: skip
    mode = stat.S_IMODE((nowhere.root / "secrets.toml").stat().st_mode)
    assert mode == 0o600
    assert "secrets.toml" in (nowhere.root / ".gitignore").read_text()
    assert nowhere.done("issue", "list").out.startswith("No issues yet")


def test_init_twice_changes_nothing(staff: Staff) -> None:
    before = {p: p.read_bytes() for p in staff.root.glob("*.toml")}
    answer = staff.run("init", str(staff.root), "--name", "Other")
    assert answer.status == 1
    assert "exists already; nothing was changed" in answer.err
    assert {p: p.read_bytes() for p in staff.root.glob("*.toml")} == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--from", "nobody"),
        ("--time-zone", "Mars/Olympus"),
        ("--base-url", "news"),
        ("--name", "a\nb"),
    ],
)
def test_init_with_a_bad_value_leaves_nothing_behind(
    nowhere: Staff, option: str, value: str
) -> None:
    answer = nowhere.run("init", str(nowhere.root), option, value)
    assert answer.status == 1, answer
    assert answer.err.startswith("distributor: ")
    assert not (nowhere.root / "distributor.toml").exists()
    assert nowhere.run("init", str(nowhere.root)).status == 0


def test_the_newsletter_is_imported_once_and_word_for_word(staff: Staff) -> None:
    assert "12 articles" in staff.done(*WIC, *WIC_FACTS).out
    path = staff.root / "issues" / "wic.md"
    written = path.read_bytes()
    assert b"date: " in written
    assert b"2023-06-30T09:00:00+00:00" in written
    assert "nothing changed" in staff.done(*WIC, *WIC_FACTS).out
    assert path.read_bytes() == written


def test_an_issue_that_differs_is_only_replaced_when_told(with_issue: Staff) -> None:
    path = with_issue.root / "issues" / "wic.md"
    written = path.read_bytes()
    other = [*WIC, "--number", "8", "--date", "2023-06-30"]
    assert "add --replace" in with_issue.failed(*other)
    assert path.read_bytes() == written
    with_issue.done(*other, "--replace")
    assert path.read_bytes() != written


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--date", "2023-06-30"], "add --number, for example --number 7"),
        (["--number", "7"], "add --date, for example --date 2023-06-30"),
        (["--number", "7", "--date", "June"], "--date June: write it like"),
    ],
)
def test_what_plain_text_does_not_say_is_asked_for(
    staff: Staff, words: list[str], said: str
) -> None:
    assert said in staff.failed(*WIC, *words)
    assert not list((staff.root / "issues").iterdir())


def test_markdown_is_imported_as_it_is(staff: Staff) -> None:
    file = staff.file("Issue No. 8.md", MARKDOWN.format(title="Eight"))
    assert "issue-no-8: 1 article," in staff.done("issue", "import", file).out
    kept = staff.root / "issues" / "issue-no-8.md"
    assert kept.read_text() == file.read_text()
    said = staff.failed("issue", "import", file, "--number", "9", "--title", "Nine")
    assert "--number, --title: a Markdown issue says this" in said


def test_a_file_name_without_letters_needs_a_slug(staff: Staff) -> None:
    answer = staff("issue", "import", staff.file("八.md", MARKDOWN.format(title="x")))
    assert answer.status == 2
    assert "--slug NAME" in answer.err


@pytest.mark.parametrize("slug", ["../evil", "a/b", ".hidden", "a b", "", "x" * 300])
def test_a_slug_that_is_no_file_name_is_refused(staff: Staff, slug: str) -> None:
    answer = staff(*WIC[:3], "--slug", slug, *WIC_FACTS)
    assert answer.status in {0, 1}
    if answer.status == 0:
        assert slug == ""
    assert {p.name for p in staff.root.parent.iterdir()} <= {"workspace"}


def test_a_file_that_cannot_be_read_is_named(staff: Staff) -> None:
    assert "cannot read" in staff.failed("issue", "import", staff.root / "none.txt")
    latin = staff.file("latin.txt", "One\nGr\xfc\xdfe\n".encode("latin-1"))
    said = staff.failed("issue", "import", latin, *WIC_FACTS)
    assert "latin.txt: line 2: is not UTF-8" in said


def test_a_subject_cannot_smuggle_in_a_header(staff: Staff) -> None:
    evil = "News\r\nBcc: all@example.org"
    staff.failed(*WIC, *WIC_FACTS, "--subject", evil)
    staff.failed(*WIC, *WIC_FACTS, "--title", evil)
    title = '"News\\r\\nBcc: all@example.org"'
    file = staff.file("evil.md", MARKDOWN.format(title=title))
    assert "evil.md: line 2" in staff.failed("issue", "import", file)
    assert not list((staff.root / "issues").iterdir())


def test_check_tells_every_problem_with_its_line(staff: Staff) -> None:
    text = MARKDOWN.format(title="x").replace("number: 8", "number: eight")
    text = text.replace("language: en", "colour: red")
    (staff.root / "issues" / "bad.md").write_text(text)
    said = staff.failed("issue", "check", "bad")
    assert "bad.md: line 3: " in said
    assert "bad.md: line 5: " in said
    assert "language" in said
    assert "(has problems" in staff.done("issue", "list").out


def test_check_of_a_good_issue_says_its_size(with_issue: Staff) -> None:
    said = with_issue.done("issue", "check", "issues/wic.md").out
    assert "12 articles" in said
    assert "No problems found" in said


def test_an_unknown_issue_is_named_with_those_that_exist(staff: Staff) -> None:
    assert "no issue 'wic'" in staff.failed("issue", "check", "wic")
    staff.done(*WIC, *WIC_FACTS)
    said = staff.failed("issue", "check", "wick")
    assert "there are: wic" in said


def test_render_writes_seven_files(with_issue: Staff) -> None:
    out = with_issue.root.parent / "out"
    with_issue.done("issue", "render", "wic", "--out", out)
    names = {"email.html", "email.txt", "email.eml", "web.html", "feed.rss",
             "feed.atom", "feed.json"}  # fmt: skip
    assert {path.name for path in out.iterdir()} == names
    message = email.message_from_bytes(
        (out / "email.eml").read_bytes(), policy=email.policy.default
    )
    body = message.get_body(("html",))
    assert body is not None
    assert "Nishan Dialogue" in body.get_content()
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_preview_without_a_browser_says_where_to_look(with_issue: Staff) -> None:
    said = with_issue.done("issue", "preview", "wic", "--no-open").out
    assert said.startswith("Open file://")
    path = Path(said.removeprefix("Open file://").strip())
    assert "<html" in path.read_text()
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()


def test_publishing_shows_in_the_list(with_issue: Staff) -> None:
    [before] = with_issue.done("issue", "list", "--json").json()
    assert before["published_at"] is None
    url = with_issue.done("issue", "publish", "wic").out
    assert "Published http://127.0.0.1:8000/" in url
    [after] = with_issue.done("issue", "list", "--json").json()
    assert after["slug"] == "wic"
    assert after["published_at"].endswith("+00:00")
    table = with_issue.done("issue", "list").out
    assert after["published_at"][:10] in table
    assert "UTC" in table


def test_lists_are_added_and_shown(staff: Staff) -> None:
    assert "No lists yet" in staff.done("list", "show").out
    staff.done("list", "add", "news", "--name", "The [bold] news")
    staff.done("list", "add", "other")
    assert "The [bold] news" in staff.done("list", "show").out
    shown = staff.done("list", "show", "--json").json()
    assert [one["slug"] for one in shown] == ["news", "other"]
    assert shown[0]["confirmed"] == 0
    assert len(staff.done("list", "show", "other", "--json").json()) == 1
    assert "news" in staff.failed("list", "add", "news")


def test_an_unknown_list_is_named_with_a_hint(staff: Staff) -> None:
    staff.done("list", "add", "weekly-news")
    said = staff.failed("list", "show", "weekly-new")
    assert "weekly-new" in said
    assert "weekly-news" in said
    people = staff.file("p.csv", "email\na@example.org\n")
    assert "weekly" in staff.failed("subscriber", "import", people, "-l", "weekly")


def test_people_are_imported_and_shown(staff: Staff) -> None:
    staff.people(3)
    [shown] = staff.done("list", "show", "--json").json()
    assert shown["confirmed"] == 3
    story = staff.done("subscriber", "show", "Reader1@example.org", "--json").json()
    assert story["subscriber"]["name"] == "Reader 1"
    assert story["subscriptions"][0]["state"] == "confirmed"
    assert "imported from people.csv" in story["subscriptions"][0].values()
    table = staff.done("subscriber", "show", "reader1@example.org").out
    assert "Reader 1" in table
    assert "confirmed" in table
    assert "nobody@example.org" in staff.failed(
        "subscriber", "show", "nobody@example.org"
    )


def test_the_same_people_again_are_counted(staff: Staff) -> None:
    staff.people(2)
    again = staff.file(
        "again.csv",
        "email,shoe size\nreader0@example.org,40\nz@example.org,41\nz@example.org,9\n",
    )
    said = staff.done("subscriber", "import", again, "-l", "news").out
    assert "1 new subscriber on news." in said
    assert "1 on the list already." in said
    assert "1 twice in the file." in said
    assert "Columns not used: shoe size." in said


def test_one_bad_row_and_nobody_is_imported(staff: Staff) -> None:
    staff.done("list", "add", "news")
    rows = "email,name\ngood@example.org,G\nnot an address,B\n" + "bad,B\n" * 30
    file = staff.file("people.csv", rows)
    said = staff.failed("subscriber", "import", file, "--list", "news")
    assert "line 3: " in said
    assert "… and 11 more, all shown with --report FILE" in said
    assert "nothing was imported: 31 rows of 32 cannot be used" in said
    assert staff.done("list", "show", "--json").json()[0]["confirmed"] == 0
    report = staff.root.parent / "refused.csv"
    keep = ["--keep-good", "--report", str(report)]
    answer = staff.done("subscriber", "import", file, "--list", "news", *keep)
    assert "1 new subscriber" in answer.out
    assert "31 refused" in answer.out
    assert len(report.read_text().splitlines()) == 31
    assert staff.done("list", "show", "--json").json()[0]["confirmed"] == 1
    assert "name another file" in staff.failed(
        "subscriber", "import", file, "--list", "news", *keep
    )


@pytest.mark.parametrize(
    "content",
    [
        "email,name\na@example.org,Gr\xfc\xdfe\n".encode("latin-1"),
        "email,name\na@example.org,x\n".encode("utf-16"),
        b"email,name\na@example.org," + b"x" * 10_000_000 + b"\n",
        b'email,name\na@example.org,"' + b"x" * 10_000_000 + b"\n",
        b"",
        b"name\nAnn\n",
    ],
    ids=["latin-1", "utf-16", "10 MB", "10 MB quoted", "empty", "no column"],
)
def test_a_file_that_is_no_good_csv_imports_nobody(
    staff: Staff, content: bytes
) -> None:
    staff.done("list", "add", "news")
    file = staff.file("people.csv", content)
    said = staff.failed("subscriber", "import", file, "--list", "news")
    assert len(said) < 2000
    assert staff.done("list", "show", "--json").json()[0]["confirmed"] == 0
    assert "cannot read" in staff.failed(
        "subscriber", "import", staff.root / "none.csv", "--list", "news"
    )


def test_an_export_is_safe_in_a_spreadsheet(staff: Staff) -> None:
    staff.done("list", "add", "news")
    file = staff.file("p.csv", "email,name\na@example.org,=1+1\n")
    staff.done("subscriber", "import", file, "--list", "news")
    assert "'=1+1" in staff.done("subscriber", "export", "-l", "news").out
    out = staff.root.parent / "out.csv"
    assert "1 subscriber in" in staff.done(
        "subscriber", "export", "-l", "news", "-o", out
    ).out  # fmt: skip
    assert "'=1+1" in out.read_text()
    assert "name another file" in staff.failed(
        "subscriber", "export", "-l", "news", "-o", out
    )


def test_a_failed_export_leaves_no_file(staff: Staff) -> None:
    out = staff.root.parent / "out.csv"
    staff.failed("subscriber", "export", "-l", "none", "-o", out)
    assert not out.exists()


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


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["send"], 2),
        (["frobnicate"], 2),
        (["issue", "check"], 2),
        (["deliveries", "--format", "xml"], 2),
        (["demo", "--people", "0"], 2),
        (["status"], 1),
    ],
)
def test_exit_status(staff: Staff, words: list[str], status: int) -> None:
    answer = staff(*words)
    assert answer.status == status, answer
    assert "Traceback" not in answer.err


def test_no_workspace_says_how_to_begin(nowhere: Staff) -> None:
    said = nowhere.failed("issue", "list")
    assert "distributor init" in said


def test_a_broken_template_is_named_with_its_line(with_issue: Staff) -> None:
    path = with_issue.root / "templates" / "email.html.j2"
    path.write_text("<p>\n{{ nothing_like_that }}\n")
    said = with_issue.failed("issue", "check", "wic")
    assert f"{path}, line 2: " in said
    path.write_text("<p>\n\n{% if %}\n")
    assert f"{path}, line 3: " in with_issue.failed("issue", "check", "wic")


def test_a_database_from_a_newer_version_is_left_alone(staff: Staff) -> None:
    staff.done("list", "show")
    url = f"sqlite:///{staff.root / 'var' / 'distributor.sqlite'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'zzzz'"))
    engine.dispose()
    said = staff.failed("list", "show")
    assert "newer version" in said
    assert "zzzz" in said
    assert "newer version" in staff.failed("migrate")


def test_migrate_twice_says_the_same(staff: Staff) -> None:
    for _ in range(2):
        assert "up to date" in staff.done("migrate").out


def test_a_database_without_tables_is_not_made_on_the_way(staff: Staff) -> None:
    """One that is named may be shared: only `migrate` changes it."""
    staff.setting(f'database_url = "sqlite:///{staff.root / "shared.sqlite"}"')
    assert "run `distributor migrate`" in staff.failed("list", "show")
    staff.done("migrate")
    staff.done("list", "show")


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
