"""The themes of complaints, one of them, and what people do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django import forms as django_forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from feedback import charts
from feedback.clustering import trends
from feedback.forms import themes as forms
from feedback.models import Theme
from feedback.queries import clusterings as clustering_queries
from feedback.queries import inbox as inbox_queries
from feedback.queries import theme_drafts as draft_queries
from feedback.queries import themes as queries
from feedback.services import clusterings, theme_rows, themes
from llmops.common import ids
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission

# plotly draws with injected styles; scripts stay on 'self'
with_charts = csp_update({"style-src": [SELF, UNSAFE_INLINE]})
WORDS = {
    "growing": ("bad", "trending-up", "growing"),
    "shrinking": ("good", "trending-down", "shrinking"),
    "steady": ("neutral", "circle-dashed", "no clear change"),
    "few": ("neutral", "circle-dashed", "too few to say"),
    "unknown": ("neutral", "circle-dashed", "no logged calls to compare with"),
}
EXAMPLE_CALL = """curl -X POST {base_url}/api/v1/themes/-/sort \\
  -H "Authorization: Bearer $LLMOPS_KEY\""""


@require_safe
@access.requires(Permission.FEEDBACK_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    """The main problems, the largest first, and whether they grow."""
    return _listing(request)


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def sort(request: access.ProjectRequest) -> HttpResponse:
    """Start sorting what is new."""
    try:
        clusterings.start(project=request.project, by=request.actor)
    except DomainError as error:
        return _listing(request, problem=error.message, status=error.status)
    return redirect("feedback:theme-list", request.project.slug)


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def cancel_sort(request: access.ProjectRequest, uid: str) -> HttpResponse:
    found = clustering_queries.clustering_in(request.project, uid)
    clusterings.cancel(of=found, by=request.actor, now=timezone.now())
    return redirect("feedback:theme-list", request.project.slug)


@require_safe
@access.requires(Permission.FEEDBACK_READ)
def detail(request: access.ProjectRequest, theme: str) -> HttpResponse:
    """One theme: its trend, examples, versions, and what can be made of it."""
    return _page(request, queries.theme_in(request.project, theme))


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def rename(request: access.ProjectRequest, theme: str) -> HttpResponse:
    found = queries.theme_in(request.project, theme)
    form = forms.Rename(request.POST)
    if form.is_valid():
        try:
            themes.rename(theme=found, name=form.cleaned_data["name"], by=request.actor)
        except DomainError as error:
            take_errors(form, error)
        else:
            return _to(request, found)
    return _page(request, found, {"rename": form}, status=400)


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def merge(request: access.ProjectRequest, theme: str) -> HttpResponse:
    """Show this theme under another one from now on."""
    found = queries.theme_in(request.project, theme)
    form = forms.Merge(request.POST, theme=found)
    status = 400
    if form.is_valid():
        try:
            into = queries.theme_in(request.project, form.cleaned_data["into"])
            themes.merge(theme=found, into=into, by=request.actor)
        except DomainError as error:
            take_errors(form, error)
            status = error.status
        else:
            messages.success(request, f"Merged into {into.name}.")
            return _to(request, into)
    return _page(request, found, {"merge": form}, status=status)


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def split(request: access.ProjectRequest, theme: str) -> HttpResponse:
    """Make a theme of the checked complaints, or take them out."""
    found = queries.theme_in(request.project, theme)
    form = forms.Split(request.POST)
    status = 400
    if form.is_valid():
        refs = request.POST.getlist("item")
        try:
            if form.cleaned_data["action"] == "remove":
                count = themes.take_out(theme=found, refs=refs, by=request.actor)
                messages.success(request, f"{count} taken out.")
                return _to(request, found)
            made = themes.split_off(theme=found, refs=refs, name=form.cleaned_data["name"], by=request.actor)
        except DomainError as error:
            take_errors(form, error)
            status = error.status
        else:
            messages.success(request, "Split off. What is nearer to it follows in the next sorting.")
            return _to(request, made)
    return _page(request, found, {"split": form}, status=status)


@require_POST
@access.requires(Permission.DATASET_WRITE)
def propose_slice(request: access.ProjectRequest, theme: str) -> HttpResponse:
    """Propose the theme's calls as rows of a dataset; the next page decides about each."""
    found = queries.theme_in(request.project, theme)
    form = forms.Rows(request.POST, project=request.project, prefix_id="slice")
    if form.is_valid():
        try:
            made = theme_rows.propose_slice(theme=found, by=request.actor, now=timezone.now(), **form.cleaned_data)
        except DomainError as error:
            take_errors(form, error)
        else:
            return redirect("evals:proposal-detail", request.project.slug, ids.public("ask", made.uid))
    return _page(request, found, {"slice": form}, status=400)


@require_POST
@access.requires(Permission.PROMPT_TRY)
def draft_cases(request: access.ProjectRequest, theme: str) -> HttpResponse:
    """Ask a model for test cases; the next page decides about each."""
    found = queries.theme_in(request.project, theme)
    form = forms.Cases(request.POST, project=request.project, prefix_id="cases")
    if form.is_valid():
        try:
            made = theme_rows.draft_cases(theme=found, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            take_errors(form, error)
        else:
            return redirect("evals:proposal-detail", request.project.slug, ids.public("ask", made.uid))
    return _page(request, found, {"cases": form}, status=400)


def _listing(request: access.ProjectRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    project = request.project
    clustering = clustering_queries.newest(project)
    is_active = clustering is not None and clustering.is_active
    rows = queries.rows(project, now=timezone.now())
    context = {
        "rows": [{"row": row, "word": WORDS[row.trend.word]} for row in rows],
        "counts": queries.sorted_counts(project),
        "clustering": clustering,
        "clustering_uid": ids.public("sort", clustering.uid) if clustering else "",
        "page_url": reverse("feedback:theme-list", args=[project.slug]),
        "problem": problem,
        "is_new": not rows and not inbox_queries.has_any(project),
        "method": trends.METHOD,
        "before": trends.BEFORE,
        "api_call": EXAMPLE_CALL.format(base_url=request.build_absolute_uri("/").rstrip("/")),
    }
    is_part = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = "feedback/theme_list.html#state" if is_part else "feedback/theme_list.html"
    response = render(request, template, context, status=status)
    if is_part and not is_active:
        response["HX-Refresh"] = "true"  # it is done: the whole page has news
    response["Vary"] = "HX-Request"
    return response


def _page(
    request: access.ProjectRequest,
    theme: Theme,
    wrong: Mapping[str, django_forms.Form] | None = None,
    status: int = 200,
) -> HttpResponse:
    project, wrong = request.project, wrong or {}
    row = queries.row(theme, now=timezone.now())
    touched = queries.touched_by(project, queries.cores(project, theme)).get(theme.pk, [])
    likely = next((one.path for one in touched if one.path), "")
    page = queries.examples(theme, request.GET.get("cursor", ""))
    named = draft_queries.newest_name(theme)
    context: dict[str, Any] = {
        "theme": theme,
        "ref": row.ref,
        "row": row,
        "word": WORDS[row.trend.word],
        "chart": charts.weekly(row.trend),
        "method": trends.METHOD,
        "before": trends.BEFORE,
        "touched": touched,
        "page": _linked(request, page),
        "proposed_name": named,
        "proposed_name_ref": ids.public("draft", named.uid) if named else "",
        "drafts": [
            {"draft": one, "ref": ids.public("draft", one.uid)}
            for one in draft_queries.drafts_of(theme).filter(kind="prompt")[:10]
        ],
        "rename_form": wrong.get("rename") or forms.Rename(initial={"name": theme.name}),
        "merge_form": wrong.get("merge") or forms.Merge(theme=theme),
        "split_form": wrong.get("split") or forms.Split(),
        "slice_form": wrong.get("slice") or forms.Rows(project=project, prefix_id="slice"),
        "cases_form": wrong.get("cases") or forms.Cases(project=project, prefix_id="cases"),
        "name_form": wrong.get("name") or forms.Ask(project=project, prefix_id="ask-name"),
        "change_form": wrong.get("change") or forms.Change(project=project, prefix_id="change", likely=likely),
        "wrong": set(wrong),
    }
    response: HttpResponse = with_charts(render)(request, "feedback/theme.html", context, status=status)
    return response


def page_with(request: access.ProjectRequest, theme: Theme, **wrong: django_forms.Form) -> HttpResponse:
    """The theme's page with a form that was not acceptable."""
    return _page(request, theme, wrong, status=400)


def _linked(request: access.ProjectRequest, page: Any) -> dict[str, Any]:
    def address(cursor: str | None) -> str:
        return f"{request.path}?cursor={cursor}" if cursor and request.method == "GET" else ""

    return {
        "rows": page.rows,
        "first": page.first,
        "last": page.last,
        "previous": address(page.previous),
        "next": address(page.next),
    }


def _to(request: access.ProjectRequest, theme: Theme) -> HttpResponse:
    return redirect("feedback:theme", request.project.slug, queries.ref(theme))


def take_errors(form: django_forms.Form, error: DomainError) -> None:
    """Each reason at its field, the others above the form."""
    placed = False
    for name, reason in error.fields.items():
        if name in form.fields:
            form.add_error(name, reason)
            placed = True
    if not placed:
        form.add_error(None, error.message)
