"""The work page: one item, its questions, keys for everything. Looking takes nothing; asking for an item holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from feedback.forms import labeling as forms
from feedback.models import Queue, QueueItem
from feedback.queries import queues, rubrics
from feedback.services import seats
from feedback.views import label_shapes as shapes
from feedback.views.labeling import queue_of
from llmops.common.errors import Conflict, DomainError, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_safe
@access.requires(Permission.ANNOTATION_WRITE)
def show(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """The item that the person holds, or the button that takes the next."""
    queue = queue_of(request, slug)
    seat = queues.held(queue, request.user.pk, timezone.now()).first()
    return _page(request, queue, seat.item if seat else None)


@require_POST
@access.requires(Permission.ANNOTATION_WRITE)
def take(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """Hold the next item; with `ahead` the one after it, so that it is there before this one is done."""
    return _take(request, queue_of(request, slug))


def _take(request: access.ProjectRequest, queue: Queue) -> HttpResponse:
    now, ahead, slug = timezone.now(), request.POST.get("ahead"), queue.slug
    besides = list(queues.held(queue, request.user.pk, now).values_list("item_id", flat=True)[:1]) if ahead else []
    try:
        seat = seats.reserve(queue=queue, user_id=request.user.pk, now=now, besides=besides)
    except Conflict as error:
        messages.warning(request, error.message)
        return redirect("feedback:queue-work", request.project.slug, slug)
    if ahead:
        return _page(request, queue, seat.item) if seat else HttpResponse(status=204)
    if seat is None:
        messages.info(request, "Nothing is left for you here.")
    return redirect("feedback:queue-work", request.project.slug, slug)


@require_POST
@access.requires(Permission.ANNOTATION_WRITE)
def save(request: access.ProjectRequest, slug: str, uid: str) -> HttpResponse:
    """Keep, skip, flag or take back, as `do` says; then on to the next item."""
    queue = queue_of(request, slug)
    item, now, do = queues.item_in(queue, uid), timezone.now(), request.POST.get("do", "save")
    reason = request.POST.get("reason", "")
    try:
        if do == "skip":
            seats.skip(item=item, user_id=request.user.pk, reason=reason, now=now)
        elif do == "flag":
            seats.flag(item=item, reason=reason or "looks wrong", by=request.actor)
            return redirect("feedback:queue-work", request.project.slug, slug)
        elif do == "undo":
            seats.undo(queue=queue, user_id=request.user.pk, by=request.actor, now=now)
            return redirect("feedback:queue-work", request.project.slug, slug)
        else:
            _keep(request, item)
    except Conflict as error:
        messages.warning(request, error.message)
    except DomainError as error:
        return _page(request, queue, item, error.fields or {"": error.message}, status=400)
    return _take(request, queue)


def _keep(request: access.ProjectRequest, item: QueueItem) -> None:
    seconds = request.POST.get("seconds", "")
    if seconds and not (seconds.isascii() and seconds.isdigit() and len(seconds) < 7):
        raise Invalid("The time is no number.", fields={"": "The time is no number."})
    asked = rubrics.questions_of(item.queue.rubric_version)
    answers = {key: value for key, value in forms.answers_in(asked, request.POST).items() if value}
    seats.submit(
        item=item, user_id=request.user.pk, answers=answers, now=timezone.now(),
        seconds=int(seconds) if seconds else None,
    )  # fmt: skip


def _page(
    request: access.ProjectRequest,
    queue: Queue,
    item: QueueItem | None,
    problems: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    problems = problems or {}
    asked = rubrics.questions_of(queue.rubric_version)
    answers: dict[str, Any] = (
        {key: value for key, value in forms.answers_in(asked, request.POST).items() if value} if problems else {}
    )
    context = {
        "queue": queue,
        "item": item,
        "seen": shapes.item(item) if item else None,
        "fields": shapes.fields(asked, answers, problems) if item else [],
        "guidelines": queue.rubric_version.guidelines,
        "progress": queues.progress(queue),
        "mine": queues.answered_by(queue, request.user.pk)[:5],
        "problem": problems.get("", "") or problems.get("reason", ""),
    }
    return render(request, "feedback/work.html", context, status=status)
