"""Forms of the theme pages. Rules live in the services, which every face shares."""

from __future__ import annotations

from typing import Any

from django import forms

from evals.models import Dataset
from evals.queries import datasets as dataset_queries
from evals.queries import evaluators as evaluator_queries
from feedback.models import Theme
from feedback.queries import themes as queries
from feedback.services import theme_rows
from llmops.common import text
from llmops.gateway import queries as gateway_queries
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import Artifact

LONGEST_PROMPT = 200_000


def storable(value: str) -> None:
    """:raises ValidationError: for text that no database keeps."""
    if (reason := text.problem(value)) is not None:
        raise forms.ValidationError(f"The text {reason}.")


class Rename(forms.Form):
    name = forms.CharField(max_length=120, validators=[storable])


class Merge(forms.Form):
    into = forms.ChoiceField(label="Merge into")

    def __init__(self, data: Any = None, *, theme: Theme) -> None:
        super().__init__(data)
        others = queries.themes_in(theme.project).exclude(pk=theme.pk).order_by("name")[: queries.MOST_LISTED]
        self.fields["into"].choices = [(queries.ref(other), other.name) for other in others]  # type: ignore[attr-defined]


class Split(forms.Form):
    """`items` are the checked complaints; `action` splits them off or takes them out."""

    name = forms.CharField(
        max_length=120, required=False, validators=[storable], label="Name of the new theme",
        help_text="Empty: its top terms.",
    )  # fmt: skip
    action = forms.ChoiceField(choices=[("split", "Split off"), ("remove", "Take out")], required=False)


class Rows(forms.Form):
    """Where proposed rows go."""

    dataset = forms.ModelChoiceField(queryset=Dataset.objects.none(), to_field_name="slug", empty_label=None)
    count = forms.IntegerField(min_value=1, max_value=theme_rows.MOST_ROWS, initial=theme_rows.DEFAULT_ROWS)
    split = forms.CharField(max_length=40, required=False, validators=[storable], help_text="Such as dev or test")

    def __init__(self, data: Any = None, *, project: Project, prefix_id: str) -> None:
        super().__init__(data, auto_id=f"{prefix_id}_%s")
        self.fields["dataset"].queryset = dataset_queries.datasets_in(project)  # type: ignore[attr-defined]


class Ask(forms.Form):
    """Which model is asked."""

    connection = forms.ChoiceField(required=False)
    model = forms.CharField(
        max_length=200, required=False, validators=[storable], help_text="Empty: the connection’s own"
    )

    def __init__(self, data: Any = None, *, project: Project, prefix_id: str) -> None:
        super().__init__(data, auto_id=f"{prefix_id}_%s")
        names = gateway_queries.connections_in(project).values_list("name", flat=True)
        self.fields["connection"].choices = [("", "The project’s default"), *((n, n) for n in names)]  # type: ignore[attr-defined]


class Cases(Ask):
    dataset = forms.ModelChoiceField(queryset=Dataset.objects.none(), to_field_name="slug", empty_label=None)
    count = forms.IntegerField(min_value=1, max_value=20, initial=5)
    split = forms.CharField(max_length=40, required=False, validators=[storable], help_text="Such as dev or test")
    field_order = ("dataset", "count", "split", "connection", "model")

    def __init__(self, data: Any = None, *, project: Project, prefix_id: str) -> None:
        super().__init__(data, project=project, prefix_id=prefix_id)
        self.fields["dataset"].queryset = dataset_queries.datasets_in(project)  # type: ignore[attr-defined]


class Change(Ask):
    prompt = forms.ModelChoiceField(queryset=Artifact.objects.none(), to_field_name="path", empty_label=None)
    field_order = ("prompt", "connection", "model")

    def __init__(self, data: Any = None, *, project: Project, prefix_id: str, likely: str = "") -> None:
        super().__init__(data, project=project, prefix_id=prefix_id)
        self.fields["prompt"].queryset = prompt_queries.artifacts_in(project)  # type: ignore[attr-defined]
        self.initial["prompt"] = likely


class Decide(forms.Form):
    """The drafted prompt as a person leaves it."""

    content = forms.CharField(
        strip=False, max_length=LONGEST_PROMPT, widget=forms.Textarea(attrs={"rows": 16, "class": "mono"}),
        label="The drafted prompt", help_text="Change what you like before you save.", required=False,
    )  # fmt: skip
    message = forms.CharField(max_length=2000, required=False, validators=[storable], label="What changed, and why?")
    then = forms.ChoiceField(choices=[(name, name) for name in ("save", "edit", "refuse")])

    def clean_content(self) -> str:
        value: str = self.cleaned_data["content"].replace("\r\n", "\n")
        storable(value)
        return value


class Evaluate(Ask):
    dataset = forms.ModelChoiceField(queryset=Dataset.objects.none(), to_field_name="slug", empty_label=None)
    evaluators = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    max_cost_usd = forms.DecimalField(
        min_value=0, max_digits=12, decimal_places=4, required=False, label="Most to spend, in US dollars",
        help_text="For both runs together",
    )  # fmt: skip
    field_order = ("dataset", "evaluators", "max_cost_usd", "connection", "model")

    def __init__(self, data: Any = None, *, project: Project, prefix_id: str = "evaluate") -> None:
        super().__init__(data, project=project, prefix_id=prefix_id)
        self.fields["dataset"].queryset = dataset_queries.datasets_in(project)  # type: ignore[attr-defined]
        found = [(one.slug, one.name) for one in evaluator_queries.evaluators_in(project)[:100]]
        self.fields["evaluators"].choices = found  # type: ignore[attr-defined]
