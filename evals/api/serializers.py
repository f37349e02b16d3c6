"""Shapes of datasets, examples, imports and evaluators in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from evals.importers import rows
from evals.judges.catalogue import Template
from evals.models import Example, Import
from evals.queries import datasets as dataset_queries
from evals.queries import evaluators as evaluator_queries
from llmops.common import ids


class NewDataset(serializers.Serializer[Any]):
    slug = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True, default="")


class DatasetChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)


class DatasetItem(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    columns = serializers.JSONField()
    version = serializers.IntegerField(source="newest_number", allow_null=True)
    examples = serializers.IntegerField(source="newest_examples", allow_null=True)
    created_at = serializers.DateTimeField()


class VersionItem(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="number")
    examples = serializers.IntegerField()
    content_hash = serializers.CharField()
    message = serializers.CharField()
    by = serializers.CharField()
    sealed_at = serializers.DateTimeField(allow_null=True)


class SealVersion(serializers.Serializer[Any]):
    message = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ExampleItem(serializers.Serializer[Any]):
    id = serializers.CharField(source="uid")
    inputs = serializers.JSONField()
    expected = serializers.JSONField(allow_null=True)
    contexts = serializers.ListField(child=serializers.CharField())
    metadata = serializers.JSONField()
    tags = serializers.ListField(child=serializers.CharField())
    split = serializers.CharField()
    call = serializers.SerializerMethodField(help_text="the logged call that it was made of, if any")
    item = serializers.SerializerMethodField(help_text="the labeled item whose settled answer is expected, if any")

    def get_call(self, example: Example) -> str | None:
        return ids.public("call", example.source_uid) if example.source_kind == "call" and example.source_uid else None

    def get_item(self, example: Example) -> str | None:
        return dataset_queries.labeled_item(example) or None


class NewExample(serializers.Serializer[Any]):
    """For the schema; examples are checked by the same rules as rows of files."""

    inputs = serializers.DictField(help_text="fills the prompt")
    expected = serializers.JSONField(required=False, help_text="one right answer, or a list of which any is right")
    contexts = serializers.ListField(child=serializers.CharField(), required=False)
    metadata = serializers.DictField(required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=rows.MAX_TAG), required=False)
    split = serializers.CharField(max_length=rows.MAX_SPLIT, required=False)


class Added(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    version = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.CharField())


class ImportItem(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    dataset = serializers.CharField(source="dataset.slug")
    state = serializers.CharField()
    file = serializers.CharField(source="file_name")
    format = serializers.CharField()
    progress = serializers.FloatField()
    rows_ok = serializers.IntegerField()
    rows_bad = serializers.IntegerField()
    rows_known = serializers.IntegerField()
    version = serializers.IntegerField(source="version_number", allow_null=True)
    error = serializers.CharField()
    problems = serializers.SerializerMethodField()

    def get_id(self, item: Import) -> str:
        return ids.public("imp", item.uid)

    def get_problems(self, item: Import) -> list[dict[str, Any]]:
        return [
            {"line": one.line, "column": one.column, "reason": one.reason, "excerpt": one.excerpt}
            for one in dataset_queries.problems_of(item)[:100]
        ]


class NewEvaluator(serializers.Serializer[Any]):
    slug = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True, default="")
    spec = serializers.JSONField(
        required=False, help_text='{"metric": …, "params": {…}} or {"judge": {"prompt": …}, "scale": {…}}'
    )
    template = serializers.CharField(
        max_length=60, required=False, help_text="the name of a judge template, in place of `spec`"
    )
    settings = serializers.DictField(
        required=False, help_text="with `template`: connection, model, panel and baseline of the judge"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("spec" in attrs) == ("template" in attrs):
            raise serializers.ValidationError({"spec": "exactly one of spec and template"})
        if "settings" in attrs and "template" not in attrs:
            raise serializers.ValidationError({"settings": "only together with template"})
        return attrs


class EvaluatorChange(serializers.Serializer[Any]):
    spec = serializers.JSONField()


class EvaluatorItem(serializers.Serializer[Any]):
    """An evaluator as it is in one version."""

    slug = serializers.CharField(source="evaluator.slug")
    name = serializers.CharField(source="evaluator.name")
    description = serializers.CharField(source="evaluator.description")
    version = serializers.IntegerField(source="number")
    spec = serializers.JSONField()
    created_at = serializers.DateTimeField()


class EvaluatorListItem(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.SerializerMethodField()
    spec = serializers.SerializerMethodField()

    def get_version(self, item: Any) -> int | None:
        return item.ordered_versions[0].number if item.ordered_versions else None

    def get_spec(self, item: Any) -> dict[str, Any] | None:
        return item.ordered_versions[0].spec if item.ordered_versions else None


class MetricParam(serializers.Serializer[Any]):
    name = serializers.CharField()
    kind = serializers.CharField()
    default = serializers.JSONField(allow_null=True)
    meaning = serializers.CharField()
    choices = serializers.ListField(child=serializers.CharField())


class MetricItem(serializers.Serializer[evaluator_queries.MetricShown]):
    name = serializers.CharField(source="metric.name")
    family = serializers.CharField(source="metric.family")
    meaning = serializers.CharField(source="metric.meaning")
    low = serializers.FloatField(allow_null=True, help_text="The smallest value; null: there is no smallest one")
    high = serializers.FloatField(allow_null=True, help_text="The largest value; null: there is no largest one")
    higher_is_better = serializers.BooleanField(source="metric.higher_is_better")
    unit = serializers.CharField(source="metric.unit", help_text="What a value counts; %: 1 is 100 %")
    pass_fail = serializers.BooleanField(
        source="metric.pass_fail", help_text="Whether it knows right and wrong without a threshold"
    )
    needs_call = serializers.BooleanField(
        source="metric.needs_call",
        help_text="Whether it looks at the call too, so that recorded outputs can be unscored",
    )
    asks_model = serializers.BooleanField(
        source="metric.asks_model", help_text="Whether its scores need calls of their own, as a judge's do"
    )
    params = MetricParam(many=True)
    params_schema = serializers.DictField(help_text="JSON Schema of `params`")


class Erased(serializers.Serializer[Any]):
    rows_blanked = serializers.IntegerField(help_text="0: it was blank already")


class JudgeTemplateItem(serializers.Serializer[Template]):
    """A ready rubric: save `content` as a prompt, and name that prompt in a judge with this scale."""

    name = serializers.CharField()
    title = serializers.CharField()
    meaning = serializers.CharField()
    scale = serializers.DictField()
    needs = serializers.ListField(child=serializers.CharField())
    content = serializers.CharField()
