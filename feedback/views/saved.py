"""Saved views of the inbox: save the filter that is shown, share it, remove it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from feedback.forms import inbox as forms
from feedback.queries import review
from feedback.services import views as saved_views
from feedback.views import shapes
from llmops.common.errors import Forbidden, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_POST
@access.requires(Permission.FEEDBACK_READ)
def save(request: access.ProjectRequest) -> HttpResponse:
    """Keep the filter of the address under a name; to share it takes the right to triage."""
    form = forms.SaveView(request.POST)
    if not form.is_valid():
        raise Invalid("The view cannot be saved.", fields=shapes.errors(form))
    is_shared = form.cleaned_data["is_shared"]
    if is_shared:
        _demand_triage(request)
    query = forms.Narrow(request.GET).query()
    view = saved_views.save(
        project=request.project, name=form.cleaned_data["name"], query=query, is_shared=is_shared, by=request.actor
    )
    messages.success(request, f"The view “{view.name}” is saved.")
    return shapes.to_inbox(request)


@require_POST
@access.requires(Permission.FEEDBACK_READ)
def change(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """Share a view, keep it to oneself again, or remove it."""
    view = review.view_in(request.project, request.actor, uid)
    if request.POST.get("do") == "remove":
        may_manage = Permission.PROJECT_MANAGE in request.permissions
        saved_views.remove(view=view, by=request.actor, may_manage=may_manage)
        messages.success(request, f"The view “{view.name}” is removed.")
    else:
        _demand_triage(request)
        saved_views.share(view=view, is_shared=request.POST.get("do") == "share", by=request.actor)
    return shapes.to_inbox(request)


def _demand_triage(request: access.ProjectRequest) -> None:
    if Permission.FEEDBACK_TRIAGE not in request.permissions:
        raise Forbidden("Your role may not share views.", fields={"permission": Permission.FEEDBACK_TRIAGE})
