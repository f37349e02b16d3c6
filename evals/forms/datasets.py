"""Forms of datasets: rows, uploads, the doctor and proposed rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from evals.forms.fields import MONO, Commas, Json, JsonLines, Lines
from evals.queries.output_diffs import as_text


class NewDataset(forms.Form):
    name = forms.CharField(max_length=120, help_text="For people, such as “Golden mails”")
    slug = forms.CharField(
        max_length=60, required=False, label="Name in addresses", widget=forms.TextInput(attrs=MONO),
        help_text="Lower-case letters, digits and hyphens; empty: made from the name",
    )  # fmt: skip
    description = Lines(rows=2, mono=False, required=False, max_length=2000, label="What is it for?")


class SaveVersion(forms.Form):
    message = forms.CharField(
        max_length=500, required=False, label="What changed?", widget=forms.TextInput(attrs={"placeholder": "Optional"})
    )


class ExampleForm(forms.Form):
    """One example, with a field for each input and for each part of the expected answer.

    `json_fields` names the fields whose values are not text: they are shown and read as JSON.
    """

    tags = Commas(required=False, max_length=2000, help_text="Commas between tags")
    split = forms.CharField(required=False, max_length=40, help_text="Such as dev or test")
    contexts = JsonLines(required=False, rows=2, help_text="A JSON list of texts that the answer should rest on")
    metadata = JsonLines(required=False, rows=2, help_text="A JSON object; runs do not send it to the model")

    def __init__(
        self, data: Any = None, *, inputs: Mapping[str, Json], expected: Json, initial: Mapping[str, Json] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.input_names = list(inputs)
        self.nulls: set[str] = set()
        self.expected_names = list(expected) if isinstance(expected, dict) and expected else []
        for name, value in inputs.items():
            self._add("inputs", name, value, required=False)
        if not inputs:
            self.fields["inputs"] = JsonLines(
                label="Inputs", rows=4, help_text='A JSON object with the prompt\'s variables, such as {"mail": "…"}'
            )
        if self.expected_names:
            for name in self.expected_names:
                self._add("expected", name, expected[name], required=False)
        else:
            self._add("expected", "", expected, required=False)
        self.order_fields(self._order())

    def _add(self, group: str, name: str, value: Json, *, required: bool) -> None:
        key = f"{group}.{name}" if name else group
        if value is None:
            self.nulls.add(key)
        is_text = value is None or isinstance(value, str)
        rows = min(max(as_text(value).count("\n") + 1, 1), 12)
        field = Lines(required=required, rows=rows) if is_text else JsonLines(required=required, rows=rows)
        field.label = name if group == "inputs" else key
        if not is_text:
            field.help_text = "Read as JSON"
        elif key == "expected":
            field.help_text = "The right answer; empty when there is none"
        self.fields[key] = field
        self.initial.setdefault(key, as_text(value))

    def _order(self) -> list[str]:
        return [name for name in self.fields if name.split(".")[0] in {"inputs", "expected"}]

    @property
    def input_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.split(".")[0] == "inputs"]

    @property
    def expected_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.split(".")[0] == "expected"]

    @property
    def more_fields(self) -> list[forms.BoundField]:
        return [self["contexts"], self["metadata"]]

    @property
    def more_is_open(self) -> bool:
        return any(field.errors for field in self.more_fields)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.input_names and not isinstance(cleaned.get("inputs", {}), dict):
            self.add_error("inputs", "This must be a JSON object: names with their values, between braces.")
        if not isinstance(cleaned.get("contexts") or [], list):
            self.add_error("contexts", "This must be a JSON list.")
        if not isinstance(cleaned.get("metadata") or {}, dict):
            self.add_error("metadata", "This must be a JSON object.")
        return cleaned

    @property
    def inputs(self) -> dict[str, Json]:
        if not self.input_names:
            return dict(self.cleaned_data.get("inputs") or {})
        return {name: self._value(f"inputs.{name}") for name in self.input_names}

    @property
    def expected(self) -> Json:
        if self.expected_names:
            return {name: self._value(f"expected.{name}") for name in self.expected_names}
        value = self._value("expected")
        return None if value == "" else value

    def _value(self, key: str) -> Json:
        """An empty field gives back the null that was there, so that opening and keeping a row changes nothing."""
        value = self.cleaned_data.get(key)
        return None if value == "" and key in self.nulls else value


class Upload(forms.Form):
    file = forms.FileField(
        label="File", allow_empty_file=True, help_text="CSV with a header line, JSON (a list of objects) or JSONL",
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.json,.jsonl,.ndjson"}),
    )  # fmt: skip


class ColumnMapping(forms.Form):
    """Where each column of a file goes. Columns are numbered, because their names may be anything."""

    skip_known = forms.BooleanField(required=False, initial=True, label="Leave out rows that are already there")

    def __init__(
        self, data: Any = None, *, columns: Sequence[str], targets: Mapping[str, str], samples: Mapping[str, str]
    ) -> None:
        super().__init__(data)
        self.columns = list(columns)
        for index, column in enumerate(self.columns):
            sample = samples.get(column, "")
            self.fields[f"column_{index}"] = forms.CharField(
                label=column or f"column {index + 1}",
                required=False,
                max_length=200,
                initial=targets.get(column, ""),
                widget=forms.TextInput(attrs={**MONO, "list": "targets"}),
                help_text=f"Such as “{sample[:60]}”" if sample else "",
            )

    @property
    def names(self) -> dict[str, str]:
        """What the services call the fields: the columns' own names."""
        return {column: f"column_{index}" for index, column in enumerate(self.columns)}

    @property
    def column_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.names.values()]

    @property
    def targets(self) -> dict[str, str]:
        return {column: self.cleaned_data[f"column_{index}"].strip() for index, column in enumerate(self.columns)}


