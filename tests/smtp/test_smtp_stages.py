"""What becomes of a delivery, its neighbours and the session, stage by stage."""

from __future__ import annotations

import asyncio

import pytest

from distributor.reply import Kind, Reply, Stage
from tests.fakes.scripted_smtp import CLOSE, SILENCE, Drip, ScriptedServer

LOCK_STEP = ("ENHANCEDSTATUSCODES",)
PIPELINED = ("PIPELINING", "ENHANCEDSTATUSCODES")

either_way = pytest.mark.parametrize(
    "extensions", [PIPELINED, LOCK_STEP], ids=["pipelined", "lock-step"]
)


def sent(sender, server, parcels, **manner):
    async def go():
        async with server.running():
            return await sender.send(server.url, parcels, **manner)

    return asyncio.run(go())


@either_way
def test_every_message_arrives_octet_for_octet(sender, text_of, extensions):
    server = ScriptedServer(extensions=extensions)
    books = sent(sender, server, 50)
    assert set(books.kinds().values()) == {Kind.ACCEPTED}
    assert sorted(one.message for one in server.accepted) == sorted(
        text_of(number) for number in range(1, 51)
    )
    assert {(one.mail_from, one.recipient) for one in server.accepted} == {
        (f"bounce+{n}@bounces.example.org", f"reader{n}@example.org")
        for n in range(1, 51)
    }
    assert books.started == list(range(1, 51))
    assert server.connections == 1
    assert server.commands[-1] == "QUIT"


