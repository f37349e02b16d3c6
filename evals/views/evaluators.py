"""Pages of evaluators: list, new and changed ones, versions, and trying a metric on pasted text."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms as django_forms
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals import forms, metrics
from evals.judges.catalogue import TEMPLATES
from evals.metrics import parameters
from evals.models import Evaluator, EvaluatorVersion
from evals.queries import boards, certificates, evaluator_pages, paging
from evals.queries import evaluators as queries
from evals.services import evaluators, judge_templates
from evals.views import certificate_shapes, lists, snippets
from llmops.common.errors import DomainError, Invalid
from llmops.projects import access
from llmops.projects.models import Project
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries

JUDGE = "judge"
TEMPLATE = "template."
FIRST = "exact_match"


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    tone: str
    icon: str
    word: str
    reason: str
    value: str


@require_safe
@access.requires(Permission.EVALUATOR_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    page = evaluator_pages.cards(request.project, request.GET.get("cursor", ""))
    context = {"cards": page.rows, "page": lists.links(request, page), "api_call": snippets.start_run()}
    return render(request, "evals/evaluator_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.EVALUATOR_WRITE)
def new(request: access.ProjectRequest) -> HttpResponse:
    form = forms.NewEvaluator(request.POST if request.method == "POST" else None, initial=request.GET.dict())
    how = _how(request, request.project, {})
    if request.method == "POST" and all([form.is_valid(), how.is_valid()]):
        given = form.cleaned_data
        try:
            version = _created(request, given, how)
        except DomainError as error:
            _take_errors(form, how, error)
        else:
            assert version.evaluator is not None
            return redirect("evals:evaluator-detail", request.project.slug, version.evaluator.slug)
    return _form_page(request, form, how, None)


def _created(request: access.ProjectRequest, given: dict[str, Any], how: Any) -> EvaluatorVersion:
    named = {"slug": given["slug"] or slugify(given["name"])[:60].strip("-"), "name": given["name"]}
    if not isinstance(how, forms.TemplateForm):
        return evaluators.create(project=request.project, spec=how.spec, by=request.actor, **named)
    if Permission.PROMPT_WRITE not in request.permissions:
        raise Invalid("A template becomes a prompt of the project, and you may not write prompts.")
    return judge_templates.create(
        project=request.project,
        template=how.template.name,
        settings=how.models,
        by=request.actor,
        now=timezone.now(),
        **named,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.EVALUATOR_WRITE)
def edit(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """A new version of an evaluator."""
    evaluator = queries.evaluator_in(request.project, slug)
    how = _how(request, request.project, _newest(evaluator).spec)
    form = django_forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and all([form.is_valid(), how.is_valid()]):
        try:
            version = evaluators.save(evaluator=evaluator, spec=how.spec, by=request.actor)
        except DomainError as error:
            _take_errors(form, how, error)
        else:
            messages.success(request, f"Saved as v{version.number}")
            return redirect("evals:evaluator-detail", request.project.slug, evaluator.slug)
    return _form_page(request, form, how, evaluator)


@require_safe
@access.requires(Permission.EVALUATOR_READ)
def detail(request: access.ProjectRequest, slug: str) -> HttpResponse:
    evaluator = queries.evaluator_in(request.project, slug)
    try_url = reverse("evals:evaluator-try", args=[request.project.slug, evaluator.slug])
    return _detail(request, evaluator, forms.TryEvaluator(form_id="try"), try_url)


@require_POST
@access.requires(Permission.EVALUATOR_READ)
def try_saved(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Grade pasted text by an evaluator's newest version; nothing is stored."""
    evaluator = queries.evaluator_in(request.project, slug)
    form = forms.TryEvaluator(request.POST, form_id="try")
    tried = _tried(_newest(evaluator).spec, form)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "evals/_verdict_of_try.html", {"tried": tried})
    return _detail(request, evaluator, form, request.path, tried)


def _detail(
    request: access.ProjectRequest,
    evaluator: Evaluator,
    try_form: forms.TryEvaluator,
    try_url: str,
    tried: Tried | None = None,
) -> HttpResponse:
    current = _newest(evaluator)
    page = paging.page(
        certificates.certificates_of(evaluator), order=("-id",), cursor=request.GET.get("cursor", ""), size=10
    )
    context = {
        "certificates": [certificate_shapes.row(one) for one in page.rows],
        "certificate_pages": lists.links(request, page),
        "evaluator": evaluator,
        "current": current,
        "is_judge": JUDGE in current.spec,
        "board_key": evaluator.slug if boards.key_of(current) else "",
        "meaning": evaluator_pages.meaning(current.spec),
        "settings": evaluator_pages.settings(current.spec),
        "versions": evaluator_pages.version_rows(evaluator),
        "try_form": try_form,
        "try_url": try_url,
        "tried": tried,
    }
    return render(request, "evals/evaluator_detail.html", context)


