"""Every address of the platform. Project pages live below /p/<project_slug>/."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from llmops.common import health
from llmops.projects.views import front, people

PROJECT_APPS = [
    "llmops.dashboards.urls",
    "prompts.urls",
    "evals.urls",
    "feedback.urls",
    "llmops.gateway.urls",
    "llmops.projects.urls",
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", front.start, name="start"),
    path("projects/", front.listing, name="project-list"),
    path("projects/new/", front.new, name="project-new"),
    path("profile/", people.profile, name="profile"),
    path("join/<slug:token>/", people.join, name="join"),
    path("healthz", health.live, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("accounts/oidc/<str:provider_id>/login/", people.single_sign_on),
    path("accounts/", include("allauth.urls")),
    path("api/", include("llmops.api_urls")),
    path("", include("feedback.api.foreign_urls")),
    path("git/", include("prompts.git_urls")),
    *[path("p/<slug:project_slug>/", include(module)) for module in PROJECT_APPS],
]

handler400 = "llmops.common.failures.bad_request"
handler403 = "llmops.common.failures.forbidden"
handler404 = "llmops.common.failures.not_found"
handler500 = "llmops.common.failures.server_error"
