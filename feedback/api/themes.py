"""REST: themes of complaints."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.models import ProposalRequest
from evals.queries import datasets as dataset_queries
from feedback.models import Clustering, Theme
from feedback.queries import clusterings as clustering_queries
from feedback.queries import complaints as complaint_queries
from feedback.queries import themes as queries
from feedback.services import clusterings, theme_rows, themes
from llmops.common import ids
from llmops.common.errors import Invalid, NotFound
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class WeekItem(serializers.Serializer[Any]):
    """`rate` is the share of the week's logged calls; null without calls."""

    first = serializers.DateField()
    complaints = serializers.IntegerField()
    calls = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)


class TrendItem(serializers.Serializer[Any]):
    """The last seven days against the four weeks before; `low` and `high` bound the change of the rate (95 %)."""

    word = serializers.ChoiceField(choices=["growing", "shrinking", "steady", "few", "unknown"])
    change = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    weeks = WeekItem(many=True)


class ThemeItem(serializers.Serializer[Any]):
    id = serializers.CharField(source="ref")
    name = serializers.CharField(source="theme.name")
    named_by = serializers.ChoiceField(choices=Theme.NamedBy.values, source="theme.named_by")
    tag = serializers.CharField(source="theme.tag", help_text="of dataset rows that belong to it")
    terms = serializers.ListField(child=serializers.CharField(), source="theme.terms")
    complaints = serializers.IntegerField(source="size")
    trend = TrendItem()
    versions = serializers.ListField(child=serializers.CharField(), help_text="touched by the newest complaints")


class ComplaintItem(serializers.Serializer[Any]):
    item = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    by_hand = serializers.BooleanField(source="item.theme_by_hand")
    at = serializers.DateTimeField(source="item.feedback_at")

    def get_item(self, said: complaint_queries.Said) -> str:
        return ids.public("item", said.item.uid)

    def get_text(self, said: complaint_queries.Said) -> str:
        return said.text


class SortingItem(serializers.Serializer[Any]):
    """One turn: `done` of `total` complaints were looked at."""

    id = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=Clustering.State.values)
    phase = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    assigned = serializers.IntegerField()
    new_themes = serializers.IntegerField(source="born")
    vectoriser = serializers.CharField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_id(self, item: Clustering) -> str:
        return ids.public("sort", item.uid)


class NewName(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=themes.LONGEST_NAME)


class MergeInto(serializers.Serializer[Any]):
    into = serializers.CharField(max_length=60, help_text="the id of the theme that takes it in")


class SplitOff(serializers.Serializer[Any]):
    items = serializers.ListField(child=serializers.CharField(max_length=60), max_length=themes.MOST_SPLIT)
    name = serializers.CharField(
        max_length=themes.LONGEST_NAME, required=False, allow_blank=True, default="", help_text="none: its top terms"
    )


class WantedSlice(serializers.Serializer[Any]):
    dataset = serializers.CharField(max_length=60)
    count = serializers.IntegerField(
        required=False, default=theme_rows.DEFAULT_ROWS, min_value=1, max_value=theme_rows.MOST_ROWS
    )
    split = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class WantedCases(serializers.Serializer[Any]):
    dataset = serializers.CharField(max_length=60)
    count = serializers.IntegerField(required=False, default=5, min_value=1, max_value=20)
    split = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    connection = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    model = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class Proposed(serializers.Serializer[Any]):
    """The request for proposals under which each row is accepted or refused."""

    proposals = serializers.SerializerMethodField()
    dataset = serializers.CharField(source="dataset.slug")
    state = serializers.CharField()

    def get_proposals(self, item: ProposalRequest) -> str:
        return ids.public("ask", item.uid)


