"""REST: labeling itself, with a personal key: take an item, answer it, skip, flag, take back; settle and set gold."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.queues import QueueView
from feedback.models import Queue, QueueItem, Seat
from feedback.queries import queues as queries
from feedback.services import filling, seats, settling
from llmops.common import ids
from llmops.common.errors import Forbidden
from llmops.projects.permissions import Permission


class TakenItem(serializers.Serializer[Any]):
    """What a labeler sees of an item, and until when it is theirs."""

    id = serializers.SerializerMethodField()
    title = serializers.CharField(source="item.title")
    snapshot = serializers.JSONField(source="item.snapshot")
    questions = serializers.SerializerMethodField()
    held_until = serializers.DateTimeField(source="expires_at")

    def get_id(self, seat: Seat) -> str:
        return ids.public("qi", seat.item.uid)

    def get_questions(self, seat: Seat) -> Any:
        return self.context["queue"].rubric_version.questions


class AnswerBody(serializers.Serializer[Any]):
    answers = serializers.JSONField(help_text="by question: the answer")
    seconds = serializers.IntegerField(min_value=0, max_value=86_400, required=False, allow_null=True, default=None)


class ReasonBody(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class SettleBody(serializers.Serializer[Any]):
    answers = serializers.JSONField(help_text="by question: what stands")
    reason = serializers.CharField(max_length=5_000, required=False, allow_blank=True, default="")


class GoldBody(serializers.Serializer[Any]):
    answers = serializers.JSONField(allow_null=True, help_text="by question: the known answer; null: none is known")


class AnswerLine(serializers.Serializer[Any]):
    item = serializers.SerializerMethodField()
    answers = serializers.JSONField(source="annotation.answers")
    skipped = serializers.CharField(source="annotation.skipped_reason")
    seconds = serializers.IntegerField(source="annotation.seconds", allow_null=True)
    done_at = serializers.DateTimeField()

    def get_item(self, seat: Seat) -> str:
        return ids.public("qi", seat.item.uid)


class LabelingView(QueueView):
    @property
    def user_id(self) -> int:
        """:raises Forbidden: for a key of no person: an answer is somebody's."""
        if self.actor.user_id is None:
            raise Forbidden("Labeling needs a personal key: an answer is somebody's.", fields={"key": "not personal"})
        return self.actor.user_id

    def item(self, slug: str, uid: str) -> QueueItem:
        return queries.item_in(self.queue(slug), uid)

    def body(self, request: Request) -> dict[str, Any]:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    def taken(self, queue: Queue, seat: Seat | None) -> Response:
        if seat is None:
            return Response(status=204)
        return Response(TakenItem(seat, context={"queue": queue}).data)


class NextItem(LabelingView):
    """The item that the person works on next, held for them; 204 when none is left."""

    permissions: ClassVar = {"POST": Permission.ANNOTATION_WRITE}
    serializer_class = TakenItem

    @extend_schema(operation_id="queue_next", request=None, responses={200: TakenItem, 204: None})
    def post(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        return self.taken(queue, seats.reserve(queue=queue, user_id=self.user_id, now=timezone.now()))


class Answer(LabelingView):
    """Answer the item's questions. The same answers sent twice are kept once."""

    permissions: ClassVar = {"POST": Permission.ANNOTATION_WRITE}
    serializer_class = AnswerBody

    @extend_schema(operation_id="queue_item_answer", responses={204: None})
    def post(self, request: Request, slug: str, uid: str) -> Response:
        item, given = self.item(slug, uid), self.body(request)
        seats.submit(item=item, user_id=self.user_id, now=timezone.now(), **given)
        return Response(status=204)


class Skip(LabelingView):
    """Leave the item to somebody else."""

    permissions: ClassVar = {"POST": Permission.ANNOTATION_WRITE}
    serializer_class = ReasonBody

    @extend_schema(operation_id="queue_item_skip", responses={204: None})
    def post(self, request: Request, slug: str, uid: str) -> Response:
        item, given = self.item(slug, uid), self.body(request)
        seats.skip(item=item, user_id=self.user_id, reason=given["reason"], now=timezone.now())
        return Response(status=204)


class Flag(LabelingView):
    """Tell the lead that something is wrong with the item."""

    permissions: ClassVar = {"POST": Permission.ANNOTATION_WRITE}
    serializer_class = ReasonBody

    @extend_schema(operation_id="queue_item_flag", responses={204: None})
    def post(self, request: Request, slug: str, uid: str) -> Response:
        seats.flag(item=self.item(slug, uid), reason=self.body(request)["reason"], by=self.actor)
        return Response(status=204)


class Undo(LabelingView):
    """Take back the person's last answer or skip; the answer is the item, theirs again."""

    permissions: ClassVar = {"POST": Permission.ANNOTATION_WRITE}
    serializer_class = TakenItem

    @extend_schema(operation_id="queue_undo", request=None, responses=TakenItem)
    def post(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        seat = seats.undo(queue=queue, user_id=self.user_id, by=self.actor, now=timezone.now())
        return self.taken(queue, seat)


class History(LabelingView):
    """The person's own answers and skips in the queue, the newest first."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_WRITE}
    serializer_class = AnswerLine

    @extend_schema(operation_id="queue_history", responses=AnswerLine(many=True))
    def get(self, request: Request, slug: str) -> Response:
        self.paginator.ordering = ("-done_at", "-id")  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.answered_by(self.queue(slug), self.user_id)) or []
        return self.get_paginated_response(AnswerLine(page, many=True).data)


class Settle(LabelingView):
    """Decide what stands for the item, with why."""

    permissions: ClassVar = {"POST": Permission.QUEUE_WRITE}
    serializer_class = SettleBody

    @extend_schema(operation_id="queue_item_settle", responses={204: None})
    def post(self, request: Request, slug: str, uid: str) -> Response:
        item, given = self.item(slug, uid), self.body(request)
        settling.settle(item=item, by=self.actor, now=timezone.now(), **given)
        return Response(status=204)


class Gold(LabelingView):
    """Make the item gold: its answer is known, everybody gets it, and it leaves the queue's figures."""

    permissions: ClassVar = {"POST": Permission.QUEUE_WRITE}
    serializer_class = GoldBody

    @extend_schema(operation_id="queue_item_gold", responses={204: None})
    def post(self, request: Request, slug: str, uid: str) -> Response:
        item, given = self.item(slug, uid), self.body(request)
        filling.make_gold(item=item, answers=given["answers"], by=self.actor)
        return Response(status=204)
