"""CSV rows: bounded, told apart by line, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import InvalidCsv
from subscribers.spreadsheet import csv_line, protected, read_rows, unprotected


def rows_of(data: bytes) -> list[tuple[int, list[str], str]]:
    return [(row.line, row.cells, row.fault) for row in read_rows(io.BytesIO(data))]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiter_byte_order_mark_and_line_ends_are_recognised(mark, bom, end):
    text = end.join([f"email{mark}name", f'a@b.org{mark}"B{mark} Ö"', ""])
    assert rows_of(bom + text.encode()) == [
        (1, ["email", "name"], ""),
        (2, ["a@b.org", f"B{mark} Ö"], ""),
    ]


def test_lines_are_counted_as_an_editor_counts_them():
    data = b'\n\nemail,name\n\na@b.org,"two\nlines"\n\n\nc@d.org,x'
    assert [(line, cells) for line, cells, _ in rows_of(data)] == [
        (3, ["email", "name"]),
        (5, ["a@b.org", "two\nlines"]),
        (9, ["c@d.org", "x"]),
    ]


FAULTS = {
    "long line": (b"x" * 70_000, "is longer than 64000 bytes"),
    "long cell": (b"x" * 1001, "cell 1 is longer than 1000 bytes"),
    "cell long in bytes": (b"a," + "ä".encode() * 501, "cell 2 is longer"),
    "too many cells": (b"," * 50, "has 51 cells"),
    "text behind a quote": (b'"a"b,c', "is not CSV"),
    "bare return": (b"a\rb,c", "is not CSV"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_reading_goes_on_behind_a_row_with_a_fault(case):
    bad, fault = FAULTS[case]
    rows = rows_of(b"email,name\n" + bad + b"\na@b.org,A\n")
    assert [line for line, _, _ in rows] == [1, 2, 3]
    assert rows[1][1] == []
    assert fault in rows[1][2]
    assert rows[2] == (3, ["a@b.org", "A"], "")


def test_cells_and_rows_at_the_limit_are_read():
    cells = ["ä" * 500, "y" * 1000] + ["z"] * 48
    rows = rows_of(b"email\n" + ",".join(cells).encode() + b"\n")
    assert rows[1] == (2, cells, "")


def test_a_quote_that_is_never_closed_ends_at_the_limit():
    lines = b"".join(b"reader%d@example.org,x\n" % number for number in range(6000))
    rows = rows_of(b'email,name\n"open,x\n' + lines)
    assert "a quote is not closed: the row runs on to line" in rows[1][2]
    assert rows[2][1][1] == "x"
    assert rows[-1][0] == 6002


def test_a_quote_open_at_the_end_of_the_file_is_a_fault():
    assert "is not CSV" in rows_of(b'email\n"a@b.org\n')[1][2]


class Endless(io.RawIOBase):
    """A header, and then one line of 10 MB whose pieces are counted, never kept."""

    def __init__(self) -> None:
        self.left = 10_000_000
        self.largest_read = 0

    def readline(self, size: int = -1) -> bytes:
        self.largest_read = max(self.largest_read, size if size >= 0 else self.left)
        if self.left == 10_000_000:
            self.left -= 6
            return b"email\n"
        part = min(size, self.left)
        self.left -= part
        return b"x" * part


def test_a_field_of_ten_megabytes_is_passed_over_in_pieces():
    file = Endless()
    rows = list(read_rows(file))
    assert [row.fault for row in rows] == ["", "is longer than 64000 bytes"]
    assert file.left == 0
    assert file.largest_read <= 64_001


UNREADABLE = {
    "nothing": (b"", "the file is empty"),
    "blank lines": (b"\n \n\r\n", "the file is empty"),
    "UTF-16 with mark": ("email\na@b.org".encode("utf-16"), "UTF-16"),
    "UTF-16 without mark": ("email\na@b.org".encode("utf-16-le"), "UTF-16"),
    "Latin-1 in the header": ("email,größe\n".encode("latin-1"), "line 1 is not UTF-8"),
    "Latin-1 in a row": (
        "email,name\na@b.org,x\nc@d.org,J\xf6rg\n".encode("latin-1"),
        "line 3 is not UTF-8 (byte 0xf6)",
    ),
    "old Mac": (b"email,name\ra@b.org,x\r", "carriage return"),
    "one endless line": (b"x" * 70_000, "line 1 should name the columns"),
    "open quote in the header": (b'"email,name\na@b.org,x\n', "opens a quote"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_is_no_table_is_refused_with_the_remedy(case):
    data, words = UNREADABLE[case]
    with pytest.raises(InvalidCsv) as caught:
        rows_of(data)
    assert words in str(caught.value)
    assert ":" in str(caught.value)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_what_a_spreadsheet_would_calculate_is_text(start):
    assert protected(f"{start}cmd|'/c calc'!A1") == f"'{start}cmd|'/c calc'!A1"


@pytest.mark.parametrize("cell", ["", "Ann", "O'Hara", "'quoted'", " =1", "a=b"])
def test_ordinary_text_is_left_as_it_is(cell):
    assert protected(cell) == cell
    assert unprotected(cell) == cell


@given(st.text())
def test_taking_the_protection_off_gives_the_same_text(cell):
    assert unprotected(protected(cell)) == cell


@given(st.text("'=+-@\t\ra"))
def test_no_protected_cell_starts_like_a_formula(cell):
    assert protected(cell)[:1] not in {"=", "+", "-", "@", "\t", "\r"}
    assert unprotected(protected(cell)) == cell


@given(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=1))
def test_a_written_line_is_one_row_with_the_same_cells(cells):
    read = list(csv.reader([csv_line(cells)], strict=True))
    assert [[unprotected(cell) for cell in row] for row in read] == [cells]


@given(st.binary(max_size=300))
def test_no_bytes_whatsoever_crash_the_reader(data):
    try:
        rows = rows_of(b"email,name\n" + data)
    except InvalidCsv:
        return
    lines = [line for line, _, _ in rows]
    assert lines == sorted(set(lines))
