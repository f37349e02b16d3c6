"""Bodies that never end, inflate without end or nest without end, sent to a real web process that must keep its size.

What a test client cannot show: a body without a length, and the memory that it costs.
"""

from __future__ import annotations

import gzip
import http.client
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from feedback.services import arrivals
from tests.bench import processes
from tests.faults.web import Server

LIMIT = settings.MAX_JSON_BYTES
CHUNK = b"x" * 65_536
MB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("limits"))
    server.manage("create_project", "garden", "--admin", "ada@example.com")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def secret(server: Server) -> str:
    return server.manage("issue_key", "garden")


@pytest.fixture(scope="module")
def publishable(server: Server) -> str:
    return server.manage("issue_key", "garden", "--publishable", "--origin", "https://shop.example")


def post(server: Server, key: str, path: str, body: Any, **headers: str) -> int:
    """The status; a server that closes in the middle of a body has refused it, which is 413 to us."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
        connection.request("POST", f"/api/v1/{path}", body, sent, encode_chunked=not isinstance(body, bytes))
        return connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        return 413
    finally:
        connection.close()


def chunks(total: int) -> Iterator[bytes]:
    yield b'{"output": "'
    for _ in range(total // len(CHUNK)):
        yield CHUNK


def nested(depth: int) -> bytes:
    return b'{"call": "c", "correction": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize("path", ["calls", "feedback"])
def test_a_body_over_the_limit_is_refused_and_costs_no_memory(server: Server, secret: str, path: str) -> None:
    """50 MB with a length, and without one."""
    post(server, secret, path, b"{}")
    assert server.process is not None
    before = processes.peak_mb(server.process.pid)
    chunked = {"Transfer-Encoding": "chunked"}
    assert post(server, secret, path, b"x" * (50 * MB)) == 413
    assert post(server, secret, path, chunks(50 * MB), **chunked) == 413
    assert processes.peak_mb(server.process.pid) - before < 2 * LIMIT / MB + 10  # some of it is the allocator's
    assert post(server, secret, "calls", b"{}") == 201


@pytest.mark.parametrize("path", ["calls", "feedback"])
def test_a_gzip_bomb_is_refused_before_it_is_inflated(server: Server, secret: str, path: str) -> None:
    bomb = gzip.compress(b'{"output": "' + b"0" * 100_000_000 + b'"}')
    assert server.process is not None
    before = processes.peak_mb(server.process.pid)
    assert post(server, secret, path, bomb, **{"Content-Encoding": "gzip"}) == 413
    assert post(server, secret, path, gzip.compress(bomb), **{"Content-Encoding": "gzip"}) == 400
    assert processes.peak_mb(server.process.pid) - before < 2 * LIMIT / MB + 10


def test_json_that_is_too_deep_or_not_finite_is_refused_before_it_is_stored(server: Server, secret: str) -> None:
    for path in ["calls", "feedback"]:
        for depth in [100, 1_000, 10_000, 100_000, 1_000_000]:
            assert post(server, secret, path, nested(depth)) == 400
    for number in [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1e400", b"9" * 4_301]:
        assert post(server, secret, "calls", b'{"inputs": {"n": ' + number + b"}}") == 400
        assert post(server, secret, "feedback", b'{"call": "c", "score": ' + number + b"}") == 400
    for number in [b"-0", b"-0.0", b"1e308", b"9" * 100]:
        assert post(server, secret, "calls", b'{"inputs": {"n": ' + number + b"}}") == 201


TWICE = [
    b'{"id": "twice", "id": "twice-2", "call": "c", "thumbs": "up"}',
    b'{"id": "twice", "call": "c", "thumbs": "up", "thumbs": "up"}',
    b'{"id": "twice", "call": "c", "thumbs": "up", "\\u0069d": "twice-2"}',
    b'{"id": "twice", "call": "c", "correction": {"deep": [{"a:b": ":", "a\\u003ab": 1}]}}',
    b'{"batch": [{"id": "twice", "call": "c", "thumbs": "up"}], "batch": []}',
    b'{"batch": [{"id": "twice", "call": "c", "thumbs": "up"}, {"id": "twice-2", "call": "c", "call": "d"}]}',
]


@pytest.mark.parametrize("path", ["calls", "feedback"])
def test_a_key_that_is_there_twice_is_refused_and_nothing_is_stored(server: Server, secret: str, path: str) -> None:
    statuses = [post(server, secret, path, body) for body in TWICE]
    zipped = {"Content-Encoding": "gzip"}
    statuses += [post(server, secret, path, gzip.compress(body), **zipped) for body in TWICE]
    stored = _count(server, "SELECT count(*) FROM feedback_seen WHERE client_id_hash IN (?, ?)", *_hashes("twice"))
    print(f"\n{path}: {len(statuses)} bodies with a key twice, accepted {statuses.count(201)}, stored {stored}")
    assert (set(statuses), stored) == ({400}, 0)


def test_a_browsers_key_meets_the_same_limits(server: Server, publishable: str) -> None:
    headers = {"Origin": "https://shop.example"}
    assert post(server, publishable, "feedback", b"x" * (11 * MB), **headers) == 413
    for depth in [100, 1_000, 10_000, 100_000, 1_000_000]:
        assert post(server, publishable, "feedback", nested(depth), **headers) == 400
    for number in [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 4_301]:
        assert post(server, publishable, "feedback", b'{"call": "c", "score": ' + number + b"}", **headers) == 400
    assert post(server, publishable, "feedback", b'{"call": "c", "score": -0.0}', **headers) == 201
    assert post(server, publishable, "calls", b"{}", **headers) == 403


@pytest.mark.parametrize(("path", "bad"), [("calls", "latency_ms"), ("feedback", "thumbs")])
def test_one_bad_event_of_a_thousand_is_named_and_the_others_count(
    server: Server, secret: str, publishable: str, path: str, bad: str
) -> None:
    events: list[dict[str, Any]] = [{"id": f"many-{n}", "latency_ms": n, "output": "o"} for n in range(1000)]
    if path == "feedback":
        events = [{"id": f"e{n}", "call": f"many-{n}", "thumbs": "down", "end_user": "u"} for n in range(1000)]
    events[417][bad] = "sideways"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Authorization": f"Bearer {secret}"}
    if path == "feedback":  # what a browser may do is tried with a browser's key
        headers = {"Authorization": f"Bearer {publishable}", "Origin": "https://shop.example"}
    connection.request("POST", f"/api/v1/{path}", json.dumps({"batch": events}), headers)
    answer = connection.getresponse()
    results = json.loads(answer.read())["results"]
    connection.close()
    assert answer.status == 207
    assert [result["status"] for result in results] == [201] * 417 + [400] + [201] * 582
    assert (results[417]["index"], results[417]["id"]) == (417, events[417]["id"])
    assert list(results[417]["error"]["fields"]) == [bad]
    what = "feedback_call WHERE client_id" if path == "calls" else "feedback_vote WHERE call_client_id"
    stored = _count(server, f"SELECT count(*) FROM {what} LIKE 'many-%'")
    print(f"\n{path}: sent 1000 with 1 bad, stored {stored}, named {results[417]['id']}")
    assert stored == 999
    assert _count(server, f"SELECT count(*) FROM {what} = 'many-417'") == 0


def _count(server: Server, sql: str, *values: Any) -> int:
    with closing(sqlite3.connect(Path(server.environment["LLMOPS_DATA_DIR"]) / "llmops.sqlite3")) as database:
        return int(database.execute(sql, values).fetchone()[0])


def _hashes(name: str) -> tuple[bytes, bytes]:
    return arrivals.digest(name.encode()), arrivals.digest(f"{name}-2".encode())
