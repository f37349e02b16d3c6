"""REST: labels from elsewhere, and what comes out of a queue: agreement, majorities, examples of a dataset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.queries import datasets as dataset_queries
from evals.statistics import Estimate
from feedback.api.queues import QueueView
from feedback.queries import agreement, human
from feedback.services import label_imports, settled_examples, settling
from llmops.common.errors import Invalid, NotFound
from llmops.projects.permissions import Permission


class KeepBody(serializers.Serializer[Any]):
    dataset = serializers.CharField(max_length=60)
    question = serializers.CharField(max_length=40, help_text="the question whose answer is the expected output")
    split = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class KeptBody(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    renewed = serializers.IntegerField(help_text="examples that got a new expected output")
    known = serializers.IntegerField()
    unusable = serializers.IntegerField(help_text="settled items without an answer to this question")
    has_more = serializers.BooleanField(help_text="a long queue takes several turns: send it again")


class SettledCount(serializers.Serializer[Any]):
    settled = serializers.IntegerField()


class Figure(serializers.Serializer[Any]):
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    method = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField())


class QuestionAgreement(serializers.Serializer[Any]):
    question = serializers.CharField()
    percent = Figure()
    alpha = Figure()
    fleiss = Figure()
    ac1 = Figure()
    says = serializers.CharField()


class PersonAgreement(serializers.Serializer[Any]):
    name = serializers.CharField()
    answers = serializers.IntegerField()
    skips = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    agreed = serializers.IntegerField()
    compared = serializers.IntegerField()
    gold_right = serializers.IntegerField()
    gold = serializers.IntegerField()


class AgreementBody(serializers.Serializer[Any]):
    questions = QuestionAgreement(many=True)
    people = PersonAgreement(many=True)


class LabelsBody(serializers.Serializer[Any]):
    rows = serializers.JSONField(help_text="a list of objects: one for each answer, or for each item")
    mapping = serializers.JSONField(
        help_text="which column is what: item, question, and either annotators (a list) or annotator and answer; "
        "adjudicator, gold, inputs (a list), output, values (an object that translates answers)"
    )


class ImportedBody(serializers.Serializer[Any]):
    items = serializers.IntegerField()
    answers = serializers.IntegerField()
    settled = serializers.IntegerField()
    left_alone = serializers.IntegerField(help_text="items that the queue held already")


class Labels(QueueView):
    """Bring in labels that people gave elsewhere: all rows or, on any error, none."""

    permissions: ClassVar = {"POST": Permission.QUEUE_WRITE}
    serializer_class = LabelsBody

    @extend_schema(operation_id="queue_labels", responses={201: ImportedBody})
    def post(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        if not isinstance(given["rows"], list):
            raise Invalid("Send a list of rows.", fields={"rows": "must be a list"})
        made = label_imports.from_rows(
            queue=queue, rows=given["rows"], mapping=given["mapping"], by=self.actor, now=timezone.now()
        )
        return Response(asdict(made), status=201)


class Examples(QueueView):
    """Put every settled answer into a dataset, once: the answer to `question` is the expected output."""

    permissions: ClassVar = {"POST": Permission.DATASET_WRITE}
    serializer_class = KeepBody

    @extend_schema(operation_id="queue_examples", responses=KeptBody)
    def post(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        try:
            dataset = dataset_queries.dataset_in(self.project, given.pop("dataset"))
        except NotFound as error:
            raise Invalid(error.message, fields={"dataset": "no such dataset"}) from None
        return Response(asdict(settled_examples.add(queue=queue, dataset=dataset, by=self.actor, **given)))


class Majority(QueueView):
    """Let the majority stand wherever there is one; ties wait for a person."""

    permissions: ClassVar = {"POST": Permission.QUEUE_WRITE}
    serializer_class = SettledCount

    @extend_schema(operation_id="queue_majority", request=None, responses=SettledCount)
    def post(self, request: Request, slug: str) -> Response:
        count = settling.settle_by_majority(queue=self.queue(slug), by=self.actor, now=timezone.now())
        return Response({"settled": count})


class HumanLine(serializers.Serializer[Any]):
    question = serializers.CharField()
    version = serializers.CharField(help_text="the prompt's path and the version's number; empty when none was named")
    n = serializers.IntegerField()
    value = serializers.FloatField(help_text="share of passes, or mean of a scale")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    method = serializers.CharField()
    updated_at = serializers.DateTimeField()


class Figures(QueueView):
    """What people settled, by version, from items drawn by lot, with 95 % intervals."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_READ}
    serializer_class = HumanLine
    pagination_class = None

    @extend_schema(operation_id="queue_figures", responses=HumanLine(many=True))
    def get(self, request: Request, slug: str) -> Response:
        return Response(HumanLine(human.of_queue(self.queue(slug)), many=True).data)


class Agreement(QueueView):
    """How well people agree, by question with 95 % intervals, and by person; gold items and adjudication aside."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_READ}
    serializer_class = AgreementBody
    pagination_class = None

    @extend_schema(operation_id="queue_agreement", responses=AgreementBody)
    def get(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        found = [_question(one) for one in agreement.of_questions(queue)]
        return Response({"questions": found, "people": [asdict(one) for one in agreement.of_people(queue)]})


def _question(found: agreement.QuestionFigures) -> dict[str, Any]:
    names = ("percent", "alpha", "fleiss", "ac1")
    return {
        "question": found.question.key,
        "says": found.words,
        **{name: _figure(getattr(found, name)) for name in names},
    }


def _figure(one: Estimate) -> dict[str, Any]:
    interval = one.interval
    return {
        "value": one.value, "low": interval.low if interval else None, "high": interval.high if interval else None,
        "n": one.n, "method": one.method, "notes": list(one.notes),
    }  # fmt: skip
