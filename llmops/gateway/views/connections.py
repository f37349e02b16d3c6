"""Connections and prices in the project's settings."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from llmops.common.errors import DomainError
from llmops.gateway import forms, queries, registry
from llmops.gateway.models import Connection
from llmops.gateway.services import connections, prices
from llmops.projects import access
from llmops.projects.permissions import Permission
from llmops.projects.views.problems import put_on

PATIENCE = timedelta(seconds=60)


@require_safe
@access.requires(Permission.CONNECTION_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    """All connections, prices, and the forms for new ones."""
    return _page(request)


@require_POST
@access.requires(Permission.CONNECTION_MANAGE)
def create(request: access.ProjectRequest) -> HttpResponse:
    form = forms.NewConnection(request.POST)
    if form.is_valid():
        try:
            made = connections.create(project=request.project, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, f"The connection “{made.name}” is there. Test it next.")
            return redirect("gateway:connection-list", request.project.slug)
    return _page(request, form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.CONNECTION_MANAGE)
def edit(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    connection = queries.connection_by_uid(request.project, uid)
    form = forms.EditConnection(request.POST) if request.method == "POST" else forms.EditConnection.of(connection)
    if form.is_bound and form.is_valid():
        try:
            connections.edit(connection=connection, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("gateway:connection-list", request.project.slug)
    form.explain(connection)
    kind = registry.KINDS.get(connection.kind)
    context = {"connection": connection, "kind": kind, "form": form, "tab": "connections"}
    return render(request, "gateway/connection_edit.html", context, status=400 if form.errors else 200)


@require_POST
@access.requires(Permission.CONNECTION_MANAGE)
def test(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    """Ask a worker for one short call; the list shows how it went."""
    connection = queries.connection_by_uid(request.project, uid)
    connections.ask_for_test(connection=connection, by=request.actor, now=timezone.now())
    if request.headers.get("HX-Request"):
        return _outcome(request, uid)
    return redirect("gateway:connection-list", request.project.slug)


@require_safe
@access.requires(Permission.CONNECTION_READ)
def outcome(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    """How the last test went; asks again while it is under way."""
    return _outcome(request, uid)


@require_POST
@access.requires(Permission.CONNECTION_MANAGE)
def make_default(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    connection = queries.connection_by_uid(request.project, uid)
    connections.set_default(connection=connection, by=request.actor)
    messages.success(request, f"“{connection.name}” is the default now.")
    return redirect("gateway:connection-list", request.project.slug)


@require_POST
@access.requires(Permission.CONNECTION_MANAGE)
def archive(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    connection = queries.connection_by_uid(request.project, uid)
    try:
        connections.archive(connection=connection, by=request.actor, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"“{connection.name}” is archived and its key forgotten.")
    return redirect("gateway:connection-list", request.project.slug)


@require_POST
@access.requires(Permission.CONNECTION_MANAGE)
def put_price(request: access.ProjectRequest) -> HttpResponse:
    form = forms.NewPrice(request.POST)
    if form.is_valid():
        try:
            prices.put(project=request.project, by=request.actor, now=timezone.now(), **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, f"The price of {form.cleaned_data['model']} counts from now on.")
            return redirect("gateway:connection-list", request.project.slug)
    return _page(request, price_form=form)


@require_POST
@access.requires(Permission.CONNECTION_MANAGE)
def remove_price(request: access.ProjectRequest) -> HttpResponse:
    try:
        prices.remove(project=request.project, model=request.POST.get("model", "")[:200], by=request.actor)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "The public price counts again.")
    return redirect("gateway:connection-list", request.project.slug)


def _outcome(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    connection = queries.connection_by_uid(request.project, uid)
    return render(request, "gateway/_outcome.html", _shown(connection, timezone.now()))


def _page(
    request: access.ProjectRequest,
    form: forms.NewConnection | None = None,
    price_form: forms.NewPrice | None = None,
) -> HttpResponse:
    now = timezone.now()
    wrong = bool((form and form.errors) or (price_form and price_form.errors))
    context = {
        "shown": [_shown(connection, now) for connection in queries.connections_in(request.project)],
        "prices": queries.prices_in(request.project),
        "form": form or forms.NewConnection(),
        "price_form": price_form or forms.NewPrice(),
        "tab": "connections",
    }
    return render(request, "gateway/connection_list.html", context, status=400 if wrong else 200)


def _shown(connection: Connection, now: datetime) -> dict[str, object]:
    """A row with what the list says about it; a test that no worker took up is over after a minute."""
    waits = connection.test_outcome == connections.WAITING
    lost = waits and (connection.tested_at is None or now - connection.tested_at > PATIENCE)
    kind = registry.KINDS.get(connection.kind)
    return {
        "connection": connection,
        "kind_title": kind.title if kind else connection.kind,
        "address": connection.base_url or (kind.base_url if kind else ""),
        "going": waits and not lost,
        "good": connection.test_outcome.startswith("Good"),
        "outcome": "No worker took the test up. Is one running?" if lost else connection.test_outcome,
    }
