"""The one door from a request to a project: every page declares here what it needs.

A page is one of three things, and says so with a decorator:

    @access.requires(Permission.PROMPT_READ)     # a member's page below /p/<project_slug>/
    @access.signed_in                            # any signed-in person
    @access.public("why")                        # everybody

A project that does not exist and one that is not yours are both 404; a member without the permission gets 403 with the
permission's name. A page without a declaration stops the start (llmops.common.access_check).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.db.models import Count, OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.common.errors import Forbidden
from llmops.projects.models import Membership, Notification, Project
from llmops.projects.permissions import Permission

Params = ParamSpec("Params")


class ProjectRequest(HttpRequest):
    """The request that a member's page receives."""

    user: User
    unread_notifications: int
    actor: Actor
    project: Project
    membership: Membership
    permissions: frozenset[Permission]


class PersonRequest(HttpRequest):
    """The request that a signed-in person's page receives."""

    user: User
    actor: Actor


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person as an actor."""
    user = request.user
    assert isinstance(user, User)
    return Actor(
        kind="user", id=user.pk, text=user.email, user_id=user.pk, request_id=getattr(request, "request_id", "")
    )


def requires(
    permission: Permission,
) -> Callable[[Callable[Concatenate[ProjectRequest, Params], HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Let in members whose role has the permission; the view gets a ProjectRequest and no `project_slug`."""

    def decorate(
        view: Callable[Concatenate[ProjectRequest, Params], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def wrapper(request: Any, project_slug: str, *args: Params.args, **kwargs: Params.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _sign_in_first(request)
            enter(request, project_slug)
            if permission not in request.permissions:
                raise Forbidden(
                    f"Your role in this project is {request.membership.role}; this needs the permission {permission}.",
                    fields={"permission": permission},
                )
            return view(request, *args, **kwargs)

        wrapper.declared_access = permission  # type: ignore[attr-defined]
        return wrapper

    return decorate


def signed_in(
    view: Callable[Concatenate[PersonRequest, Params], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Let in any signed-in person."""

    @wraps(view)
    def wrapper(request: Any, *args: Params.args, **kwargs: Params.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _sign_in_first(request)
        request.actor = actor_of(request)
        return view(request, *args, **kwargs)

    wrapper.declared_access = "signed-in"  # type: ignore[attr-defined]
    return wrapper


def public(reason: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Let in everybody, for a reason that stands at the view."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        view.declared_access = f"public: {reason}"  # type: ignore[attr-defined]
        return view

    return decorate


def enter(request: Any, project_slug: str) -> None:
    """Put project, membership, permissions and actor on the request.

    :raises Http404: when there is no such project for this person.
    """
    unread = Notification.objects.filter(project=OuterRef("project"), user=OuterRef("user"), read_at=None)
    membership = (
        Membership.objects.select_related("project")
        .filter(project__slug=project_slug, project__deleted_at=None, user=request.user)
        .annotate(unread=Subquery(unread.order_by().values("project").annotate(n=Count("id")).values("n")))
        .first()
    )
    if membership is None:
        raise Http404("No such project here.")
    request.project = membership.project
    request.membership = membership
    request.unread_notifications = membership.unread or 0
    request.permissions = membership.permissions
    request.actor = actor_of(request)


def _sign_in_first(request: HttpRequest) -> HttpResponse:
    """Pages send people to the sign-in and back; a fragment asked for by htmx sends the whole page there."""
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=401)
        response["HX-Redirect"] = redirect_to_login(request.headers.get("Referer", "/")).url
        return response
    return redirect_to_login(request.get_full_path() if request.method == "GET" else "/")
