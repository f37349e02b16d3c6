"""`POST /v1/traces`: spans as every OpenTelemetry exporter sends them, protobuf or JSON, gzipped or not."""

from __future__ import annotations

import orjson
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from feedback.api import bodies, intake
from feedback.forms import fields
from feedback.models import Refusal
from feedback.otlp import steps, wire
from feedback.services import arrivals, refusals, traces
from llmops.common.errors import DomainError, Invalid, TooLarge
from llmops.projects import access, keys
from llmops.projects.permissions import Permission

PROTOBUF = "application/x-protobuf"
MAX_SPANS = 10_000
ENTRY = Refusal.Entry.TRACES


@csrf_exempt
@access.public("the key in the header decides: scope call:send")
def post_traces(request: HttpRequest) -> HttpResponse:
    """Store the spans; those that cannot be read are counted in the answer's partial success and spoil nothing."""
    is_json = request.content_type == intake.JSON
    grant: keys.Grant | None = None
    try:
        grant = intake.grant(request, basic=True)
        grant.require(Permission.CALL_SEND)
        delivery = _delivery(request, is_json=is_json)
        good, refused = _steps(delivery)
        _record(grant, good)
    except DomainError as error:
        return _refusal(error, grant, is_json=is_json)
    if refused:
        refusals.count(project_id=grant.project.pk, entry=ENTRY, refused=refused, now=timezone.now())
    else:
        refusals.write_if_due()
    message = "; ".join(sorted({one.message for one in refused}))[:1000]
    return _response(wire.answer(len(refused), message, is_json=is_json), 200, is_json=is_json)


def _delivery(request: HttpRequest, *, is_json: bool) -> wire.Delivery:
    if not is_json and request.content_type != PROTOBUF:
        raise bodies.Unsupported(f"Content-Type must be {PROTOBUF} or {intake.JSON}.")
    body = bodies.read(request)
    if is_json:
        value, _ = bodies.parsed(body)
        if isinstance(value, dict):
            fields.demand_depth(value)
        delivery = wire.from_json(value)
    else:
        delivery = wire.from_protobuf(body)
    if len(delivery.spans) > MAX_SPANS:
        raise TooLarge(f"The request has {len(delivery.spans):,} spans; the limit is {MAX_SPANS:,}.")
    return delivery


def _steps(delivery: wire.Delivery) -> tuple[list[steps.Step], list[refusals.Refused]]:
    good: list[steps.Step] = []
    refused = [refusals.of(Invalid(f"A span has {reason}.", fields={"id": reason})) for reason in delivery.refused]
    for span in delivery.spans:
        step = steps.step_of(span)
        try:
            fields.demand_size(arrivals.json_bytes(steps.step_json(step)))
        except DomainError as error:
            refused.append(refusals.of(error))
        else:
            good.append(step)
    return good, refused


def _record(grant: keys.Grant, good: list[steps.Step]) -> traces.Taken:
    try:
        return traces.record(project=grant.project, steps=good, now=timezone.now())
    except OperationalError:
        raise intake.Busy(len(good)) from None


def _refusal(error: DomainError, grant: keys.Grant | None, *, is_json: bool) -> HttpResponse:
    """The specification wants a google.rpc.Status in the request's own form: in JSON it stands beside our own error."""
    told = intake.refusal(error, grant, ENTRY)
    if is_json:
        told.content = orjson.dumps({"message": error.message, **intake.shown(error)})
    else:
        told.content = wire.failure(error.message)
        told["Content-Type"] = PROTOBUF
    return told


def _response(body: bytes, status: int, *, is_json: bool) -> HttpResponse:
    return HttpResponse(body, status=status, content_type=intake.JSON if is_json else PROTOBUF)
