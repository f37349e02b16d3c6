"""Clients post while the web process is killed again and again: what was acknowledged is there, and nothing twice."""

from __future__ import annotations

import os
import random
import threading
import time

import pytest

from tests.faults.web import Sender, Server

KILLS = int(os.environ.get("LLMOPS_TEST_KILLS", "5"))
CLIENTS = 6


@pytest.mark.faults
@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(server: Server) -> None:
    key = server.manage("issue_key", "shop").split()[-1]
    server.start()
    stop = threading.Event()
    senders = [Sender(server, key, number, stop) for number in range(CLIENTS)]
    for sender in senders:
        sender.start()
    dice = random.Random(1)
    for _ in range(KILLS):
        time.sleep(0.4 + dice.random())
        server.kill()
        server.start()
    time.sleep(1)
    stop.set()
    for sender in senders:
        sender.join(timeout=60)
    server.kill()

    assert [wrong for sender in senders for wrong in sender.wrong] == []
    assert sum(sender.retried for sender in senders) > 0
    acknowledged = {name: uid for sender in senders for name, uid in sender.acknowledged.items()}
    rows = server.query(
        "SELECT client_id, uid, 'call_' FROM feedback_call "
        "UNION ALL SELECT client_id, uid, 'feedback_' FROM feedback_feedbackevent"
    )
    votes = server.query("SELECT count(*), count(DISTINCT call_client_id) FROM feedback_vote")
    walls = server.query("SELECT count(*) FROM feedback_seen")
    stored = {name: prefix + str(uid).replace("-", "") for name, uid, prefix in rows}
    print(f"\n{len(acknowledged):,} acknowledged, {sum(sender.retried for sender in senders):,} retries, {KILLS} kills")
    assert len(rows) == len(stored), "something is stored twice"
    assert {name: stored.get(name) for name in acknowledged} == acknowledged
    assert stored.keys() == acknowledged.keys(), "a batch is stored whole, and every batch was insisted on"
    feedback = sum(name.startswith("feedback-") for name in stored)
    assert votes == [(feedback, feedback)]
    assert walls == [(len(stored),)]
