"""Members and invitations."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from llmops.common.errors import DomainError
from llmops.projects import access, forms, queries
from llmops.projects.permissions import Permission
from llmops.projects.services import invitations, memberships
from llmops.projects.views.problems import put_on


@require_safe
@access.requires(Permission.MEMBER_READ)
def members(request: access.ProjectRequest) -> HttpResponse:
    return _page(request, forms.Invite())


@require_POST
@access.requires(Permission.MEMBER_MANAGE)
def invite(request: access.ProjectRequest) -> HttpResponse:
    """Invite an address; the link is on the answer alone and in the mail."""
    form = forms.Invite(request.POST)
    if form.is_valid():
        try:
            issued = invitations.create(
                project=request.project,
                email=form.cleaned_data["email"],
                role=form.cleaned_data["role"],
                by=request.actor,
                now=timezone.now(),
            )
        except DomainError as error:
            put_on(form, error)
        else:
            response = _page(request, forms.Invite(), issued)
            response["Cache-Control"] = "no-store"
            return response
    return _page(request, form)


@require_POST
@access.requires(Permission.MEMBER_MANAGE)
def revoke_invitation(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    invitation = queries.invitation_in(request.project, uid)
    invitations.revoke(invitation=invitation, by=request.actor, now=timezone.now())
    messages.success(request, f"The invitation of {invitation.email} is taken back.")
    return redirect("projects:members", request.project.slug)


@require_POST
@access.requires(Permission.MEMBER_MANAGE)
def change_role(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    membership = queries.membership_in(request.project, uid)
    form = forms.Role(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such role.")
    else:
        memberships.change_role(membership=membership, role=form.cleaned_data["role"], by=request.actor)
        messages.success(request, f"{membership.user} is {form.cleaned_data['role']} now.")
    return redirect("projects:members", request.project.slug)


@require_POST
@access.requires(Permission.MEMBER_MANAGE)
def remove(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    membership = queries.membership_in(request.project, uid)
    memberships.remove(membership=membership, by=request.actor, now=timezone.now())
    messages.success(request, f"{membership.user} is no longer a member.")
    return redirect("projects:members", request.project.slug)


@require_POST
@access.requires(Permission.PROJECT_VIEW)
def leave(request: access.ProjectRequest) -> HttpResponse:
    """Anybody may end their own membership."""
    memberships.remove(membership=request.membership, by=request.actor, now=timezone.now())
    messages.success(request, f"You left {request.project.name}.")
    return redirect("start")


def _page(
    request: access.ProjectRequest, form: forms.Invite, issued: invitations.IssuedInvitation | None = None
) -> HttpResponse:
    context = {
        "members": queries.members_of(request.project),
        "invitations": queries.open_invitations(request.project),
        "roles": forms.ROLE_HINTS,
        "form": form,
        "issued": issued,
        "now": timezone.now(),
        "tab": "members",
    }
    return render(request, "projects/settings_members.html", context, status=400 if form.errors else 200)
