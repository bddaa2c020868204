"""The doorbell: rings that get lost do no harm; the application is set up safely."""

from __future__ import annotations

import time

import pytest

from distributor.tasks import DRAIN_S, RING_EXPIRES_S, beat, configure, ring
from tests.fakes.benches import make_settings, send_issue
from tests.fakes.people import make_audience


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "filesystem"])
def test_a_ring_that_nobody_can_hear_does_no_harm(tmp_path, broker):
    if broker == "filesystem":
        configure(make_settings(tmp_path))
        folder = tmp_path / "var/broker/data_folder"
        folder.rmdir()
        folder.write_text("in the way")
    else:
        configure(make_settings(tmp_path, broker_url=broker))
    began = time.monotonic()
    assert ring([0, 1]) is False
    assert time.monotonic() - began < 30


def test_a_ring_is_one_small_message_with_an_expiry(tmp_path):
    configure(make_settings(tmp_path))
    assert ring([3])
    [message] = (tmp_path / "var/broker/data_folder").iterdir()
    assert "distributor.drain" in message.read_text()


@pytest.mark.broker
def test_rings_reach_redis(tmp_path, redis_url):
    configure(make_settings(tmp_path, broker_url=redis_url))
    assert ring([0, 1, 2])


def test_a_beat_rings_while_work_is_due(engine, tmp_path):
    settings = make_settings(tmp_path)
    configure(settings)
    with engine.begin() as connection:
        to = make_audience(connection, 2)
    send_issue(engine, settings, to)
    # Its deadline lies in the past of the real clock: everything expires.
    done = beat(settings, engine)
    assert done.ended == 2
    assert beat(settings, engine).ended == 0


def test_a_worker_is_never_killed_while_it_waits_for_an_answer(tmp_path):
    settings = make_settings(tmp_path, final_dot_timeout_s=600)
    app = configure(settings)
    assert app.conf.task_time_limit > settings.final_dot_timeout_s + DRAIN_S
    assert app.conf.accept_content == ["json"]
    assert RING_EXPIRES_S > DRAIN_S
