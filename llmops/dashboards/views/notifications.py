"""A person's notifications."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from evals.queries import paging
from llmops.projects import access, queries
from llmops.projects.permissions import Permission
from llmops.projects.services import notifications


@require_GET
@access.requires(Permission.PROJECT_VIEW)
def listing(request: access.ProjectRequest) -> HttpResponse:
    """The newest first; unread ones are marked."""
    rows = queries.notifications_of(request.project, request.user)
    try:
        page = paging.page(rows, order=("-id",), cursor=request.GET.get("cursor", ""))
    except ValueError:  # a cursor that nobody made
        page = paging.page(rows, order=("-id",))
    return render(request, "dashboards/notifications.html", {"page": page})


@require_POST
@access.requires(Permission.PROJECT_VIEW)
def mark_read(request: access.ProjectRequest) -> HttpResponse:
    """Mark everything as read."""
    notifications.mark_read(project=request.project, user=request.user, now=timezone.now())
    return HttpResponseRedirect(reverse("dashboards:notifications", args=[request.project.slug]))
