"""Pages of proposed rows: ask a model, follow it, decide about each row."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals import forms
from evals.models import Dataset, Proposal, ProposalRequest
from evals.queries import dataset_pages, paging, run_pages
from evals.queries import datasets as dataset_queries
from evals.queries import proposals as queries
from evals.queries import runs as run_queries
from evals.services import proposals
from evals.views import lists, snippets
from llmops.common import ids
from llmops.common.errors import DomainError, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.PROMPT_TRY)
def listing(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Ask for rows, and what was asked before."""
    dataset = dataset_queries.dataset_in(request.project, slug)
    form = _form(request, dataset)
    if request.method == "POST" and form.is_valid():
        try:
            made = proposals.start(project=request.project, wanted=_wanted(request, dataset, form), by=request.actor)
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            return redirect("evals:proposal-detail", request.project.slug, _uid(made))
    page = paging.page(queries.requests_of(dataset), order=("-id",), cursor=request.GET.get("cursor", ""), size=25)
    context = {
        "dataset": dataset,
        "head": dataset_pages.head(dataset),
        "form": form,
        "requests": [{"row": row, "uid": _uid(row)} for row in page.rows],
        "page": lists.links(request, page),
        "api_call": snippets.ask_for_rows(dataset.slug),
    }
    return render(request, "evals/dataset_proposals.html", context, status=400 if form.errors else 200)


@require_safe
@access.requires(Permission.DATASET_READ)
def detail(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """How far the model is, then its rows, each to be accepted, edited or refused."""
    return _page(request, queries.request_in(request.project, uid))


@require_POST
@access.requires(Permission.PROMPT_TRY)
def cancel(request: access.ProjectRequest, uid: str) -> HttpResponse:
    found = queries.request_in(request.project, uid)
    proposals.cancel(request=found, by=request.actor, now=timezone.now())
    return redirect("evals:proposal-detail", request.project.slug, _uid(found))


@require_POST
@access.requires(Permission.DATASET_WRITE)
def decide(request: access.ProjectRequest, uid: str, position: int) -> HttpResponse:
    """Accept a row as the form has it, or refuse it."""
    found = queries.request_in(request.project, uid)
    proposal = queries.proposal_in(found, position)
    now = timezone.now()
    if request.POST.get("then") == "refuse":
        proposals.refuse(proposal=proposal, by=request.actor, now=now)
        return redirect(f"{_address(request, found)}#row-{position}")
    form = _row_form(proposal, request.POST)
    if form.is_valid():
        given = form.cleaned_data
        content = {
            "inputs": form.inputs,
            "expected": form.expected,
            "contexts": given["contexts"] or [],
            "metadata": given["metadata"] or {},
            "tags": given["tags"],
            "split": given["split"],
        }
        try:
            proposals.accept(proposal=proposal, by=request.actor, now=now, content=content)
        except Invalid as error:
            forms.take_errors(form, error)
        else:
            messages.success(request, "Row added to the open version")
            return redirect(f"{_address(request, found)}#row-{position}")
    return _page(request, found, wrong={position: form}, status=400)


def _page(
    request: access.ProjectRequest,
    found: ProposalRequest,
    *,
    wrong: dict[int, forms.ExampleForm] | None = None,
    status: int = 200,
) -> HttpResponse:
    rows = list(queries.proposals_of(found))
    alike = _alike(found.dataset, rows)
    context = {
        "asked": found,
        "uid": _uid(found),
        "dataset": found.dataset,
        "page_url": _address(request, found),
        "run_uid": ids.public("run", found.run.uid) if found.run else "",
        "rows": [_shown(row, alike, (wrong or {}).get(row.position)) for row in rows],
        "open_rows": sum(row.state == Proposal.State.PROPOSED for row in rows),
    }
    is_part = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = "evals/proposal_detail.html" + ("#state" if is_part else "")
    response = render(request, template, context, status=status)
    response["Vary"] = "HX-Request"
    return response


def _alike(dataset: Dataset, rows: list[Proposal]) -> dict[Any, int]:
    """Numbers of the rows that proposals repeat, as far as the newest version has them."""
    return dataset_queries.positions_of(dataset, [row.like_key for row in rows if row.like_key])


def _shown(row: Proposal, alike: dict[Any, int], form: forms.ExampleForm | None) -> dict[str, Any]:
    return {
        "row": row,
        "inputs": {name: forms.as_text(value) for name, value in row.content["inputs"].items()},
        "expected": forms.as_text(row.content["expected"]),
        "form": form or (_row_form(row, None) if row.state == Proposal.State.PROPOSED else None),
        "is_wrong": form is not None,
        "like_uid": ids.public("ex", row.like_key) if row.like_key and row.like_key in alike else "",
        "like_number": alike.get(row.like_key),
        "percent": round((row.likeness or 0) * 100),
        "example_uid": ids.public("ex", row.example_key) if row.example_key else "",
    }


def _row_form(row: Proposal, data: Any) -> forms.ExampleForm:
    content = row.content
    initial = {"tags": content["tags"], "split": content["split"]}
    # Empty ones stay out of the form: their fields would show “[]” and “{}”.
    initial |= {name: forms.as_text(content[name]) for name in ("contexts", "metadata") if content.get(name)}
    form = forms.ExampleForm(data, inputs=content["inputs"], expected=content["expected"], initial=initial)
    form.auto_id = f"id_{row.position}_%s"
    return form


def _form(request: access.ProjectRequest, dataset: Dataset) -> forms.AskForRows:
    named = [run_pages.names(run) for run in run_pages.settled_in(request.project, dataset.slug)]
    initial = {name: request.GET[name] for name in ("source", "run", "tags", "description") if name in request.GET}
    return forms.AskForRows(
        request.POST if request.method == "POST" else None,
        initial=initial,
        sources=ProposalRequest.Source.choices,
        runs=[(one.uid, f"{one.title}, {one.short}") for one in named],
        connections=lists.connection_choices(request.project),
    )


def _wanted(request: access.ProjectRequest, dataset: Dataset, form: forms.AskForRows) -> proposals.Wanted:
    given = form.cleaned_data
    return proposals.Wanted(
        dataset=dataset,
        source=given["source"],
        description=given["description"],
        run=run_queries.run_in(request.project, given["run"]) if given["run"] else None,
        tags=given["tags"],
        count=given["count"],
        split=given["split"],
        connection=given["connection"],
        model=given["model"],
    )


def _address(request: access.ProjectRequest, found: ProposalRequest) -> str:
    return reverse("evals:proposal-detail", args=[request.project.slug, _uid(found)])


def _uid(found: ProposalRequest) -> str:
    return ids.public("ask", found.uid)
