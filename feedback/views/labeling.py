"""Queues of labeling: the list, new ones, and deciding where people disagree."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from evals.queries import paging
from evals.views import lists
from feedback.forms import labeling as forms
from feedback.models import Queue, QueueItem
from feedback.queries import made_examples, queues, rubrics
from feedback.services import queues as queue_services
from feedback.services import settling
from feedback.views import label_shapes as shapes
from llmops.common import ids
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from llmops.projects.views.problems import put_on


def only_of(request: access.ProjectRequest) -> int | None:
    """Whose queues alone are shown: labelers see those that name them."""
    return None if Permission.ANNOTATION_READ in request.permissions else request.user.pk


def queue_of(request: access.ProjectRequest, slug: str) -> Queue:
    return queues.queue_in(request.project, slug, only_of=only_of(request))


@require_safe
@access.requires(Permission.ANNOTATION_WRITE)
def list_queues(request: access.ProjectRequest) -> HttpResponse:
    """The queues that the person may work in."""
    found = queues.queues_in(request.project, only_of=only_of(request))
    page = paging.page(found.order_by(), order=("-id",), cursor=request.GET.get("cursor", ""))
    context = {"queues": page.rows, "page": lists.links(request, page)}
    return render(request, "feedback/queue_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.QUEUE_WRITE)
def new_queue(request: access.ProjectRequest) -> HttpResponse:
    form = forms.NewQueue(request.POST or None, project=request.project)
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        try:
            version = rubrics.newest(rubrics.rubric_in(request.project, given.pop("rubric")))
            made = queue_services.create(
                project=request.project, rubric_version=version, wanted=queue_services.Wanted(**given), by=request.actor
            )
        except DomainError as error:
            put_on(form, error)
        else:
            return redirect("feedback:queue", request.project.slug, made.slug)
    return render(request, "feedback/queue_new.html", {"form": form}, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.QUEUE_WRITE)
def decide(request: access.ProjectRequest, slug: str, uid: str) -> HttpResponse:
    """What everybody answered, side by side, and what stands."""
    item = queues.item_in(queue_of(request, slug), uid)
    asked = rubrics.questions_of(item.queue.rubric_version)
    problems: dict[str, str] = {}
    if request.method == "POST":
        try:
            answers = {key: value for key, value in forms.answers_in(asked, request.POST).items() if value}
            settling.settle(
                item=item, answers=answers, by=request.actor, now=timezone.now(), reason=request.POST.get("reason", "")
            )
        except DomainError as error:
            problems = error.fields or {"": error.message}
        else:
            messages.success(request, "Settled.")
            return redirect("feedback:queue", request.project.slug, slug)
    given = list(queues.answers_of(item.queue, [item.pk])) if item.state != QueueItem.State.OPEN else []
    settled = getattr(item, "settled", None)
    context = {
        "item": item,
        "queue": item.queue,
        "seen": shapes.item(item),
        "fields": shapes.fields(asked, settled.answers if settled else {}, problems),
        "columns": shapes.columns(asked, given),
        "settled": settled,
        "examples": made_examples.of_item(item),
        "call_ref": ids.public("call", item.source_uid) if item.source_kind == "call" else "",
        "problem": problems.get("", "") or problems.get("reason", ""),
    }
    return render(request, "feedback/item_decide.html", context, status=400 if problems else 200)
