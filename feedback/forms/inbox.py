"""Forms of the inbox: its filter in the URL, triage of one or many, saved views, making an example of a call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django import forms

from evals.models import Dataset
from evals.queries import datasets as dataset_queries
from feedback.models import InboxItem
from feedback.queries.inbox import InboxFilter
from feedback.services.inbox import Changes
from llmops.accounts.models import User
from llmops.common import ids, text
from llmops.common.errors import DomainError
from llmops.projects import queries as project_queries
from llmops.projects.models import Project

STATES = [("open", "Open"), ("done", "Done"), ("ignored", "Dismissed"), ("all", "All")]
VERDICTS = [
    ("", "Any reaction"),
    ("down", "Thumbs down"),
    ("up", "Thumbs up"),
    ("correction", "With a correction"),
    ("none", "Without thumbs"),
]


def _named(widget: forms.Widget, name: str, **attrs: str) -> forms.Widget:
    """A field of the filter has no room for a label: screen readers are told its name."""
    widget.attrs |= {"aria-label": name, **attrs}
    return widget


class Narrow(forms.Form):
    """The inbox's filter, in the address. What is not acceptable there is left out, never an error.

    The page draws every field that stands here, in this order; `state` stands above as tabs.
    """

    state = forms.ChoiceField(choices=STATES, required=False, widget=forms.HiddenInput)
    q = forms.CharField(
        max_length=200, required=False,
        widget=_named(
            forms.TextInput(attrs={"type": "search"}), "Words in comments and corrections", placeholder="Words"
        ),
    )  # fmt: skip
    verdict = forms.ChoiceField(choices=VERDICTS, required=False, widget=_named(forms.Select(), "Reaction"))
    prompt = forms.CharField(max_length=300, required=False, widget=_named(forms.Select(), "Prompt"))
    version = forms.IntegerField(
        min_value=0, max_value=2**31 - 1, required=False,
        widget=_named(forms.NumberInput(), "Number of the prompt's version", placeholder="Version"),
    )  # fmt: skip
    theme = forms.CharField(max_length=60, required=False, widget=_named(forms.Select(), "Theme"))
    model = forms.CharField(
        max_length=200, required=False, widget=_named(forms.TextInput(), "Model", placeholder="Model", list="models")
    )
    tag = forms.CharField(
        max_length=60, required=False, widget=_named(forms.TextInput(), "Tag", placeholder="Tag", list="tags")
    )
    since = forms.DateField(
        required=False, label="From", widget=_named(forms.DateInput(attrs={"type": "date"}), "From day")
    )
    until = forms.DateField(
        required=False, label="To", widget=_named(forms.DateInput(attrs={"type": "date"}), "To day")
    )
    mine = forms.BooleanField(required=False, label="Mine")
    needs_label = forms.BooleanField(required=False, label="Needs a label")

    def __init__(
        self, *args: Any, paths: Iterable[str] = (), themes: Iterable[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["prompt"].widget.choices = [("", "Any prompt"), *((path, path) for path in paths)]
        self.fields["theme"].widget.choices = [("", "Any theme"), *themes]

    def clean_theme(self) -> UUID | None:
        given = self.cleaned_data["theme"]
        try:
            return ids.parse("theme", given) if given else None
        except DomainError:
            raise forms.ValidationError("no such theme") from None

    def narrowed(self, user_id: int | None) -> InboxFilter:
        """The filter; “mine” means what is assigned to this person."""
        self.is_valid()
        given: Mapping[str, Any] = self.cleaned_data
        state = given.get("state") or "open"
        return InboxFilter(
            state="" if state == "all" else state,
            verdict=given.get("verdict") or "",
            prompt=text.repaired(given.get("prompt") or ""),
            version=given.get("version"),
            model=text.repaired(given.get("model") or ""),
            tag=text.repaired(given.get("tag") or ""),
            since=given.get("since"),
            until=given.get("until"),
            text=text.repaired(given.get("q") or ""),
            assignee=user_id if given.get("mine") else None,
            needs_label=bool(given.get("needs_label")),
            theme=given.get("theme"),
        )

    def query(self) -> dict[str, str]:
        """What is acceptable of the filter, as it stands in an address."""
        self.is_valid()
        kept = {
            name: self.data.get(name) for name in self.fields if self.cleaned_data.get(name) not in (None, "", False)
        }
        return {name: text.repaired(str(value)) for name, value in kept.items()}


class Triage(forms.Form):
    """What is done to one item; the keys of the page send one field at a time."""

    state = forms.ChoiceField(choices=InboxItem.State.choices, label="Status", required=False)
    assignee = forms.ModelChoiceField(
        queryset=User.objects.none(), label="Assigned to", required=False, empty_label="Nobody"
    )
    needs_label = forms.NullBooleanField(required=False)
    add_tag = forms.CharField(
        max_length=60, required=False, label="Tag", widget=forms.TextInput(attrs={"list": "tags"})
    )
    remove_tag = forms.CharField(max_length=60, required=False)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = project_queries.members_of(project).values("user_id")
        self.fields["assignee"].queryset = User.objects.filter(pk__in=members).order_by("email")  # type: ignore[attr-defined]

    def changes(self) -> Changes:
        """Only what was sent. What needs a label is out of the way until its label comes."""
        given = {name: value for name, value in self.cleaned_data.items() if name in self.data}
        needs_label = given.get("needs_label")
        state = given.get("state") or ("done" if needs_label else None)
        return Changes(
            state=state,
            assigns="assignee" in given,
            assignee=given.get("assignee"),
            needs_label=needs_label,
            add_tags=tuple(filter(None, [given.get("add_tag")])),
            remove_tags=tuple(filter(None, [given.get("remove_tag")])),
        )


class Bulk(forms.Form):
    """What is done to the chosen items, or to all that the filter finds."""

    DOINGS = ("done", "ignored", "open", "needs_label", "assign", "tag", "dataset")

    do = forms.ChoiceField(choices=[(name, name) for name in DOINGS])
    everything = forms.BooleanField(required=False)
    assignee = forms.ModelChoiceField(queryset=User.objects.none(), required=False, empty_label="Nobody")
    add_tag = forms.CharField(max_length=60, required=False)
    dataset = forms.ModelChoiceField(
        queryset=Dataset.objects.none(), to_field_name="slug", required=False, empty_label="Choose a dataset"
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = project_queries.members_of(project).values("user_id")
        self.fields["assignee"].queryset = User.objects.filter(pk__in=members).order_by("email")  # type: ignore[attr-defined]
        self.fields["dataset"].queryset = dataset_queries.datasets_in(project)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("do") == "dataset" and not given.get("dataset"):
            self.add_error("dataset", "Choose a dataset.")
        if given.get("do") == "tag" and not given.get("add_tag"):
            self.add_error("add_tag", "Write a tag.")
        return given

    def refs(self) -> list[str]:
        """The chosen items, as the page names them."""
        return list(self.data.getlist("item")) if hasattr(self.data, "getlist") else []

    def changes(self) -> Changes:
        given = self.cleaned_data
        do = given["do"]
        if do == "assign":
            return Changes(assigns=True, assignee=given["assignee"])
        if do == "tag":
            return Changes(add_tags=(given["add_tag"],))
        if do == "needs_label":
            return Changes(state="done", needs_label=True)
        return Changes(state=do)


class SaveView(forms.Form):
    name = forms.CharField(max_length=60, label="Name of the view")
    is_shared = forms.BooleanField(required=False, label="Share with the project")


class MakeExample(forms.Form):
    dataset = forms.ModelChoiceField(
        queryset=Dataset.objects.none(), to_field_name="slug", required=False, empty_label="A new dataset"
    )
    new_dataset = forms.SlugField(
        max_length=60, required=False, label="Name of the new dataset", help_text="Lower-case letters, digits, hyphens."
    )
    expected = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="The right answer. The user's correction is filled in.",
    )
    is_json = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dataset"].queryset = dataset_queries.datasets_in(project)  # type: ignore[attr-defined]

    def clean_expected(self) -> str:
        value: str = self.cleaned_data["expected"].replace("\r\n", "\n")
        if (reason := text.problem(value)) is not None:
            raise forms.ValidationError(f"The text {reason}.")
        return value

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not given.get("dataset") and not given.get("new_dataset") and not self.errors:
            self.add_error("new_dataset", "Choose a dataset, or name a new one.")
        return given

    def expected_value(self) -> Any:
        """The right answer: JSON where the correction was JSON, else text; None when there is none."""
        value = self.cleaned_data["expected"]
        if not value.strip():
            return None
        if not self.cleaned_data["is_json"]:
            return value
        try:
            return text.loads(value, max_bytes=1_000_000)
        except (DomainError, json.JSONDecodeError):
            return value
