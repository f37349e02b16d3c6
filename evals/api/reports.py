"""REST: a run as a file, and its scores in parts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from evals.queries import reports
from evals.queries import runs as run_queries
from evals.queries import slices as slicing
from evals.reports import FORMATS
from llmops.common import ids
from llmops.common.errors import Invalid
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class AsAsked(BaseContentNegotiation):
    """The parameter decides about the format, whatever the client accepts; errors are always JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class RunReport(ProjectAPIView):
    """The run as Markdown, JUnit XML, JSON or CSV, streamed."""

    permissions: ClassVar = {"GET": Permission.RUN_READ}
    content_negotiation_class = AsAsked

    @extend_schema(
        operation_id="runs_report",
        parameters=[OpenApiParameter("format", str, enum=list(FORMATS), default="json")],
        responses={
            (200, kind.media_type.partition(";")[0]): OpenApiResponse(OpenApiTypes.STR, description=kind.name)
            for kind in FORMATS.values()
        },
    )
    def get(self, request: Request, uid: str) -> StreamingHttpResponse:
        run = run_queries.run_in(self.project, uid)
        found = reports.download(run, request.query_params.get("format", "json"))
        return StreamingHttpResponse(found.pieces, headers=found.headers)


MOST_SLICES = 200


class RunSlices(ProjectAPIView):
    """One evaluator's scores by tag, split or metadata key, the weakest slice first."""

    permissions: ClassVar = {"GET": Permission.RUN_READ}

    @extend_schema(
        operation_id="runs_slices",
        parameters=[
            OpenApiParameter("by", str, default=slicing.TAG, description="tag, split, or metadata.<key>"),
            OpenApiParameter("evaluator", str, description="a name of the run's; the first one without"),
        ],
        responses={200: OpenApiResponse(description="the slices")},
    )
    def get(self, request: Request, uid: str) -> Response:
        run = run_queries.run_in(self.project, uid)
        lines = run_queries.evaluators_of(run)
        wanted = request.query_params.get("evaluator", "")
        line = next((one for one in lines if not wanted or one.name == wanted), None)
        if line is None:
            names = ", ".join(one.name for one in lines)
            raise Invalid("This run has no such evaluator.", fields={"evaluator": f"one of {names}"})
        found = slicing.slices_of(run, line, request.query_params.get("by", slicing.TAG), MOST_SLICES)
        return Response(
            {
                "run": ids.public("run", run.uid),
                "evaluator": line.name,
                "by": found.by,
                "dimensions": slicing.dimensions_of(run),
                "slices": [_slice(one) for one in found.rows],
                "left_out": found.left_out,
            }
        )


def _slice(one: slicing.Slice) -> dict[str, Any]:
    estimate = one.estimate
    return {
        "name": one.name,
        "n": one.n,
        "passed": one.passed,
        "mean": estimate.value,
        "low": estimate.interval.low if estimate.interval else None,
        "high": estimate.interval.high if estimate.interval else None,
        "method": estimate.method,
        "small": one.is_small,
    }
