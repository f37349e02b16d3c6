"""The database cuts a connection in the middle of a batch: the sender is told, and nothing is there by half."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.web import Server
from tests.installation import wait_for

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.xdist_group("faults"),
]

WAITS = "wait_event_type = 'Lock' AND query LIKE 'COPY \"feedback_call\"%' AND datname = current_database()"


def test_a_batch_that_is_cut_off_while_it_is_copied_is_stored_whole_when_it_comes_again(
    server_services: dict[str, str], tmp_path: Path
) -> None:
    import psycopg

    server = Server(tmp_path, server_services)
    for command in (["createcachetable"], ["create_project", "shop", "--admin", "a@b.example"]):
        server.manage(*command)
    key = server.manage("issue_key", "shop").split()[-1]
    server.start()
    address = server_services["DATABASE_URL"].replace("postgres://", "postgresql://")
    try:
        with psycopg.connect(address) as lock, ThreadPoolExecutor(1) as sender:
            lock.execute("LOCK TABLE feedback_call IN ACCESS EXCLUSIVE MODE")
            answer = sender.submit(post, server.port, key)
            waits = f"SELECT 1 FROM pg_stat_activity WHERE {WAITS}"
            wait_for(lambda: bool(server.query(waits)), 20, "nothing was copied")
            server.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {WAITS}")
            assert answer.result(30) == (503, "1")
            lock.rollback()
        assert server.query("SELECT count(*) FROM feedback_seen") == [(0,)]
        assert [post(server.port, key)[0] for _ in range(2)] == [201, 201]
        assert server.query("SELECT count(*), count(DISTINCT client_id) FROM feedback_call") == [(50, 50)]
    finally:
        server.kill()


def post(port: int, key: str) -> tuple[int, str | None]:
    """The status and how long to wait before the next try."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/calls",
        data=json.dumps({"batch": [{"id": f"call-{number}", "output": "x"} for number in range(50)]}).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, None
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After")
