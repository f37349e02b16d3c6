"""The REST API over the standard library's HTTP client."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from llmops_client.errors import Problem, Refused

Json = Any
MAX_ANSWER = 64 * 1024 * 1024
TRIES = 5
LONGEST_WAIT_S = 30.0
PASSING = frozenset({429, 502, 503, 504})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Server:
    """A server and the key of one of its projects. Reading is tried again when the server is away for a moment;
    writing is not, because nobody knows whether it was done."""

    def __init__(self, url: str, key: str, *, timeout_s: float = 60.0) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise Problem(
                f"{url!r} is no address of a server: give --url or LLMOPS_URL, such as https://llmops.example.org"
            )
        if not key:
            raise Problem("There is no key: put an API key of the project into LLMOPS_KEY.")
        if not key.isascii() or not key.isprintable():
            raise Problem("The key in LLMOPS_KEY holds characters that no key has.")
        self.base = url.rstrip("/")
        self.timeout_s = timeout_s
        self._key = key
        self._opener = urllib.request.build_opener(_NoRedirects)

    def get(self, path: str, **query: Json) -> Json:
        """:raises Refused: for an answer of 400 or above.
        :raises Problem: when the server cannot be reached or speaks no JSON.
        """
        for attempt in range(TRIES):
            try:
                return self._send("GET", path, query)
            except Refused as refused:
                if refused.status not in PASSING or attempt == TRIES - 1:
                    raise
                time.sleep(_wait(refused, attempt))
            except Unreachable:
                if attempt == TRIES - 1:
                    raise
                time.sleep(2.0**attempt / 4)
        raise AssertionError("the loop ends by return or raise")

    def find(self, path: str, **query: Json) -> Json:
        """As `get`, and None for what does not exist."""
        try:
            return self.get(path, **query)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def post(self, path: str, body: Json = None, **query: Json) -> Json:
        """:raises Refused: and Problem, as `get` does."""
        return self._send("POST", path, query, _spelled(body))

    def put(self, path: str, body: Json) -> Json:
        """:raises Refused: and Problem, as `get` does."""
        return self._send("PUT", path, {}, _spelled(body))

    def upload(self, path: str, data: bytes, **query: Json) -> Json:
        """A file as the whole body."""
        return self._send("POST", path, query, data, content_type="application/octet-stream")

    def pages(self, path: str, **query: Json) -> Iterator[Json]:
        """Every item of a list, page by page."""
        page = self.get(path, limit=200, **query)
        while True:
            yield from page["results"]
            if not page.get("next"):
                return
            # The address may name the server as it calls itself: only its question is taken over.
            following = urllib.parse.urlsplit(page["next"])
            page = self.get(path, **dict(urllib.parse.parse_qsl(following.query)))

    def _send(
        self, method: str, path: str, query: dict[str, Json], data: bytes | None = None,
        content_type: str = "application/json",
    ) -> Json:  # fmt: skip
        asked = urllib.parse.urlencode({name: value for name, value in query.items() if value not in (None, "")})
        address = f"{self.base}/api/v1{urllib.parse.quote(path)}" + (f"?{asked}" if asked else "")
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        if method != "GET":
            headers["Content-Type"] = content_type
        request = urllib.request.Request(address, data=data, method=method, headers=headers)  # noqa: S310
        what = f"{method} {path}"
        try:
            with self._opener.open(request, timeout=self.timeout_s) as answer:
                return _read(answer.read(MAX_ANSWER + 1), what)
        except urllib.error.HTTPError as error:
            raise _refusal(error, what) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(f"{what}: {self.base} cannot be reached: {reason}") from None


class Unreachable(Problem):
    """No answer came."""


def _spelled(body: Json) -> bytes:
    return json.dumps(body, allow_nan=False).encode()


def _read(data: bytes, what: str) -> Json:
    if len(data) > MAX_ANSWER:
        raise Problem(f"{what}: the answer is larger than {MAX_ANSWER:,} bytes.")
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        raise Problem(f"{what}: the answer is not JSON; is this the address of the platform?") from None


def _refusal(error: urllib.error.HTTPError, what: str) -> Refused:
    try:
        body = json.loads(error.read(1024 * 1024))
    except (ValueError, OSError, http.client.HTTPException):
        body = {}
    refused = Refused(error.code, what, body if isinstance(body, dict) else {})
    refused.retry_after = error.headers.get("Retry-After") or ""
    return refused


def _wait(refused: Refused, attempt: int) -> float:
    told = refused.retry_after
    return min(float(told), LONGEST_WAIT_S) if told.isascii() and told.isdigit() else 2.0**attempt / 4
