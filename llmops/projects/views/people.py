"""A person's own pages: the profile, and the way in by an invitation."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.providers.openid_connect import views as oidc
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from llmops.accounts.adapter import INVITED_EMAIL
from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.common.errors import Conflict, DomainError, Unavailable
from llmops.projects import access, forms, queries
from llmops.projects.models import Invitation
from llmops.projects.services import invitations
from llmops.projects.views.problems import put_on


@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def profile(request: access.PersonRequest) -> HttpResponse:
    """Name and time zone; the password has its own page."""
    now = {"name": request.user.name, "timezone": request.user.timezone}
    form = forms.Profile(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            people.edit(user=request.user, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("profile")
    return render(request, "projects/profile.html", {"form": form}, status=400 if form.errors else 200)


@access.public("the way in by the operator's provider")
def single_sign_on(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """allauth's view, which lets a provider that is away be an error of ours."""
    try:
        return oidc.login(request, provider_id)  # type: ignore[no-any-return]
    except OSError as error:
        raise Unavailable("The sign-in provider does not answer. Try again in a minute.") from error


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@access.public("an invited person has no account yet; the link's token is the proof")
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Looking changes nothing; the button joins."""
    invitation = invitations.find(token, now=timezone.now())
    if request.method != "POST":
        return _page(request, token, invitation, forms.Join())
    if request.user.is_authenticated:
        return _join_as_member(request, invitation)
    if settings.LLMOPS_OIDC_ENABLED and "oidc" in request.POST:
        request.session[INVITED_EMAIL] = invitation.email
        login_url = reverse("openid_connect_login", kwargs={"provider_id": "oidc"})
        return redirect(f"{login_url}?{urlencode({'next': reverse('join', args=[token])})}")
    return _join_as_newcomer(request, token, invitation)


def _join_as_member(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    assert isinstance(request.user, User)
    invitations.accept(invitation=invitation, user=request.user, by=access.actor_of(request), now=timezone.now())
    return _welcome(request, invitation)


def _join_as_newcomer(request: HttpRequest, token: str, invitation: Invitation) -> HttpResponse:
    form = forms.Join(request.POST)
    if form.is_valid():
        try:
            user = invitations.accept_as_newcomer(invitation=invitation, now=timezone.now(), **form.cleaned_data)
        except Conflict:
            return redirect(_sign_in(token))
        except DomainError as error:
            put_on(form, error)
        else:
            login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
            return _welcome(request, invitation)
    return _page(request, token, invitation, form)


def _welcome(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    messages.success(request, f"Welcome to {invitation.project.name}.")
    return redirect("dashboards:home", invitation.project.slug)


def _page(request: HttpRequest, token: str, invitation: Invitation, form: forms.Join) -> HttpResponse:
    is_known = queries.is_registered(invitation.email)
    context: dict[str, Any] = {
        "invitation": invitation,
        "form": form,
        "is_known": is_known,
        "is_theirs": request.user.is_authenticated and request.user.email.lower() == invitation.email.lower(),
        "sign_in_url": _sign_in(token),
    }
    return render(request, "projects/join.html", context, status=400 if form.errors else 200)


def _sign_in(token: str) -> str:
    return f"{reverse('account_login')}?{urlencode({'next': reverse('join', args=[token])})}"
