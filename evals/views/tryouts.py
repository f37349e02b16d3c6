"""Examples beside the prompt editor: try a prompt on one, and keep a try-out as a new one."""

from __future__ import annotations

import json
from typing import Any

from django import forms as django_forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import Truncator
from django.views.decorators.http import require_http_methods, require_safe

from evals import forms, importers
from evals.models import Example
from evals.queries import datasets as dataset_queries
from evals.services import dataset_examples
from evals.views import lists
from llmops.common import ids
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries

OFFERED = 100


class KeepTryOut(django_forms.Form):
    """Where a try-out goes, and what the right answer would have been."""

    dataset = django_forms.ChoiceField()
    expected = django_forms.CharField(
        required=False, strip=False, widget=django_forms.Textarea(attrs={"rows": 4}), label="Right answer",
        help_text="What the model should have said",
    )  # fmt: skip

    def __init__(self, *args: Any, datasets: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["dataset"].choices = [(slug, slug) for slug in datasets]  # type: ignore[attr-defined]


@require_safe
@access.requires(Permission.DATASET_READ)
def picker(request: access.ProjectRequest) -> HttpResponse:
    """Choose a dataset and an example of it; the example's inputs take the place of the editor's."""
    slugs = dataset_queries.slugs_in(request.project, most=lists.MOST_CHOICES)
    chosen = request.GET.get("from-dataset", "")
    offered: list[tuple[str, str]] = []
    example: Example | None = None
    if chosen in slugs:
        dataset = dataset_queries.dataset_in(request.project, chosen)
        rows = dataset_queries.examples_of(dataset)[:OFFERED]
        offered = [(str(row.uid), f"#{row.position} {_words(row)}") for row in rows]
        if (wanted := request.GET.get("from-example", "")) in dict(offered):
            example = dataset_queries.example_in(dataset, wanted)
    context = {
        "slugs": slugs,
        "chosen": chosen,
        "offered": offered,
        "example": example,
        "variables": [(name, _typed(value)) for name, value in example.inputs.items()] if example else [],
    }
    return render(request, "evals/_example_picker.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATASET_WRITE)
def keep(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """Make a try-out an example of a dataset."""
    tryout = prompt_queries.tryout_in(request.project, ids.parse("try", uid))
    slugs = dataset_queries.slugs_in(request.project, most=lists.MOST_CHOICES)
    form = KeepTryOut(
        request.POST if request.method == "POST" else None, datasets=slugs, initial={"expected": tryout.output}
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            dataset = dataset_queries.dataset_in(request.project, given["dataset"])
            row = importers.checked({"inputs": tryout.inputs, "expected": given["expected"] or None})
            dataset_examples.add(
                dataset=dataset, rows=[row], by=request.actor, source_kind="tryout", source_uid=tryout.uid
            )
        except DomainError as error:
            forms.take_errors(form, error)
        else:
            messages.success(request, f"The try-out is an example of {dataset.slug} now.")
            return redirect("evals:dataset-detail", project_slug=request.project.slug, slug=dataset.slug)
    context = {"form": form, "tryout": tryout, "slugs": slugs}
    return render(request, "evals/keep_tryout.html", context, status=400 if form.errors else 200)


def _words(row: Example) -> str:
    return Truncator(" · ".join(_typed(value) for value in row.inputs.values())).chars(60)


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
