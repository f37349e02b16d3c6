"""REST: what models draft for themes, and what people decide."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.queries.comparisons import RunComparison
from feedback.api.themes import OfTheme, ThemeItem
from feedback.models import ThemeDraft
from feedback.queries import theme_drafts as queries
from feedback.services import theme_drafts
from llmops.common import ids
from llmops.common.errors import Invalid, NotFound
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries


class AskModel(serializers.Serializer[Any]):
    connection = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    model = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class AskChange(AskModel):
    prompt = serializers.CharField(max_length=300)


class NameOrNot(serializers.Serializer[Any]):
    decision = serializers.ChoiceField(choices=["accept", "refuse"])


class SaveDraft(serializers.Serializer[Any]):
    """`content` is the prompt file as a person left it; without one it is saved as it was drafted."""

    content = serializers.CharField(max_length=200_000, required=False, trim_whitespace=False, default="")
    message = serializers.CharField(max_length=2_000, required=False, allow_blank=True, default="")


class WantedEvaluation(AskModel):
    dataset = serializers.CharField(max_length=60)
    evaluators = serializers.ListField(child=serializers.CharField(max_length=60), min_length=1, max_length=20)
    max_cost_usd = serializers.DecimalField(
        max_digits=12, decimal_places=4, min_value=0, required=False, allow_null=True, default=None
    )


class ComparedItem(serializers.Serializer[Any]):
    """One evaluator: `difference` is the draft's mean minus the live one's, in the metric's own unit."""

    evaluator = serializers.CharField(source="name")
    verdict = serializers.CharField(source="verdict.word")
    baseline = serializers.FloatField(source="baseline_mean", allow_null=True)
    candidate = serializers.FloatField(source="candidate_mean", allow_null=True)
    difference = serializers.FloatField(source="comparison.difference.value", allow_null=True)
    n = serializers.IntegerField(source="comparison.difference.n")


class EvaluatedItem(serializers.Serializer[Any]):
    """The runs of the live and the drafted version; what they say is there once both are done."""

    baseline = serializers.SerializerMethodField()
    candidate = serializers.SerializerMethodField()
    is_done = serializers.BooleanField()
    slice_rows = serializers.IntegerField()
    on_slice = serializers.SerializerMethodField()
    on_whole = serializers.SerializerMethodField()

    def get_baseline(self, found: queries.Evaluated) -> str:
        return ids.public("run", found.baseline.uid)

    def get_candidate(self, found: queries.Evaluated) -> str:
        return ids.public("run", found.candidate.uid)

    @extend_schema(responses=ComparedItem(many=True))
    def get_on_slice(self, found: queries.Evaluated) -> Any:
        return _compared(found.on_slice)

    @extend_schema(responses=ComparedItem(many=True))
    def get_on_whole(self, found: queries.Evaluated) -> Any:
        return _compared(found.on_whole)


class DraftItem(serializers.Serializer[Any]):
    """`content` is the drafted name, or the drafted prompt file; it is a proposal until `decision` says otherwise."""

    id = serializers.SerializerMethodField()
    kind = serializers.ChoiceField(choices=ThemeDraft.Kind.values)
    theme = serializers.SerializerMethodField()
    prompt = serializers.CharField(source="artifact.path", default=None, allow_null=True)
    base_version = serializers.IntegerField(source="base.numbered.number", default=None, allow_null=True)
    state = serializers.ChoiceField(choices=ThemeDraft.State.values)
    decision = serializers.ChoiceField(choices=ThemeDraft.Decision.values)
    content = serializers.CharField()
    why = serializers.CharField()
    error = serializers.CharField()
    model = serializers.CharField()
    model_answered = serializers.CharField()
    cost_usd = serializers.FloatField(allow_null=True)
    version = serializers.IntegerField(source="version.numbered.number", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_id(self, item: ThemeDraft) -> str:
        return ids.public("draft", item.uid)

    def get_theme(self, item: ThemeDraft) -> str:
        return ids.public("theme", item.theme.uid)


class Names(OfTheme):
    """Have a model propose a name; the theme keeps its own until somebody accepts."""

    permissions: ClassVar = {"POST": Permission.PROMPT_TRY}
    serializer_class = AskModel

    @extend_schema(operation_id="themes_ask_name", responses={202: DraftItem})
    def post(self, request: Request, theme: str) -> Response:
        made = theme_drafts.ask_name(theme=self.theme(theme), by=self.actor, **self.body(request))
        return Response(DraftItem(made).data, status=202)


class Drafts(OfTheme):
    """Have a model draft a change to a prompt."""

    permissions: ClassVar = {"GET": Permission.PROMPT_READ, "POST": Permission.PROMPT_TRY}
    serializer_class = AskChange

    @extend_schema(operation_id="themes_drafts", responses=DraftItem(many=True))
    def get(self, request: Request, theme: str) -> Response:
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.drafts_of(self.theme(theme)).select_related("theme")) or []
        return self.get_paginated_response(DraftItem(page, many=True).data)

    @extend_schema(operation_id="themes_ask_change", responses={202: DraftItem})
    def post(self, request: Request, theme: str) -> Response:
        found, given = self.theme(theme), self.body(request)
        try:
            artifact = prompt_queries.artifact_in(self.project, given.pop("prompt"))
        except NotFound as error:
            raise Invalid(error.message, fields={"prompt": error.message}) from None
        made = theme_drafts.ask_change(theme=found, artifact=artifact, by=self.actor, **given)
        return Response(DraftItem(made).data, status=202)


