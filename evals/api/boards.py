"""REST: the board of versions by a pairwise judge."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.queries import boards
from evals.queries.boards import Standing
from evals.queries.contestants import Contestant
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class WhichBoard(serializers.Serializer[Any]):
    """Without anything: the judge that was used last, over all datasets."""

    judge = serializers.CharField(
        max_length=60, required=False, default="", allow_blank=True, help_text="a judge's key, or an evaluator's slug"
    )
    dataset = serializers.CharField(
        max_length=60, required=False, default="", allow_blank=True, help_text="only runs over this dataset"
    )
    against = serializers.CharField(
        max_length=60, required=False, default="", allow_blank=True, help_text="the key of the version to compare with"
    )


class RunBoard(ProjectAPIView):
    """Strengths of all versions that a pairwise judge compared in the project's runs (Bradley–Terry, Davidson's ties).

    `boards` has a list for each group of versions that were compared with each other, the strongest first. `share` is
    the part of its comparisons with `against` that a version is expected to win, ties counted half. Limits are 95 %
    percentile intervals over resampled examples.
    """

    permissions: ClassVar = {"GET": Permission.RUN_READ}
    serializer_class = WhichBoard
    pagination_class = None

    @extend_schema(
        operation_id="runs_board", parameters=[WhichBoard], responses={200: OpenApiResponse(description="the board")}
    )
    def get(self, request: Request) -> Response:
        asked = self.get_serializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = boards.page_of(self.project, **asked.validated_data)
        return Response(
            {
                "judges": [{"key": one.key, "title": one.title, "evaluator": one.slug} for one in found.judges],
                "judge": found.judge.key if found.judge else None,
                "datasets": list(found.datasets),
                "dataset": found.dataset,
                "against": found.against.key if found.against else None,
                "n": found.n,
                "examples": found.examples,
                "runs": found.runs,
                "left_out": found.left_out,
                "tie": found.tie,
                "pulled_towards_the_middle": found.is_shrunk,
                "notes": list(found.notes),
                "boards": [[_standing(one) for one in standings] for standings in found.boards],
            }
        )


def _standing(one: Standing) -> dict[str, Any]:
    return {
        **_contestant(one.contestant),
        "rank": _limits(one.rank),
        "strength": one.strength,
        "strength_interval": _limits(one.strength_limits),
        "share": one.share,
        "share_interval": _limits(one.share_limits),
        "wins": one.wins,
        "ties": one.ties,
        "losses": one.losses,
        "n": one.n,
        "examples": one.examples,
        "clearly_beats": list(one.clearly_beats),
    }


def _contestant(one: Contestant) -> dict[str, Any]:
    return {"key": one.key, "title": one.title, "prompt": one.path, "version": one.number}


def _limits(limits: tuple[float, float] | None) -> dict[str, float] | None:
    return None if limits is None else {"low": limits[0], "high": limits[1]}
