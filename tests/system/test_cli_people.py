"""Lists and subscribers at the command line."""

from __future__ import annotations

import pytest

from tests.fakes.commands import Staff


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
