"""Choose what to run: the form with its estimate. Matrices and schedules offer the same choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from evals import forms
from evals.models import Run
from evals.queries import datasets as dataset_queries
from evals.queries import evaluator_pages, run_pages
from evals.queries import evaluators as evaluator_queries
from evals.queries import runs as run_queries
from evals.services import run_estimates, run_requests, runs
from evals.statistics import forecasts
from evals.views import snippets
from llmops.common.errors import DomainError
from llmops.gateway import queries as gateway_queries
from llmops.projects import access
from llmops.projects.models import Project
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries

FormT = TypeVar("FormT", bound=forms.NewRun)


@dataclass(frozen=True, slots=True)
class Shown:
    """How an evaluator is offered."""

    name: str
    how: str


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.RUN_START)
def new(request: access.ProjectRequest) -> HttpResponse:
    """Choose what to run; the estimate comes before the button."""
    form = run_form(request.project, request.POST if request.method == "POST" else None, request.GET, forms.NewRun)
    if request.method == "POST" and form.is_valid():
        try:
            run = runs.start(project=request.project, wanted=_wanted(request.project, form), by=request.actor)
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            return redirect("evals:run-detail", project_slug=request.project.slug, uid=run_pages.names(run).uid)
    context = _new_context(request, form)
    if request.method == "GET" and "concurrency" in request.GET:  # the whole form was sent by a browser without script
        context |= _estimated(request, run_form(request.project, request.GET, QueryDict(), forms.NewRun))
    return render(request, "evals/run_new.html", context, status=400 if form.errors else 200)


@require_safe
@access.requires(Permission.RUN_START)
def estimate(request: access.ProjectRequest) -> HttpResponse:
    """What the run would cost as it is chosen now."""
    form = run_form(request.project, request.GET, QueryDict(), forms.NewRun)
    return render(request, "evals/_estimate.html", _estimated(request, form))


def run_form(project: Project, data: Any, initial: QueryDict, kind: type[FormT], **more: Any) -> FormT:
    """A form of this kind with the project's own choices."""
    named = [(one.slug, Shown(one.name or one.slug, one.slug)) for one in evaluator_queries.evaluators_in(project)]
    chosen = initial.dict() | {"evaluators": initial.getlist("evaluators") or [slug for slug, _ in named[:1]]}
    chosen["on_change"] = initial.getlist("on_change")
    rubrics = evaluator_pages.rubric_paths(project)
    defaults = {"source": "prompt", "repeats": 1, "concurrency": 20}
    return kind(
        data,
        initial={**defaults, **chosen},
        prompts=sorted(prompt_queries.paths_in(project), key=lambda path: (path in rubrics, path)),
        datasets=dataset_queries.slugs_in(project),
        evaluators=named,
        connections=gateway_queries.names_in(project),
        baselines=[_baseline(run) for run in run_pages.settled_in(project)],
        **more,
    )


def _baseline(run: Run) -> tuple[str, str]:
    named = run_pages.names(run)
    return named.uid, f"{named.title} on {run.dataset_version.dataset.slug}, {named.short}"


def _new_context(request: access.ProjectRequest, form: forms.NewRun) -> dict[str, Any]:
    source = form["source"].value() or "prompt"
    has = {
        "has_prompts": bool(form.fields["prompt"].choices),  # type: ignore[attr-defined]
        "has_datasets": bool(form.fields["dataset"].choices),  # type: ignore[attr-defined]
        "has_evaluators": bool(form.fields["evaluators"].choices),  # type: ignore[attr-defined]
    }
    context = {"form": form, "source": source, "missing": not has["has_datasets"], "api_call": snippets.start_run()}
    return {**context, **has}


def _estimated(request: access.ProjectRequest, form: forms.NewRun) -> dict[str, Any]:
    source = form["source"].value() or "prompt"
    if not form.is_valid():
        return {"source": source}
    try:
        wanted = _wanted(request.project, form)
        found = run_estimates.estimate(project=request.project, wanted=wanted, by=request.actor)
    except DomainError as error:
        reasons = "; ".join(error.fields.values())
        return {"source": source, "estimate_problem": f"{error.message} {reasons}".strip()}
    cap = form.cleaned_data["max_cost_usd"]
    return {
        "source": source,
        "estimate": {
            "examples": found.examples, "calls": found.calls, "judge_calls": found.judge_calls,
            "tokens_in": found.tokens_in, "tokens_out": found.tokens_out, "cost_usd": found.cost_usd, "cap_usd": cap,
            "repeats": form.cleaned_data["repeats"], "model": form.cleaned_data["model"],
            "over_cap": cap is not None and found.cost_usd is not None and found.cost_usd > cap,
            "warnings": [found.note] if found.note else [],
            "forecast": forecasts.of_run(found.examples, form.cleaned_data["repeats"]),
            "look": runs.next_look(wanted),
        },
    }  # fmt: skip


def _wanted(project: Project, form: forms.NewRun) -> run_requests.Wanted:
    """The form as the service takes it.

    :raises NotFound: for a version, dataset or label that is not there.
    """
    given = form.cleaned_data
    version = None
    if given["source"] == "prompt":
        artifact = prompt_queries.artifact_in(project, given["prompt"])
        word = given["version"].strip().removeprefix("v")
        is_number = word.isascii() and word.isdigit() and len(word) < 9
        version = prompt_queries.version_in(
            artifact, number=int(word) if is_number else None, label=None if is_number else word or None
        )
    return run_requests.Wanted(
        dataset=dataset_queries.dataset_in(project, given["dataset"]),
        evaluators=given["evaluators"],
        version=version,
        recorded=given["recorded"] if given["source"] == "recorded" else "",
        regrades=run_queries.run_in(project, given["regrades"]) if given["source"] == "regrade" else None,
        dataset_version=given["dataset_version"],
        split=given["split"].strip(),
        repeats=given["repeats"],
        concurrency=given["concurrency"],
        model=given["model"],
        connection=given["connection"],
        max_cost_usd=given["max_cost_usd"],
        priority=run_requests.PRIORITIES[given["priority"] or "normal"],
        stop_early=given["stop_early"],
        margin=given["margin"],
    )
