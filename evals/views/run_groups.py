"""Pages of matrices: start many runs at once, and see which of them nothing else beats."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals import forms
from evals.queries import datasets as dataset_queries
from evals.queries import paging
from evals.queries import run_groups as queries
from evals.services import run_groups, run_requests
from evals.views import lists, matrix_shapes, snippets
from evals.views.new_runs import run_form
from llmops.common import ids
from llmops.common.errors import DomainError, Invalid
from llmops.projects import access
from llmops.projects.models import Project
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries

NAMES = {"matrix": "versions", "parameters": "settings", "model": "models", "connection": "models"}


@require_safe
@access.requires(Permission.RUN_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    found = queries.groups_in(request.project)
    page = paging.page(found, order=("-id",), cursor=request.GET.get("cursor", ""), size=25)
    rows = [
        {
            "uid": ids.public("grp", group.uid), "name": group.name, "runs": group.runs_all, "done": group.runs_done,
            "spent_usd": group.spent_usd or 0, "by": group.by, "created_at": group.created_at,
        }
        for group in page.rows
    ]  # fmt: skip
    context = {"groups": rows, "page": lists.links(request, page), "api_call": snippets.start_matrix()}
    return render(request, "evals/run_groups.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.RUN_START)
def new(request: access.ProjectRequest) -> HttpResponse:
    """Choose the sides of the matrix; the estimate over the whole comes before the button."""
    form = run_form(request.project, request.POST if request.method == "POST" else None, request.GET, forms.NewMatrix)
    if request.method == "POST" and form.is_valid():
        try:
            wanted, axes = _asked(request.project, form)
            name = form.cleaned_data["name"]
            group = run_groups.start(project=request.project, wanted=wanted, axes=axes, by=request.actor, name=name)
        except DomainError as error:
            forms.take_errors(form, error, NAMES)
        else:
            return redirect("evals:run-group", project_slug=request.project.slug, uid=ids.public("grp", group.uid))
    context: dict[str, Any] = {"form": form, "most": run_groups.MOST_CELLS}
    if request.method == "GET" and "concurrency" in request.GET:  # sent by a browser without script
        context |= _estimated(request)
    return render(request, "evals/run_matrix.html", context, status=400 if form.errors else 200)


@require_safe
@access.requires(Permission.RUN_START)
def estimate(request: access.ProjectRequest) -> HttpResponse:
    """What the whole matrix would cost as it is chosen now."""
    return render(request, "evals/_matrix_estimate.html", _estimated(request))


@require_safe
@access.requires(Permission.RUN_READ)
@csp_update({"style-src": [SELF, UNSAFE_INLINE]})  # plotly draws with injected styles; scripts stay on 'self'
def detail(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """The cells, the best first, and what quality costs in money and time; asked for again while runs go on."""
    group = queries.group_in(request.project, uid)
    matrix = queries.matrix_of(group, lists.searched(request, "by"))
    return lists.respond(request, "evals/run_group.html", "matrix", matrix_shapes.page(matrix))


@require_POST
@access.requires(Permission.RUN_START)
def cancel(request: access.ProjectRequest, uid: str) -> HttpResponse:
    count = run_groups.cancel(group=queries.group_in(request.project, uid), by=request.actor)
    messages.success(request, f"{count} runs stop; what is done is kept.")
    return redirect("evals:run-group", project_slug=request.project.slug, uid=uid)


@require_POST
@access.requires(Permission.RUN_START)
def resume(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """Go on, under a higher limit if one was typed."""
    typed = request.POST.get("max_cost_usd", "").strip()
    try:
        limit = Decimal(typed) if typed else None
    except InvalidOperation:
        raise Invalid("The limit must be a number.", fields={"max_cost_usd": "a number"}) from None
    if limit is not None and not limit.is_finite():
        raise Invalid("The limit must be a number.", fields={"max_cost_usd": "a number"})
    group = queries.group_in(request.project, uid)
    count = run_groups.resume(group=group, by=request.actor, max_cost_usd=limit)
    messages.success(request, f"{count} runs go on.")
    return redirect("evals:run-group", project_slug=request.project.slug, uid=uid)


def _asked(project: Project, form: forms.NewMatrix) -> tuple[run_requests.Wanted, run_groups.Axes]:
    """:raises DomainError: for a version, label or dataset that is not there."""
    given = form.cleaned_data
    artifact = prompt_queries.artifact_in(project, given["prompt"])
    versions = []
    for word in given["versions"] or [""]:
        number = word.removeprefix("v")
        is_number = number.isascii() and number.isdigit() and len(number) < 9
        try:
            versions.append(
                prompt_queries.version_in(
                    artifact, number=int(number) if is_number else None, label=None if is_number else word or None
                )
            )
        except DomainError as error:
            raise Invalid(error.message, fields={"versions": error.message}) from None
    wanted = run_requests.Wanted(
        dataset=dataset_queries.dataset_in(project, given["dataset"]),
        evaluators=given["evaluators"],
        version=versions[0],
        dataset_version=given["dataset_version"],
        split=given["split"].strip(),
        repeats=given["repeats"],
        concurrency=given["concurrency"],
        max_cost_usd=given["max_cost_usd"],
        priority=run_requests.PRIORITIES[given["priority"] or "normal"],
    )
    models = [run_groups.OnModel(model, connection) for model, connection in given["models"]]
    return wanted, run_groups.Axes(versions, models, given["settings"])


def _estimated(request: access.ProjectRequest) -> dict[str, Any]:
    form = run_form(request.project, request.GET, QueryDict(), forms.NewMatrix)
    if not form.is_valid():
        return {}
    try:
        wanted, axes = _asked(request.project, form)
        count, found = run_groups.estimate(project=request.project, wanted=wanted, axes=axes, by=request.actor)
    except DomainError as error:
        return {"estimate_problem": f"{error.message} {'; '.join(error.fields.values())}".strip()}
    return {"runs": count, "estimate": found, "cap_usd": wanted.max_cost_usd}