@require_POST
@access.requires(Permission.EVALUATOR_READ)
def try_unsaved(request: access.ProjectRequest) -> HttpResponse:
    """Grade pasted text by the settings of a form that is not saved yet."""
    how = _how(request, request.project, {})
    form = forms.TryEvaluator(request.POST, form_id="evaluator")
    if isinstance(how, forms.JudgeModels):
        tried = Tried("neutral", "circle-dashed", "Not graded here", "A judge is tried in a run of a few rows.", "")
    elif how.is_valid():
        tried = _tried(how.spec, form)
    else:
        tried = _refused("; ".join(f"{name}: {errors[0]}" for name, errors in how.errors.items()))
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "evals/_verdict_of_try.html", {"tried": tried})
    evaluator = None
    if slug := request.POST.get("evaluator", ""):
        evaluator = queries.evaluator_in(request.project, slug)
    named = django_forms.Form() if evaluator else forms.NewEvaluator(initial=request.POST.dict())
    return _form_page(request, named, how, evaluator, try_form=form, tried=tried)


def _newest(evaluator: Evaluator) -> Any:
    return evaluator.ordered_versions[0]  # type: ignore[attr-defined]  # prefetched by the query


def _how(request: access.ProjectRequest, project: Project, spec: dict[str, Any]) -> Any:
    """The form of the chosen metric or of a judge, filled from what was sent, else from a stored configuration."""
    sent: QueryDict = request.POST if request.method == "POST" else request.GET
    chosen = sent.get("metric") or (JUDGE if JUDGE in spec else spec.get("metric")) or FIRST
    data = request.POST if request.method == "POST" else None
    if chosen == JUDGE:
        paths = prompt_queries.paths_in(project, most=1000)
        return forms.JudgeForm(
            data,
            prompts=paths,
            connections=lists.connection_choices(project),
            spec=spec if JUDGE in spec else {},
            typed=request.GET.dict(),
        )
    if str(chosen).startswith(TEMPLATE) and str(chosen).removeprefix(TEMPLATE) in TEMPLATES and not spec:
        return forms.TemplateForm(
            data,
            template=TEMPLATES[str(chosen).removeprefix(TEMPLATE)],
            connections=lists.connection_choices(project),
            typed=request.GET.dict(),
        )
    if chosen not in metrics.METRICS:
        chosen = FIRST
    stored = metrics.checked(spec) if spec.get("metric") == chosen else {}
    fields = parameters.fields_of(metrics.METRICS[chosen].params)
    return forms.Parameters(data, metric=chosen, fields=fields, spec=stored, typed=request.GET.dict())


def _form_page(
    request: access.ProjectRequest,
    form: django_forms.Form,
    how: Any,
    evaluator: Evaluator | None,
    **extra: Any,
) -> HttpResponse:
    chosen = JUDGE if isinstance(how, forms.JudgeForm) else how.metric
    catalogue = list(metrics.METRICS.values())
    context = {
        "form": form,
        "how": how,
        "chosen": chosen,
        "evaluator": evaluator,
        "next_number": (_newest(evaluator).number or 0) + 1 if evaluator else 1,
        "families": [
            (family, [metric for metric in catalogue if metric.family == family]) for family in metrics.FAMILIES
        ],
        "templates": [] if evaluator else list(TEMPLATES.values()),
        "template": how.template if isinstance(how, forms.TemplateForm) else None,
        "try_form": forms.TryEvaluator(form_id="evaluator"),
        "try_url": reverse("evals:evaluator-try-unsaved", args=[request.project.slug]),
        **extra,
    }
    return lists.respond(request, "evals/evaluator_new.html", "how", context)


def _take_errors(form: django_forms.Form, how: django_forms.Form, error: DomainError) -> None:
    """Name and slug belong to the upper form, everything else to the settings."""
    if error.fields.keys() & {"name", "slug", "description"}:
        forms.take_errors(form, error)
    else:
        forms.take_errors(how, error, forms.JudgeForm.NAMES)


def _tried(spec: dict[str, Any], form: forms.TryEvaluator) -> Tried:
    if not form.is_valid():
        return _refused("; ".join(f"{name}: {errors[0]}" for name, errors in form.errors.items()))
    if metrics.asks_model(spec):
        return Tried(
            "neutral", "circle-dashed", "Not graded here", "It asks a model: try it in a run of a few rows.", ""
        )
    try:
        outcome = metrics.score(spec, form.cleaned_data["output"], form.cleaned_data["expected"])
    except DomainError as error:
        return _refused("; ".join(error.fields.values()) or error.message)
    if isinstance(outcome, metrics.Unscored):
        return Tried("neutral", "circle-dashed", "Unscored", outcome.reason, "–")
    value = f"{outcome.value:.3g}"
    if outcome.passed is None:
        return Tried("neutral", "circle-dot", "Graded", outcome.reason, value)
    if outcome.passed:
        return Tried("good", "circle-check", "Right", outcome.reason, value)
    return Tried("bad", "circle-x", "Wrong", outcome.reason, value)


def _refused(reason: str) -> Tried:
    return Tried("bad", "circle-alert", "These settings cannot be used", reason, "")
