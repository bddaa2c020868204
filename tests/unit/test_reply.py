from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.reply import (
    LINE_LIMIT,
    LINES_LIMIT,
    TEXT_LIMIT,
    Garbage,
    Kind,
    Outcome,
    Reply,
    ReplyReader,
    Stage,
    goes_ahead,
    judge,
    one_line,
    reason,
)

TALK = (
    b"220 mail.example ESMTP\r\n"
    b"250-mail.example\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"
    b"250 2.1.0 Ok\n"
    b"354\r\n"
    b"550-5.1.1 no such\r\n550 5.1.1 user here\r\n"
)
HEARD = [
    Reply(220, "", "mail.example ESMTP"),
    Reply(250, "", "mail.example PIPELINING SIZE 1000"),
    Reply(250, "2.1.0", "Ok"),
    Reply(354, "", ""),
    Reply(550, "5.1.1", "no such user here"),
]


def test_replies_are_read_from_one_piece():
    assert ReplyReader().feed(TALK) == HEARD


@given(st.lists(st.integers(0, len(TALK))))
def test_replies_are_the_same_however_they_are_cut(cuts):
    reader, places = ReplyReader(), sorted({0, len(TALK), *cuts})
    heard = []
    for start, end in itertools.pairwise(places):
        heard += reader.feed(TALK[start:end])
    assert heard == HEARD
    assert not reader.partial


def test_a_reply_begun_is_told_from_silence():
    reader = ReplyReader()
    assert reader.feed(b"25") == []
    assert reader.partial
    assert reader.feed(b"0-one\r\n") == []
    assert reader.partial
    assert reader.feed(b"250 two\r\n") == [Reply(250, "", "one two")]
    assert not reader.partial


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"25",
        b"150 x",
        b"600 x",
        b"250_x",
        b"2500 x",
        b"\xff\xfe",
        b"HTTP/1.1 400",
    ],
)
def test_what_is_no_reply_is_garbage_and_ends_the_reading(line):
    reader = ReplyReader()
    first, last = reader.feed(b"250 ok\r\n" + line + b"\r\n250 later\r\n")
    assert first == Reply(250, "", "ok")
    assert isinstance(last, Garbage)
    assert reader.feed(b"250 ok\r\n") == []


def test_garbage_inside_a_long_reply_is_garbage():
    assert ReplyReader().feed(b"250-one\r\ntwo\r\n") == [Garbage("two")]


@pytest.mark.parametrize(
    "flood",
    [
        b"250 " + b"x" * LINE_LIMIT + b"\r\n",
        b"250 " + b"x" * LINE_LIMIT,
        b"250-x\r\n" * (LINES_LIMIT + 1),
    ],
    ids=["a long line", "a line without end", "lines without end"],
)
def test_a_reply_without_end_is_garbage_before_it_fills_the_memory(flood):
    reader = ReplyReader()
    (heard,) = reader.feed(flood)
    assert isinstance(heard, Garbage)
    assert not reader.partial


def test_a_long_reply_that_ends_is_kept_up_to_the_limit():
    (heard,) = ReplyReader().feed(b"550 " + b"y" * 2000 + b"\r\n")
    assert heard == Reply(550, "", "y" * TEXT_LIMIT)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise_or_keep_a_control_character(data):
    for heard in ReplyReader().feed(data):
        assert len(heard.text) <= TEXT_LIMIT
        assert (
            heard.text.isprintable() or "\xa0" in heard.text or not heard.text.isascii()
        )
        assert not set(heard.text) & {*map(chr, range(32)), "\x7f", "\u2028"}


def test_control_characters_in_a_reply_are_shown_not_kept():
    (heard,) = ReplyReader().feed(b"550 5.7.1 no\r\x1b[31m\x00 \xff\xe2\x80\xa8!\r\n")
    assert heard == Reply(550, "5.7.1", r"no\x0d\x1b[31m\x00 \xff\u2028!")


def test_one_line_is_capped():
    assert one_line("a\nb", limit=2) == "a\\"


def test_a_reply_reads_like_on_the_wire():
    assert str(Reply(550, "5.1.1", "gone")) == "550 5.1.1 gone"
    assert str(Reply(354, "", "")) == "354"


# stage: silence, 421, 4xx, 5xx
TABLE = {
    Stage.CONNECT: (Kind.RELEASED, Kind.RELEASED, Kind.RELEASED, Kind.TROUBLE),
    Stage.EHLO: (Kind.RELEASED, Kind.RELEASED, Kind.RELEASED, Kind.TROUBLE),
    Stage.STARTTLS: (Kind.RELEASED, Kind.RELEASED, Kind.RELEASED, Kind.TROUBLE),
    Stage.AUTH: (Kind.RELEASED, Kind.RELEASED, Kind.RELEASED, Kind.TROUBLE),
    Stage.MAIL: (Kind.RELEASED, Kind.DEFERRED, Kind.DEFERRED, Kind.TROUBLE),
    Stage.RCPT: (Kind.RELEASED, Kind.DEFERRED, Kind.DEFERRED, Kind.REJECTED),
    Stage.DATA: (Kind.RELEASED, Kind.DEFERRED, Kind.DEFERRED, Kind.REJECTED),
    Stage.DOT: (Kind.IN_DOUBT, Kind.DEFERRED, Kind.DEFERRED, Kind.REJECTED),
    Stage.QUIT: (Kind.ACCEPTED, Kind.ACCEPTED, Kind.ACCEPTED, Kind.ACCEPTED),
}


