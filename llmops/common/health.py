"""Liveness and readiness."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse


def live(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is looked at, so a database that is down restarts no web process."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(request: HttpRequest) -> JsonResponse:
    """The database answers and is migrated: 200, else 503 with what is missing."""
    checks = {"database": "ok", "migrations": "ok"}
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            checks["migrations"] = "not applied"
    except DatabaseError as error:
        checks = {"database": type(error).__name__, "migrations": "unknown"}
    good = set(checks.values()) == {"ok"}
    return JsonResponse({"ready": good, **checks}, status=200 if good else 503)


live.declared_access = "public: health checks come before anybody signs in"  # type: ignore[attr-defined]
ready.declared_access = live.declared_access  # type: ignore[attr-defined]
