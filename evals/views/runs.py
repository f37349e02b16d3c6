"""Pages of runs: list, live progress and summary, one result, two runs compared and several in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evals import charts, forms
from evals.models import Run, RunEvaluator
from evals.queries import comparisons, paging, result_pages, run_pages
from evals.queries import datasets as dataset_queries
from evals.queries import runs as run_queries
from evals.queries import schedules as schedule_queries
from evals.reports import FORMATS
from evals.services import run_retries, runs
from evals.views import comparison_shapes, figure_shapes, lists, over_run_shapes, run_shapes, snippets
from llmops.common.errors import Invalid, NotFound
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries


@require_safe
@access.requires(Permission.RUN_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    filters = {name: lists.searched(request, name) for name in ("prompt", "dataset", "state")}
    found = run_pages.listed_in(request.project, **filters)
    page = paging.page(found, order=("-id",), cursor=request.GET.get("cursor", ""), size=25)
    scales = run_queries.scales_of(page.rows)
    context = {
        "runs": [run_shapes.run_row(run, scales) for run in page.rows],
        "page": lists.links(request, page),
        "filters": {**filters, "active": any(filters.values())},
        "prompt_paths": prompt_queries.paths_in(request.project, most=lists.MOST_CHOICES),
        "dataset_slugs": dataset_queries.slugs_in(request.project, most=lists.MOST_CHOICES),
        "states": Run.State.values,
        "api_call": snippets.start_run(),
    }
    return lists.respond(request, "evals/run_list.html", "rows", context)


@require_safe
@access.requires(Permission.RUN_READ)
def detail(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """Live progress while it goes, summary and rows when it is over."""
    run = run_queries.run_in(request.project, uid)
    now = timezone.now()
    progress = run_pages.progress(run, now)
    active = run.state in Run.ACTIVE
    context: dict[str, Any] = {
        "head": run_shapes.head(run, now, progress),
        "progress": {**_progress(progress)},
        "active": active,
        "failures": run_pages.failures(run),
        "failed": progress.failed,
        "sign_off": _sign_off(request, run),
    }
    if active:
        template = "evals/run_detail.html#progress" if request.headers.get("HX-Request") else "evals/run_detail.html"
        return render(request, template, context)
    context["head"]["unjudged"] = run_pages.unjudged(run)
    context |= _finished(request, run)
    wants_rows = request.headers.get("HX-Target") == "rows"
    partial = "rows" if wants_rows else "finished"
    template = "evals/_results.html#rows" if wants_rows else f"evals/run_detail.html#{partial}"
    if not request.headers.get("HX-Request") or request.headers.get("HX-History-Restore-Request"):
        template = "evals/run_detail.html"
    response = render(request, template, context)
    response["Vary"] = "HX-Request, HX-Target"
    return response


@require_safe
@access.requires(Permission.RUN_READ)
def result(request: access.ProjectRequest, uid: str, result_uid: str) -> HttpResponse:
    """One result as a page of its own."""
    run = run_queries.run_in(request.project, uid)
    found = result_pages.result_in(run, result_uid)
    now = timezone.now()
    may_edit = Permission.DATASET_WRITE in request.permissions
    row = run_shapes.result_row(
        result_pages.result_row(run, found), toggle_url="", detail=run_shapes.detail(run, found, may_edit=may_edit)
    )
    context = {"head": run_shapes.head(run, now, run_pages.progress(run, now)), "row": row}
    return render(request, "evals/result_detail.html", context)


@require_safe
@access.requires(Permission.RUN_READ)
def compare(request: access.ProjectRequest) -> HttpResponse:
    """Which of two runs is better, or that it is not known yet."""
    baseline, candidate = (run_queries.run_in(request.project, request.GET.get(name, "")) for name in ("a", "b"))
    if baseline == candidate:
        messages.info(request, "Choose two different runs to compare.")
        return redirect("evals:run-list", project_slug=request.project.slug)
    form = forms.Margin(request.GET)
    points = form.cleaned_data["margin"] if form.is_valid() else None
    found = comparisons.comparison_of(baseline, candidate, margin=comparisons.margin_of(points))
    shown = comparison_shapes.comparison(found, chosen=lists.searched(request, "by"))
    context = {"comparison": shown, "margin_form": form}
    return render(request, "evals/run_compare.html", context, status=400 if form.errors else 200)


@require_safe
@access.requires(Permission.RUN_READ)
def pairs(request: access.ProjectRequest) -> HttpResponse:
    """Several runs, each against each other; without a choice, the runs to choose from."""
    chosen = [run_queries.run_in(request.project, uid) for uid in request.GET.getlist("run")]
    context: dict[str, Any] = {"choices": comparison_shapes.choices(run_pages.settled_in(request.project), chosen)}
    try:
        if chosen:
            context["found"] = comparison_shapes.pairs(comparisons.every_pair(chosen, lists.searched(request, "by")))
    except Invalid as error:
        context["problem"] = error.message
    return render(request, "evals/run_pairs.html", context, status=400 if "problem" in context else 200)


@require_POST
@access.requires(Permission.RUN_START)
def cancel(request: access.ProjectRequest, uid: str) -> HttpResponse:
    runs.cancel(run=run_queries.run_in(request.project, uid), by=request.actor)
    messages.success(request, "The run stops; what is done is kept.")
    return redirect("evals:run-detail", project_slug=request.project.slug, uid=uid)


@require_POST
@access.requires(Permission.RUN_START)
def resume(request: access.ProjectRequest, uid: str) -> HttpResponse:
    runs.resume(run=run_queries.run_in(request.project, uid), by=request.actor)
    return redirect("evals:run-detail", project_slug=request.project.slug, uid=uid)


@require_POST
@access.requires(Permission.RUN_START)
def retry(request: access.ProjectRequest, uid: str) -> HttpResponse:
    count = run_retries.retry_failed(run=run_queries.run_in(request.project, uid), by=request.actor)
    messages.success(request, f"{count} failed results are tried again.")
    return redirect("evals:run-detail", project_slug=request.project.slug, uid=uid)


@require_POST
@access.requires(Permission.RUN_START)
def judge_again(request: access.ProjectRequest, uid: str) -> HttpResponse:
    count = run_retries.judge_again(run=run_queries.run_in(request.project, uid), by=request.actor)
    messages.success(request, f"{count} call{'' if count == 1 else 's'} of judges are made again.")
    return redirect("evals:run-detail", project_slug=request.project.slug, uid=uid)


def _progress(progress: run_pages.Progress) -> dict[str, Any]:
    names = ("done", "total", "failed", "cached", "spent_usd", "cap_usd", "left", "expected_usd", "verdicts")
    shown = {name: getattr(progress, name) for name in names}
    return {**shown, "unit": "results", "verdicts_total": progress.verdicts_total}


def _finished(request: access.ProjectRequest, run: Run) -> dict[str, Any]:
    evaluators = run_queries.evaluators_of(run)
    by = request.GET.get("by", "")
    narrowed = result_pages.ResultFilter(
        evaluator=int(by) if by.isascii() and by.isdigit() and len(by) < 18 else 0,
        show=request.GET.get("show", "") if request.GET.get("show") in {"wrong", "unscored", "failed"} else "",
        search=lists.searched(request, "q"),
        tag=lists.searched(request, "tag"),
    )
    graded = result_pages.results(run, narrowed, request.GET.get("cursor", ""))
    opened = request.GET.get("open", "")
    return {
        "summary": figure_shapes.summary(run, timezone.now()),
        "over_run": over_run_shapes.over_run(run),
        "slices": figure_shapes.slices(run, by=lists.searched(request, "slice"), evaluator=narrowed.evaluator),
        "flaky": figure_shapes.reliability(run, _chosen(evaluators, narrowed.evaluator)),
        "provenance": list(run_shapes.provenance(run)),
        "money": list(run_shapes.money(run)),
        "reports": [{"key": key, "name": kind.name} for key, kind in FORMATS.items()],
        "latency": charts.latency_histogram(run_pages.latencies(run)),
        "filters": {"text": narrowed.search, "by": narrowed.evaluator, "show": narrowed.show, "tag": narrowed.tag},
        "evaluator_choices": [{"id": line.evaluator_version_id, "name": line.name} for line in evaluators],
        "results": [_row(request, run, row, opened) for row in graded.page.rows],
        "page": lists.links(request, graded.page, drop=("open",)),
    }


def _chosen(evaluators: Sequence[RunEvaluator], version: int) -> RunEvaluator | None:
    """The evaluator that the rows are sorted by, the first without a choice."""
    return next((line for line in evaluators if line.evaluator_version_id == version), next(iter(evaluators), None))


def _sign_off(request: access.ProjectRequest, run: Run) -> dict[str, Any] | None:
    found = schedule_queries.sign_off_of(run)
    if found is None:
        return None
    person = found.person
    return {
        "state": found.state,
        "person": (person.name or person.email) if person else "somebody who has left",
        "note": found.note,
        "by": found.by,
        "decided_at": found.decided_at,
        "is_mine": found.person_id == request.user.pk,
        "ready": run.is_finished,
    }


def _row(request: access.ProjectRequest, run: Run, row: result_pages.ResultRow, opened: str) -> dict[str, Any]:
    query = request.GET.copy()
    query.pop("open", None)
    is_open = row.uid == opened
    if not is_open:
        query["open"] = row.uid
    shown = None
    if is_open:
        page_url = reverse("evals:result-detail", args=[request.project.slug, run_pages.names(run).uid, row.uid])
        may_edit = Permission.DATASET_WRITE in request.permissions
        try:
            shown = run_shapes.detail(run, result_pages.result_in(run, row.uid), page_url=page_url, may_edit=may_edit)
        except NotFound:
            shown = None
    address = reverse("evals:run-detail", args=[request.project.slug, run_pages.names(run).uid])
    return run_shapes.result_row(row, toggle_url=f"{address}?{query.urlencode()}", detail=shown)