def test_commands_are_pipelined_only_if_the_server_says_so(sender):
    """A server that answers nothing before it has the last command tells."""
    server = ScriptedServer(rules={("mail", 0): b"", ("rcpt", 0): b""})
    server.rules |= {("data", 0): b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n"}
    assert sent(sender, server, 3).of(Kind.ACCEPTED) == [1, 2, 3]


# stage, answer -> outcome of the message, whether the same session goes on
ANSWERS = [
    ("mail", "451 4.3.0 later", Kind.DEFERRED, Stage.MAIL, True),
    ("mail", "550 5.7.1 not you", Kind.TROUBLE, Stage.MAIL, True),
    ("mail", "550 5.6.7 no", Kind.REJECTED, Stage.MAIL, True),
    ("mail", "421 4.3.2 closing", Kind.DEFERRED, Stage.MAIL, False),
    ("mail", "354 what?", Kind.RELEASED, Stage.MAIL, False),
    ("mail", b"nonsense\r\n", Kind.RELEASED, Stage.MAIL, False),
    ("mail", CLOSE, Kind.RELEASED, Stage.MAIL, False),
    ("mail", SILENCE, Kind.RELEASED, Stage.MAIL, False),
    ("rcpt", "450 4.7.1 greylisted", Kind.DEFERRED, Stage.RCPT, True),
    ("rcpt", "452 4.5.3 too many", Kind.DEFERRED, Stage.RCPT, True),
    ("rcpt", "552 5.2.2 full", Kind.DEFERRED, Stage.RCPT, True),
    ("rcpt", "552 5.3.4 too big", Kind.REJECTED, Stage.RCPT, True),
    ("rcpt", "550 5.1.1 unknown", Kind.REJECTED, Stage.RCPT, True),
    ("rcpt", "554 5.7.1 Relay access denied", Kind.TROUBLE, Stage.RCPT, True),
    ("rcpt", "530 5.7.0 log in", Kind.TROUBLE, Stage.RCPT, True),
    ("rcpt", "421 4.7.0 slow down", Kind.DEFERRED, Stage.RCPT, False),
    ("rcpt", b"\x00\xff\r\n", Kind.RELEASED, Stage.RCPT, False),
    ("rcpt", CLOSE, Kind.RELEASED, Stage.RCPT, False),
    ("rcpt", SILENCE, Kind.RELEASED, Stage.RCPT, False),
    ("data", "451 4.3.0 later", Kind.DEFERRED, Stage.DATA, True),
    ("data", "554 5.6.0 no", Kind.REJECTED, Stage.DATA, True),
    ("data", "421 4.3.2 closing", Kind.DEFERRED, Stage.DATA, False),
    ("data", "250 what?", Kind.RELEASED, Stage.DATA, False),
    ("data", b"x" * 9000, Kind.RELEASED, Stage.DATA, False),
    ("data", CLOSE, Kind.RELEASED, Stage.DATA, False),
    ("data", SILENCE, Kind.RELEASED, Stage.DATA, False),
    ("dot", "451 4.3.0 later", Kind.DEFERRED, Stage.DOT, True),
    ("dot", "554 5.7.1 spam", Kind.REJECTED, Stage.DOT, True),
    ("dot", "552 5.2.2 full", Kind.DEFERRED, Stage.DOT, True),
    ("dot", "421 4.3.2 closing", Kind.DEFERRED, Stage.DOT, False),
    ("dot", "354 again?", Kind.IN_DOUBT, Stage.DOT, False),
    ("dot", b"garbage\r\n", Kind.IN_DOUBT, Stage.DOT, False),
    ("dot", b"250-" + b"x" * 9000, Kind.IN_DOUBT, Stage.DOT, False),
    ("dot", b"250-x\r\n" * 101, Kind.IN_DOUBT, Stage.DOT, False),
    ("dot", CLOSE, Kind.IN_DOUBT, Stage.DOT, False),
    ("dot", SILENCE, Kind.IN_DOUBT, Stage.DOT, False),
    ("dot", Drip("250 2.0.0 queued"), Kind.ACCEPTED, Stage.DOT, True),
    ("dot", "250-two\r\n250 lines", Kind.ACCEPTED, Stage.DOT, True),
]


@either_way
@pytest.mark.parametrize(
    "row", ANSWERS, ids=[f"{one[0]}-{str(one[1])[:20]}" for one in ANSWERS]
)
def test_the_answer_to_one_message_decides_about_that_one_only(
    sender, text_of, extensions, row
):
    stage, answer, kind, at, goes_on = row
    server = ScriptedServer(rules={(stage, 3): answer}, extensions=extensions)
    books = sent(sender, server, 8)
    kinds = books.kinds()
    assert (kinds.pop(3), books.outcomes[3].stage) == (kind, at)
    # Of the others only the one already offered behind it may have to come again.
    released = books.of(Kind.RELEASED)
    assert set(released) <= ({3} if goes_on else {3, 4})
    accepted = {n for n, other in kinds.items() if other is Kind.ACCEPTED}
    assert accepted == set(kinds) - set(released)
    # The server agrees about every single message.
    at_server = {one.message for one in server.accepted} - {text_of(3)}
    assert at_server == {text_of(number) for number in accepted}
    assert (text_of(3) in {one.message for one in server.accepted}) <= (
        kind in {Kind.ACCEPTED, Kind.IN_DOUBT}
    )
    assert server.connections == (1 if goes_on else 2)
    assert (3 in books.started) == (at is Stage.DOT)
    assert not {4} & set(released) & set(books.started)


def test_the_reply_is_kept_as_it_was_said(sender):
    server = ScriptedServer(rules={("rcpt", 1): "550-5.1.1 no\r\n550 5.1.1 such user"})
    outcome = sent(sender, server, 1).outcomes[1]
    assert outcome.reply == Reply(550, "5.1.1", "no such user")
    assert outcome.host == "127.0.0.1"


def test_silence_says_why_in_a_sentence(sender):
    outcome = sent(sender, ScriptedServer(rules={("dot", 1): SILENCE}), 1).outcomes[1]
    assert (outcome.reply, outcome.detail) == (None, "no answer in time")


@pytest.mark.parametrize("answer", ["250 2.0.0 nobody got it", "554 5.5.1 nobody"])
def test_a_server_that_wants_the_text_for_nobody_gets_an_empty_one(
    sender, text_of, answer
):
    """RFC 2920 §3.1: DATA may be answered 354 though every RCPT was refused."""
    rules = {("rcpt", 2): "550 5.1.1 unknown", ("data", 2): "354 go on"}
    server = ScriptedServer(rules=rules | {("dot", 2): answer})
    books = sent(sender, server, 4)
    assert books.of(Kind.REJECTED) == [2]
    assert books.of(Kind.ACCEPTED) == [1, 3, 4]
    assert server.received[1].message == b""
    assert text_of(2) not in {one.message for one in server.received}
    assert server.connections == 1
    assert books.started == [1, 3, 4]


def test_the_last_message_refused_leaves_the_session_usable(sender, parcel):
    async def go(server):
        async with server.running(), sender.opened(server.url) as pool:
            for number in (1, 2, 3):
                pool.offer([parcel(number)])
                await pool.idle()

    rules = {("rcpt", 1): "550 5.1.1 no", ("rcpt", 2): "550 5.1.1 no"}
    server = ScriptedServer(rules=rules | {("data", 2): "354 go on"})
    asyncio.run(go(server))
    assert sender.books.of(Kind.ACCEPTED) == [3]
    assert server.connections == 1


def test_a_refused_reset_ends_the_session(sender):
    rules = {("rcpt", 1): "550 5.1.1 no", ("rset", 1): "500 5.5.1 no"}
    server = ScriptedServer(rules=rules)
    books = sent(sender, server, 4)
    assert books.of(Kind.RELEASED) == [2]
    assert books.of(Kind.ACCEPTED) == [3, 4]
    assert server.connections == 2


@either_way
@pytest.mark.parametrize(
    "rules",
    [
        {("data", 2): b"354 go on\r\n250 2.0.0 not yet\r\n"},
        {("data", 2): b"354 go on\r\n25"},
        {("mail", 2): b"250 ok\r\n250 ok\r\n"},
        {("dot", 2): b"250 ok\r\n250 ok\r\n"},
        {("dot", 2): b"250 ok\r\n550 5.1.1 not asked\r\n"},
    ],
    ids=["dot before the body", "half a dot", "mail twice", "dot twice", "a stray 550"],
)
def test_an_answer_before_its_question_is_never_believed(
    sender, text_of, extensions, rules
):
    server = ScriptedServer(rules=rules, extensions=extensions)
    books = sent(sender, server, 5)
    at_server = {one.message for one in server.accepted}
    for number, kind in books.kinds().items():
        if kind is Kind.ACCEPTED:
            assert text_of(number) in at_server
        else:
            # A stray refusal looks like one of MAIL; even so nobody is marked failed.
            assert kind in {Kind.RELEASED, Kind.TROUBLE}
            assert text_of(number) not in at_server


def test_a_dismissal_while_nothing_was_asked_harms_nobody(sender, parcel):
    async def go(server):
        async with server.running(), sender.opened(server.url) as pool:
            pool.offer([parcel(1)])
            await pool.idle()
            await asyncio.sleep(0.05)
            pool.offer([parcel(2)])
            await pool.idle()

    server = ScriptedServer(rules={("dot", 1): b"250 ok\r\n421 4.4.2 timeout\r\n"})
    asyncio.run(go(server))
    assert sender.books.of(Kind.ACCEPTED) == [1, 2]
    assert server.connections == 2


def test_an_answer_to_nothing_ends_the_session_and_harms_nobody(sender, parcel):
    async def go(server):
        async with server.running(), sender.opened(server.url) as pool:
            pool.offer([parcel(1)])
            await pool.idle()
            await asyncio.sleep(0.1)
            pool.offer([parcel(2)])
            await pool.idle()

    server = ScriptedServer(rules={("dot", 1): Drip("250 ok\r\n250 ok")})
    asyncio.run(go(server))
    assert sender.books.of(Kind.ACCEPTED) == [1, 2]
    assert server.connections == 2


def test_a_server_that_knows_only_helo_is_served_step_by_step(sender):
    server = ScriptedServer(rules={("ehlo", 0): "502 5.5.2 what?"})
    assert sent(sender, server, 3).of(Kind.ACCEPTED) == [1, 2, 3]
    assert "HELO sender.example" in server.commands


def test_after_quit_nothing_matters(sender):
    for answer in (CLOSE, SILENCE, "500 what?", b"garbage\r\n", "421 bye"):
        sender.books.__init__()
        server = ScriptedServer(rules={("quit", 1): answer})
        assert sent(sender, server, 1).of(Kind.ACCEPTED) == [1]


# --- What is never sent ---


@pytest.mark.parametrize(
    ("changes", "kind", "enhanced"),
    [
        ({"recipient": "a@b.org>\r\nRCPT TO:<c@d.org"}, Kind.REJECTED, "5.1.3"),
        ({"recipient": "a b@c.org"}, Kind.REJECTED, "5.1.3"),
        ({"recipient": "a@bücher.example"}, Kind.REJECTED, "5.1.3"),
        ({"recipient": ""}, Kind.REJECTED, "5.1.3"),
        ({"recipient": "jörg@example.org"}, Kind.REJECTED, "5.6.7"),
        ({"needs_smtputf8": True}, Kind.REJECTED, "5.6.7"),
        ({"mail_from": "a@b.org> SIZE=1\r\nRSET"}, Kind.TROUBLE, "5.1.7"),
        ({"mail_from": "jörg@example.org"}, Kind.TROUBLE, "5.1.7"),
    ],
)
def test_what_cannot_be_written_never_leaves(sender, parcel, changes, kind, enhanced):
    server = ScriptedServer()
    parcels = [parcel(1), parcel(2, **changes), parcel(3)]
    books = sent(sender, server, parcels)
    assert books.kinds() == {1: Kind.ACCEPTED, 2: kind, 3: Kind.ACCEPTED}
    assert books.outcomes[2].reply.enhanced == enhanced
    assert books.outcomes[2].host == ""
    assert server.begun == 2


@pytest.mark.parametrize(
    "message",
    [b"a\n.\nb\r\n", b"a\r.\r\nb\r\n", b"a\r\n.\rMAIL FROM:<>\r\n", b"no end"],
)
def test_a_smuggled_dot_never_leaves(sender, parcel, message):
    server = ScriptedServer()
    books = sent(sender, server, [parcel(1, message), parcel(2)])
    assert books.kinds() == {1: Kind.TROUBLE, 2: Kind.ACCEPTED}
    assert "CRLF" in books.outcomes[1].detail
    assert len(server.received) == 1


def test_a_dot_at_the_start_of_a_line_arrives_as_one(sender, parcel):
    server = ScriptedServer()
    message = b".\r\n..\r\n.a\r\n\r\n.\r\n"
    sent(sender, server, [parcel(1, message)])
    assert server.accepted[0].message == message


def test_a_letter_that_cannot_be_composed_ends_no_other(sender, parcel):
    def fails():
        raise KeyError("name")

    books = sent(sender, ScriptedServer(), [parcel(1, message=fails), parcel(2)])
    assert books.kinds() == {1: Kind.TROUBLE, 2: Kind.ACCEPTED}
    assert "KeyError" in books.outcomes[1].detail


# --- What the server offers ---


def test_a_message_beyond_the_size_limit_is_our_trouble_and_not_sent(sender, parcel):
    server = ScriptedServer(extensions=("PIPELINING", "SIZE 100"))
    books = sent(sender, server, [parcel(1, b"x" * 99 + b"\r\n"), parcel(2)])
    assert books.kinds() == {1: Kind.TROUBLE, 2: Kind.ACCEPTED}
    assert books.outcomes[1].detail == "the message has 101 octets, the relay takes 100"
    assert [c for c in server.commands if "SIZE" in c] == [
        "MAIL FROM:<bounce+2@bounces.example.org> SIZE=29"
    ]


@pytest.mark.parametrize("limit", ["SIZE", "SIZE 0", "SIZE many"])
def test_no_size_limit_is_none(sender, limit):
    server = ScriptedServer(extensions=("PIPELINING", limit))
    assert sent(sender, server, 1).of(Kind.ACCEPTED) == [1]


def test_delivery_reports_are_asked_for_where_they_are_offered(sender, parcel):
    server = ScriptedServer(extensions=("PIPELINING", "DSN"))
    sent(sender, server, [parcel(7, recipient="a+b=c@example.org")])
    assert server.commands[1:3] == [
        "MAIL FROM:<bounce+7@bounces.example.org> RET=HDRS ENVID=7",
        (
            "RCPT TO:<a+b=c@example.org> NOTIFY=FAILURE,DELAY "
            "ORCPT=rfc822;a+2Bb+3Dc@example.org"
        ),
    ]


def test_smtputf8_is_used_for_those_who_need_it_only(sender, parcel):
    server = ScriptedServer(extensions=("PIPELINING", "SMTPUTF8", "8BITMIME", "DSN"))
    parcels = [parcel(1, recipient="jörg@example.org", needs_smtputf8=True), parcel(2)]
    assert sent(sender, server, parcels).of(Kind.ACCEPTED) == [1, 2]
    mails = [command for command in server.commands if command.startswith("MAIL")]
    assert ["SMTPUTF8" in mail for mail in mails] == [True, False]
    assert server.accepted[0].recipient == "jörg@example.org"
    assert "RCPT TO:<jörg@example.org> NOTIFY=FAILURE,DELAY" in server.commands
