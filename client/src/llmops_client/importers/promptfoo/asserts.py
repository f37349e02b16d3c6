"""promptfoo's assertions: which metric or judge says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.importers import templates
from llmops_client.importers.promptfoo.cases import Asserted
from llmops_client.importers.promptfoo.context import Context, Place, is_code, name_of
from llmops_client.importers.reading import NotThere

Json = Any
ONE, MANY, PATTERN, SCHEMA, NOTHING, RUBRIC = "one", "many", "pattern", "schema", "nothing", "rubric"


@dataclass(frozen=True, slots=True)
class Form:
    """How an assertion becomes an evaluator.

    `takes` is the shape of its value; `param` the metric's parameter that can hold the value in place of the example's
    expected one, empty when there is none; `threshold` promptfoo's own default; `limit` the parameter that takes the
    threshold, where it is no threshold of the score.
    """

    metric: str
    takes: str = ONE
    param: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    threshold: float | None = None
    limit: str = ""


FORMS = {
    "equals": Form("exact_match"),
    "contains": Form("contains", param="value"),
    "icontains": Form("icontains", param="value"),
    "contains-any": Form("contains_any", MANY, "values"),
    "icontains-any": Form("icontains_any", MANY, "values"),
    "contains-all": Form("contains_all", MANY, "values"),
    "icontains-all": Form("icontains_all", MANY, "values"),
    "starts-with": Form("starts_with", param="value", params={"ignore_space": False}),
    "regex": Form("regex", PATTERN, "pattern"),
    "is-json": Form("json_schema", SCHEMA, "schema"),
    "levenshtein": Form("levenshtein_within", params={"at_most": 5}, limit="at_most"),
    "contains-json": Form("json_schema", SCHEMA, "schema", {"anywhere": True}),
    "is-sql": Form("sql_valid", NOTHING),
    "contains-sql": Form("sql_valid", NOTHING, params={"anywhere": True}),
    "is-xml": Form("xml_valid", NOTHING),
    "contains-xml": Form("xml_valid", NOTHING, params={"anywhere": True}),
    "is-html": Form("html_valid", NOTHING),
    "contains-html": Form("html_valid", NOTHING, params={"anywhere": True}),
    "is-refusal": Form("refusal", NOTHING),
    "latency": Form("latency", NOTHING, limit="at_most"),
    "cost": Form("cost", NOTHING, limit="at_most"),
    "rouge-n": Form("rouge_1", threshold=0.75),
    "bleu": Form("bleu_words", threshold=0.5),
    "gleu": Form("gleu", threshold=0.5),
    "similar": Form("embedding_similarity", threshold=0.75),
    "similar:cosine": Form("embedding_similarity", threshold=0.75),
    "llm-rubric": Form("judge", RUBRIC),
    "model-graded-closedqa": Form("judge", RUBRIC),
    "factuality": Form("factuality", RUBRIC),
}
CODE_TYPES = frozenset({"javascript", "python", "ruby", "webhook"})
KNOWN_KEYS = frozenset(
    {"type", "value", "threshold", "metric", "weight", "provider", "config", "reason", "description"}
)


@dataclass(frozen=True, slots=True)
class Check:
    """An assertion on one case, converted. `settings` and `form` say which evaluator, `value` what it is held to."""

    type: str
    form: Form
    settings: tuple[tuple[str, Json], ...]
    value: Json
    place: Place


def read(asserted: Asserted, inputs: Mapping[str, Json], context: Context) -> Check | None:
    """The check, or None with a finding."""
    body, place = asserted.body, asserted.place
    kind = body.get("type")
    if not isinstance(kind, str):
        context.lose(place, "assertion", "without a type")
        return None
    form = FORMS.get(kind.removeprefix("not-"))
    if kind in CODE_TYPES:
        context.lose(place, f"{kind} assertion", str(body.get("value", ""))[:80].split("\n")[0])
        return None
    if form is None or (kind.startswith("not-") and form.takes == RUBRIC):
        context.lose(place, f"{kind} assertion", "the platform has no such metric")
        return None
    settings = _settings(kind, body, form, place, context)
    if settings is None:
        return None
    try:
        value = _value(body.get("value"), form, inputs, context)
    except (NotThere, Problem, ValueError) as error:
        context.lose(place, f"{kind} assertion", str(error))
        return None
    if form.takes == SCHEMA and value is None:
        form = Form("json_valid", NOTHING, params=form.params)
    if form.takes == NOTHING and body.get("value") is not None:
        context.lose(place, "value of an assertion", f"{kind}: {str(body['value'])[:60]}")
    return Check(kind, form, settings, value, place)


def _settings(
    kind: str, body: Mapping[str, Json], form: Form, place: Place, context: Context
) -> tuple[tuple[str, Json], ...] | None:
    found: dict[str, Json] = {"negate": True} if kind.startswith("not-") else {}
    for key in body.keys() - KNOWN_KEYS:
        context.lose(place, "setting of an assertion", key)
        if key in {"transform", "contextTransform"}:  # another text would be checked
            return None
    for key, told in (("metric", "several assertions under one name"), ("weight", "weighted sums of assertions")):
        if body.get(key) is not None:
            context.note(place, f"there are no {told}: each evaluator has its own score", str(body[key])[:60])
    if body.get("provider") is not None:
        context.note(place, "the judge's model is that of the project's connection")
    if body.get("config") is not None:
        context.lose(place, "setting of an assertion", "config")
    threshold = body.get("threshold", form.threshold)
    if threshold is not None:
        if isinstance(threshold, bool) or not isinstance(threshold, int | float):
            context.lose(place, "threshold of an assertion", str(threshold)[:40])
            return None
        if form.limit:
            found[form.limit] = threshold
        elif form.threshold is not None or form.metric == "judge":
            found["threshold"] = float(threshold)
        else:
            context.lose(place, "threshold of an assertion", f"{kind} {threshold:g}")
    return tuple(sorted(found.items()))


def _value(value: Json, form: Form, inputs: Mapping[str, Json], context: Context) -> Json:
    """The value in the shape that the form takes.

    :raises ValueError: when it has another one.
    """
    if isinstance(value, str) and value.startswith("file://"):
        if is_code(value):
            raise ValueError(f"made by code: {name_of(value)}")
        value = context.loaded(value)[0] if form.takes == SCHEMA else context.folder.text(name_of(value))
    if form.takes == SCHEMA:
        return _schema(value)
    if form.takes == NOTHING:
        return None
    if form.takes == MANY:
        items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if not isinstance(items, list) or not items or not all(isinstance(one, str | int | float) for one in items):
            raise ValueError("needs a list of texts")
        return [_rendered(templates.as_text(one), inputs) for one in items]
    if isinstance(value, dict | list) or value is None:
        raise ValueError("needs a text")
    return _rendered(templates.as_text(value), inputs)


def _schema(value: Json) -> Json:
    if value is None:
        return None
    if isinstance(value, str):
        value, _ = yamls.load(value, "the schema")
    if not isinstance(value, dict):
        raise ValueError("the schema is no object")
    return value


def _rendered(text: str, inputs: Mapping[str, Json]) -> str:
    done = templates.filled(text, inputs)
    if done is None:
        raise ValueError("a template that is more than {{ name }}")
    return done
