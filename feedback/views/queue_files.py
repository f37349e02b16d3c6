"""Pages of files: a queue taken away, and the file of another labeling tool brought in."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from feedback.forms import exchanges as forms
from feedback.models import Queue
from feedback.services import exchanges, queue_exports
from feedback.services.exchanges import Brought
from feedback.views.labeling import queue_of
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission

SHOWN = 10  # kinds of what is left out, in a message; the look before shows all


@require_POST
@access.requires(Permission.QUEUE_WRITE)
def export(request: access.ProjectRequest, slug: str) -> HttpResponseBase:
    """The queue as a file of another tool."""
    queue = queue_of(request, slug)
    form = queue_exports.note(queue=queue, form=request.POST.get("format", ""), by=request.actor)
    response = StreamingHttpResponse(form.chunks(queue), content_type=form.content_type, headers=form.headers(queue))
    response["Content-Disposition"] = f'attachment; filename="{queue.slug}-{form.file}"'
    return response


@require_safe
@access.requires(Permission.QUEUE_WRITE)
def training(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """The fine-tuning files, with what each would hold and what it would leave out."""
    queue = queue_of(request, slug)
    context = {"queue": queue, "files": queue_exports.counted(queue)}
    return render(request, "feedback/queue_training.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.QUEUE_WRITE)
def bring(request: access.ProjectRequest, slug: str) -> HttpResponse:
    """The file of another tool, into a queue."""
    queue = queue_of(request, slug)
    form = forms.File(request.POST or None, request.FILES or None)

    def run(only_look: bool) -> Brought:
        return exchanges.bring(
            queue=queue, given=form.given(), by=request.actor, now=timezone.now(), only_look=only_look
        )

    return _page(request, form, run, queue)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.QUEUE_WRITE)
def start(request: access.ProjectRequest) -> HttpResponse:
    """The file of another tool, as a new queue."""
    form = forms.NewQueueFile(request.POST or None, request.FILES or None)

    def run(only_look: bool) -> Brought:
        return exchanges.start(
            project=request.project, wanted=form.wanted(), given=form.given(), by=request.actor, now=timezone.now(),
            only_look=only_look,
        )  # fmt: skip

    return _page(request, form, run, None)


def _page(
    request: access.ProjectRequest, form: forms.File, run: Callable[[bool], Brought], queue: Queue | None
) -> HttpResponse:
    """The form; a look shows below it what would come in, and a part of the page leaves the chosen files in place."""
    looks, looked = request.POST.get("do") == "look", None
    if request.method == "POST" and form.is_valid():
        try:
            brought = run(looks)
        except DomainError as error:
            form.take(error)
        else:
            if not looks:
                return _done(request, brought)
            looked = brought
    is_part = looks and bool(request.htmx)  # type: ignore[attr-defined]
    context = {"form": form, "queue": queue, "looked": looked, "is_part": is_part}
    page = "feedback/queue_file.html#found" if is_part else "feedback/queue_file.html"
    return render(request, page, context, status=400 if form.errors and not is_part else 200)


def _done(request: access.ProjectRequest, brought: Brought) -> HttpResponse:
    made = brought.made
    said = [f"{made.items:,} items with {made.answers:,} answers", f"{made.settled:,} settled"]
    said += [f"{made.skips:,} skipped"] if made.skips else []
    said += [f"{brought.completed:,} known items gained answers"] if brought.completed else []
    said += [f"{made.left_alone:,} were there already"] if made.left_alone else []
    messages.success(request, ", ".join(said) + ".")
    if brought.left_out:
        listed = [f"{one.what} ({one.count:,}, first at {one.first})" for one in brought.left_out[:SHOWN]]
        more = len(brought.left_out) - SHOWN
        listed += [f"{more:,} kinds more"] if more > 0 else []
        messages.warning(request, f"Left out: {'; '.join(listed)}.")
    return redirect("feedback:queue", request.project.slug, brought.queue.slug)
