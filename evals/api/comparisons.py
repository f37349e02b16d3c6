"""REST: which of two runs is better, and what changed between them."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.queries import changes, comparisons
from evals.queries import runs as queries
from evals.queries.comparisons import ComparedEvaluator
from evals.statistics import Interval, Test
from llmops.common import ids
from llmops.common.errors import Invalid
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class CompareRuns(serializers.Serializer[Any]):
    """`a` is the baseline, `b` the candidate. `margin` is the loss accepted beforehand, in points of 100."""

    a = serializers.CharField(max_length=60, help_text="id of the baseline's run")
    b = serializers.CharField(max_length=60, help_text="id of the candidate's run")
    margin = serializers.FloatField(required=False, allow_null=True, default=None, help_text="such as 3")


class ComparePairs(serializers.Serializer[Any]):
    """`run` is given once for each run; `evaluator` defaults to the first that all have."""

    run = serializers.ListField(
        child=serializers.CharField(max_length=60), min_length=2, max_length=comparisons.MOST_IN_PAIRS
    )
    evaluator = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class RunPairs(ProjectAPIView):
    """Several runs, each against each later one, by one evaluator; the adjusted p-values are Holm's over the pairs."""

    permissions: ClassVar = {"GET": Permission.RUN_READ}
    serializer_class = ComparePairs

    @extend_schema(
        operation_id="runs_pairs",
        parameters=[ComparePairs],
        responses={200: OpenApiResponse(description="a word for each pair, and the numbers behind it")},
    )
    def get(self, request: Request) -> Response:
        asked = self.get_serializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        found = comparisons.every_pair([queries.run_in(self.project, uid) for uid in given["run"]], given["evaluator"])
        return Response(
            {
                "evaluator": found.chosen,
                "evaluators": list(found.evaluators),
                "pairs": [
                    {"a": ids.public("run", pair.baseline.uid), "b": ids.public("run", pair.candidate.uid)}
                    | {"paired": pair.compared.comparison.is_paired, "compared": _evaluator(pair.compared)}
                    for pair in found.pairs
                ],
            }
        )


class RunCompare(ProjectAPIView):
    """A word for each evaluator that both runs have, the numbers behind it, and every setting that differs.

    Differences are candidate less baseline, turned so that positive is good, in the metric's own unit. The adjusted
    p-values are Holm's over the evaluators.
    """

    permissions: ClassVar = {"GET": Permission.RUN_READ}
    serializer_class = CompareRuns

    @extend_schema(
        operation_id="runs_compare",
        parameters=[CompareRuns],
        responses={200: OpenApiResponse(description="the comparison")},
    )
    def get(self, request: Request) -> Response:
        asked = self.get_serializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        baseline, candidate = (queries.run_in(self.project, given[name]) for name in ("a", "b"))
        if baseline == candidate:
            raise Invalid("A run is not compared with itself.", fields={"b": "another run than a"})
        margin = comparisons.margin_of(given["margin"])
        found = comparisons.comparison_of(baseline, candidate, margin=margin)
        return Response(
            {
                "a": ids.public("run", baseline.uid),
                "b": ids.public("run", candidate.uid),
                "paired": found.is_paired,
                "identical_outputs": found.is_identical,
                "examples": {
                    "a": found.examples[0],
                    "b": found.examples[1],
                    "shared": found.shared,
                    "edited": found.edited,
                },
                "margin": given["margin"],
                "evaluators": [_evaluator(one) for one in found.evaluators],
                "changes": [
                    {"name": change.name, "a": change.before, "b": change.after}
                    for change in changes.changes_between(baseline, candidate)
                ],
            }
        )


def _evaluator(one: ComparedEvaluator) -> dict[str, Any]:
    comparison, difference = one.comparison, one.comparison.difference
    return {
        "name": one.name,
        "same_configuration": one.is_same,
        "word": one.verdict.word,
        "sentence": one.verdict.sentence,
        "p": comparison.tests[0].p if comparison.tests else None,
        "p_adjusted": one.verdict.p_adjusted,
        "examples_needed": one.verdict.needed,
        "a": one.baseline_mean,
        "b": one.candidate_mean,
        "difference": {
            "value": difference.value,
            "interval": _interval(difference.interval),
            "n": difference.n,
            "unscored": difference.unscored,
            "notes": list(difference.notes),
        },
        "wins": comparison.wins,
        "losses": comparison.losses,
        "ties": comparison.ties,
        "tests": [_test(test) for test in comparison.tests],
        "other_intervals": [_interval(interval) for interval in one.alternatives],
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {"low": interval.low, "high": interval.high, "level": interval.level, "method": interval.method}


def _test(test: Test) -> dict[str, Any]:
    statistic = test.statistic if math.isfinite(test.statistic) else None
    return {"method": test.method, "p": test.p, "statistic": statistic}
