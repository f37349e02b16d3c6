"""Who may send feedback from a browser: the origins on the publishable key's list, and no others, without cookies."""

from __future__ import annotations

import threading
import time

from django.http import HttpRequest, HttpResponse

from llmops.common.errors import DomainError, Forbidden
from llmops.projects import keys, queries
from llmops.projects.models import ApiKey

CACHE_SECONDS = 1.0
CACHE_SIZE = 4096
# A browser key is public by nature: what one process takes from it is bounded.
PER_SECOND = 50.0
BURST = 200.0
TOKEN = "token"  # noqa: S105 (a kind of leave)
IN_BROWSERS = (ApiKey.Kind.PUBLISHABLE, TOKEN)


class TooMany(DomainError):
    code = "too_many_requests"
    status = 429


def demand_allowed(request: HttpRequest, grant: keys.Grant) -> str:
    """The origin to open the answer to: empty for servers and for other kinds of keys.

    :raises Forbidden: for a publishable key or a token used from a page that is not on its list.
    """
    if grant.kind not in IN_BROWSERS:
        return ""
    origin: str = request.META.get("HTTP_ORIGIN", "")
    if origin and origin not in grant.origins:
        raise Forbidden("This key may not be used from this origin; its list is in the project's settings.")
    return origin


def open_to(response: HttpResponse, origin: str) -> HttpResponse:
    """Let pages of this origin read the answer; never with credentials."""
    response["Vary"] = "Origin"
    if origin:
        response["Access-Control-Allow-Origin"] = origin
    return response


def preflight(request: HttpRequest) -> HttpResponse:
    """A preflight carries no key: it is answered for origins that some good publishable key lists."""
    origin = request.META.get("HTTP_ORIGIN", "")
    response = open_to(HttpResponse(status=204), origin if origin in _listed() else "")
    if "Access-Control-Allow-Origin" in response:
        response["Access-Control-Allow-Methods"] = "POST"
        response["Access-Control-Allow-Headers"] = "authorization, content-type"
        response["Access-Control-Max-Age"] = "600"
    return response


_lock = threading.Lock()
_known: tuple[float, frozenset[str]] = (0.0, frozenset())
_of_projects: dict[int, tuple[float, tuple[str, ...]]] = {}
_buckets: dict[int, tuple[float, float]] = {}


def listed_in(project_id: int) -> tuple[str, ...]:
    """The origins that the project's publishable keys list, at most a second old."""
    until, listed = _of_projects.get(project_id, (0.0, ()))
    if until < time.monotonic():
        listed = tuple(queries.publishable_origins(project_id))
        with _lock:
            if len(_of_projects) >= CACHE_SIZE:
                _of_projects.clear()
            _of_projects[project_id] = (time.monotonic() + CACHE_SECONDS, listed)
    return listed


def _listed() -> frozenset[str]:
    global _known
    until, listed = _known
    if until < time.monotonic():
        listed = queries.publishable_origins()
        _known = (time.monotonic() + CACHE_SECONDS, listed)
    return listed


def forget() -> None:
    """Empty this process's caches, for tests."""
    global _known
    with _lock:
        _known = (0.0, frozenset())
        _of_projects.clear()
        _buckets.clear()


def demand_pace(grant: keys.Grant) -> None:
    """:raises TooMany: when a publishable key, or all tokens of one key, send faster than any honest page would."""
    if grant.kind not in IN_BROWSERS:
        return
    now = time.monotonic()
    with _lock:
        left, at = _buckets.get(grant.key_id, (BURST, now))
        left = min(BURST, left + (now - at) * PER_SECOND)
        _buckets[grant.key_id] = (max(left - 1, 0.0), now)
    if left < 1:
        raise TooMany("This key sends too quickly; try again in a second.")