class Themes(ProjectAPIView):
    """All themes with size and trend, the largest first; at most 500."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ}
    serializer_class = ThemeItem
    pagination_class = None

    @extend_schema(operation_id="themes_list", responses=ThemeItem(many=True))
    def get(self, request: Request) -> Response:
        return Response(ThemeItem(queries.rows(self.project, now=timezone.now()), many=True).data)


class Sorting(ProjectAPIView):
    """How far the last sorting is; POST starts one, DELETE stops it."""

    permissions: ClassVar = {
        "GET": Permission.FEEDBACK_READ,
        "POST": Permission.FEEDBACK_TRIAGE,
        "DELETE": Permission.FEEDBACK_TRIAGE,
    }
    serializer_class = SortingItem

    @extend_schema(operation_id="themes_sorting", responses=SortingItem)
    def get(self, request: Request) -> Response:
        return Response(SortingItem(clustering_queries.newest_in(self.project)).data)

    @extend_schema(operation_id="themes_sort", request=None, responses={202: SortingItem})
    def post(self, request: Request) -> Response:
        return Response(SortingItem(clusterings.start(project=self.project, by=self.actor)).data, status=202)

    @extend_schema(operation_id="themes_sort_cancel", responses=SortingItem)
    def delete(self, request: Request) -> Response:
        clusterings.cancel(of=clustering_queries.newest_in(self.project), by=self.actor, now=timezone.now())
        return Response(SortingItem(clustering_queries.newest_in(self.project)).data)


class OfTheme(ProjectAPIView):
    """What every view of one theme shares."""

    def theme(self, ref: str) -> Theme:
        return queries.theme_in(self.project, ref)

    def shown(self, theme: Theme) -> Any:
        return ThemeItem(queries.row(theme, now=timezone.now())).data

    def body(self, request: Request) -> dict[str, Any]:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    def dataset(self, slug: str) -> Any:
        """:raises Invalid: naming the field, for a dataset that the project does not have."""
        try:
            return dataset_queries.dataset_in(self.project, slug)
        except NotFound as error:
            raise Invalid(error.message, fields={"dataset": error.message}) from None


class ThemeDetail(OfTheme):
    """One theme; PATCH renames it for good. A merged theme's id shows the one that took it in."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ, "PATCH": Permission.FEEDBACK_TRIAGE}
    serializer_class = NewName

    @extend_schema(operation_id="themes_get", responses=ThemeItem)
    def get(self, request: Request, theme: str) -> Response:
        return Response(self.shown(self.theme(theme)))

    @extend_schema(operation_id="themes_rename", responses=ThemeItem)
    def patch(self, request: Request, theme: str) -> Response:
        found = self.theme(theme)
        return Response(self.shown(themes.rename(theme=found, by=self.actor, **self.body(request))))


class Complaints(OfTheme):
    """The theme's complaints, newest first."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ}
    serializer_class = ComplaintItem

    @extend_schema(operation_id="themes_complaints", responses=ComplaintItem(many=True))
    def get(self, request: Request, theme: str) -> Response:
        self.paginator.ordering = ("-feedback_us", "-id")  # type: ignore[union-attr]
        page = self.paginate_queryset(complaint_queries.members(self.theme(theme))) or []
        said = complaint_queries.said(self.project, page)
        return self.get_paginated_response(ComplaintItem(said, many=True).data)


class Merge(OfTheme):
    """Show a theme under another one, and with it whatever would join it later."""

    permissions: ClassVar = {"POST": Permission.FEEDBACK_TRIAGE}
    serializer_class = MergeInto

    @extend_schema(operation_id="themes_merge", responses=ThemeItem)
    def post(self, request: Request, theme: str) -> Response:
        found, given = self.theme(theme), self.body(request)["into"]
        try:
            into = self.theme(given)
        except NotFound as error:
            raise Invalid(error.message, fields={"into": error.message}) from None
        return Response(self.shown(themes.merge(theme=found, into=into, by=self.actor)))


class Split(OfTheme):
    """Make a theme of its own of some complaints."""

    permissions: ClassVar = {"POST": Permission.FEEDBACK_TRIAGE}
    serializer_class = SplitOff

    @extend_schema(operation_id="themes_split", responses={201: ThemeItem})
    def post(self, request: Request, theme: str) -> Response:
        found, given = self.theme(theme), self.body(request)
        made = themes.split_off(theme=found, refs=given["items"], name=given["name"], by=self.actor)
        return Response(self.shown(made), status=201)


class Slice(OfTheme):
    """Propose the theme's newest calls as rows of a dataset."""

    permissions: ClassVar = {"POST": Permission.DATASET_WRITE}
    serializer_class = WantedSlice

    @extend_schema(operation_id="themes_slice", responses={201: Proposed})
    def post(self, request: Request, theme: str) -> Response:
        found, given = self.theme(theme), self.body(request)
        given["dataset"] = self.dataset(given["dataset"])
        made = theme_rows.propose_slice(theme=found, by=self.actor, now=timezone.now(), **given)
        return Response(Proposed(made).data, status=201)


class Cases(OfTheme):
    """Ask a model for test cases about the theme."""

    permissions: ClassVar = {"POST": Permission.PROMPT_TRY}
    serializer_class = WantedCases

    @extend_schema(operation_id="themes_cases", responses={202: Proposed})
    def post(self, request: Request, theme: str) -> Response:
        found, given = self.theme(theme), self.body(request)
        given["dataset"] = self.dataset(given["dataset"])
        return Response(Proposed(theme_rows.draft_cases(theme=found, by=self.actor, **given)).data, status=202)
