"""The HTTP side: what is tried again, what is not, and where the key never goes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from llmops_client.errors import Problem, Refused
from llmops_client.rest import Server

Answer = tuple[int, dict[str, str], bytes]


class Scripted:
    """A server that gives these answers, in order (the last one for ever), and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str | None]] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                scripted.asked.append((self.command, self.path, self.headers.get("Authorization")))
                status, headers, body = scripted.answers[0]
                if len(scripted.answers) > 1:
                    scripted.answers.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 - the standard library's names

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def serving() -> Iterator[Callable[..., Scripted]]:
    made: list[Scripted] = []

    def make(*answers: Answer) -> Scripted:
        made.append(Scripted(*answers))
        return made[-1]

    yield make
    for one in made:
        one.http.shutdown()
        one.http.server_close()


def body(value: Any, status: int = 200, **headers: str) -> Answer:
    return status, headers, json.dumps(value).encode()


def test_reading_is_tried_again_and_writing_is_not(serving: Callable[..., Scripted]) -> None:
    away = serving(body({}, 503), body({}, 429, **{"Retry-After": "0"}), body({"ok": 1}))
    assert Server(away.url, "k").get("/runs") == {"ok": 1}
    assert len(away.asked) == 3
    refusing = serving(body({"error": {"code": "unavailable", "message": "Try again."}}, 503))
    with pytest.raises(Refused, match="Try again"):
        Server(refusing.url, "k").post("/runs", {})
    assert len(refusing.asked) == 1


def test_the_key_does_not_follow_a_redirect(serving: Callable[..., Scripted]) -> None:
    other = serving(body({"stolen": True}))
    here = serving((302, {"Location": f"{other.url}/api/v1/runs"}, b""))
    with pytest.raises(Refused, match="302"):
        Server(here.url, "secret").get("/runs")
    assert other.asked == []
    assert here.asked[0][2] == "Bearer secret"


def test_pages_are_followed_at_the_servers_own_address(serving: Callable[..., Scripted]) -> None:
    elsewhere = "http://127.0.0.1:1/api/v1/runs?cursor=a%3D%3D&limit=200"
    here = serving(body({"results": [1, 2], "next": elsewhere}), body({"results": [3], "next": None}))
    assert list(Server(here.url, "k").pages("/runs", prompt="a/b")) == [1, 2, 3]
    assert here.asked[1][1] == "/api/v1/runs?cursor=a%3D%3D&limit=200"


def test_a_refusal_names_the_fields(serving: Callable[..., Scripted]) -> None:
    here = serving(body({"error": {"code": "invalid", "message": "No.", "fields": {"dataset": "unknown"}}}, 400))
    with pytest.raises(Refused) as caught:
        Server(here.url, "k").get("/runs")
    assert str(caught.value) == "GET /runs: No.\n  dataset: unknown"
    assert Server(serving(body({}, 404)).url, "k").find("/runs/x") is None


@pytest.mark.parametrize("answer", [(200, {}, b"<html>"), (500, {}, b"<html>"), (400, {}, b"[1]"), (200, {}, b"\xff")])
def test_an_answer_that_is_not_the_platforms_is_a_problem(serving: Callable[..., Scripted], answer: Answer) -> None:
    with pytest.raises(Problem):
        Server(serving(answer).url, "k").get("/runs")


@pytest.mark.parametrize(
    ("url", "key"), [("", "k"), ("ftp://x", "k"), ("x.org", "k"), ("http://x", ""), ("http://x", "a\nb")]
)
def test_an_address_or_a_key_that_cannot_be_one_is_a_problem(url: str, key: str) -> None:
    with pytest.raises(Problem):
        Server(url, key)
