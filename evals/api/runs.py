"""REST: start, watch, read and cancel runs."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.api import run_json
from evals.api.run_bodies import StartRun, axes
from evals.models import Result, Run
from evals.queries import runs as queries
from evals.services import named_runs, run_groups, run_retries, runs
from llmops.common.errors import Invalid
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class RunList(ProjectAPIView):
    """The project's runs, newest first; POST starts one."""

    permissions: ClassVar = {"GET": Permission.RUN_READ, "POST": Permission.RUN_START}
    serializer_class = StartRun

    @extend_schema(
        operation_id="runs_list",
        parameters=[OpenApiParameter("dataset", str), OpenApiParameter("prompt", str), OpenApiParameter("status", str)],
    )
    def get(self, request: Request) -> Response:
        asked = request.query_params
        found = queries.runs_in(
            self.project,
            prompt=asked.get("prompt", ""),
            dataset=asked.get("dataset", ""),
            state=asked.get("status", ""),
        )
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(found) or []
        return self.get_paginated_response([run_json.listed(run) for run in page])

    @extend_schema(operation_id="runs_start", responses={202: OpenApiResponse(description="started")})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        matrix = given.pop("matrix")
        path = given["prompt"]
        wanted = named_runs.wanted(self.project, given)
        if matrix is None:
            return Response(run_json.head(runs.start(project=self.project, wanted=wanted, by=self.actor)), status=202)
        group = run_groups.start(
            project=self.project, wanted=wanted, axes=axes(self.project, path, matrix), by=self.actor
        )
        members = [run_json.head(run) for run in group.runs.select_related("project").order_by("id")]
        return Response({**run_json.group_head(group), "runs": members}, status=202)


class RunDetail(ProjectAPIView):
    """One run: status, progress and, as they come, its scores with intervals."""

    permissions: ClassVar = {"GET": Permission.RUN_READ}

    @extend_schema(operation_id="runs_get", responses={200: OpenApiResponse(description="the run")})
    def get(self, request: Request, uid: str) -> Response:
        return Response(run_json.whole(queries.run_in(self.project, uid)))


class RunResults(ProjectAPIView):
    """The run's results; with `evaluator` those that it scored, the worst first."""

    permissions: ClassVar = {"GET": Permission.RUN_READ}

    @extend_schema(
        operation_id="runs_results",
        parameters=[OpenApiParameter("evaluator", str), OpenApiParameter("failed", bool)],
        responses={200: OpenApiResponse(description="a page of results")},
    )
    def get(self, request: Request, uid: str) -> Response:
        run = queries.run_in(self.project, uid)
        names = {line.evaluator_version_id: line.name for line in queries.evaluators_of(run)}
        if wanted := request.query_params.get("evaluator"):
            found = self._worst_first(run, names, wanted)
        else:
            results = queries.results_of(run, only_failed=request.query_params.get("failed") in ("1", "true"))
            self.paginator.ordering = ("id",)  # type: ignore[union-attr]
            found = self.paginate_queryset(results) or []
        return self.get_paginated_response([run_json.result(row, names) for row in found])

    def _worst_first(self, run: Run, names: dict[int, str], wanted: str) -> list[Result]:
        version = next((key for key, name in names.items() if name == wanted), None)
        if version is None:
            raise Invalid(
                "This run has no such evaluator.", fields={"evaluator": f"one of {', '.join(names.values())}"}
            )
        self.paginator.ordering = ("value", "id")  # type: ignore[union-attr]
        return [score.result for score in self.paginate_queryset(queries.scored_by(run, version)) or []]


class RunCancel(ProjectAPIView):
    """Start nothing more; what is in flight is still stored."""

    permissions: ClassVar = {"POST": Permission.RUN_START}

    @extend_schema(operation_id="runs_cancel", request=None, responses={200: OpenApiResponse(description="the run")})
    def post(self, request: Request, uid: str) -> Response:
        return Response(run_json.whole(runs.cancel(run=queries.run_in(self.project, uid), by=self.actor)))


class RunJudgeAgain(ProjectAPIView):
    """Have the judges look at the outputs that lack their verdict; the target is not called again."""

    permissions: ClassVar = {"POST": Permission.RUN_START}

    @extend_schema(
        operation_id="runs_judge_again", request=None, responses={202: OpenApiResponse(description="the run")}
    )
    def post(self, request: Request, uid: str) -> Response:
        run = queries.run_in(self.project, uid)
        count = run_retries.judge_again(run=run, by=self.actor)
        return Response({**run_json.whole(run), "judging": count}, status=202)
