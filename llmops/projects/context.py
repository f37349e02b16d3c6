"""What every page's template knows about the project."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from llmops.projects import queries
from llmops.projects.permissions import Permission


def project(request: HttpRequest) -> dict[str, Any]:
    """`project`, `permissions` (a set of strings, for `{% if "prompt:write" in permissions %}`), `projects` (lazy)."""
    context: dict[str, Any] = {
        "project": getattr(request, "project", None),
        "permissions": getattr(request, "permissions", frozenset[Permission]()),
        "unread_notifications": getattr(request, "unread_notifications", 0),
        "base_url": settings.LLMOPS_BASE_URL,
        "oidc_enabled": settings.LLMOPS_OIDC_ENABLED,
    }
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        context["projects"] = queries.projects_of(user)
    return context