@pytest.mark.parametrize("stage", Stage)
def test_the_stage_decides(stage):
    replies = (None, Reply(421, "", ""), Reply(451, "4.3.0", ""), Reply(550, "", ""))
    assert tuple(judge(stage, reply).kind for reply in replies) == TABLE[stage]


@pytest.mark.parametrize(
    ("stage", "code", "enhanced", "text", "kind"),
    [
        (Stage.DOT, 250, "2.0.0", "queued", Kind.ACCEPTED),
        (Stage.DOT, 354, "", "out of step", Kind.IN_DOUBT),
        (Stage.RCPT, 354, "", "out of step", Kind.RELEASED),
        (Stage.RCPT, 452, "4.5.3", "too many recipients", Kind.DEFERRED),
        (Stage.RCPT, 552, "", "too many recipients", Kind.DEFERRED),
        (Stage.RCPT, 552, "5.2.2", "mailbox full", Kind.DEFERRED),
        (Stage.RCPT, 552, "4.2.2", "mailbox full", Kind.DEFERRED),
        (Stage.RCPT, 552, "5.3.4", "", Kind.REJECTED),
        (Stage.RCPT, 552, "", "message too big", Kind.REJECTED),
        (Stage.DOT, 552, "5.2.2", "over quota", Kind.DEFERRED),
        (Stage.DOT, 552, "4.2.2", "", Kind.DEFERRED),
        (Stage.DOT, 552, "", "mailbox full", Kind.DEFERRED),
        (Stage.DOT, 552, "", "storage: message size exceeded", Kind.REJECTED),
        (Stage.DOT, 552, "5.7.0", "illegal attachment", Kind.REJECTED),
        (Stage.DOT, 552, "", "blocked", Kind.REJECTED),
        (Stage.MAIL, 550, "5.6.7", "SMTPUTF8 needed", Kind.REJECTED),
        (Stage.MAIL, 530, "5.7.0", "log in first", Kind.TROUBLE),
        (Stage.RCPT, 530, "5.7.0", "log in first", Kind.TROUBLE),
        (Stage.RCPT, 535, "5.7.8", "log in first", Kind.TROUBLE),
        (Stage.DATA, 554, "5.5.1", "no valid recipients", Kind.TROUBLE),
        (Stage.RCPT, 554, "5.7.1", "<a@b>: Relay access denied", Kind.TROUBLE),
        (Stage.RCPT, 550, "", "relaying denied", Kind.TROUBLE),
        (Stage.RCPT, 550, "", "relay not permitted", Kind.TROUBLE),
        (Stage.RCPT, 550, "5.1.1", "mx said: 554 relaying denied", Kind.REJECTED),
        (Stage.DOT, 550, "5.7.1", "relay access denied", Kind.REJECTED),
        (Stage.RCPT, 550, "4.1.1", "classes disagree", Kind.REJECTED),
        (Stage.RCPT, 450, "5.1.1", "classes disagree", Kind.DEFERRED),
    ],
)
def test_codes_with_a_meaning_of_their_own(stage, code, enhanced, text, kind):
    reply = Reply(code, enhanced, text)
    assert judge(stage, reply, host="mx") == Outcome(kind, stage, reply, "mx", "")


@given(
    st.sampled_from(Stage),
    st.integers(200, 599),
    st.sampled_from(["", "4.2.2", "5.1.1", "5.5.1", "5.7.1", "2.0.0"]),
    st.text(max_size=20),
)
def test_only_a_2xx_to_the_dot_is_acceptance_and_only_there_is_doubt(
    stage, code, enhanced, text
):
    kind = judge(stage, Reply(code, enhanced, text)).kind
    if stage is not Stage.QUIT:
        assert (kind is Kind.ACCEPTED) == (stage is Stage.DOT and code < 300)
        assert (kind is Kind.IN_DOUBT) == (stage is Stage.DOT and 300 <= code < 400)
        assert code >= 500 or kind is not Kind.REJECTED


def test_421_is_about_the_connection():
    assert judge(Stage.RCPT, Reply(421, "", "")).connection_level
    assert not judge(Stage.RCPT, Reply(451, "", "")).connection_level
    assert not judge(Stage.RCPT, None).connection_level


def test_the_go_ahead_is_354_for_data_and_2xx_elsewhere():
    assert goes_ahead(Stage.DATA, Reply(354, "", ""))
    assert not goes_ahead(Stage.DATA, Reply(250, "", ""))
    assert goes_ahead(Stage.RCPT, Reply(251, "", ""))
    assert not goes_ahead(Stage.RCPT, Reply(354, "", ""))


@pytest.mark.parametrize(
    ("code", "enhanced", "word"),
    [
        (250, "2.0.0", ""),
        (550, "5.1.1", "unknown_user"),
        (550, "5.1.10", "bad_domain"),
        (552, "5.2.2", "mailbox_full"),
        (452, "4.2.2", "mailbox_full"),
        (550, "5.7.26", "policy"),
        (451, "4.4.1", "network"),
        (550, "5.6.7", "needs_smtputf8"),
        (550, "", "other"),
        (550, "5.6.1", "other"),
    ],
)
def test_the_reason_is_one_word(code, enhanced, word):
    assert reason(Reply(code, enhanced, "")) == word
