"""Drains in this process: real SMTP on loopback, both engines, a clock by hand."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

import subscribers
from distributor.delivery import State
from distributor.errors import StorageError
from distributor.sending.drain import drain
from distributor.storage import accounts, ledger, sends
from distributor.storage.locks import slot_lock
from distributor.storage.sends import SendState
from distributor.storage.tables import deliveries
from distributor.tick import tick
from tests.fakes.benches import Clock, make_bench, make_settings, send_issue
from tests.fakes.people import NOW, PEPPER, join, make_audience
from tests.fakes.recorder import Recorder


def never():
    return False


class Stage:
    """A send to `count` readers, ready to be drained."""

    def __init__(self, engine, root, recorder, *, count=7, **settings):
        self.engine = engine
        self.recorder = recorder
        self.settings = make_settings(root, smtp_url=recorder.url, **settings)
        with engine.begin() as connection:
            self.list = make_audience(connection, count)
        self.clock = Clock()
        self.bench = make_bench(self.settings, engine, self.clock)
        self.send_id = send_issue(engine, self.settings, self.list)

    def drain(self, slot=0, stop=never):
        return drain(self.bench, slot, stop=stop)

    def tick(self):
        return tick(self.engine, now=self.clock(), slots=2, deadline_s=3600)

    @property
    def states(self):
        with self.engine.connect() as connection:
            return accounts.tally(connection, self.send_id).states

    @property
    def send(self):
        with self.engine.connect() as connection:
            return sends.get(connection, self.send_id)

    def rows(self):
        with self.engine.connect() as connection:
            return {
                row.recipient: row
                for row in accounts.deliveries_of(connection, self.send_id)
            }


@pytest.fixture
def recorder():
    with Recorder() as server:
        yield server


def test_everyone_gets_the_issue_once_and_the_send_finishes(engine, tmp_path, recorder):
    stage = Stage(engine, tmp_path, recorder, count=250, chunk=40)
    assert stage.drain().claimed == 250
    assert stage.states == {State.ACCEPTED: 250}
    assert set(recorder.recipients.values()) == {1}
    assert stage.tick().finished == [stage.send_id]
    assert stage.send.state is SendState.FINISHED
    assert stage.drain().claimed == 0


def test_the_message_is_the_persons_own_and_its_links_open(engine, tmp_path, recorder):
    stage = Stage(engine, tmp_path, recorder, count=2)
    stage.drain()
    message = recorder.parsed("reader1@example.org")
    assert message["To"] == "Reader 1 <reader1@example.org>"
    assert "Dear Reader 1," in message.get_body(("plain",)).get_content()
    link = message["List-Unsubscribe"].strip("<>")
    token = link.removeprefix("https://news.example.org/u/")
    keyring = stage.settings.keyring
    [subscription_id] = keyring.open(subscribers.Purpose.UNSUBSCRIBE, token)
    with engine.connect() as connection:
        found = subscribers.get_subscription(connection, subscription_id)
    assert found.address == "reader1@example.org"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"].endswith("<news.example.org>")
    [(_, sender, _)] = [a for a in recorder.accepted if a[0] == "reader1@example.org"]
    delivery = stage.bench.letters._people.identity.delivery_of(sender)
    assert stage.rows()["reader1@example.org"].id == delivery


def test_a_retry_is_the_same_message_byte_for_byte(engine, tmp_path):
    class Forgetful(Recorder):
        """Keeps the message and then says that it could not."""

    with Forgetful(
        lambda _to, tries: "450 4.2.1 later" if not tries else "250 ok"
    ) as r:
        stage = Stage(engine, tmp_path, r, count=3)
        stage.drain()
        assert stage.states == {State.DEFERRED: 3}
        before = [stage.bench.letters.parcel(c).message() for c in claims_of(stage)]
        stage.clock.forward(seconds=61)
        assert stage.tick().ring == [0, 1]
        stage.drain(slot=1)
        assert stage.states == {State.ACCEPTED: 3}
        assert sorted(before) == sorted(
            message + b"\r\n" for _, _, message in r.accepted
        )
        assert {row.attempts for row in stage.rows().values()} == {2}


def claims_of(stage):
    with stage.engine.begin() as connection:
        ids = connection.scalars(sa.select(deliveries.c.id)).all()
        return ledger._claimed(connection, ids, now=NOW)


def test_refusals_are_told_apart_and_keep_their_reply(engine, tmp_path):
    replies = {
        "reader0@example.org": "550 5.1.1 no such user",
        "reader1@example.org": "452 4.2.2 mailbox full",
    }
    with Recorder(lambda to, _tries: replies.get(to, "250 ok")) as recorder:
        stage = Stage(engine, tmp_path, recorder, count=4)
        stage.drain()
        rows = stage.rows()
    assert rows["reader0@example.org"].state is State.REJECTED
    assert rows["reader0@example.org"].smtp_code == 550
    assert rows["reader0@example.org"].enhanced_code == "5.1.1"
    assert rows["reader0@example.org"].reply == "no such user"
    deferred = rows["reader1@example.org"]
    assert deferred.state is State.DEFERRED
    assert deferred.due_at == NOW + timedelta(seconds=60)
    assert stage.states[State.ACCEPTED] == 2


def test_who_unsubscribes_before_the_claim_gets_nothing(engine, tmp_path, recorder):
    stage = Stage(engine, tmp_path, recorder, count=3)
    with engine.begin() as connection:
        who = subscribers.parse_address("reader1@example.org")
        person = subscribers.find_subscriber(connection, who)
        [tie] = subscribers.subscriptions_of(connection, person.id)
        subscribers.unsubscribe(
            connection, tie.id, via=subscribers.Via.ONE_CLICK, now=NOW
        )
    stage.drain()
    assert stage.states == {State.ACCEPTED: 2, State.SKIPPED: 1}
    assert "reader1@example.org" not in recorder.recipients


def test_an_unreachable_relay_makes_the_send_wait_and_nobody_fails(engine, tmp_path):
    with Recorder() as recorder:
        port = recorder.port
    stage = Stage(engine, tmp_path, recorder, count=3)
    stage.drain()
    assert stage.states == {State.PENDING: 3}
    assert f"127.0.0.1:{port}" in stage.send.trouble
    recorder = Recorder()
    recorder.port = port
    with recorder:
        stage.drain()
    assert stage.states == {State.ACCEPTED: 3}
    assert stage.send.trouble == ""


def test_a_relay_that_refuses_our_sender_is_our_trouble_not_theirs(engine, tmp_path):
    with Recorder(lambda _to, _tries: "530 5.7.0 Authentication required") as recorder:
        stage = Stage(engine, tmp_path, recorder, count=300, chunk=20)
        stage.drain()
        assert stage.states == {State.PENDING: 300}
        assert "Authentication required" in stage.send.trouble
        # It gave up long before it had bothered the relay with everyone.
        assert sum(recorder.tried.values()) < 150


def test_a_slot_that_somebody_alive_holds_is_left_alone(engine, tmp_path, recorder):
    stage = Stage(engine, tmp_path, recorder)
    folder = stage.bench.folder
    with engine.connect() as other, slot_lock(other, 0, folder=folder) as held:
        assert held
        assert not stage.drain().held
        assert stage.drain(slot=1).claimed == 7


def test_two_slots_at_once_deliver_to_nobody_twice(engine, tmp_path, recorder):
    stage = Stage(engine, tmp_path, recorder, count=400, chunk=20)
    threads = [threading.Thread(target=stage.drain, args=(n,)) for n in (0, 0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stage.states == {State.ACCEPTED: 400}
    assert set(recorder.recipients.values()) == {1}


def test_stopping_hands_back_what_was_not_begun(engine, tmp_path):
    with Recorder(delay_s=0.05) as recorder:
        stage = Stage(engine, tmp_path, recorder, count=300, chunk=100)
        drained = stage.drain(stop=lambda: len(recorder.accepted) > 5)
        assert drained.more
        states = stage.states
        assert State.SENDING not in states
        assert states[State.ACCEPTED] == len(recorder.accepted)
        assert states[State.PENDING] > 100


def test_pausing_stops_after_what_is_claimed(engine, tmp_path):
    with Recorder(delay_s=0.02) as recorder:
        stage = Stage(engine, tmp_path, recorder, count=300, chunk=20)

        def pause_soon():
            if len(recorder.accepted) > 5:
                with stage.engine.begin() as connection:
                    sends.pause(connection, stage.send_id)
            return False

        stage.drain(stop=pause_soon)
        assert stage.states[State.PENDING] > 200
        assert stage.drain().claimed == 0
        with engine.begin() as connection:
            sends.resume(connection, stage.send_id)
        stage.drain()
        assert stage.states == {State.ACCEPTED: 300}
        assert set(recorder.recipients.values()) == {1}


def test_after_a_crash_the_journal_settles_what_was_held(engine, tmp_path, recorder):
    stage = Stage(engine, tmp_path, recorder, count=4)
    a, b, c = crashed_after_claiming(stage, 3)
    journal = stage.bench.folder / "slot-0.journal"
    with journal.open("ab") as file:
        for claim in (a, b):
            file.write(b"s\t%d\t1\n" % claim.delivery_id)
        file.write(outcome_line(a))
    drained = stage.drain()
    assert drained.recovered == 3
    rows = {row.id: row for row in stage.rows().values()}
    assert rows[a.delivery_id].state is State.ACCEPTED  # its answer was written down
    assert rows[b.delivery_id].state is State.IN_DOUBT  # its final dot may have left
    assert rows[c.delivery_id].state is State.ACCEPTED  # never begun: sent now
    assert recorder.recipients == {c.recipient: 1, "reader3@example.org": 1}
    stage.clock.forward(seconds=61)
    stage.drain()
    assert stage.states == {State.ACCEPTED: 4}
    with engine.connect() as connection:
        assert accounts.tally(connection, stage.send_id).resent_after_doubt == 1


def test_without_its_journal_all_that_a_slot_held_is_in_doubt(
    engine, tmp_path, recorder
):
    stage = Stage(engine, tmp_path, recorder, count=4, in_doubt="hold")
    crashed_after_claiming(stage, 3)
    (stage.bench.folder / "slot-0.journal").unlink()
    stage.drain()
    assert stage.states == {State.ACCEPTED: 1, State.IN_DOUBT: 3}
    stage.clock.forward(days=1)
    stage.drain()
    assert stage.states[State.IN_DOUBT] == 3  # held for staff
    assert stage.tick().finished == [stage.send_id]


def crashed_after_claiming(stage, count):
    """A worker of slot 0 claimed `count` deliveries and was never seen again."""
    drain(stage.bench, 0, stop=lambda: True)  # makes the journal
    with stage.engine.begin() as connection:
        return ledger.claim_pending(
            connection, send_id=stage.send_id, after=0, limit=count, slot=0, now=NOW
        )


def outcome_line(claim):
    """What the journal writes of an accepted delivery."""
    import tempfile
    from pathlib import Path

    from distributor.reply import Kind, Outcome, Reply, Stage
    from distributor.sending.journal import Journal

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        journal = Journal(path)
        journal.begin("x")
        accepted = Outcome(Kind.ACCEPTED, Stage.DOT, Reply(250, "2.0.0", "ok"), "mx")
        journal.outcome(claim.delivery_id, claim.attempt, accepted)
        journal.close()
        return path.read_bytes().partition(b"\n")[2]


def test_no_record_no_send(tmp_path, fresh_sqlite, recorder):
    """Another writer holds the database: sending stops after what was claimed."""
    from distributor.storage import database

    engine = database.open_engine(fresh_sqlite, busy_timeout_s=1)
    stage = Stage(engine, tmp_path, recorder, count=300, chunk=10)
    path = engine.url.database
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def block():
        if len(recorder.accepted) > 30 and not blocker.in_transaction:
            try:
                blocker.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
        return False

    with pytest.raises(StorageError, match="database"):
        stage.drain(stop=block)
    seen = len(recorder.accepted)
    assert seen < 100
    blocker.rollback()
    blocker.close()
    stage.clock.forward(seconds=61)
    stage.drain()
    stage.clock.forward(seconds=61)
    stage.drain()
    assert stage.states == {State.ACCEPTED: 300}
    # The answers were in the journal: nobody was in doubt, nobody got it twice.
    assert set(recorder.recipients.values()) == {1}
    engine.dispose()


def test_hostile_names_are_text_and_no_header(engine, tmp_path, recorder):
    names = {
        "a@example.org": "Eve\r\nBcc: all@example.org",
        "b@example.org": "{{ 7*7 }}{% raw %}",
        "c@example.org": "<script>alert(1)</script>",
    }
    stage = Stage(engine, tmp_path, recorder, count=1)
    with engine.begin() as connection:
        for address, name in names.items():
            join(connection, address, stage.list, name=name)
        connection.execute(sa.delete(deliveries))
        connection.execute(sa.text("UPDATE sends SET state = 'cancelled'"))
    stage.send_id = send_issue(engine, stage.settings, stage.list)
    stage.drain()
    eve = recorder.parsed("a@example.org")
    assert eve["Bcc"] is None
    assert eve["To"].addresses[0].addr_spec == "a@example.org"
    template = recorder.parsed("b@example.org")
    assert "Dear {{ 7*7 }}{% raw %}," in template.get_body(("plain",)).get_content()
    html = recorder.parsed("c@example.org").get_body(("html",)).get_content()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_suppressed_after_the_snapshot_is_skipped(engine, tmp_path, recorder):
    stage = Stage(engine, tmp_path, recorder, count=2)
    with engine.begin() as connection:
        subscribers.suppress(
            connection,
            subscribers.parse_address("reader0@example.org"),
            grounds=subscribers.Grounds("complaint"),
            pepper=PEPPER,
            now=NOW,
        )
    stage.drain()
    assert stage.states == {State.ACCEPTED: 1, State.SKIPPED: 1}
