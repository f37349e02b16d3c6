"""Addresses that other tools' libraries have built in: OpenTelemetry exporters and Langfuse's SDKs."""

from __future__ import annotations

from django.urls import path

from feedback.api import langfuse, otlp

urlpatterns = [
    path("v1/traces", otlp.post_traces, name="otlp-traces"),
    path("api/public/otel/v1/traces", otlp.post_traces, name="langfuse-traces"),
    path("api/public/scores", langfuse.post_scores, name="langfuse-scores"),
    path("api/public/ingestion", langfuse.post_ingestion, name="langfuse-ingestion"),
    path("api/public/projects", langfuse.get_projects, name="langfuse-projects"),
]
