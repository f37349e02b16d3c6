"""Pages of imports: choose a file, see a preview and map its columns, follow the progress, read the errors."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals import forms, importers
from evals.models import Import
from evals.queries import dataset_pages
from evals.queries import datasets as queries
from evals.services import imports
from evals.views import lists, snippets
from llmops.common import ids, text
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission

SHOWN_IMPORTS = 20
SHOWN_PROBLEMS = 200
SHOWN_ROWS = 20


@dataclasses.dataclass(frozen=True, slots=True)
class PreviewRow:
    line: int
    inputs: str
    expected: str
    tags: list[str]
    split: str


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATASET_WRITE)
def upload(request: access.ProjectRequest, slug: str) -> HttpResponse:
    dataset = queries.dataset_in(request.project, slug)
    form = forms.Upload(request.POST, request.FILES) if request.method == "POST" else forms.Upload()
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            stored = imports.upload(project=request.project, chunks=file.chunks(), name=file.name)
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            preview_url = reverse("evals:import-preview", args=[request.project.slug, dataset.slug, stored.digest])
            return redirect(f"{preview_url}?{urlencode({'name': stored.name})}")
    context = {
        "dataset": dataset,
        "head": dataset_pages.head(dataset),
        "form": form,
        "imports": queries.imports_of(dataset)[:SHOWN_IMPORTS],
        "max_bytes": settings.MAX_UPLOAD_BYTES,
        "api_call": snippets.add_examples(dataset.slug),
    }
    return render(request, "evals/dataset_import.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATASET_WRITE)
def preview(request: access.ProjectRequest, slug: str, digest: str) -> HttpResponse:
    """The beginning of an uploaded file, and where its columns go; nothing is written until the import starts."""
    dataset = queries.dataset_in(request.project, slug)
    name = text.repaired(request.GET.get("name", ""))[:255] or "file"
    try:
        seen = imports.preview(project=request.project, digest=digest, name=name)
    except DomainError as error:
        again = forms.Upload()
        context = {"dataset": dataset, "head": dataset_pages.head(dataset), "form": again, "refused": error.message}
        return render(request, "evals/dataset_import.html", context, status=error.status)
    data = request.POST if request.method == "POST" else None
    form = forms.ColumnMapping(data, columns=seen.columns, targets=seen.mapping.columns, samples=seen.samples)
    if data is not None and form.is_valid():
        columns = importers.ColumnMapping(columns=form.targets)
        try:
            if data.get("then") == "preview":
                seen = imports.preview(project=request.project, digest=digest, name=name, columns=columns)
            else:
                started = imports.start(
                    dataset=dataset,
                    digest=digest,
                    name=name,
                    by=request.actor,
                    columns=columns,
                    skip_known=form.cleaned_data["skip_known"],
                )
                return redirect("evals:import-detail", request.project.slug, _uid(started))
        except DomainError as error:
            forms.take_errors(form, error, form.names)
    context = {
        "dataset": dataset,
        "file_name": name,
        "form": form,
        "preview": seen,
        "read": len(seen.rows) + len(seen.problems),
        "problems": seen.problems[:SHOWN_PROBLEMS],
        "rows": [_preview_row(item) for item in seen.rows[:SHOWN_ROWS]],
        "targets": _targets(seen),
    }
    return render(request, "evals/import_preview.html", context)


@require_safe
@access.requires(Permission.DATASET_READ)
def detail(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """How far an import is, and which rows could not be read; polled while it runs."""
    return _state_page(request, queries.import_in(request.project, uid))


@require_POST
@access.requires(Permission.DATASET_WRITE)
def cancel(request: access.ProjectRequest, uid: str) -> HttpResponse:
    found = queries.import_in(request.project, uid)
    imports.cancel(of=found, by=request.actor, now=timezone.now())
    if request.htmx:  # type: ignore[attr-defined]
        found.refresh_from_db()
        return _state_page(request, found)
    return redirect("evals:import-detail", request.project.slug, _uid(found))


def _state_page(request: access.ProjectRequest, found: Import) -> HttpResponse:
    context = {
        "import": found,
        "uid": _uid(found),
        "dataset": found.dataset,
        "active": found.state in Import.ACTIVE,
        "percent": int(found.progress * 100),
        "problems": list(queries.problems_of(found)[:SHOWN_PROBLEMS]) if found.rows_bad else [],
        "page_url": reverse("evals:import-detail", args=[request.project.slug, _uid(found)]),
    }
    return lists.respond(request, "evals/import_detail.html", "state", context)


def _uid(found: Import) -> str:
    return ids.public("imp", found.uid)


def _preview_row(item: importers.ExampleAt) -> PreviewRow:
    return PreviewRow(
        line=item.line,
        inputs=dataset_pages.one_line(item.row.inputs),
        expected=dataset_pages.one_line(item.row.expected),
        tags=item.row.tags,
        split=item.row.split,
    )


def _targets(seen: importers.Preview) -> list[str]:
    """What a column may become, for the field's suggestions."""
    named = [f"{part}.{column}" for column in seen.columns[:50] for part in ("inputs", "expected", "metadata")]
    return ["expected", "contexts", "tags", "split", *named]
