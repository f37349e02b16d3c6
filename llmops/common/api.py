"""What every REST endpoint shares: cursor paging, one error shape, and plain views in the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import set_rollback

from llmops.common import api_errors
from llmops.common.errors import DomainError, Forbidden, Invalid, NotFound


class Pages(CursorPagination):
    """`{"next", "previous", "results"}`; `?limit=` up to 200. Views set `ordering`, ending in a unique column."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"


def object_body(request: Any) -> dict[str, Any]:
    """The request's JSON object.

    :raises Invalid: when the body is a list or a bare value.
    """
    if not isinstance(request.data, dict):
        raise Invalid("The body must be a JSON object.")
    return dict(request.data)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Translate domain errors and the framework's own into the one shape; anything else stays a 500."""
    domain = _domain_error(error)
    if domain is None:
        return None
    set_rollback()
    headers = {}
    if domain.status == status.HTTP_401_UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="llmops"'
    if isinstance(error, exceptions.Throttled) and (wait := getattr(error, "wait", None)):
        headers["Retry-After"] = str(int(wait))
    return Response(api_errors.body(domain), status=domain.status, headers=headers)


def _domain_error(error: Exception) -> DomainError | None:
    if isinstance(error, DomainError):
        return error
    if isinstance(error, Http404):
        return NotFound("There is no such thing here.")
    if isinstance(error, PermissionDenied):
        return Forbidden("This is not allowed.")
    if isinstance(error, exceptions.ValidationError):
        return Invalid("The input is not acceptable.", fields=dict(_flat(error.detail)))
    if isinstance(error, exceptions.APIException):
        translated = DomainError(str(error.detail), code=str(error.get_codes()))
        translated.status = error.status_code
        return translated
    return None


def _flat(detail: Any, path: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(detail, list) and detail and isinstance(detail[0], dict | list):
        for index, value in enumerate(detail):
            yield from _flat(value, f"{path}[{index}]")
    elif isinstance(detail, list):
        yield path or "body", " ".join(str(item) for item in detail)
    else:
        yield path or "body", str(detail)


# Views outside the framework (ingestion, prompt fetch) describe themselves: path -> {method: operation object}.
PlainOperations = dict[str, dict[str, dict[str, Any]]]
_plain_operations: list[Callable[[], PlainOperations]] = []


def describe_plain(operations: Callable[[], PlainOperations]) -> None:
    """Add hand-written OpenAPI operations of plain views; call it from the app's `ready`."""
    _plain_operations.append(operations)


def add_plain_operations(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's post-processing hook."""
    for operations in _plain_operations:
        for path, methods in operations().items():
            result["paths"].setdefault(path, {}).update(methods)
    return result
