"""What every way in shares: the key, one answer for each item, and a count of what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from feedback.forms import fields
from feedback.services import arrivals, calls, refusals
from llmops.common import ids
from llmops.common.errors import Conflict, DomainError, Invalid, Unavailable
from llmops.projects import keys
from llmops.projects.models import Project

JSON = "application/json"
# What a sender should wait before it sends the same again, in seconds.
RETRY_AFTER = {429: "1", 503: "1"}

Reading = tuple[Any, tuple[str, ...]]
Reader = Callable[[dict[str, Any], bytes, bool], Reading]
Recorder = Callable[[list[Any]], list[calls.Stored]]


class NotAllowed(DomainError):
    code = "method_not_allowed"
    status = 405


class Busy(Unavailable):
    """The database did not take the items; nothing was stored."""

    def __init__(self, items: int) -> None:
        super().__init__("The database is busy; nothing was stored. Send the same again.")
        self.items = items


@dataclass(frozen=True, slots=True)
class Way:
    """How items of one kind are read and recorded, and under what name refusals are counted."""

    project: Project
    entry: str
    read: Reader
    record: Recorder
    prefix: str


def grant(request: HttpRequest, *, basic: bool = False) -> keys.Grant:
    """What the key in the header may do; with `basic`, a secret key may stand there as a password, too.

    :raises NotAllowed: for another method than POST.
    :raises KeyRefused: without a good key.
    """
    if request.method != "POST":
        raise NotAllowed("Only POST is answered here.")
    header = request.META.get("HTTP_AUTHORIZATION")
    return keys.grant_for_any_header(header) if basic else keys.grant_for_header(header)


def take(items: Sequence[Any], way: Way, *, repaired: bool) -> list[dict[str, Any]]:
    """Read and record the items; one result for each, in order. What is refused is counted.

    :raises Busy: when the database is; nothing was stored.
    """
    good: list[tuple[int, Any]] = []
    results: list[dict[str, Any]] = [{}] * len(items)
    warnings: dict[int, tuple[str, ...]] = {}
    refused: list[refusals.Refused] = []
    for index, item in enumerate(items):
        try:
            event, warnings[index] = _read_one(way.read, item, repaired)
            good.append((index, event))
        except DomainError as error:
            refused.append(refusals.of(error))
            results[index] = {"index": index, "id": _id(item), "status": error.status, **shown(error)}
    for (index, _), one in zip(good, _recorded(way, good), strict=True):
        if one.state == "conflict":
            taken = _conflict(way, one)
            refused.append(refusals.of(taken))
            results[index] = {"index": index, "id": one.client_id, "status": taken.status, **shown(taken)}
        else:
            results[index] = _stored(index, one, warnings[index], way.prefix)
    if refused:
        refusals.count(project_id=way.project.pk, entry=way.entry, refused=refused, now=timezone.now())
    else:
        refusals.write_if_due()
    return results


def refusal(error: DomainError, grant: keys.Grant | None, entry: str) -> HttpResponse:
    """The answer for a request that was refused whole; it is counted where the key says for which project."""
    if grant is not None:
        count_whole(error, grant, entry)
    response = json(shown(error), error.status)
    if error.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="llmops"'
    elif error.status == 405:
        response["Allow"] = "POST"
    elif error.status in RETRY_AFTER:
        response["Retry-After"] = RETRY_AFTER[error.status]
    return response


def count_whole(error: DomainError, grant: keys.Grant, entry: str) -> None:
    """Count a request that was refused whole; while it must not cost a write, the count waits."""
    refusals.count(
        project_id=grant.project.pk,
        entry=entry,
        refused=[refusals.of(error)] * (error.items if isinstance(error, Busy) else 1),
        now=timezone.now(),
        may_write=error.status not in RETRY_AFTER,
    )
    refusals.write_if_due()


def shown(error: DomainError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "fields": error.fields}}


def json(value: Any, status: int) -> HttpResponse:
    return HttpResponse(orjson.dumps(value), status=status, content_type=JSON)


def _read_one(read: Reader, item: Any, repaired: bool) -> Reading:
    if not isinstance(item, dict):
        raise Invalid("Each event must be a JSON object.")
    fields.demand_depth(item)
    body = arrivals.json_bytes(item)
    fields.demand_size(body)
    return read(item, body, repaired and "\ufffd" in body.decode())


def _recorded(way: Way, good: list[tuple[int, Any]]) -> list[calls.Stored]:
    if not good:
        return []
    try:
        return way.record([event for _, event in good])
    except OperationalError:
        raise Busy(len(good)) from None


def _conflict(way: Way, stored: calls.Stored) -> Conflict:
    message = f"Another {way.prefix} with the id {stored.client_id!r} is stored already; nothing was changed."
    return Conflict(message, fields={"id": "taken"})


def _stored(index: int, stored: calls.Stored, warnings: tuple[str, ...], prefix: str) -> dict[str, Any]:
    result = {"index": index, "id": stored.client_id, "uid": ids.public(prefix, stored.uid), "status": 201}
    if warnings or stored.warnings:
        result["warnings"] = [*warnings, *stored.warnings]
    return result


def _id(item: Any) -> str | None:
    name = item.get("id", item.get("client_id")) if isinstance(item, dict) else None
    return name[:200] if isinstance(name, str) else None
