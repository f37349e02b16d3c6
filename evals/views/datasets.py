"""Pages of datasets: list, rows with editing in place, versions, differences."""

from __future__ import annotations

import dataclasses
import re
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals import forms
from evals.importers import rows as importers
from evals.models import Dataset, Example
from evals.queries import dataset_pages
from evals.queries import datasets as queries
from evals.services import dataset_examples, datasets, example_erasure
from evals.views import lists, snippets
from llmops.common.errors import DomainError, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission

NUMBER = re.compile(r"\A[0-9]{1,9}\Z")


@require_safe
@access.requires(Permission.DATASET_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    searched = lists.searched(request, "q")
    page = dataset_pages.cards(request.project, text=searched, cursor=request.GET.get("cursor", ""))
    context = {"cards": page.rows, "page": lists.links(request, page), "text": searched}
    return lists.respond(request, "evals/dataset_list.html", "rows", {**context, "api_call": snippets.create_dataset()})


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATASET_WRITE)
def new(request: access.ProjectRequest) -> HttpResponse:
    form = forms.NewDataset(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            dataset = datasets.create(
                project=request.project,
                slug=given["slug"] or slugify(given["name"])[:60].strip("-"),
                name=given["name"],
                description=given["description"],
                by=request.actor,
            )
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            page = "evals:example-new" if request.POST.get("then") == "type" else "evals:dataset-import"
            return redirect(page, request.project.slug, dataset.slug)
    return render(request, "evals/dataset_new.html", {"form": form})


@require_safe
@access.requires(Permission.DATASET_READ)
def detail(request: access.ProjectRequest, slug: str) -> HttpResponse:
    dataset = queries.dataset_in(request.project, slug)
    return _rows_page(request, dataset)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATASET_WRITE)