class DraftDetail(OfTheme):
    """One draft; DELETE stops waiting for it."""

    permissions: ClassVar = {"GET": Permission.PROMPT_READ, "DELETE": Permission.PROMPT_TRY}
    serializer_class = DraftItem

    @extend_schema(operation_id="theme_drafts_get", responses=DraftItem)
    def get(self, request: Request, draft: str) -> Response:
        return Response(DraftItem(queries.draft_in(self.project, draft)).data)

    @extend_schema(operation_id="theme_drafts_cancel", responses=DraftItem)
    def delete(self, request: Request, draft: str) -> Response:
        theme_drafts.cancel(draft=queries.draft_in(self.project, draft), by=self.actor, now=timezone.now())
        return Response(DraftItem(queries.draft_in(self.project, draft)).data)


class NameDecision(OfTheme):
    """Accept a proposed name, or refuse it."""

    permissions: ClassVar = {"POST": Permission.FEEDBACK_TRIAGE}
    serializer_class = NameOrNot

    @extend_schema(operation_id="theme_drafts_decide_name", responses=ThemeItem)
    def post(self, request: Request, draft: str) -> Response:
        found, given = queries.draft_in(self.project, draft), self.body(request)
        if given["decision"] == "accept":
            return Response(self.shown(theme_drafts.accept_name(draft=found, by=self.actor, now=timezone.now())))
        if found.kind != ThemeDraft.Kind.NAME:
            raise Invalid("This draft is no name.", fields={"decision": "not a name"})
        theme_drafts.refuse(draft=found, by=self.actor, now=timezone.now())
        return Response(self.shown(found.theme))


class DraftVersion(OfTheme):
    """Save a drafted prompt as the next version; no label moves. DELETE refuses it."""

    permissions: ClassVar = {"POST": Permission.PROMPT_WRITE, "DELETE": Permission.PROMPT_WRITE}
    serializer_class = SaveDraft

    @extend_schema(operation_id="theme_drafts_save", responses={201: DraftItem})
    def post(self, request: Request, draft: str) -> Response:
        found, given = queries.draft_in(self.project, draft), self.body(request)
        content = given["content"] or found.content
        theme_drafts.save_version(
            draft=found, content=content, message=given["message"], by=self.actor, now=timezone.now()
        )
        return Response(DraftItem(queries.draft_in(self.project, draft)).data, status=201)

    @extend_schema(operation_id="theme_drafts_refuse", responses=DraftItem)
    def delete(self, request: Request, draft: str) -> Response:
        found = queries.draft_in(self.project, draft)
        theme_drafts.refuse(draft=found, by=self.actor, now=timezone.now())
        return Response(DraftItem(queries.draft_in(self.project, draft)).data)


class Evaluation(OfTheme):
    """What the runs say; POST starts them, over a dataset with rows of the theme."""

    permissions: ClassVar = {"GET": Permission.RUN_READ, "POST": Permission.RUN_START}
    serializer_class = WantedEvaluation

    @extend_schema(operation_id="theme_drafts_evaluation", responses=EvaluatedItem)
    def get(self, request: Request, draft: str) -> Response:
        found = queries.evaluated(queries.draft_in(self.project, draft))
        if found is None:
            raise NotFound("The draft was not evaluated yet.")
        return Response(EvaluatedItem(found).data)

    @extend_schema(operation_id="theme_drafts_evaluate", responses={202: EvaluatedItem})
    def post(self, request: Request, draft: str) -> Response:
        found, given = queries.draft_in(self.project, draft), self.body(request)
        given["dataset"] = self.dataset(given["dataset"])
        wanted = theme_drafts.Evaluation(**given)
        made = theme_drafts.evaluate(draft=found, wanted=wanted, by=self.actor, now=timezone.now())
        return Response(EvaluatedItem(queries.evaluated(made)).data, status=202)


def _compared(found: RunComparison | None) -> Any:
    return ComparedItem(found.evaluators if found else [], many=True).data
