"""REST: certificates of judges."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.models import JudgeCertificate
from evals.queries import certificates as queries
from evals.queries import evaluators as evaluator_queries
from evals.queries import runs as run_queries
from evals.services import certificates
from llmops.common import ids
from llmops.common.errors import Invalid, NotFound
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class NewCertificate(serializers.Serializer[Any]):
    """A finished run of the judge, and the dataset's column that holds people's labels."""

    run = serializers.CharField(max_length=60)
    column = serializers.CharField(max_length=200, help_text="a metadata or input column, or expected")
    positive = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", help_text="the label that passes"
    )
    source = serializers.CharField(  # type: ignore[assignment]  # a field of this name, not the option
        max_length=200, required=False, allow_blank=True, default="", help_text="who labelled, and how"
    )
    group = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="",
        help_text="a column whose equal values are rows that belong together, such as a document",
    )  # fmt: skip


class CertificateItem(serializers.Serializer[JudgeCertificate]):
    """A judge against people. Rows of the table are people's labels, columns the judge's verdicts."""

    id = serializers.SerializerMethodField()
    evaluator = serializers.CharField(source="evaluator_version.evaluator.slug")
    version = serializers.IntegerField(source="evaluator_version.number")
    model = serializers.CharField(source="model_asked")
    models_answered = serializers.ListField(child=serializers.CharField())
    run = serializers.SerializerMethodField()
    dataset = serializers.CharField(source="run.dataset_version.dataset.slug")
    dataset_version = serializers.IntegerField(source="run.dataset_version.number")
    column = serializers.CharField(source="label_column")
    positive = serializers.CharField(source="positive_label")
    label_source = serializers.CharField()
    n = serializers.IntegerField()
    not_labelled = serializers.IntegerField()
    not_judged = serializers.IntegerField()
    classes = serializers.ListField(child=serializers.CharField())
    table = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    no_verdict = serializers.ListField(child=serializers.IntegerField())
    figures = serializers.DictField()
    usable = serializers.BooleanField(source="is_usable")
    reasons = serializers.ListField(child=serializers.CharField())
    measured_at = serializers.DateTimeField()
    by = serializers.CharField()

    def get_id(self, item: JudgeCertificate) -> str:
        return ids.public("cert", item.uid)

    def get_run(self, item: JudgeCertificate) -> str:
        return ids.public("run", item.run.uid)


class CertificateList(ProjectAPIView):
    """A judge's certificates, newest first; POST measures one from a finished run and a column of labels."""

    permissions: ClassVar = {"GET": Permission.EVALUATOR_READ, "POST": Permission.EVALUATOR_WRITE}
    serializer_class = NewCertificate

    @extend_schema(operation_id="evaluators_certificates_list", responses=CertificateItem(many=True))
    def get(self, request: Request, slug: str) -> Response:
        evaluator = evaluator_queries.evaluator_in(self.project, slug)
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.certificates_of(evaluator)) or []
        shown: Any = CertificateItem(page, many=True)  # type: ignore[arg-type]  # a page is a list
        return self.get_paginated_response(shown.data)

    @extend_schema(operation_id="evaluators_certificates_measure", responses={201: CertificateItem})
    def post(self, request: Request, slug: str) -> Response:
        evaluator = evaluator_queries.evaluator_in(self.project, slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        try:
            run = run_queries.run_in(self.project, given.pop("run"))
        except NotFound as error:
            raise Invalid(error.message, fields={"run": error.message}) from None
        made = certificates.measure(evaluator=evaluator, run=run, by=self.actor, now=timezone.now(), **given)
        return Response(CertificateItem(queries.certificate_in(evaluator, str(made.uid))).data, status=201)
