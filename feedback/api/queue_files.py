"""REST: queues as files of other tools, and files of other tools as queues."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.queue_results import ImportedBody
from feedback.api.queues import NewQueue, QueueView
from feedback.labelfiles import EXCHANGES
from feedback.services import exchanges, queue_exports, queues
from llmops.projects.permissions import Permission


class FileForm(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=list(queue_exports.FORMS))


class FileBody(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=list(EXCHANGES))
    records = serializers.JSONField(help_text="a list: tasks as Label Studio exports them, records as Argilla does")
    settings = serializers.JSONField(
        required=False, default=None, allow_null=True,
        help_text="the labeling configuration (a text of XML), or the settings of the Argilla dataset (an object)",
    )  # fmt: skip
    people = serializers.DictField(
        child=serializers.CharField(max_length=200), required=False, default=dict,
        help_text="names for people whom the records only number",
    )  # fmt: skip
    only_look = serializers.BooleanField(required=False, default=False, help_text="try everything, keep nothing")


class NewQueueOfFile(FileBody, NewQueue):
    """A queue whose rubric is made of the settings."""

    rubric = None  # type: ignore[assignment]


class LeftOutBody(serializers.Serializer[Any]):
    what = serializers.CharField()
    count = serializers.IntegerField()
    first = serializers.CharField(help_text="where it stands first")


class BroughtBody(ImportedBody):
    queue = serializers.CharField()
    skips = serializers.IntegerField()
    completed = serializers.IntegerField(help_text="items that the queue held already and that gained answers")
    left_out = LeftOutBody(many=True)


class Export(QueueView):
    """The whole queue as a file: items, everybody's labels, and what stands; or the settings that go with it."""

    permissions: ClassVar = {"POST": Permission.QUEUE_WRITE}
    serializer_class = FileForm

    @extend_schema(
        operation_id="queue_export", responses={(200, "application/json"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("Accept", OpenApiTypes.STR, OpenApiParameter.HEADER, exclude=True)],
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> HttpResponseBase:
        queue = self.queue(slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        form = queue_exports.note(queue=queue, form=body.validated_data["format"], by=self.actor)
        return StreamingHttpResponse(form.chunks(queue), content_type=form.content_type, headers=form.headers(queue))


class Import(QueueView):
    """Bring in a file of another tool under the queue's rubric: all records or, on any error, none."""

    permissions: ClassVar = {"POST": Permission.QUEUE_WRITE}
    serializer_class = FileBody

    @extend_schema(operation_id="queue_import", responses={201: BroughtBody})
    def post(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        only_look = given.pop("only_look")
        brought = exchanges.bring(
            queue=queue, given=exchanges.Given(**given), by=self.actor, now=timezone.now(), only_look=only_look
        )
        return Response(_said(brought), status=200 if only_look else 201)


class ImportNew(QueueView):
    """Make a queue of a file of another tool, under a rubric made of its settings."""

    permissions: ClassVar = {"POST": Permission.QUEUE_WRITE}
    serializer_class = NewQueueOfFile

    @extend_schema(operation_id="queues_import", responses={201: BroughtBody})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        rest = dict(body.validated_data)
        given = exchanges.Given(**{name: rest.pop(name) for name in ("format", "records", "settings", "people")})
        only_look = rest.pop("only_look")
        brought = exchanges.start(
            project=self.project, wanted=queues.Wanted(**rest), given=given, by=self.actor, now=timezone.now(),
            only_look=only_look,
        )  # fmt: skip
        return Response(_said(brought), status=200 if only_look else 201)


def _said(brought: exchanges.Brought) -> dict[str, Any]:
    return asdict(brought.made) | {
        "queue": brought.queue.slug,
        "completed": brought.completed,
        "left_out": [asdict(one) for one in brought.left_out],
    }
