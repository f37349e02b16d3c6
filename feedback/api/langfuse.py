"""Where the public Langfuse SDKs send scores, unchanged: `/api/public/scores`, and `/api/public/ingestion` before v5.

`LANGFUSE_BASE_URL` is this server, the secret key is one of ours. Their OpenTelemetry spans arrive in `otlp`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from feedback.api import bodies, intake
from feedback.dialects import langfuse
from feedback.forms import events as event_forms
from feedback.models import Refusal
from feedback.queries import definitions as definition_queries
from feedback.services import calls, definitions, events
from llmops.common.errors import DomainError, Forbidden, Invalid, TooLarge
from llmops.projects import access, keys
from llmops.projects.models import ApiKey
from llmops.projects.permissions import Permission

MAX_BATCH = 1000
# Sent by older SDKs beside scores: their own log lines, which nobody waits for.
IGNORED = frozenset({"sdk-log"})
SCORE = "score-create"
Result = dict[str, Any]


class _UseOtlp(Invalid):
    """Traces of SDKs before OpenTelemetry."""


@csrf_exempt
@access.public("the key in the header decides: scope feedback:send")
def post_scores(request: HttpRequest) -> HttpResponse:
    """One score, answered by its id; or a list, answered by how many were accepted."""
    grant: keys.Grant | None = None
    try:
        grant = _grant(request, Permission.FEEDBACK_SEND)
        body, repaired = bodies.parsed(bodies.read(request))
        scores = body if isinstance(body, list) else [body]
        results = _take(grant, scores, repaired=repaired)
    except DomainError as error:
        return intake.refusal(error, grant, Refusal.Entry.SCORES)
    errors = [{"message": _said(result)} for result in results if result["status"] != 201]
    if not isinstance(body, list):
        return intake.json({"id": langfuse.score_id(body) or results[0]["id"]} if not errors else
                           {"message": errors[0]["message"], "error": "InvalidRequestError"},
                           200 if not errors else results[0]["status"])  # fmt: skip
    if not errors:
        return intake.json({"message": "Accepted"}, 202)
    return intake.json({"accepted": len(scores) - len(errors), "rejected": len(errors), "errors": errors}, 207)


@csrf_exempt
@access.public("the key in the header decides: scope feedback:send")
def post_ingestion(request: HttpRequest) -> HttpResponse:
    """The batches of SDKs before version 5; of their events only scores are taken here."""
    grant: keys.Grant | None = None
    try:
        grant = _grant(request, Permission.FEEDBACK_SEND)
        body, repaired = bodies.parsed(bodies.read(request))
        batch = body.get("batch") if isinstance(body, dict) else None
        if not isinstance(batch, list) or not all(isinstance(event, dict) for event in batch):
            raise Invalid("batch must be a list of events.", fields={"batch": "must be a list"})
        results = _take(grant, [event for event in batch if event.get("type") not in IGNORED], repaired=repaired)
    except DomainError as error:
        return intake.refusal(error, grant, Refusal.Entry.SCORES)
    taken = iter(results)
    said: dict[str, list[Result]] = {"successes": [], "errors": []}
    for event in batch:
        name = str(event.get("id", ""))[:200]
        result = {"status": 201} if event.get("type") in IGNORED else next(taken)
        if result["status"] == 201:
            said["successes"].append({"id": name, "status": 201})
        else:
            said["errors"].append({"id": name, "status": result["status"], "message": _said(result)})
    return intake.json(said, 207)


@csrf_exempt
@access.public("the key in the header decides: scope project:view")
def get_projects(request: HttpRequest) -> HttpResponse:
    """What `auth_check` asks: the project that the key opens."""
    try:
        if request.method != "GET":
            raise intake.NotAllowed("Only GET is answered here.")
        grant = keys.grant_for_any_header(request.META.get("HTTP_AUTHORIZATION"))
        grant.require(Permission.PROJECT_VIEW)
    except DomainError as error:
        response = intake.refusal(error, None, Refusal.Entry.SCORES)
        if error.status == 405:
            response["Allow"] = "GET"
        return response
    organization = {"id": "llmops", "name": "llmops"}
    project = grant.project
    shown = {"id": str(project.uid), "name": project.name, "metadata": {}, "organization": organization}
    return intake.json({"data": [shown]}, 200)


def _grant(request: HttpRequest, permission: Permission) -> keys.Grant:
    grant = intake.grant(request, basic=True)
    grant.require(permission)
    if grant.kind == ApiKey.Kind.PUBLISHABLE:  # it has the scope, for pages on its list of origins
        raise Forbidden("A publishable key sends to /api/v1/feedback; scores need a secret key.", fields={"scope": "?"})
    return grant


def _take(grant: keys.Grant, items: list[Any], *, repaired: bool) -> list[Result]:
    if len(items) > MAX_BATCH:
        raise TooLarge(f"The batch has {len(items):,} events; the limit is {MAX_BATCH:,}.")
    project, now = grant.project, timezone.now()
    asked = [score for item in items if (score := langfuse.score_of(_score(item))) is not None]
    definitions.learn(project=project, scores=asked, by=grant.actor)
    read_feedback = event_forms.reader(lambda: definition_queries.known(project.pk))

    def read(item: dict[str, Any], body: bytes, repaired: bool) -> intake.Reading:
        if (kind := item.get("type", SCORE)) != SCORE:
            raise _UseOtlp(f"{str(kind)[:40]} is not taken here: send traces by OpenTelemetry.", fields={"type": "?"})
        score = _score(item)
        event, warnings = read_feedback(langfuse.feedback_of(score), body, repaired)
        return replace(event, voter_key=langfuse.score_id(score)), warnings

    def record(new: list[Any]) -> list[calls.Stored]:
        return events.record(project=project, events=new, key_id=grant.key_id, now=now)

    return intake.take(items, intake.Way(project, Refusal.Entry.SCORES, read, record, "feedback"), repaired=repaired)


def _score(item: Any) -> Any:
    """The score of an event of `/ingestion`; on `/scores` the item is the score."""
    return item.get("body") if isinstance(item, dict) and item.get("type") == SCORE else item


def _said(result: Result) -> str:
    return str(result["error"]["message"])
