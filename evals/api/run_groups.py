"""REST: matrices of runs; they are started with `POST /runs`."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.api.run_json import group_head
from evals.models import RunGroup
from evals.queries import run_groups as queries
from evals.services import run_groups
from llmops.common import ids
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class RunGroupList(ProjectAPIView):
    """The project's matrices, newest first."""

    permissions: ClassVar = {"GET": Permission.RUN_READ}

    @extend_schema(operation_id="run_groups_list", responses={200: OpenApiResponse(description="a page of matrices")})
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.groups_in(self.project).select_related("project")) or []
        return self.get_paginated_response([_listed(group) for group in page])


class RunGroupDetail(ProjectAPIView):
    """One matrix: every cell with its score, price and latency, and which cells nothing else beats."""

    permissions: ClassVar = {"GET": Permission.RUN_READ}

    @extend_schema(
        operation_id="run_groups_get",
        parameters=[OpenApiParameter("evaluator", str)],
        responses={200: OpenApiResponse(description="the matrix")},
    )
    def get(self, request: Request, uid: str) -> Response:
        group = queries.group_in(self.project, uid)
        return Response(_whole(group, request.query_params.get("evaluator", "")))


class RunGroupCancel(ProjectAPIView):
    """Cancel every run of the matrix that is not finished."""

    permissions: ClassVar = {"POST": Permission.RUN_START}

    @extend_schema(
        operation_id="run_groups_cancel", request=None, responses={200: OpenApiResponse(description="the matrix")}
    )
    def post(self, request: Request, uid: str) -> Response:
        group = queries.group_in(self.project, uid)
        run_groups.cancel(group=group, by=self.actor)
        return Response(_whole(group, ""))


def _listed(group: Any) -> dict[str, Any]:
    return {
        **group_head(group),
        "runs": group.runs_all,
        "finished": group.runs_done,
        "spent_usd": float(group.spent_usd or 0),
        "max_cost_usd": None if group.cap_usd is None else float(group.cap_usd),
        "by": group.by,
        "created_at": group.created_at,
    }


def _whole(group: RunGroup, evaluator: str) -> dict[str, Any]:
    matrix = queries.matrix_of(group, evaluator)
    return {
        **group_head(group),
        "states": dict(matrix.states),
        "done": matrix.done,
        "total": matrix.total,
        "spent_usd": float(matrix.spent_usd),
        "max_cost_usd": None if group.cap_usd is None else float(group.cap_usd),
        "evaluators": list(matrix.evaluators),
        "evaluator": matrix.chosen or None,
        "cells": [_cell(cell) for cell in matrix.cells],
        "by": group.by,
        "created_at": group.created_at,
    }


def _cell(cell: queries.Cell) -> dict[str, Any]:
    figures = cell.figures
    return {
        "run": ids.public("run", cell.run.uid),
        "status": cell.run.state,
        "version": cell.version,
        "model": cell.model,
        "connection": cell.connection,
        "parameters": dict(cell.parameters),
        "mean": figures.mean if figures else None,
        "low": figures.low if figures else None,
        "high": figures.high if figures else None,
        "n": figures.n if figures else 0,
        "usd_per_1000": None if cell.usd_per_1000 is None else float(cell.usd_per_1000),
        "latency_p50_ms": cell.latency_p50_ms,
        "unbeaten": {"cost": cell.best_for_cost, "latency": cell.best_for_latency},
    }
