"""Answers when no view gave one: JSON below /api/, a page elsewhere. Registered in llmops.urls."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views import defaults

from llmops.common import api_errors
from llmops.common.errors import DomainError, Forbidden, Invalid, NotFound, Unavailable

RETRY_AFTER_S = "2"


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return api_errors.response(Invalid("The request cannot be read."))
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return api_errors.response(Forbidden("This is not allowed."))
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return api_errors.response(NotFound("There is no such thing here."))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """The id finds the trace in the log; the answer itself says nothing of what happened."""
    if is_api(request):
        if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
            answer = api_errors.response(Unavailable("The database is away for the moment: try again."))
            answer["Retry-After"] = RETRY_AFTER_S
            return answer
        error = DomainError(
            f"Something broke on our side. The log knows more under {getattr(request, 'request_id', 'no id')}.",
            code="server_error",
        )
        error.status = 500
        return api_errors.response(error)
    return defaults.server_error(request)
