"""The one shape of an API error: `{"error": {"code", "message", "fields"}}`."""

from __future__ import annotations

from django.http import JsonResponse

from llmops.common.errors import DomainError


def body(error: DomainError) -> dict[str, object]:
    """The JSON object of an error."""
    return {"error": {"code": error.code, "message": error.message, "fields": error.fields}}


def response(error: DomainError) -> JsonResponse:
    """The whole answer, for views outside the REST framework."""
    answer = JsonResponse(body(error), status=error.status)
    if error.status == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="llmops"'
    return answer
