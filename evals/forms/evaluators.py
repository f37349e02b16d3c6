"""Forms of metrics and judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.conf import settings

from evals.forms.fields import MONO, Json, JsonLines, Lines, OnePerLine
from evals.judges.catalogue import Template
from evals.metrics import parameters
from evals.queries.output_diffs import as_text
from llmops.common import text
from llmops.common.errors import DomainError


class NewEvaluator(forms.Form):
    """A metric with the parameters of its dataclass, or a judge with its prompt."""

    name = forms.CharField(max_length=120, help_text="For people, such as “Right category”")
    slug = forms.CharField(
        max_length=60, required=False, label="Name in addresses", widget=forms.TextInput(attrs=MONO),
        help_text="Lower-case letters, digits and hyphens; empty: made from the name",
    )  # fmt: skip


class Parameters(forms.Form):
    """One field for each parameter of a metric, and those that every metric has."""

    MODIFIERS = (
        parameters.Field("threshold", "number", None, "the value that passes; empty: the metric's own rule", ()),
        parameters.Field("negate", "yes or no", False, "turn value and verdict around: what was right is wrong", ()),
    )

    def __init__(
        self,
        data: Any = None,
        *,
        metric: str,
        fields: Sequence[parameters.Field],
        spec: Mapping[str, Json],
        typed: Mapping[str, str],
    ) -> None:
        every = (*fields, *self.MODIFIERS)
        super().__init__(
            data,
            prefix="params",
            initial={f.name: typed[key] for f in every if (key := self.add_prefix(f.name)) in typed},
        )
        self.metric = metric
        self.parameters = fields
        values = {**spec.get("params", {}), **{name: spec[name] for name in ("threshold", "negate") if name in spec}}
        for field in every:
            self.fields[field.name] = _parameter(field, values.get(field.name, field.default))

    def add_prefix(self, field_name: str) -> str:
        return field_name if field_name in ("threshold", "negate") else f"params.{field_name}"

    @property
    def spec(self) -> dict[str, Json]:
        spec: dict[str, Json] = {"metric": self.metric, "params": self.values}
        if self.cleaned_data.get("threshold") is not None:
            spec["threshold"] = self.cleaned_data["threshold"]
        return spec | ({"negate": True} if self.cleaned_data.get("negate") else {})

    @property
    def values(self) -> dict[str, Json]:
        """What was typed, without what was left empty; only for a valid form."""
        typed = {field.name: self.cleaned_data.get(field.name) for field in self.parameters}
        return {name: value for name, value in typed.items() if value not in (None, "", [], {})}


def _parameter(field: parameters.Field, value: Json) -> forms.Field:
    shown: dict[str, Any] = {
        "label": field.name.replace("_", " "),
        "help_text": _sentence(field.meaning),
        "required": False,
    }
    if field.choices:
        return forms.ChoiceField(choices=[(word, word) for word in field.choices], initial=value, **shown)
    if field.kind == "yes or no":
        return forms.BooleanField(initial=value, **shown)
    if field.kind == "number":
        return forms.FloatField(initial=value, **shown)
    if field.kind == "whole number":
        return forms.IntegerField(initial=value, **shown)
    if field.kind == "texts":
        shown["help_text"] += ". One text a line"
        return OnePerLine(initial="\n".join(value or []), **shown)
    if field.kind == "object":
        return JsonLines(rows=6, initial=as_text(value) if value else "", **shown)
    return Lines(rows=1, initial=value or "", **shown)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


class JudgeModels(forms.Form):
    """Who decides, and what a pairwise judge compares with."""

    baseline = forms.CharField(
        max_length=200, label="Compared with", widget=forms.TextInput(attrs=MONO),
        help_text="A column of the dataset, such as expected, or the id of a run whose outputs are the other answers",
    )  # fmt: skip
    connection = forms.ChoiceField(required=False, help_text="Who answers")
    model = forms.CharField(
        max_length=200, required=False, help_text="Empty: as the rubric says", widget=forms.TextInput(attrs=MONO)
    )
    panel = Lines(
        required=False, rows=2, max_length=2_000, label="Further models that vote",
        help_text="One a line: a model, or a connection, a bar and a model, such as “Main account | large”",
    )  # fmt: skip

    counterfactual = forms.BooleanField(
        required=False, label="Ask once more, with a false reference",
        help_text="Finds outputs that pass whatever the right answer is: they talk the judge round. Twice the calls",
    )  # fmt: skip

    def prepare(self, connections: Sequence[tuple[str, str]], *, is_pairwise: bool, has_reference: bool = True) -> None:
        """Fill the choices, and leave out what only a pairwise judge needs, or one with a reference."""
        self.fields["connection"].choices = connections  # type: ignore[attr-defined]
        if not is_pairwise:
            del self.fields["baseline"]
        if is_pairwise or not has_reference:
            del self.fields["counterfactual"]

    def clean_panel(self) -> list[dict[str, str]]:
        found = []
        for line in self.cleaned_data["panel"].split("\n"):
            connection, _, model = line.rpartition("|")
            if line.strip():
                found.append({"connection": connection.strip(), "model": model.strip()})
        return found

    @property
    def models(self) -> dict[str, Json]:
        """The part of the configuration that this form holds."""
        given = self.cleaned_data
        found: dict[str, Json] = {"connection": given["connection"], "model": given["model"], "panel": given["panel"]}
        if baseline := given.get("baseline"):
            found["baseline"] = {"run" if baseline.startswith("run_") else "column": baseline}
        if given.get("counterfactual"):
            found["counterfactual"] = True
        return found

    @staticmethod
    def initial_of(spec: Mapping[str, Json]) -> dict[str, Json]:
        voters = [
            f"{one.get('connection')} | {one['model']}" if one.get("connection") else one["model"]
            for one in spec.get("panel") or []
        ]
        return {
            "connection": spec.get("connection", ""),
            "model": spec.get("model", ""),
            "panel": "\n".join(voters),
            "baseline": next(iter((spec.get("baseline") or {}).values()), ""),
            "counterfactual": bool(spec.get("counterfactual")),
        }


class TemplateForm(JudgeModels):
    """A judge from a ready rubric, which becomes a prompt of the project."""

    def __init__(
        self, data: Any = None, *, template: Template, connections: Sequence[tuple[str, str]], typed: Mapping[str, str]
    ) -> None:
        super().__init__(data, initial=dict(typed))
        self.template = template
        self.metric = f"template.{template.name}"
        self.prepare(
            connections, is_pairwise=template.scale["kind"] == "pairwise", has_reference="expected" in template.needs
        )


class MeasureJudge(forms.Form):
    """A finished run of the judge, and where people's labels are."""

    run = forms.ChoiceField(help_text="A finished run of this judge over labelled examples")
    column = forms.CharField(
        max_length=200, label="Column with people's labels", widget=forms.TextInput(attrs=MONO),
        help_text="A column of the run's dataset, such as human or expected",
    )  # fmt: skip
    positive = forms.CharField(
        max_length=200, required=False, label="Label that passes",
        help_text="Only for pass or fail, and labels other than yes and no, true and false, 1 and 0",
    )  # fmt: skip
    source = forms.CharField(
        max_length=200, required=False, label="Source of the labels", help_text="Such as “two reviewers, March”"
    )
    group = forms.CharField(
        max_length=200, required=False, label="Column with groups", widget=forms.TextInput(attrs=MONO),
        help_text="Where several rows come from one document or conversation: the column that names it",
    )  # fmt: skip

    def __init__(self, data: Any = None, *, runs: Sequence[tuple[str, str]], **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["run"].choices = runs  # type: ignore[attr-defined]


class JudgeForm(JudgeModels):
    """A rubric, its scale, and who decides."""

    field_order = ("prompt", "version", "kind", "low", "high", "choices", "pass_at", "baseline", "connection", "model")
    prompt = forms.ChoiceField(label="Rubric", help_text="A prompt that shows {{ output }} and asks for a verdict")
    version = forms.IntegerField(
        required=False, min_value=1, label="Version of the rubric", help_text="Empty: the newest one, pinned now"
    )
    kind = forms.ChoiceField(
        label="Scale",
        choices=[
            ("pass_fail", "Pass or fail"),
            ("score", "A whole number"),
            ("choice", "One of several words"),
            ("pairwise", "Which of two answers is better"),
        ],
    )
    low = forms.IntegerField(required=False, initial=1, label="Lowest number")
    high = forms.IntegerField(required=False, initial=5, label="Highest number")
    choices = Lines(
        required=False, rows=3, label="Words",
        help_text="One a line with its value between 0 and 1, such as “good = 1”",
    )  # fmt: skip
    pass_at = forms.FloatField(
        required=False, min_value=0, max_value=1, label="Passes from",
        help_text="Between 0 and 1, on the scale from lowest to highest; empty: no pass mark",
    )  # fmt: skip

    # What the services call these fields.
    NAMES: ClassVar = {
        "judge.prompt": "prompt", "judge.version": "version", "scale.kind": "kind", "scale.low": "low",
        "scale.high": "high", "scale.choices": "choices", "scale.pass_at": "pass_at",
    }  # fmt: skip

    def __init__(
        self,
        data: Any = None,
        *,
        prompts: Sequence[str],
        connections: Sequence[tuple[str, str]],
        spec: Mapping[str, Json],
        typed: Mapping[str, str],
    ) -> None:
        scale = spec.get("scale", {})
        initial = {
            **spec.get("judge", {}),
            **scale,
            "choices": "\n".join(f"{word} = {value:g}" for word, value in scale.get("choices", {}).items()),
            **self.initial_of(spec),
            **typed,
        }
        super().__init__(data, initial={name: value for name, value in initial.items() if value is not None})
        self.fields["prompt"].choices = [("", "Choose a prompt"), *((path, path) for path in prompts)]  # type: ignore[attr-defined]
        kind = (data or initial).get("kind", "pass_fail")
        self.prepare(connections, is_pairwise=kind == "pairwise")
        unused = {"pass_fail": ("low", "high", "choices", "pass_at"), "score": ("choices",), "choice": ("low", "high")}
        unused["pairwise"] = unused["pass_fail"]
        for name in unused.get(kind, ()):
            del self.fields[name]

    def clean_choices(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for line in self.cleaned_data["choices"].split("\n"):
            word, _, value = line.rpartition("=")
            if not line.strip():
                continue
            try:
                found[word.strip()] = float(value)
            except ValueError:
                raise forms.ValidationError(
                    f"“{line.strip()[:60]}” is not a word, an equals sign and a number."
                ) from None
            if not word.strip():
                raise forms.ValidationError(f"“{line.strip()[:60]}” has no word before the equals sign.")
        return found

    @property
    def spec(self) -> dict[str, Json]:
        given = self.cleaned_data
        judge = {"prompt": given["prompt"]} | ({"version": given["version"]} if given["version"] else {})
        scale: dict[str, Json] = {"kind": given["kind"]}
        if given["kind"] == "score":
            scale |= {name: given[name] for name in ("low", "high") if given.get(name) is not None}
        if given["kind"] == "choice":
            scale["choices"] = given["choices"]
        if given.get("pass_at") is not None:
            scale["pass_at"] = given["pass_at"]
        return {"judge": judge, "scale": scale, **self.models}


class TryEvaluator(forms.Form):
    output = Lines(rows=3, required=False, label="Output")
    expected = Lines(rows=2, required=False, label="Expected", help_text="Text, or JSON when it starts with { or [")

    def __init__(self, data: Any = None, *, form_id: str) -> None:
        super().__init__(data)
        for field in self.fields.values():
            field.widget.attrs["form"] = form_id

    def clean_expected(self) -> Json:
        typed = self.cleaned_data["expected"]
        if typed.strip()[:1] not in ("{", "["):
            return typed or None
        try:
            return text.loads(typed, max_bytes=settings.MAX_JSON_BYTES)
        except DomainError as error:
            raise forms.ValidationError(error.message) from None
