"""Forms of labeling: a new queue, and the answers of the work page read into the rubric's shape."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from evals.models import Dataset
from evals.queries import datasets as dataset_queries
from evals.queries import run_pages
from evals.queries import runs as run_queries
from feedback import labelfiles, rubrics
from feedback.models import Queue
from feedback.queries import rubrics as rubric_queries
from feedback.services import filling
from llmops.common import ids, text
from llmops.common.errors import DomainError, Invalid
from llmops.projects.models import Project

MAX_QUESTIONS_BYTES = 200_000
RECENT_RUNS = 20


class NewQueue(forms.Form):
    """A queue under an existing rubric."""

    slug = forms.SlugField(max_length=60, label="Name in addresses", help_text="Lower-case letters, digits, hyphens.")
    name = forms.CharField(max_length=120, required=False)
    rubric = forms.ChoiceField()
    annotators_per_item = forms.IntegerField(min_value=1, max_value=20, initial=2, label="People for each item")
    settle_by = forms.ChoiceField(choices=Queue.SettleBy.choices, label="An answer stands")
    labelers = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text="One member's address per line."
    )
    mask = forms.BooleanField(required=False, label="Mask personal data once more")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        slugs = rubric_queries.rubrics_in(project).values_list("slug", flat=True)
        self.fields["rubric"].choices = [(slug, slug) for slug in slugs]  # type: ignore[attr-defined]

    def clean_labelers(self) -> list[str]:
        return str(self.cleaned_data["labelers"]).split()


class Fill(forms.Form):
    """Where a queue's next items come from."""

    WAYS: ClassVar = [
        ("needs_label", "Feedback that needs a label"),
        ("complaints", "Open complaints: calls with a thumbs-down"),
        ("disagreement", "Results whose judge contradicts the user"),
        ("run", "Results of a run, by lot"),
        ("uncertainty", "Results of a run whose judge is unsure"),
    ]

    way = forms.ChoiceField(choices=WAYS, label="Items from")
    run = forms.ChoiceField(required=False, help_text="Only for results of a run.")
    most = forms.IntegerField(min_value=1, max_value=filling.MOST, initial=100, label="At most")

    def __init__(self, data: Any = None, *, project: Project) -> None:
        super().__init__(data, auto_id="fill-%s")
        recent = run_queries.runs_in(project)[:RECENT_RUNS]
        runs = [(ids.public("run", run.uid), run_pages.names(run).title) for run in recent]
        self.fields["run"].choices = [("", "No run"), *runs]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("way") in {"run", "uncertainty"} and not given.get("run") and "run" not in self.errors:
            self.add_error("run", "Choose a run.")
        return given


class ImportLabels(forms.Form):
    """A table of labels, and which of its columns is what."""

    file = forms.FileField(label="Table", help_text="CSV, JSON or JSONL, at most 10 MB.")
    question = forms.ChoiceField()
    item = forms.CharField(max_length=120, label="Column with the item's name or number")
    annotators = forms.CharField(
        max_length=2_000, required=False, label="Columns of the people",
        help_text="One row for each item: a column for each person, divided by commas.",
    )  # fmt: skip
    annotator = forms.CharField(
        max_length=120, required=False, label="Column with the person",
        help_text="Or one row for each answer: who, and what they said.",
    )  # fmt: skip
    answer = forms.CharField(max_length=120, required=False, label="Column with the answer")
    adjudicator = forms.CharField(
        max_length=120, required=False, label="Column of who decided last",
        help_text="That answer stands where the others differ.",
    )  # fmt: skip
    gold = forms.CharField(max_length=120, required=False, label="Column with the known answer")
    inputs = forms.CharField(
        max_length=2_000, required=False, label="Columns of the inputs", help_text="Divided by commas."
    )
    output = forms.CharField(max_length=120, required=False, label="Column with the output")
    values = forms.CharField(
        max_length=5_000, required=False, strip=False, label="Answers in other words",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}), help_text="One for each line, such as Yes = pass.",
    )  # fmt: skip

    def __init__(self, data: Any = None, files: Any = None, *, queue: Queue) -> None:
        super().__init__(data, files)
        asked = rubrics.parse(queue.rubric_version.questions)
        self.fields["question"].choices = [(one.key, one.text) for one in asked]  # type: ignore[attr-defined]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > labelfiles.MAX_BYTES:
            raise forms.ValidationError("The file is too large: at most 10 MB.")
        return file

    def clean_values(self) -> dict[str, str]:
        found = {}
        for number, line in enumerate(self.cleaned_data["values"].splitlines(), start=1):
            said, sign, means = line.partition("=")
            if line.strip() and not (sign and said.strip() and means.strip()):
                raise forms.ValidationError(f"Line {number}: write such as Yes = pass.")
            if line.strip():
                found[said.strip()] = means.strip()
        return found

    def mapping(self) -> dict[str, Any]:
        """As the service reads it: what was left out is not there."""
        given = {name: value for name, value in self.cleaned_data.items() if name != "file" and value}
        for name in ("annotators", "inputs"):
            if name in given:
                given[name] = [one.strip() for one in given[name].split(",") if one.strip()]
        return given


class KeepSettled(forms.Form):
    """Which dataset the settled answers go into, and which answer is the expected output."""

    dataset = forms.ModelChoiceField(
        queryset=Dataset.objects.none(), to_field_name="slug", required=False, empty_label="A new dataset"
    )
    new_dataset = forms.SlugField(
        max_length=60, required=False, label="Name of the new dataset", help_text="Lower-case letters, digits, hyphens."
    )
    question = forms.ChoiceField(label="Expected output")
    split = forms.CharField(max_length=40, required=False)

    def __init__(self, data: Any = None, *, queue: Queue) -> None:
        super().__init__(data, auto_id="keep-%s")
        self.fields["dataset"].queryset = dataset_queries.datasets_in(queue.project)  # type: ignore[attr-defined]
        asked = rubrics.expectable(rubrics.parse(queue.rubric_version.questions))
        self.fields["question"].choices = [(one.key, one.text) for one in asked]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not given.get("dataset") and not given.get("new_dataset") and not self.errors:
            self.add_error("new_dataset", "Choose a dataset, or name a new one.")
        return given


def answers_in(questions: tuple[rubrics.Question, ...], sent: QueryDict) -> dict[str, Any]:
    """The answers as the work page sends them: one field per question, several for several categories.

    :raises Invalid: for spans that are no JSON.
    """
    found: dict[str, Any] = {}
    for question in questions:
        name = f"q-{question.key}"
        if question.kind == "categories":
            found[question.key] = sent.getlist(name)
        elif question.kind == "ranking":
            found[question.key] = [line.strip() for line in sent.get(name, "").split("\n") if line.strip()]
        elif question.kind == "spans":
            found[question.key] = _json(question, sent.get(name, ""))
        else:
            found[question.key] = sent.get(name, "")
    return found


def _json(question: rubrics.Question, given: str) -> Any:
    try:
        return text.loads(given, max_bytes=MAX_QUESTIONS_BYTES) if given.strip() else []
    except (DomainError, json.JSONDecodeError):
        raise Invalid("The spans are not readable.", fields={question.key: "not JSON"}) from None
