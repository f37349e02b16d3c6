"""Pages of judges' certificates: measure one from a finished run, and look at it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from evals import forms
from evals.queries import certificates as queries
from evals.queries import evaluators as evaluator_queries
from evals.queries import run_pages
from evals.queries import runs as run_queries
from evals.services import certificates
from evals.views import certificate_shapes, snippets
from llmops.common import ids
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.EVALUATOR_WRITE)
def measure(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Compare the verdicts of a finished run with people's labels."""
    evaluator = evaluator_queries.evaluator_in(request.project, slug)
    runs = []
    for run in queries.runs_with(evaluator):
        named = run_pages.names(run)
        dataset = run.dataset_version.dataset.slug
        runs.append((named.uid, f"{named.short}: {named.title} on {dataset} v{run.dataset_version.number}"))
    sent = request.POST if request.method == "POST" else None
    form = forms.MeasureJudge(sent, runs=runs, initial=request.GET.dict())
    if sent is not None and form.is_valid():
        given = dict(form.cleaned_data)
        try:
            run = run_queries.run_in(request.project, given.pop("run"))
            made = certificates.measure(evaluator=evaluator, run=run, by=request.actor, now=timezone.now(), **given)
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            messages.success(request, f"Measured on {made.n:,} labels")
            uid = ids.public("cert", made.uid)
            return redirect("evals:certificate-detail", request.project.slug, evaluator.slug, uid)
    is_judge = evaluator.ordered_versions[0].judge_id is not None  # type: ignore[attr-defined]  # prefetched
    context = {
        "evaluator": evaluator,
        "form": form,
        "has_runs": bool(runs),
        "is_judge": is_judge,
        "api_call": snippets.measure_judge(evaluator.slug),
    }
    return render(request, "evals/certificate_new.html", context, status=400 if form.errors else 200)


@require_safe
@access.requires(Permission.EVALUATOR_READ)
def detail(request: access.ProjectRequest, slug: str, uid: str) -> HttpResponse:
    """One certificate with its table."""
    evaluator = evaluator_queries.evaluator_in(request.project, slug)
    found = queries.certificate_in(evaluator, uid)
    context = {"evaluator": evaluator, "certificate": certificate_shapes.whole(found)}
    return render(request, "evals/certificate_detail.html", context)
