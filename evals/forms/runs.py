"""Forms of runs, of matrices of runs and of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from evals.forms.fields import MONO, Commas, JsonLines, Lines

SOURCES = [("prompt", "Answers of a prompt"), ("recorded", "Recorded outputs of the dataset")]
# What names another run, and so makes no sense for many runs at once or later.
OF_ONE_RUN = ("regrades", "stop_early", "margin")


class NewRun(forms.Form):
    """What to run; the choices are the project's own."""

    source = forms.ChoiceField(
        choices=[*SOURCES, ("regrade", "Outputs of an earlier run")],
        widget=forms.RadioSelect,
        initial="prompt",
    )
    prompt = forms.ChoiceField(required=False)
    version = forms.CharField(required=False, max_length=60, help_text="A number or a label; empty: the newest")
    recorded = forms.CharField(required=False, max_length=200, label="Column", help_text="Such as output")
    regrades = forms.CharField(
        required=False, max_length=60, label="Run", help_text="Its id; its outputs are graded anew, no model is called",
        widget=forms.TextInput(attrs=MONO),
    )  # fmt: skip
    connection = forms.ChoiceField(required=False)
    model = forms.CharField(required=False, max_length=200, help_text="Empty: the prompt's, else the connection's")
    dataset = forms.ChoiceField()
    dataset_version = forms.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Empty: the newest; unsaved edits are saved first"
    )
    split = forms.CharField(
        required=False, max_length=40, help_text="Only the rows of this split, such as dev; empty: all rows"
    )
    evaluators = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    repeats = forms.IntegerField(min_value=1, max_value=100, initial=1)
    max_cost_usd = forms.DecimalField(
        required=False, min_value=0, max_digits=12, decimal_places=6, label="Most money", help_text="US dollars"
    )
    concurrency = forms.IntegerField(min_value=1, max_value=1000, initial=20, label="Calls at once")
    priority = forms.ChoiceField(
        required=False,
        choices=[("normal", "Normal"), ("high", "High"), ("low", "Low")],
        help_text="Among this project's runs",
    )
    stop_early = forms.ChoiceField(
        required=False, label="Stop when it is clear against", help_text="A finished run over the same dataset"
    )
    margin = forms.FloatField(
        required=False,
        label="Loss you would accept, in points",
        help_text="Such as 3: the run also stops when it is no worse by so much",
        widget=forms.NumberInput(attrs={"step": "any", "min": "0.1", "max": "99"}),
    )

    def __init__(
        self,
        *args: Any,
        prompts: Sequence[str],
        datasets: Sequence[str],
        evaluators: Sequence[tuple[str, Any]],
        connections: Sequence[str],
        baselines: Sequence[tuple[str, str]],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        named = {"prompt": prompts, "dataset": datasets, "connection": connections}
        offered = {name: [(one, one) for one in found] for name, found in named.items()}
        offered["stop_early"] = [("", "Never: run to the end"), *baselines]
        for name, choices in offered.items():
            choice = self.fields[name]
            assert isinstance(choice, forms.ChoiceField)
            choice.choices = choices
        chosen = self.fields["evaluators"]
        assert isinstance(chosen, forms.MultipleChoiceField)
        chosen.choices = list(evaluators)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("source") == "recorded" and not given.get("recorded"):
            self.add_error("recorded", "Name the column that holds the outputs.")
        if given.get("source") == "prompt" and not given.get("prompt"):
            self.add_error("prompt", "Choose a prompt.")
        if given.get("source") == "regrade" and not given.get("regrades"):
            self.add_error("regrades", "Name the run whose outputs are graded.")
        return given


class Margin(forms.Form):
    """The loss that is accepted for a change, in points of 100; empty: none was allowed beforehand."""

    margin = forms.FloatField(
        required=False,
        label="Loss you would accept, in points",
        help_text="Such as 3. It counts only if it was chosen before the results were seen.",
        widget=forms.NumberInput(attrs={"step": "any", "min": "0.1", "max": "99", "placeholder": "3"}),
    )

    def clean_margin(self) -> float | None:
        points: float | None = self.cleaned_data["margin"]
        if points is not None and not 0 < points < 100:
            raise forms.ValidationError("More than 0 and less than 100 points.")
        return points


class ModelLines(Lines):
    """Models, one on a line: `name`, or `name @ connection`."""

    def clean(self, value: Any) -> list[tuple[str, str]]:
        found = []
        for line in super().clean(value).splitlines():
            model, at, connection = line.rpartition(" @ ")
            model, connection = (model, connection) if at else (line, "")
            if line.strip():
                found.append((model.strip(), connection.strip()))
        return found


class NewMatrix(NewRun):
    """What to run in every combination; an empty side has one value, the default."""

    versions = Commas(required=False, max_length=2_000, help_text="Numbers or labels with commas; empty: the newest")
    models = ModelLines(
        required=False, max_length=20_000, help_text="One on a line, such as gpt-5 or gpt-5 @ Main account"
    )
    settings = JsonLines(
        required=False,
        label="Parameters",
        max_length=20_000,
        help_text='A JSON list, such as [{"temperature": 0}, {"temperature": 1}]; empty: as the prompt says',
    )
    name = forms.CharField(required=False, max_length=200)

    field_order = ("name", "prompt", "versions", "models", "settings", "dataset", "dataset_version", "evaluators")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("source", "version", "recorded", "connection", "model", *OF_ONE_RUN):
            del self.fields[name]

    def clean_settings(self) -> list[dict[str, Any]]:
        given = self.cleaned_data["settings"]
        if given is None:
            return []
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise forms.ValidationError('A list of objects, such as [{"temperature": 0}].')
        return given

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if not given.get("prompt"):
            self.add_error("prompt", "Choose a prompt.")
        return given


class ScheduleForm(NewRun):
    """When, what, and who signs off."""

    name = forms.CharField(max_length=120, help_text="Such as Nightly check of production")
    cron = forms.CharField(
        required=False, max_length=100, label="When", widget=forms.TextInput(attrs=MONO),
        help_text="A cron line: minute, hour, day of month, month, day of week; 0 3 * * 1-5 is weekdays at three",
    )  # fmt: skip
    time_zone = forms.CharField(max_length=60, initial="UTC", help_text="Such as Europe/Berlin")
    on_change = forms.MultipleChoiceField(
        required=False,
        label="Also when this changes",
        choices=[
            ("dataset", "The dataset, when a version is saved"),
            ("label", "What the prompt's label points at"),
            ("judge", "An evaluator"),
        ],
        widget=forms.CheckboxSelectMultiple,
    )
    sign_off_by = forms.ChoiceField(required=False, help_text="Who is asked for a sign-off of each run")

    field_order = ("name", "cron", "time_zone", "on_change", "sign_off_by", "source", "prompt", "version", "recorded")

    def __init__(self, *args: Any, people: Sequence[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("dataset_version", *OF_ONE_RUN):
            del self.fields[name]
        source, chosen = self.fields["source"], self.fields["sign_off_by"]
        assert isinstance(source, forms.ChoiceField)
        source.choices = SOURCES
        assert isinstance(chosen, forms.ChoiceField)
        chosen.choices = [("", "Nobody"), *people]
