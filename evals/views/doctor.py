"""Pages of the dataset doctor: start a look, follow it, read its findings, act on their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evals import forms
from evals.doctor import Kind
from evals.models import Checkup, CheckupFinding, Dataset
from evals.queries import checkups as queries
from evals.queries import dataset_pages
from evals.queries import datasets as dataset_queries
from evals.services import checkups, dataset_examples
from evals.views import lists, snippets
from llmops.common import ids
from llmops.common.errors import DomainError, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission


@dataclass(frozen=True, slots=True)
class Counted:
    """A kind with how many findings of it there are."""

    kind: str
    words: queries.Words
    count: int
    url: str
    is_chosen: bool


@require_safe
@access.requires(Permission.DATASET_READ)
def detail(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """What the last look found, or how far it is."""
    return _page(request, dataset_queries.dataset_in(request.project, slug))


@require_POST
@access.requires(Permission.DATASET_WRITE)
def start(request: access.ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_queries.dataset_in(request.project, slug)
    form = forms.NewCheckup(request.POST)
    if form.is_valid():
        try:
            checkups.start(dataset=dataset, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            return redirect("evals:dataset-doctor", request.project.slug, dataset.slug)
    return _page(request, dataset, form=form, status=400)


@require_POST
@access.requires(Permission.DATASET_WRITE)
def cancel(request: access.ProjectRequest, slug: str, uid: str) -> HttpResponse:
    dataset = dataset_queries.dataset_in(request.project, slug)
    checkups.cancel(of=queries.checkup_in(dataset, uid), by=request.actor, now=timezone.now())
    return redirect("evals:dataset-doctor", request.project.slug, dataset.slug)


@require_safe
@access.requires(Permission.DATASET_READ)
def finding(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """The rows of one finding side by side."""
    return _finding_page(request, queries.finding_in(request.project, uid))


@require_POST
@access.requires(Permission.DATASET_WRITE)
def act(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """Remove one row of a finding, or give all that are still there a tag."""
    found = queries.finding_in(request.project, uid)
    dataset = found.checkup.dataset
    form = forms.ActOnFinding(request.POST)
    if not form.is_valid():
        return _finding_page(request, found, form=form, status=400)
    keys = {ids.public("ex", key) for key in dataset_queries.keys_of(found.members)}
    try:
        if key := form.cleaned_data["remove"]:
            if key not in keys:
                raise Invalid("This row is not in the finding.", fields={"remove": "not in the finding"})
            dataset_examples.remove(dataset=dataset, uids=[key], by=request.actor)
            messages.success(request, "Row removed from the open version")
        else:
            there = dataset_queries.current_keys(dataset, keys)
            count = dataset_examples.mark(
                dataset=dataset, uids=there, by=request.actor, add_tag=form.cleaned_data["tag"]
            )
            messages.success(request, f"{count} row{'' if count == 1 else 's'} tagged in the open version")
    except DomainError as error:
        forms.take_errors(form, error, {"tags": "tag"})
        return _finding_page(request, found, form=form, status=error.status)
    return redirect("evals:dataset-finding", request.project.slug, uid)


def _page(
    request: access.ProjectRequest, dataset: Dataset, *, form: forms.NewCheckup | None = None, status: int = 200
) -> HttpResponse:
    checkup = queries.newest(dataset)
    context: dict[str, Any] = {
        "dataset": dataset,
        "head": dataset_pages.head(dataset),
        "form": form or forms.NewCheckup(),
        "checkup": checkup,
        "page_url": reverse("evals:dataset-doctor", args=[request.project.slug, dataset.slug]),
        "api_call": snippets.examine(dataset.slug),
    }
    template, target = "evals/dataset_doctor.html", request.headers.get("HX-Target")
    if checkup is not None:
        context |= {"checkup_uid": ids.public("chk", checkup.uid), "percent": int(checkup.progress * 100)}
        if checkup.state == Checkup.State.FINISHED:
            context |= _findings(request, checkup)
    wants_part = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    if wants_part and checkup is not None:
        is_rows = target == "rows" and "findings" in context
        template = "evals/_doctor_findings.html" if is_rows else f"{template}#state"
    response = render(request, template, context, status=status)
    response["Vary"] = "HX-Request, HX-Target"
    return response


def _findings(request: access.ProjectRequest, checkup: Checkup) -> dict[str, Any]:
    kind = request.GET.get("kind", "")
    kind = kind if kind in list(Kind) else ""
    page = queries.page(checkup, kind=kind, cursor=request.GET.get("cursor", ""))
    address = reverse("evals:dataset-doctor", args=[request.project.slug, checkup.dataset.slug])
    counted = [
        Counted(one.value, queries.WORDS[one], checkup.counts[one.value], f"{address}?kind={one.value}", one == kind)
        for one in Kind
        if checkup.counts.get(one.value)
    ]
    return {
        "findings": page.rows,
        "page": lists.links(request, page),
        "kinds": counted,
        "kind": kind,
        "chosen": queries.WORDS[Kind(kind)] if kind else None,
        "found": sum(checkup.counts.values()),
        "list_url": address,
    }


def _finding_page(
    request: access.ProjectRequest,
    found: CheckupFinding,
    *,
    form: forms.ActOnFinding | None = None,
    status: int = 200,
) -> HttpResponse:
    dataset = found.checkup.dataset
    [shown] = queries.shown_findings(dataset, [found], most=len(found.members))
    context = {
        "dataset": dataset,
        "finding": shown,
        "rows": [_row(member) for member in shown.members],
        "still_there": any(member.example for member in shown.members),
        "form": form or forms.ActOnFinding(),
    }
    return render(request, "evals/dataset_finding.html", context, status=status)


def _row(member: queries.ShownMember) -> dict[str, Any]:
    example = member.example
    return {
        "member": member,
        "inputs": {name: forms.as_text(value) for name, value in example.inputs.items()} if example else {},
        "expected": forms.as_text(example.expected) if example else "",
        "tags": example.tags if example else [],
    }
