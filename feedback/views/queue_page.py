"""One queue with its figures: putting items in, deciding by majority, and keeping what was settled."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms as django_forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.models import Dataset
from feedback import labelfiles
from feedback.forms import labeling as forms
from feedback.models import Queue, QueueItem
from feedback.queries import agreement, human, queues
from feedback.services import filling, label_imports, queue_exports, settled_examples, settling
from feedback.views import label_shapes as shapes
from feedback.views.labeling import queue_of
from llmops.common import ids
from llmops.common.errors import DomainError, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission
from llmops.projects.views.problems import put_on

SHOWN = 50


@require_safe
@access.requires(Permission.ANNOTATION_READ)
def show(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """How far the queue is, how well people agree, and what waits for a decision."""
    return _page(request, queue_of(request, slug))


@require_safe
@access.requires(Permission.QUEUE_WRITE)
def find(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """The page of an item whose queue the caller does not know."""
    item = queues.find_item(request.project, uid)
    return redirect("feedback:queue-decide", request.project.slug, item.queue.slug, ids.public("qi", item.uid))


@require_POST
@access.requires(Permission.QUEUE_WRITE)
def fill(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Put items in."""
    queue = queue_of(request, slug)
    form = forms.Fill(request.POST, project=request.project)
    if form.is_valid():
        try:
            new = filling.by_way(queue=queue, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, f"{new:,} new." if new else "Nothing new: the queue has all of them.")
            return redirect("feedback:queue", request.project.slug, slug)
    return _page(request, queue, {"fill": form})


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.QUEUE_WRITE)
def import_labels(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Labels that people gave elsewhere, from a table."""
    queue = queue_of(request, slug)
    form = forms.ImportLabels(request.POST or None, request.FILES or None, queue=queue)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            rows = labelfiles.rows_in(file, file.name)
            made = label_imports.from_rows(
                queue=queue, rows=rows, mapping=form.mapping(), by=request.actor, now=timezone.now()
            )
        except Invalid as error:
            fields = {name.removeprefix("mapping."): reason for name, reason in error.fields.items()}
            put_on(form, Invalid(error.message, fields=fields))
        else:
            there = f", {made.left_alone:,} were there already" if made.left_alone else ""
            said = f"{made.items:,} items with {made.answers:,} answers, {made.settled:,} settled{there}."
            messages.success(request, said)
            return redirect("feedback:queue", request.project.slug, slug)
    context = {"queue": queue, "form": form}
    return render(request, "feedback/queue_import.html", context, status=400 if form.errors else 200)


@require_POST
@access.requires(Permission.QUEUE_WRITE)
def settle_by_majority(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Let the majority stand wherever there is one."""
    queue = queue_of(request, slug)
    count = settling.settle_by_majority(queue=queue, by=request.actor, now=timezone.now())
    messages.success(request, f"{count:,} settled by majority; ties wait for a person.")
    return redirect("feedback:queue", request.project.slug, slug)


@require_POST
@access.requires(Permission.DATASET_WRITE)
def keep_settled(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Settled answers become the expected outputs of a dataset's examples."""
    queue = queue_of(request, slug)
    form = forms.KeepSettled(request.POST, queue=queue)
    if form.is_valid():
        given = form.cleaned_data
        try:
            dataset, kept = settled_examples.add_to(
                queue=queue, dataset=given["dataset"], new_dataset=given["new_dataset"], question=given["question"],
                split=given["split"], by=request.actor,
            )  # fmt: skip
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, _words(kept, dataset))
            return redirect("feedback:queue", request.project.slug, slug)
    return _page(request, queue, {"keep": form})


def _words(kept: settled_examples.Kept, dataset: Dataset) -> str:
    said = [f"{kept.added:,} added to {dataset.name}"]
    said += [f"{kept.renewed:,} with a new expected output"] if kept.renewed else []
    said += [f"{kept.known:,} were there already"] if kept.known else []
    said += [f"{kept.unusable:,} have no answer to this question"] if kept.unusable else []
    return ", ".join(said) + (". More wait: press again." if kept.has_more else ".")


def _page(
    request: access.ProjectRequest, queue: Queue, wrong: Mapping[str, django_forms.Form] | None = None
) -> HttpResponse:
    wrong = wrong or {}
    disputed = queues.items_of(queue, state=QueueItem.State.DONE).filter(gold__isnull=True).order_by("id")[:SHOWN]
    context = {
        "queue": queue,
        "progress": queues.progress(queue),
        "disputed": disputed,
        "flagged": queues.items_of(queue, flagged=True).order_by("id")[:SHOWN],
        "settled": queues.newest_settled(queue, 10),
        "figures": [shapes.question(one) for one in agreement.of_questions(queue)],
        "human": human.of_queue(queue),
        "people": agreement.of_people(queue),
        "labelers": queues.people_of(queue),
        "fill_form": wrong.get("fill") or forms.Fill(project=request.project),
        "keep_form": wrong.get("keep") or forms.KeepSettled(queue=queue),
        "wrong": set(wrong),
        "exports": queue_exports.whole_by_tool(),
    }
    return render(request, "feedback/queue_detail.html", context, status=400 if wrong else 200)
