"""The REST framework's side of the one door: who calls, and whether the view's declared permission is granted.

This module must not import rest_framework.views: the framework loads it while that module is being loaded.
"""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission

from llmops.projects import keys


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`: request.user is the Actor, request.auth the Grant."""

    def authenticate(self, request: Any) -> tuple[Any, Any] | None:
        grant = keys.grant_for_header(request.headers.get("Authorization"))
        return grant.actor, grant

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="llmops"'


class HasDeclaredPermission(BasePermission):
    """Each view maps its methods to permissions in `permissions`; a method without one does not exist."""

    def has_permission(self, request: Any, view: Any) -> bool:
        needed = getattr(view, "permissions", {}).get(request.method)
        if needed is None:
            return request.method == "OPTIONS" or request.method not in view.allowed_methods
        request.auth.require(needed)
        return True
