"""The REST API: /api/v1/…, its schema and its browsable page."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from llmops.projects.views import api_docs

API_APPS = ["prompts.api.urls", "evals.api.urls", "feedback.api.urls", "llmops.gateway.api.urls"]

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", api_docs.schema, name="api-schema"),
    path("docs/", api_docs.docs, name="api-docs"),
    *[path("v1/", include(module)) for module in API_APPS],
]