def example_new(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """The form for a new example, with the fields of the dataset's other examples."""
    dataset = queries.dataset_in(request.project, slug)
    like = queries.examples_of(dataset).first()
    form = _new_form(dataset, like, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            dataset_examples.add(dataset=dataset, rows=[_row(form)], by=request.actor, source_kind="page")
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            messages.success(request, "Example added to the open version")
            if request.POST.get("then") == "another":
                return redirect("evals:example-new", request.project.slug, dataset.slug)
            return redirect("evals:dataset-detail", request.project.slug, dataset.slug)
    if request.htmx and request.method == "GET":  # type: ignore[attr-defined]
        return render(request, "evals/_example_new.html", {"dataset": dataset, "new_form": form})
    return _rows_page(request, dataset, new_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATASET_WRITE)
def example_edit(request: access.ProjectRequest, slug: str, key: str) -> HttpResponse:
    """Keep a change of one row; a refused one comes back as it was typed, under its row."""
    dataset = queries.dataset_in(request.project, slug)
    example = queries.example_in(dataset, key)
    if request.method != "POST":
        cursor = request.GET.get("cursor") or dataset_pages.cursor_to(example)
        state = _state(request, **({"cursor": cursor} if cursor else {}), open=key)
        return redirect(f"{_list_url(request, dataset)}?{state}#ex-{key}")
    form = _edit_form(example, request.POST)
    if form.is_valid():
        try:
            dataset_examples.change(dataset=dataset, uid=key, row=_row(form), by=request.actor)
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            if request.htmx:  # type: ignore[attr-defined]
                return _rows_and_head(request, dataset)
            return HttpResponseRedirect(f"{_list_url(request, dataset)}?{_state(request)}#ex-{key}")
    return _rows_page(request, dataset, open_key=key, open_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATASET_WRITE)
def example_remove(request: access.ProjectRequest, slug: str, key: str) -> HttpResponse:
    dataset = queries.dataset_in(request.project, slug)
    example = queries.example_in(dataset, key)
    if request.method == "POST":
        dataset_examples.remove(dataset=dataset, uids=[key], by=request.actor)
        messages.success(request, f"Example #{example.position} removed from the open version")
        return redirect("evals:dataset-detail", request.project.slug, dataset.slug)
    context = {"dataset": dataset, "row": dataset_pages.row_of(example)}
    return render(request, "evals/example_remove.html", context)


@require_POST
@access.requires(Permission.DATA_ERASE)
def example_erase(request: access.ProjectRequest, slug: str, key: str) -> HttpResponse:
    """Blank an example in every version, for good."""
    dataset = queries.dataset_in(request.project, slug)
    example_erasure.erase(dataset=dataset, uid=key, by=request.actor, now=timezone.now())
    messages.success(request, "The example is erased: no version shows what was in it.")
    return redirect("evals:dataset-detail", request.project.slug, dataset.slug)


@require_POST
@access.requires(Permission.DATASET_WRITE)
def save(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Save the open version."""
    dataset = queries.dataset_in(request.project, slug)
    form = forms.SaveVersion(request.POST)
    if not form.is_valid():
        raise Invalid("The message is not acceptable.", fields={"message": str(form.errors["message"][0])})
    version = datasets.seal(dataset=dataset, by=request.actor, now=timezone.now(), message=form.cleaned_data["message"])
    messages.success(request, f"Saved as v{version.number}")
    return redirect("evals:dataset-detail", request.project.slug, dataset.slug)


@require_safe
@access.requires(Permission.DATASET_READ)
def versions(request: access.ProjectRequest, slug: str) -> HttpResponse:
    dataset = queries.dataset_in(request.project, slug)
    rows = dataset_pages.version_rows(dataset)
    context = {
        "dataset": dataset,
        "head": dataset_pages.head(dataset),
        "versions": rows,
        "from_number": rows[1].number if len(rows) > 1 else None,
    }
    return render(request, "evals/dataset_versions.html", context)


@require_safe
@access.requires(Permission.DATASET_READ)
def diff(request: access.ProjectRequest, slug: str) -> HttpResponse:
    dataset = queries.dataset_in(request.project, slug)
    newest = queries.newest_version(dataset)
    last = newest.number if newest else 0
    a, b = (
        queries.version_of(dataset, _number(request.GET.get(name, "")) or default)
        for name, default in (("a", max(last - 1, 1)), ("b", last))
    )
    swapped = urlencode({"a": b.number, "b": a.number})
    context = {
        "dataset": dataset,
        "diff": dataset_pages.diff(dataset, a, b),
        "swap_url": f"{reverse('evals:dataset-diff', args=[request.project.slug, dataset.slug])}?{swapped}",
    }
    return render(request, "evals/dataset_diff.html", context)


@dataclasses.dataclass(frozen=True, slots=True)
class ShownRow:
    """A row with its addresses, and the form when it is open."""

    key: str
    number: int
    inputs: str
    expected: str
    tags: list[str]
    split: str
    call: str
    item: str
    toggle_url: str
    edit_url: str
    remove_url: str
    form: forms.ExampleForm | None


def _rows_page(
    request: access.ProjectRequest,
    dataset: Dataset,
    *,
    new_form: forms.ExampleForm | None = None,
    open_key: str = "",
    open_form: forms.ExampleForm | None = None,
) -> HttpResponse:
    """The rows under the filters of the address, with at most one open for editing."""
    number = _number(request.GET.get("version", ""))
    if number is not None:
        queries.version_of(dataset, number)
    narrowed = queries.ExampleFilter(
        search=lists.searched(request, "q"),
        tag=lists.searched(request, "tag"),
        split=lists.searched(request, "split"),
    )
    page = dataset_pages.rows(dataset, number=number, narrowed=narrowed, cursor=request.GET.get("cursor", ""))
    open_key = open_key or request.GET.get("open", "")
    head = dataset_pages.head(dataset)
    can_edit = number is None and Permission.DATASET_WRITE in request.permissions
    context = {
        "dataset": dataset,
        "head": head,
        "can_edit": can_edit,
        "rows": [_shown(request, dataset, row, open_key, open_form) for row in page.rows],
        "input_names": dataset_pages.columns_of(dataset),
        "page": lists.links(request, page, drop=("open",), path=_list_url(request, dataset)),
        "filters": {
            "text": narrowed.search,
            "tag": narrowed.tag,
            "split": narrowed.split,
            "version": number,
            "active": bool(narrowed.search or narrowed.tag or narrowed.split or number),
        },
        "tags": [
            {"name": name, "count": count} for name, count in list(queries.tags_of(dataset, number).items())[:100]
        ],
        "splits": [
            {"name": name, "count": count} for name, count in queries.splits_of(dataset, number).items() if name
        ],
        "list_url": _list_url(request, dataset),
        "new_form": new_form,
        "adding": new_form is not None,
        "api_call": snippets.add_examples(dataset.slug),
    }
    return lists.respond(request, "evals/dataset_detail.html", "rows", context)


def _rows_and_head(request: access.ProjectRequest, dataset: Dataset) -> HttpResponse:
    """The rows for htmx, and the head beside them, which counts the unsaved changes and offers to save them."""
    response = _rows_page(request, dataset)
    context = {"dataset": dataset, "head": dataset_pages.head(dataset), "tab": "examples", "oob": True}
    response.content += render(request, "evals/_dataset_head.html", context).content
    return response


def _shown(
    request: access.ProjectRequest,
    dataset: Dataset,
    row: dataset_pages.Row,
    open_key: str,
    open_form: forms.ExampleForm | None,
) -> ShownRow:
    is_open = row.key == open_key
    state = _state(request) if is_open else _state(request, open=row.key)
    address = [request.project.slug, dataset.slug, row.key]
    return ShownRow(
        key=row.key,
        number=row.number,
        inputs=row.inputs,
        expected=row.expected,
        tags=row.tags,
        split=row.split,
        call=row.call,
        item=row.item,
        toggle_url=f"{_list_url(request, dataset)}?{state}#ex-{row.key}",
        edit_url=f"{reverse('evals:example-edit', args=address)}?{_state(request)}",
        remove_url=reverse("evals:example-remove", args=address),
        form=(open_form or _edit_form(row.example, None)) if is_open else None,
    )


def _edit_form(example: Example, data: Any) -> forms.ExampleForm:
    initial = {
        "tags": example.tags,
        "split": example.split,
        "contexts": forms.as_text(example.contexts) if example.contexts else "",
        "metadata": forms.as_text(example.metadata) if example.metadata else "",
    }
    return forms.ExampleForm(data, inputs=example.inputs, expected=example.expected, initial=initial)


def _new_form(dataset: Dataset, like: Example | None, data: Any) -> forms.ExampleForm:
    """Empty fields of the kinds that another example of the dataset has."""
    shape = like.inputs if like else dict.fromkeys(dataset_pages.columns_of(dataset), "")
    form = forms.ExampleForm(data, inputs=shape, expected=like.expected if like else None)
    form.initial = {}
    return form


def _row(form: forms.ExampleForm) -> importers.ExampleRow:
    given = form.cleaned_data
    return importers.checked(
        {
            "inputs": form.inputs,
            "expected": form.expected,
            "contexts": given["contexts"] or [],
            "metadata": given["metadata"] or {},
            "tags": given["tags"],
            "split": given["split"],
        }
    )


def _list_url(request: access.ProjectRequest, dataset: Dataset) -> str:
    return reverse("evals:dataset-detail", args=[request.project.slug, dataset.slug])


def _state(request: access.ProjectRequest, **extra: str) -> str:
    """The filters and the page of the list, as the query of an address."""
    kept = {name: value for name in ("q", "tag", "split", "version", "cursor") if (value := request.GET.get(name))}
    return urlencode({**kept, **extra})


def _number(typed: str) -> int | None:
    return int(typed) if NUMBER.match(typed) else None
