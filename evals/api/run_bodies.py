"""What a client sends to start runs, and the matrix in it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from evals.services import run_groups, run_requests
from llmops.common.errors import DomainError, Invalid
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import Version

MOST = 2**31 - 1


class Matrix(serializers.Serializer[Any]):
    """Every combination becomes a run; an empty side has one value, the run's own."""

    versions = serializers.ListField(
        child=serializers.JSONField(), required=False, default=list, max_length=run_groups.MOST_CELLS,
        help_text="numbers or labels",
    )  # fmt: skip
    models = serializers.ListField(
        child=serializers.JSONField(), required=False, default=list, max_length=run_groups.MOST_CELLS,
        help_text="names, or {model, connection}",
    )  # fmt: skip
    parameters = serializers.ListField(
        child=serializers.DictField(), required=False, default=list, max_length=run_groups.MOST_CELLS
    )


class RunBody(serializers.Serializer[Any]):
    """Exactly one of `prompt`, `recorded` and `regrades`.

    Without `version` (a number) and `label` it is the prompt's newest version.
    """

    prompt = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=MOST)
    label = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)  # type: ignore[assignment]
    recorded = serializers.CharField(
        max_length=200, required=False, default="", allow_blank=True, help_text="score this column, call no model"
    )
    regrades = serializers.CharField(
        max_length=60, required=False, default="", allow_blank=True, help_text="a run whose outputs are graded anew"
    )
    dataset = serializers.CharField(max_length=60)
    dataset_version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=MOST
    )
    evaluators = serializers.ListField(
        child=serializers.JSONField(), help_text="slugs, or configurations such as {metric, params}"
    )
    split = serializers.CharField(
        max_length=40, required=False, default="", allow_blank=True, help_text="run only the rows of this split"
    )
    repeats = serializers.IntegerField(required=False, default=1, min_value=1, max_value=MOST)
    concurrency = serializers.IntegerField(
        required=False, default=run_requests.DEFAULT_IN_FLIGHT, min_value=1, max_value=MOST, help_text="calls in flight"
    )
    model = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    connection = serializers.CharField(max_length=120, required=False, default="", allow_blank=True)
    max_cost_usd = serializers.DecimalField(
        max_digits=14, decimal_places=8, required=False, allow_null=True, default=None
    )
    use_cache = serializers.BooleanField(required=False, default=True)
    application_commit = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)
    priority = serializers.ChoiceField(
        list(run_requests.PRIORITIES), required=False, default="normal", help_text="among the runs of the project"
    )
    parameters = serializers.DictField(required=False, default=dict, help_text="in place of the prompt's own")


class StartRun(RunBody):
    """With `matrix` many runs start at once, and `max_cost_usd` caps them together."""

    matrix = Matrix(required=False, allow_null=True, default=None)
    stop_early = serializers.CharField(
        max_length=60, required=False, default="", allow_blank=True,
        help_text="id of a finished run: end as soon as it is clear which of the two is better",
    )  # fmt: skip
    margin = serializers.FloatField(
        required=False, allow_null=True, default=None, help_text="with stop_early: end when no worse by so many points"
    )


def axes(project: Project, path: str, matrix: dict[str, Any]) -> run_groups.Axes:
    """:raises Invalid: naming the value of the matrix that does not exist."""
    if not path and (matrix["versions"] or matrix["models"] or matrix["parameters"]):
        raise Invalid("The run is not acceptable.", fields={"prompt": "a matrix is over a prompt"})
    versions = [_cell_version(project, path, place, value) for place, value in enumerate(matrix["versions"])]
    models = [_cell_model(place, value) for place, value in enumerate(matrix["models"])]
    return run_groups.Axes(versions, models, matrix["parameters"])


def _cell_version(project: Project, path: str, place: int, value: Any) -> Version:
    field = f"matrix.versions[{place}]"
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not (is_number and 1 <= value <= MOST) and not (isinstance(value, str) and 0 < len(value) <= 60):
        raise Invalid("The matrix is not acceptable.", fields={field: "a number or a label"})
    try:
        artifact = prompt_queries.artifact_in(project, path)
        return prompt_queries.version_in(
            artifact, number=value if is_number else None, label=None if is_number else value
        )
    except DomainError as error:
        raise Invalid(error.message, fields={field: error.message}) from None


def _cell_model(place: int, value: Any) -> run_groups.OnModel:
    wanted = {"model": value} if isinstance(value, str) else value
    is_good = (
        isinstance(wanted, dict)
        and wanted.keys() <= {"model", "connection"}
        and all(isinstance(one, str) and len(one) <= 200 for one in wanted.values())
    )
    if not is_good:
        raise Invalid(
            "The matrix is not acceptable.", fields={f"matrix.models[{place}]": "a name, or {model, connection}"}
        )
    return run_groups.OnModel(**wanted)
