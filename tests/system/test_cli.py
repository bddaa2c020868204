"""The command line, without sending: what it does, says and refuses."""

from __future__ import annotations

import email
import email.policy
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.fakes.commands import WIC, WIC_FACTS, Staff

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
