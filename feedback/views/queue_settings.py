"""The settings of a queue that is in use."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from feedback.forms import queue_settings as forms
from feedback.services import queue_settings
from feedback.views.labeling import queue_of
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from llmops.projects.views.problems import put_on


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.QUEUE_WRITE)
def edit(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Change the settings; what somebody else changed meanwhile is shown, never overwritten."""
    queue = queue_of(request, slug)
    form = forms.QueueSettings(request.POST if request.method == "POST" else None, queue=queue)
    if form.is_bound and form.is_valid():
        try:
            queue_settings.edit(queue=queue, by=request.actor, now=timezone.now(), **form.cleaned_data)
        except queue_settings.StaleSettings as stale:
            form.show_stale(stale)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("feedback:queue", request.project.slug, queue.slug)
    return render(
        request, "feedback/queue_settings.html", {"queue": queue, "form": form}, status=400 if form.errors else 200
    )
