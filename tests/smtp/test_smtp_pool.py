"""The pool: feeding, sharing, reconnecting, giving up, closing."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from distributor.errors import RelayError
from distributor.reply import Kind
from distributor.sending.smtp import Manner, Pool, RelayUrl
from tests.fakes.scripted_smtp import CLOSE, SILENCE, ScriptedServer


def run(go, server=None, **manner):
    """Runs `go(pool, server)` with an open pool against the server."""

    async def all_of_it(sender):
        async with (
            (server or ScriptedServer()).running() as running,
            sender.opened(running.url, **manner) as pool,
        ):
            return await asyncio.wait_for(go(pool, running), 20)

    return all_of_it


def test_work_is_shared_by_all_connections(sender):
    server = ScriptedServer()

    async def go():
        async with server.running():
            return await sender.send(server.url, 400, connections=5)

    books = asyncio.run(go())
    assert len(books.of(Kind.ACCEPTED)) == 400
    assert server.most_at_once == 5
    assert len({one.message for one in server.accepted}) == 400
    assert server.commands.count("QUIT") == 5


@pytest.mark.parametrize("connections", [1, 3])
def test_sessions_serve_one_offer_after_another(sender, parcel, connections):
    server = ScriptedServer()

    async def go(pool, server):
        pool.offer([])
        while connections > server.connections:
            pool.offer([parcel(100 + number) for number in range(50)])
            await pool.idle()
            sender.books.__init__()
        for number in range(1, 6):
            pool.offer([parcel(number)])
            await pool.idle()
            assert sender.books.of(Kind.ACCEPTED) == list(range(1, number + 1))

    asyncio.run(run(go, server, connections=connections)(sender))
    assert server.connections == connections


def test_sessions_are_recycled_after_their_share(sender):
    server = ScriptedServer()

    async def go():
        async with server.running():
            return await sender.send(server.url, 25, per_connection=10)

    assert len(asyncio.run(go()).of(Kind.ACCEPTED)) == 25
    assert server.connections == 3
    assert server.commands.count("QUIT") == 3


def test_the_feeder_is_woken_when_little_is_left(sender, parcel):
    async def go(pool, _server):
        pool.offer(parcel(number) for number in range(1, 101))
        await pool.drained_below(50)
        assert pool.queued < 50
        assert pool.queued + pool.in_flight + len(sender.books.outcomes) == 100
        await pool.idle()

    asyncio.run(run(go)(sender))
    assert len(sender.books.outcomes) == 100


def test_waiting_can_be_given_up_and_begun_again(sender, parcel):
    async def go(pool, _server):
        pool.offer([parcel(1)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.idle(), 0.05)
        assert pool.in_flight == 1
        await pool.idle()

    server = ScriptedServer(rules={("dot", 1): SILENCE})
    asyncio.run(run(go, server)(sender))
    assert sender.books.of(Kind.IN_DOUBT) == [1]


def test_what_no_session_has_taken_can_be_taken_back(sender, parcel):
    async def go(pool, _server):
        pool.offer(parcel(number) for number in range(1, 101))
        back = {one.delivery_id for one in pool.take_back()}
        assert pool.queued == 0
        await pool.idle()
        assert back | sender.books.outcomes.keys() == set(range(1, 101))
        assert not back & sender.books.outcomes.keys()
        assert back

    asyncio.run(run(go)(sender))
    assert sender.books.twice == []


def test_offering_from_within_an_outcome_is_allowed(sender, parcel):
    finish = sender.books.finish

    async def go(pool, _server):
        def finish_and_offer(done, outcome):
            finish(done, outcome)
            if done.delivery_id < 20:
                pool.offer([parcel(done.delivery_id + 1)])

        pool._on_outcome = finish_and_offer
        pool.offer([parcel(1)])
        await pool.idle()

    asyncio.run(run(go, connections=2)(sender))
    assert sender.books.of(Kind.ACCEPTED) == list(range(1, 21))


# --- Losing the relay ---


def test_a_lost_session_is_replaced_while_there_is_work(sender):
    rules = {("dot", 3): CLOSE, ("mail", 6): CLOSE, ("rcpt", 9): "421 4.3.2 bye"}
    server = ScriptedServer(rules=rules)

    async def go():
        async with server.running():
            return await sender.send(server.url, 30)

    books = asyncio.run(go())
    assert server.connections == 4
    assert len(books.of(Kind.IN_DOUBT)) == 1
    assert len(books.of(Kind.DEFERRED)) == 1
    assert len(books.of(Kind.ACCEPTED)) == len(server.accepted) >= 25


def test_an_idle_session_that_was_closed_is_replaced_when_work_comes(sender, parcel):
    async def go(pool, server):
        pool.offer([parcel(1)])
        await pool.idle()
        await asyncio.sleep(0.05)
        assert server.connections == 1
        pool.offer([parcel(2)])
        await pool.idle()
        assert pool.trouble is None

    server = ScriptedServer(rules={("dot", 1): b"250 ok\r\n421 4.4.2 timeout\r\n"})
    asyncio.run(run(go, server)(sender))
    assert sender.books.of(Kind.ACCEPTED) == [1, 2]
    assert server.connections == 2


@pytest.mark.parametrize("connections", [1, 4])
def test_a_relay_that_is_gone_gives_everything_back(sender, parcel, connections):
    async def go():
        server = ScriptedServer(rules={("dot", 5): CLOSE})
        async with server.running():
            pool = sender.pool(server.url, connections=connections)
            await pool.open()
        pool.offer(parcel(number) for number in range(1, 101))
        await asyncio.wait_for(pool.idle(), 20)
        assert pool.trouble.kind == "unreachable"
        assert "DISTRIBUTOR_SMTP_URL" in str(pool.trouble)
        pool.offer([parcel(101)])
        await asyncio.wait_for(pool.idle(), 1)
        await pool.close()

    asyncio.run(go())
    assert sender.books.of(Kind.RELEASED) == list(range(1, 102))
    assert sender.books.twice == []
    assert sender.books.started == []


def test_a_relay_that_came_back_is_used_after_opening_again(sender, parcel):
    async def go():
        server = ScriptedServer()
        async with server.running():
            pool = sender.pool(server.url)
            await pool.open()
        pool.offer([parcel(1)])
        await asyncio.wait_for(pool.idle(), 20)
        async with server.running():
            await pool.open()
            assert pool.trouble is None
            pool.offer([parcel(2)])
            await asyncio.wait_for(pool.idle(), 20)
            await pool.close()

    asyncio.run(go())
    assert sender.books.kinds() == {1: Kind.RELEASED, 2: Kind.ACCEPTED}


def test_a_relay_that_hangs_up_on_every_message_counts_as_gone(sender, parcel):
    async def go():
        async with ScriptedServer(rules={("mail", 0): CLOSE}).running() as server:
            pool = sender.pool(server.url)
            await pool.open()
            pool.offer(parcel(number) for number in range(1, 31))
            await asyncio.wait_for(pool.idle(), 20)
            assert "without taking a message (connection lost" in str(pool.trouble)
            assert server.connections == 3
            await pool.close()

    asyncio.run(go())
    assert sender.books.of(Kind.RELEASED) == list(range(1, 31))


def test_connections_that_the_relay_does_not_grant_are_done_without(sender, parcel):
    """The first connection is served, the others are turned away at the door."""
    server = ScriptedServer(rules={("connect", -1): "220 hello"})

    async def go(pool, server):
        server.rules = {("connect", 0): "421 4.7.0 too many connections"}
        pool.offer(parcel(number) for number in range(1, 201))
        await pool.idle()
        assert pool.trouble is None
        await asyncio.sleep(0.2)  # until the others have given up
        pool.offer([parcel(201)])
        await pool.idle()
        assert pool.trouble is None

    asyncio.run(run(go, server, connections=3)(sender))
    assert len(sender.books.of(Kind.ACCEPTED)) == 201


class BrokenPool(Pool):
    """Its second connection meets a bug of ours."""

    tries = 0

    async def _connect(self):
        self.tries += 1
        if self.tries > 1:
            raise ZeroDivisionError
        return await super()._connect()


def test_a_bug_while_connecting_is_raised_and_not_waited_for(sender, parcel):
    async def go():
        server = ScriptedServer(rules={("dot", 1): CLOSE})
        async with server.running():
            pool = BrokenPool(
                RelayUrl.parse(server.url),
                Manner(connections=1),
                on_started=sender.books.start,
                on_outcome=sender.books.finish,
            )
            await pool.open()
            pool.offer(parcel(number) for number in range(1, 11))
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(pool.idle(), 5)
            await pool.close()

    asyncio.run(go())
    assert sender.books.of(Kind.IN_DOUBT) == [1]
    assert sender.books.of(Kind.RELEASED) == list(range(2, 11))


# --- Our own ground giving way ---


def test_a_start_that_cannot_be_written_down_is_not_sent(sender, parcel):
    server = ScriptedServer()

    def start(one):
        if one.delivery_id == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def go(pool, _server):
        pool._on_started = start
        pool.offer(parcel(number) for number in range(1, 101))
        with pytest.raises(OSError, match="No space left"):
            await pool.idle()
        with pytest.raises(OSError, match="No space left"):
            await pool.drained_below(1000)
        back = pool.take_back()
        pool.offer(back[:1])  # nothing is taken any more
        assert pool.queued == 1
        assert len(pool.take_back()) == 1
        assert len(back) + len(sender.books.outcomes) == 100

    asyncio.run(run(go, server)(sender))
    assert sender.books.of(Kind.ACCEPTED) == [1, 2]
    assert sender.books.of(Kind.RELEASED) == [3]
    assert len(server.received) == 2


def test_an_outcome_that_cannot_be_written_down_stops_the_sending(sender, parcel):
    server = ScriptedServer()
    calls = []

    def finish(one, _outcome):
        calls.append(one.delivery_id)
        if one.delivery_id == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def go(pool, _server):
        pool._on_outcome = finish
        pool.offer(parcel(number) for number in range(1, 101))
        with pytest.raises(OSError, match="No space left"):
            await pool.idle()
        pool.take_back()

    asyncio.run(run(go, server)(sender))
    assert len(server.received) <= 4
    assert sorted(calls) == list(range(1, len(calls) + 1))


# --- Opening and closing ---


def test_closing_waits_for_what_is_on_the_wire(sender, parcel):
    server = ScriptedServer(rules={("dot", 1): SILENCE})

    async def go():
        async with server.running():
            pool = sender.pool(server.url)
            await pool.open()
            pool.offer(parcel(number) for number in range(1, 11))
            await pool.drained_below(9)
            await pool.close()
            assert pool.in_flight == pool.queued == 0

    asyncio.run(go())
    assert sender.books.of(Kind.IN_DOUBT) == [1]
    assert sender.books.of(Kind.RELEASED) == list(range(2, 11))


def test_closing_says_goodbye_and_does_not_wait_for_ever(sender):
    server = ScriptedServer(rules={("quit", 0): SILENCE})

    async def go():
        async with server.running():
            pool = sender.pool(server.url, connections=3)
            await pool.open()
            await asyncio.sleep(0.1)
            await asyncio.wait_for(pool.close(), 5)
            await asyncio.wait_for(pool.close(), 5)

    asyncio.run(go())


def test_a_pool_that_was_never_opened_can_be_closed(sender, parcel):
    async def go():
        pool = sender.pool("smtp://127.0.0.1:1")
        pool.offer([parcel(1)])
        await pool.close()

    asyncio.run(go())
    assert sender.books.of(Kind.RELEASED) == [1]


@pytest.mark.parametrize(
    ("rules", "kind", "said"),
    [
        ({("connect", 0): "554 5.7.1 go away"}, "refused", "554 5.7.1 go away"),
        ({("connect", 0): "421 4.3.2 busy"}, "unreachable", "421 4.3.2 busy"),
        ({("connect", 0): "450 4.3.2 busy"}, "unreachable", "450 4.3.2 busy"),
        ({("connect", 0): CLOSE}, "unreachable", ""),
        ({("connect", 0): SILENCE}, "unreachable", "Timed out"),
        ({("connect", 0): b"HTTP/1.1 400\r\n"}, "unreachable", "HTTP/1.1 400"),
        ({("connect", 0): b"x" * 50_000}, "unreachable", "too long"),
        ({("ehlo", 0): "421 4.3.2 busy"}, "unreachable", "421 4.3.2 busy"),
        (
            {("ehlo", 0): "550 5.7.1 no", ("helo", 0): "550 5.7.1 go away"},
            "refused",
            "550 5.7.1 go away",
        ),
        ({("ehlo", 0): CLOSE}, "unreachable", ""),
        ({("ehlo", 0): SILENCE}, "unreachable", "Timed out"),
    ],
)
def test_a_relay_that_will_not_talk_is_named_with_its_words(sender, rules, kind, said):
    async def go():
        async with ScriptedServer(rules=rules).running() as server:
            with pytest.raises(RelayError) as caught:
                await sender.pool(server.url, connections=3).open()
            assert server.connections == 1
            return caught.value, server.url

    error, url = asyncio.run(go())
    assert error.kind == kind
    assert url.removeprefix("smtp://") in str(error)
    assert said in str(error)
    assert "DISTRIBUTOR_SMTP_URL" in str(error)
    assert "\n" not in str(error)