class NewCheckup(forms.Form):
    """How closely the dataset doctor looks."""

    threshold = forms.TypedChoiceField(
        choices=[("0.7", "0.7, also loosely alike"), ("0.8", "0.8"), ("0.9", "0.9, only closely alike")],
        coerce=float, initial="0.8", label="Alike from", help_text="Share of common character n-grams of two inputs",
    )  # fmt: skip
    last_runs = forms.IntegerField(
        min_value=1, max_value=20, initial=5, label="Last runs", help_text="Finished runs whose verdicts are read"
    )


class ActOnFinding(forms.Form):
    """Either the row to remove, or a tag for all rows of the finding."""

    remove = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    tag = forms.CharField(required=False, max_length=60, label="Tag for these rows")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not given.get("remove") and not given.get("tag"):
            self.add_error("tag", "Name a tag.")
        return given


class AskForRows(forms.Form):
    """What a model shall write new rows about."""

    source = forms.ChoiceField(label="From")
    description = Lines(
        rows=3, mono=False, required=False, max_length=4000, label="What should the rows be about?",
        help_text="Sent to the model with a few rows of the dataset",
    )  # fmt: skip
    run = forms.ChoiceField(required=False, help_text="For rows that failed")
    tags = Commas(
        required=False,
        max_length=2000,
        label="Topics",
        help_text="For topics with few rows: tags; empty: the rarest five",
    )
    count = forms.IntegerField(min_value=1, max_value=20, initial=5, label="How many")
    split = forms.CharField(required=False, max_length=40, help_text="That accepted rows belong to, such as dev")
    connection = forms.ChoiceField(required=False)
    model = forms.CharField(required=False, max_length=200, help_text="Empty: the connection's")

    def __init__(
        self,
        *args: Any,
        sources: Sequence[tuple[str, str]],
        runs: Sequence[tuple[str, str]],
        connections: Sequence[tuple[str, str]],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        for name, found in (("source", sources), ("run", [("", "None"), *runs]), ("connection", connections)):
            choice = self.fields[name]
            assert isinstance(choice, forms.ChoiceField)
            choice.choices = list(found)
