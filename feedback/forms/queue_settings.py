"""The form of a queue's settings; the rules are in the service."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from feedback.models import Queue, RubricVersion
from feedback.queries import queues as queue_queries
from feedback.queries import rubrics as rubric_queries
from feedback.services import queues
from feedback.services.queue_settings import StaleSettings
from prompts import queries as prompt_queries

MOST_PROMPTS = 200
SAME = (
    "name", "state", "annotators_per_item", "settle_by", "order", "hold_minutes", "gold_every", "mask", "daily",
    "daily_prompt", "fills_from",
)  # fmt: skip


class QueueSettings(forms.Form):
    """Everything about a queue that may be changed while people work in it."""

    name = forms.CharField(max_length=120)
    state = forms.ChoiceField(
        choices=Queue.State.choices, help_text="Nobody gets items from a paused or closed queue, and none come by "
        "themselves. Who holds an item may still answer it.",
    )  # fmt: skip
    rubric_version = forms.TypedChoiceField(coerce=int, label="Questions and guidelines")
    annotators_per_item = forms.IntegerField(
        min_value=1, max_value=20, label="People for each item",
        help_text="With more, items that wait for a decision are open again. With fewer, those with enough answers are "
        "done. What is settled stays.",
    )  # fmt: skip
    settle_by = forms.ChoiceField(
        choices=Queue.SettleBy.choices, label="An answer stands", help_text="For items that are finished from now on."
    )
    order = forms.ChoiceField(choices=Queue.Order.choices, label="Which item comes next")
    hold_minutes = forms.IntegerField(
        min_value=1, max_value=480, label="Minutes held", help_text="An item waits so long for who took it."
    )
    gold_every = forms.IntegerField(
        min_value=0,
        max_value=1_000,
        label="Gold after",
        help_text="So many items, then one with a known answer; 0 for none.",
    )
    labelers = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One member's address per line. Who is taken out keeps what they answered.",
    )  # fmt: skip
    mask = forms.BooleanField(required=False, label="Mask personal data once more")
    hidden = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}), label="Hidden from labelers",
        help_text="One per line: an input's name, contexts, expected or origin.",
    )  # fmt: skip
    daily = forms.IntegerField(
        min_value=0, max_value=1_000, label="Calls a day, by lot",
        help_text="Of the day before, dealt to the labelers in turn; 0 for none.",
    )  # fmt: skip
    daily_prompt = forms.ChoiceField(required=False, label="Of the prompt")
    fills_from = forms.MultipleChoiceField(
        choices=list(queues.STANDING.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="And every new",
    )
    base_edits = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, queue: Queue) -> None:
        super().__init__(data, initial=_initial(queue))
        numbers = rubric_queries.versions_of(queue.rubric_version.rubric).values_list("number", flat=True)
        versions = [(number, f"{queue.rubric_version.rubric} v{number}") for number in numbers]
        paths = dict.fromkeys(
            [*filter(None, [queue.daily_prompt]), *prompt_queries.paths_in(queue.project, MOST_PROMPTS)]
        )
        self.fields["rubric_version"].choices = versions  # type: ignore[attr-defined]
        self.fields["daily_prompt"].choices = [("", "Any prompt"), *((path, path) for path in paths)]  # type: ignore[attr-defined]
        self.queue = queue

    def clean_labelers(self) -> list[str]:
        return str(self.cleaned_data["labelers"]).split()

    def clean_hidden(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["hidden"].splitlines() if line.strip()]

    def clean_rubric_version(self) -> RubricVersion:
        return rubric_queries.version_of(self.queue.rubric_version.rubric, self.cleaned_data["rubric_version"])

    def show_stale(self, error: StaleSettings) -> None:
        """What was typed stays, with the present values beside it; saving again is based on those."""
        typed: QueryDict = self.data.copy()  # type: ignore[attr-defined]
        typed["base_edits"] = str(error.edits)
        self.data = typed
        self.add_error(None, f"{error.message} Where yours differ, it is said below: save again to keep yours.")
        for name, reason in error.fields.items():
            self.add_error(name, f"This {reason}.")


def _initial(queue: Queue) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(queue, name) for name in SAME}
    return shown | {
        "rubric_version": queue.rubric_version.number,
        "hidden": "\n".join(queue.hidden),
        "labelers": "\n".join(person.user.email for person in queue_queries.people_of(queue)),
        "base_edits": queue.edits,
    }
