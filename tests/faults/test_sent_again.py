"""The same deliveries again and again, also at the same moment, to a real web process with several threads: the same
answers, no second row; and another body under a known id is refused, event by event."""

from __future__ import annotations

import pytest

from tests.faults import resending
from tests.faults.web import Server

BATCHES = 100


@pytest.mark.faults
@pytest.mark.slow
def test_what_is_sent_again_is_stored_once_and_another_body_under_its_id_is_refused(server: Server) -> None:
    key = server.manage("issue_key", "shop").split()[-1]
    server.start()
    tally = resending.Deliverer(server.port, key, "again").deliver(BATCHES)
    server.kill()
    rows = server.query(resending.STORED.format(name="again"))
    seen = server.query("SELECT count(*) FROM feedback_seen")
    votes = server.query("SELECT count(*), count(DISTINCT call_client_id) FROM feedback_vote")
    print(f"\n{resending.demand_exact(tally, rows)}")
    assert seen == [(len(rows),)]
    feedback = sum(kind == "feedback" for kind, _ in tally.uids)
    assert votes == [(feedback, feedback)]
