"""The start fails when a page or an API operation does not declare who may use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

# Packages whose views guard themselves, and why they may.
GUARDED_ELSEWHERE = {
    "allauth.": "sign-in, password and OIDC pages: public by nature, throttled by allauth",
}
# allauth's old addresses, which only redirect to its new ones.
REDIRECTS = "django.views.generic.base.RedirectView"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def patterns(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every URL pattern with its full route."""
    for item in (resolver or get_resolver()).url_patterns:
        route = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from patterns(item, route)
        else:
            yield route, item


def undeclared(callback: Any) -> str | None:
    """What is missing at this view, or None when everything is declared."""
    if hasattr(callback, "declared_access"):
        return None
    view_class = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
    if view_class is not None and hasattr(view_class, "permissions"):
        # DRF's view sets list their actions; plain views have methods named after the verbs.
        handled = {name.upper() for name in METHODS if hasattr(view_class, name)}
        missing = handled - set(view_class.permissions)
        return f"no permission for {', '.join(sorted(missing))}" if missing or not handled else None
    view = view_class or callback
    if f"{view.__module__}.{view.__qualname__}" == REDIRECTS:
        return None
    if any(view.__module__.startswith(package) for package in GUARDED_ELSEWHERE):
        return None
    return "no access.requires, access.signed_in or access.public"


@register("access")
def every_view_declares_access(**_: Any) -> list[CheckMessage]:
    return [
        Error(f"{route}: {missing} ({pattern.callback.__module__}.{pattern.callback.__name__})", id="llmops.E001")
        for route, pattern in patterns()
        if (missing := undeclared(pattern.callback)) is not None
    ]
