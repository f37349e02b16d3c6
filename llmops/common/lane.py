"""The short way through the stack for the API: no sessions, cookies, messages or pages are involved there.

A request of the API is resolved among the API's own addresses (remembered, because clients ask for few), and its view
is called at once. The middleware of pages would cost more than most views do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve

from llmops.common import api_errors
from llmops.common.errors import DomainError, NotFound

# Our own API, and the addresses that exporters and SDKs of other tools have built in.
PREFIXES = ("/api/v1/", "/api/public/", "/v1/")
# An answer of the API is never a page: the policy forbids everything, framing included.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class ApiLane:
    """Answers requests of the API itself and passes all others on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.headers = dict(HEADERS)
        if settings.SECURE_HSTS_SECONDS:
            self.headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIXES):
            return self.get_response(request)
        response = _answer(request)
        for name, value in self.headers.items():
            response.headers.setdefault(name, value)
        return response


def _answer(request: HttpRequest) -> HttpResponse:
    request.get_host()  # refuses hosts that are not ours, as the common middleware does for pages
    try:
        match = request.resolver_match = _match(request.path_info, settings.ROOT_URLCONF)
        response = match.func(request, *match.args, **match.kwargs)
        render = getattr(response, "render", None)
        answer: HttpResponse = render() if callable(render) else response
        return answer
    except DomainError as error:
        return api_errors.response(error)
    except Http404:
        return api_errors.response(NotFound("There is no such address."))


@lru_cache(maxsize=1024)
def _match(path: str, urlconf: str) -> ResolverMatch:
    """:raises Resolver404: for an address that is not there; such answers are not remembered."""
    return resolve(path, urlconf)
