"""API keys: issue, show once, revoke."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from llmops.common.errors import DomainError, Forbidden
from llmops.projects import access, forms, queries
from llmops.projects.models import ApiKey
from llmops.projects.permissions import Permission
from llmops.projects.services import api_keys
from llmops.projects.views.problems import put_on


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.KEY_OWN)
def keys(request: access.ProjectRequest) -> HttpResponse:
    """One's own keys, all of them for those who manage keys; a POST issues one and shows it, once."""
    form = forms.IssueKey(request.POST or None, permissions=request.permissions)
    issued = None
    if request.method == "POST" and form.is_valid():
        try:
            issued = _issue(request, form)
        except DomainError as error:
            put_on(form, error)
        else:
            form = forms.IssueKey(permissions=request.permissions)
    manages = Permission.KEY_MANAGE in request.permissions
    context = {
        "keys": queries.keys_shown_to(request.project, request.user, all_of_them=manages),
        "form": form,
        "issued": issued,
        "example": _example(issued) if issued else "",
        "now": timezone.now(),
        "soon": timezone.now() + timedelta(days=14),
        "tab": "keys",
    }
    response = render(request, "projects/settings_keys.html", context, status=400 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@access.requires(Permission.KEY_OWN)
def revoke(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    """One's own personal key, or any key for those who manage them."""
    manages = Permission.KEY_MANAGE in request.permissions
    key = queries.key_in(request.project, uid)
    if not manages and key.user_id != request.user.pk:
        raise Forbidden(
            f"Only your own keys: this needs the permission {Permission.KEY_MANAGE}.",
            fields={"permission": Permission.KEY_MANAGE},
        )
    api_keys.revoke(key=key, by=request.actor, now=timezone.now())
    messages.success(request, f"The key “{key.name}” is revoked.")
    return redirect("projects:keys", request.project.slug)


def _example(issued: api_keys.IssuedKey) -> str:
    """One call that the key may make, ready to paste."""
    base = settings.LLMOPS_BASE_URL
    if issued.key.kind == ApiKey.Kind.PUBLISHABLE:
        body = '{"call": "the id of your call", "thumbs": "up"}'
        return (
            f"curl -X POST {base}/api/v1/feedback -H 'Authorization: Bearer {issued.text}' "
            f"-H 'Content-Type: application/json' -d '{body}'"
        )
    return f"curl {base}/api/v1/prompts -H 'Authorization: Bearer {issued.text}'"


def _issue(request: access.ProjectRequest, form: forms.IssueKey) -> api_keys.IssuedKey:
    chosen = form.cleaned_data
    days = int(chosen["days"] or 0)
    return api_keys.issue(
        project=request.project,
        kind=chosen["kind"],
        name=chosen["name"],
        user=request.user if chosen["kind"] == ApiKey.Kind.PERSONAL else None,
        scopes=chosen["scopes"],
        origins=chosen["origins"],
        expires_at=timezone.now() + timedelta(days=days) if days else None,
        by=request.actor,
    )
