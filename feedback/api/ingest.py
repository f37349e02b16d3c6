"""`POST /calls` and `POST /feedback`: plain views, because the REST framework would be two thirds of their cost."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from feedback import tokens
from feedback.api import bodies, intake, leave, origins
from feedback.dialects import mlflow
from feedback.forms import calls as call_forms
from feedback.forms import events as event_forms
from feedback.models import Refusal
from feedback.queries import definitions as definition_queries
from feedback.services import calls, definitions, events
from llmops.common.errors import DomainError, Invalid, TooLarge
from llmops.projects import access, keys
from llmops.projects.models import ApiKey
from llmops.projects.permissions import Permission

MAX_BATCH = 1000
Entry = Refusal.Entry


@csrf_exempt
@access.public("the key in the header decides: scope call:send")
def post_calls(request: HttpRequest) -> HttpResponse:
    """Log calls."""
    grant: keys.Grant | None = None
    try:
        grant = intake.grant(request)
        grant.require(Permission.CALL_SEND)
        now = timezone.now()

        def record(new: list[Any]) -> list[calls.Stored]:
            return calls.record(project=project, calls=new, now=now)

        project = grant.project
        batch = _batch(request)
        return _answer(batch, intake.Way(project, Entry.CALLS, call_forms.read, record, "call"))
    except DomainError as error:
        return intake.refusal(error, grant, Entry.CALLS)


@csrf_exempt
@access.public("the key in the header decides: scope feedback:send")
def post_feedback(request: HttpRequest) -> HttpResponse:
    """Send feedback; the only call that a publishable key or a token may make, from the origins on its list."""
    if request.method == "OPTIONS":
        return origins.preflight(request)
    origin = ""
    grant: keys.Grant | None = None
    try:
        grant, claim = _leave(request)
        grant.require(Permission.FEEDBACK_SEND)
        origin = origins.demand_allowed(request, grant)
        origins.demand_pace(grant)
        batch = _batch(request)
        if claim is None and grant.kind != ApiKey.Kind.PUBLISHABLE:
            asked = [score for item in batch.items if (score := mlflow.score_of(item)) is not None]
            if asked:
                definitions.learn(project=grant.project, scores=asked, by=grant.actor)
        response = _answer(batch, _way_of_feedback(grant, claim))
    except DomainError as error:
        response = intake.refusal(error, grant, Entry.FEEDBACK)
    return origins.open_to(response, origin)


def _leave(request: HttpRequest) -> tuple[keys.Grant, tokens.Claim | None]:
    """What a key grants, or a token with the call and the person that it was signed for."""
    bearer = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[2].strip()
    if request.method != "POST" or not tokens.is_token(bearer):
        return intake.grant(request), None
    return leave.granted_by(bearer, timezone.now())


def _way_of_feedback(grant: keys.Grant, claim: tokens.Claim | None) -> intake.Way:
    project, now = grant.project, timezone.now()
    read = event_forms.reader(lambda: definition_queries.known(project.pk))
    if claim is not None:
        read = leave.reader_for(claim, read)

    def record(new: list[Any]) -> list[calls.Stored]:
        return events.record(project=project, events=new, key_id=grant.key_id, now=now)

    return intake.Way(project, Entry.FEEDBACK, read, record, "feedback")


class _Batch:
    """The events of a request, whether they came as a batch, and whether text had to be repaired."""

    __slots__ = ("is_batch", "items", "repaired")

    def __init__(self, items: list[Any], *, is_batch: bool, repaired: bool) -> None:
        self.items = items
        self.is_batch = is_batch
        self.repaired = repaired


def _batch(request: HttpRequest) -> _Batch:
    value, repaired = bodies.parsed(bodies.read(request))
    if isinstance(value, dict) and "batch" in value:
        batch = value["batch"]
        if not isinstance(batch, list) or not batch:
            raise Invalid("batch must be a list with at least one event.", fields={"batch": "must be a list"})
        if len(batch) > MAX_BATCH:
            raise TooLarge(f"The batch has {len(batch):,} events; the limit is {MAX_BATCH:,}.")
        return _Batch(batch, is_batch=True, repaired=repaired)
    if not isinstance(value, dict):
        raise Invalid('The body must be one JSON object, or {"batch": [...]}.')
    return _Batch([value], is_batch=False, repaired=repaired)


def _answer(batch: _Batch, way: intake.Way) -> HttpResponse:
    results = intake.take(batch.items, way, repaired=batch.repaired)
    if batch.is_batch:
        status = 201 if all(result["status"] == 201 for result in results) else 207
        return intake.json({"results": results}, status)
    (result,) = results
    del result["index"]
    return intake.json(result, result.pop("status"))
