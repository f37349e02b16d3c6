"""The request's id, and the translation of domain errors for pages and plain API views."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from llmops.common import api_errors, logs
from llmops.common.errors import DomainError, Invalid
from llmops.common.ids import uuid7

_ACCEPTABLE_ID = re.compile(r"\A[A-Za-z0-9_-]{8,40}\Z")


class RequestIdMiddleware:
    """Gives every request an id, which the log, the audit trail, the answer and error pages share."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-Id", "")
        request_id = offered if _ACCEPTABLE_ID.match(offered) else uuid7().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        token = logs.current_request_id.set(request_id)
        try:
            response = _refused(request) if _holds_nul(request) else self.get_response(request)
        finally:
            logs.current_request_id.reset(token)
        response["X-Request-Id"] = request_id
        return response


def _holds_nul(request: HttpRequest) -> bool:
    """A NUL in an address: no database can look for it, and PostgreSQL answers with an error.

    Pages clean what people search for themselves, so only the API's queries are refused here.
    """
    of_the_api = request.path_info.startswith("/api/")
    return "\x00" in request.path_info or (of_the_api and "%00" in request.META.get("QUERY_STRING", ""))


def _refused(request: HttpRequest) -> HttpResponse:
    error = Invalid("The address holds a NUL character.")
    if request.path_info.startswith("/api/"):
        return api_errors.response(error)
    return HttpResponse(error.message, status=error.status, content_type="text/plain; charset=utf-8")


class DomainErrorMiddleware:
    """Turns a DomainError that a view did not handle itself into JSON, a toast or a page, with its own status."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, DataError) and "NUL" in str(error):  # PostgreSQL's driver says so before it asks
            error = Invalid("The text holds a NUL character; no database can look for it.")
        if not isinstance(error, DomainError):
            return None
        if request.path.startswith("/api/"):
            return api_errors.response(error)
        if request.headers.get("HX-Request"):
            return HttpResponse(error.message, status=error.status, content_type="text/plain; charset=utf-8")
        return render(request, "problem.html", {"error": error}, status=error.status)
