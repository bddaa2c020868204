"""Import and export: all or nothing, every refused row told, nobody brought back."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from subscribers import (
    Consent,
    Grounds,
    ImportRefused,
    ImportReport,
    ImportRequest,
    InvalidCsv,
    Joined,
    Method,
    Person,
    Refusal,
    State,
    Via,
    add_list,
    all_lists,
    export_csv,
    find_subscriber,
    import_csv,
    parse_address,
    subscribe,
    subscriptions_of,
    suppress,
    unsubscribe,
)
from subscribers.tables import subscribers, subscriptions

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
PEPPER = b"p" * 32
CONSENT = Consent(Method.IMPORT, evidence="old system, export of 2026-01-04")


@pytest.fixture
def conn(engine):
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def news(conn):
    return add_list(conn, "news", name="News", now=NOW)


def bring(conn, to, data, **options):
    if isinstance(data, str):
        data = data.encode()
    options = {"consent": CONSENT, "now": NOW, **options}
    request = ImportRequest(into=to, pepper=PEPPER, **options)
    return import_csv(conn, io.BytesIO(data), request)


def people(conn):
    return conn.execute(
        sa.select(subscribers.c.address, subscribers.c.name, subscriptions.c.state)
        .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
        .order_by(subscribers.c.address)
    ).all()


def tie_of(conn, text):
    [tie] = subscriptions_of(conn, find_subscriber(conn, parse_address(text)).id)
    return tie


def test_a_file_becomes_subscriptions_with_its_consent(conn, news):
    report = bring(
        conn,
        news,
        "Name;E-Mail;Language;Time zone;Shoe size\n"
        "Ann  B.;Ann@Example.org;de-AT;Europe/Vienna;39\n"
        '"O\'Hara; Bob";bob@exämple.de;;;\n'
        "Cy;cy@example.org\n",
    )
    assert report == ImportReport(rows=3, added=3, ignored_columns=["shoe size"])
    assert people(conn) == [
        ("Ann@example.org", "Ann B.", "confirmed"),
        ("bob@xn--exmple-cua.de", "O'Hara; Bob", "confirmed"),
        ("cy@example.org", "Cy", "confirmed"),
    ]
    ann = find_subscriber(conn, parse_address("ann@example.org"))
    assert (ann.language, ann.time_zone) == ("de-AT", "Europe/Vienna")
    tie = tie_of(conn, "ann@example.org")
    assert (tie.consent_method, tie.consent_evidence) == ("import", CONSENT.evidence)
    assert (tie.created_at, tie.confirmed_at) == (NOW, NOW)


@pytest.mark.parametrize(
    "header",
    ["email", "EMAIL", " E-Mail ", '"Email  Address"', "address", "e-mail address"],
)
def test_the_address_column_has_several_names(conn, news, header):
    assert bring(conn, news, f"{header}\na@example.org\n").added == 1


def test_a_street_beside_the_email_is_ignored(conn, news):
    report = bring(conn, news, "address,email\nMain Street 1,a@example.org\n")
    assert (report.added, report.ignored_columns) == (1, ["address"])


def test_a_file_with_nobody_in_it_adds_nobody(conn, news):
    assert bring(conn, news, "email,name\n") == ImportReport()


NO_TABLE = {
    "no address column": ("name,phone\nx,1\n", "no column is called `email`"),
    "no header": ("ann@example.org\nbob@example.org\n", "holds an address already"),
    "a column twice": ("email,name,Name\na@example.org,x,y\n", "'name' comes more"),
    "two time zones": ("email,time zone,time_zone\n", "'time_zone' comes more"),
    "too many columns": ("email" + ",x" * 50 + "\n", "51 columns; at most 50"),
    "Latin-1": ("email,name\na@example.org,Jörg\n".encode("latin-1"), "line 2"),
    "UTF-16": ("email\na@example.org\n".encode("utf-16"), "UTF-16"),
    "nothing": ("", "empty"),
}


@pytest.mark.parametrize("case", NO_TABLE)
def test_a_file_that_is_no_table_of_people_imports_nothing(conn, news, case):
    data, words = NO_TABLE[case]
    with pytest.raises(InvalidCsv, match=words):
        bring(conn, news, data)


BAD_ROWS = {
    "no address": (",x", "the address is empty"),
    "bad address": ("ann@,x", "'ann@' is not an address"),
    "formula for an address": ("=cmd|'/c calc'!A1@x.org,x", "is not an address"),
    "language": ("a@example.org,x,English please", "is no language"),
    "time zone": ("a@example.org,x,en,Mars/Olympus", "is no time zone"),
    "path for a time zone": ("a@example.org,x,en,../../etc/passwd", "is no time zone"),
    "state": ("a@example.org,x,en,UTC,maybe", "is no state"),
    "unquoted delimiter": ("a@example.org,x,en,UTC,,y", "6 cells under 5 columns"),
    "ten megabytes": ("a@example.org," + "x" * 10_000_000, "longer than 64000 bytes"),
    "long cell": ("a@example.org," + "x" * 1001, "longer than 1000 bytes"),
    "many cells": ("a@example.org" + "," * 60, "61 cells; at most 50"),
    "broken quote": ('a@example.org,"x"y', "is not CSV"),
}
HEADER = "email,name,language,time_zone,state\n"


@pytest.mark.parametrize("case", BAD_ROWS)
def test_one_refused_row_refuses_the_file_and_says_where_and_why(conn, news, case):
    bad, reason = BAD_ROWS[case]
    data = f"{HEADER}good@example.org\n{bad}\nlast@example.org\n"
    with pytest.raises(ImportRefused, match="line 3") as caught:
        bring(conn, news, data)
    report = caught.value.report
    assert (report.rows, report.added, report.refused) == (3, 0, 1)
    assert report.refusals[0].line == 3
    assert reason in report.refusals[0].reason
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_a_refused_file_leaves_nothing_when_its_transaction_ends(engine, batch):
    with engine.begin() as conn:
        news = add_list(conn, "news", name="News", now=NOW)
    data = "email\na@example.org\nb@example.org\nbad\nc@example.org\n"
    with pytest.raises(ImportRefused), engine.begin() as conn:
        bring(conn, news, data, batch=batch)
    with engine.connect() as conn:
        assert people(conn) == []


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_good_rows_are_kept_when_asked_for(conn, news, batch):
    data = "email\nbad\na@example.org\nb@example.org\nworse\nc@example.org\n"
    report = bring(conn, news, data, keep_good=True, batch=batch)
    assert (report.rows, report.added, report.refused) == (5, 3, 2)
    assert [refusal.line for refusal in report.refusals] == [2, 5]
    assert [row.address[0] for row in people(conn)] == ["a", "b", "c"]


def test_every_refused_row_is_written_out_though_the_report_keeps_only_some(conn, news):
    written = io.StringIO(newline="")
    data = "email\n" + "".join(f"=bad{number}\n" for number in range(1100))
    with pytest.raises(ImportRefused) as caught:
        bring(conn, news, data, refusals_to=written)
    report = caught.value.report
    assert (report.refused, len(report.refusals)) == (1100, 1000)
    assert report.refusals[0] == Refusal(2, report.refusals[0].reason)
    lines = list(csv.reader(io.StringIO(written.getvalue(), newline="")))
    assert [int(line) for line, _ in lines] == list(range(2, 1102))
    assert "'=bad1099'" in lines[-1][1]


def test_a_cell_of_the_refusals_starts_no_formula(conn, news):
    written = io.StringIO(newline="")
    with pytest.raises(ImportRefused):
        bring(conn, news, "email\n=1+1@x\n", refusals_to=written)
    [[_, reason]] = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert reason[0] not in "=+-@\t\r"


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_importing_twice_adds_nobody_and_duplicates_are_told_apart(conn, news, batch):
    data = "email\na@example.org\nA@example.org\nb@example.org\na@example.org\n"
    first = bring(conn, news, data, batch=batch)
    assert (first.rows, first.added, first.duplicates, first.already) == (4, 2, 2, 0)
    second = bring(conn, news, "email\na@example.org\nc@example.org\n", batch=batch)
    assert (second.added, second.duplicates, second.already) == (1, 0, 1)
    assert len(people(conn)) == 3


@pytest.mark.parametrize("batch", [1, 1000])
def test_nobody_who_left_or_is_suppressed_is_brought_back(conn, news, batch):
    for name in ("left", "barred"):
        person = Person(parse_address(f"{name}@example.org"), name="Old")
        subscribe(conn, person, to=news, consent=CONSENT, pepper=PEPPER, now=NOW)
    left = tie_of(conn, "left@example.org")
    unsubscribe(conn, left.id, via=Via.ONE_CLICK, now=NOW)
    left = tie_of(conn, "left@example.org")
    for name in ("barred", "erased"):
        address = parse_address(f"{name}@example.org")
        suppress(conn, address, pepper=PEPPER, grounds=Grounds("complaint"), now=NOW)
    report = bring(
        conn,
        news,
        "email,name\nLEFT@example.org,New\nbarred@example.org,New\n"
        "erased@example.org,New\nnew@example.org,New\n",
        batch=batch,
        now=LATER,
    )
    assert (report.rows, report.added, report.left_alone) == (4, 1, 3)
    assert tie_of(conn, "left@example.org") == left
    assert people(conn) == [
        ("barred@example.org", "Old", "confirmed"),
        ("left@example.org", "Old", "unsubscribed"),
        ("new@example.org", "New", "confirmed"),
    ]


def test_somebody_on_another_list_joins_this_one_under_the_known_name(conn, news):
    jobs = add_list(conn, "jobs", name="Jobs", now=NOW)
    person = Person(parse_address("ann@example.org"), name="Ann")
    subscribe(conn, person, to=jobs, consent=CONSENT, pepper=PEPPER, now=NOW)
    report = bring(conn, news, "email,name\nann@example.org,Other\n")
    assert (report.added, report.already) == (1, 0)
    assert find_subscriber(conn, person.address).name == "Ann"
    assert [counts.confirmed for _, counts in all_lists(conn)] == [1, 1]


def test_a_row_may_tell_its_state(conn, news):
    data = (
        "email,state\na@example.org,\nb@example.org,Confirmed\n"
        "c@example.org,unconfirmed\nd@example.org,unsubscribed\n"
    )
    consent = Consent(Method.IMPORT, state=State.UNCONFIRMED)
    assert bring(conn, news, data, consent=consent).added == 4
    assert [row.state for row in people(conn)] == [
        "unconfirmed",
        "confirmed",
        "unconfirmed",
        "unsubscribed",
    ]
    tie = tie_of(conn, "d@example.org")
    assert (tie.unsubscribed_via, tie.unsubscribed_at) == ("import", NOW)
    assert tie.confirmed_at is None
    again = bring(conn, news, "email\nd@example.org\n")
    assert (again.added, again.left_alone) == (0, 1)


def test_a_hostile_name_is_stored_as_one_line_of_text(conn, news):
    bring(
        conn,
        news,
        'email,name\na@example.org,"Ann\r\nBcc: x@example.org"\n'
        "b@example.org,{{ config }}<script>\nc@example.org,x' OR 1=1; --\n",
    )
    assert [row.name for row in people(conn)] == [
        "Ann Bcc: x@example.org",
        "{{ config }}<script>",
        "x' OR 1=1; --",
    ]


def test_progress_is_told_after_each_batch(conn, news):
    seen = []
    data = "email\n" + "".join(f"r{number}@example.org\n" for number in range(25))
    report = bring(conn, news, data, batch=10, on_progress=seen.append)
    assert seen == [10, 20, 25]
    assert report.added == 25


def test_the_request_shows_no_secret(conn, news):
    request = ImportRequest(into=news, consent=CONSENT, pepper=PEPPER, now=NOW)
    assert "ppp" not in repr(request)


class Generated(io.RawIOBase):
    """A long file whose lines exist one at a time."""

    def __init__(self, rows):
        self._lines = iter(
            [b"email,name\n", *(None for _ in range(rows))],
        )
        self._number = 0

    def readline(self, size=-1):
        line = next(self._lines, b"")
        if line is None:
            self._number += 1
            line = b"reader%d@example.org,%s\n" % (self._number, b"x" * 150)
        return line


def test_memory_does_not_grow_with_the_file(conn, news):
    def peak(rows, slug):
        to = add_list(conn, slug, name=slug, now=NOW)
        request = ImportRequest(
            into=to, consent=CONSENT, pepper=PEPPER, now=NOW, batch=100
        )
        file = Generated(rows)
        tracemalloc.start()
        try:
            assert import_csv(conn, file, request).added == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(300, "warm")
    assert peak(4000, "long") < peak(500, "short") + 300_000


def export(conn, of):
    file = io.StringIO(newline="")
    count = export_csv(conn, file, of=of)
    return count, file.getvalue()


def test_an_export_holds_everybody_with_the_consent(conn, news):
    bring(conn, news, "email,name,language\nann@example.org,Ann,en\nb@example.org,B,\n")
    unsubscribe(conn, tie_of(conn, "b@example.org").id, via=Via.PAGE, now=LATER)
    count, text = export(conn, news)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert count == len(rows) == 2
    assert rows[0] == {
        "email": "ann@example.org",
        "name": "Ann",
        "language": "en",
        "time_zone": "",
        "state": "confirmed",
        "consent_method": "import",
        "consent_evidence": CONSENT.evidence,
        "consented_at": "",
        "confirmed_at": "2026-01-05T12:00:00+00:00",
        "unsubscribed_at": "",
        "unsubscribed_via": "",
    }
    assert rows[1]["state"] == "unsubscribed"
    assert rows[1]["unsubscribed_at"] == "2026-01-08T12:00:00+00:00"
    assert text.count("\r\n") == 3


HOSTILE = [
    "=cmd|'/c calc'!A1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "'=already",
    "''+twice",
    'say "hi", ok',
    "O'Hara",
    "",
]


def test_an_export_comes_back_as_the_same_people_and_opens_safely(conn, news):
    for number, name in enumerate(HOSTILE):
        person = Person(parse_address(f"r{number}@example.org"), name=name)
        consent = Consent(Method.STAFF, state=list(State)[number % 3])
        joined = subscribe(
            conn, person, to=news, consent=consent, pepper=PEPPER, now=NOW
        )
        assert joined is Joined.ADDED
    before = people(conn)
    _, text = export(conn, news)
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not [cell for cell in row if cell[:1] in set("=+-@\t\r")]
    conn.execute(sa.delete(subscribers))
    report = bring(conn, news, text)
    assert report.added == len(HOSTILE)
    assert people(conn) == before
    assert [row.name for row in before] == HOSTILE


def test_a_long_list_is_exported_page_by_page_and_others_stay_out(conn, news):
    jobs = add_list(conn, "jobs", name="Jobs", now=NOW)
    data = "".join(f"r{number:04}@example.org\n" for number in range(2100))
    bring(conn, news, "email\n" + data)
    bring(conn, jobs, "email\nother@example.org\nr0000@example.org\n")
    count, text = export(conn, news)
    addresses = [row[0] for row in csv.reader(io.StringIO(text, newline=""))]
    assert count == 2100
    assert addresses == ["email", *data.split()]


def test_an_empty_list_exports_its_header(conn, news):
    count, text = export(conn, news)
    assert (count, text.count("\r\n")) == (0, 1)
