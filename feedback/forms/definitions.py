"""Forms of score definitions; the rules are in the service."""

from __future__ import annotations

from typing import Any

from django import forms

from feedback.models import ScoreDefinition
from feedback.services.definitions import LONGEST_DESCRIPTION, LONGEST_NAME

KINDS = [
    ("number", "Number"),
    ("boolean", "Yes or no"),
    ("category", "Category"),
    ("text", "Text"),
]
DAYS = [("1", "Last day"), ("7", "Last 7 days"), ("30", "Last 30 days")]


class EditDefinition(forms.Form):
    """What may be changed later; name and kind may not."""

    description = forms.CharField(max_length=LONGEST_DESCRIPTION, required=False, help_text="What a value means.")
    low = forms.FloatField(required=False, label="Lowest", help_text="Of a number; empty for no bound.")
    high = forms.FloatField(required=False, label="Highest")
    categories = forms.CharField(
        required=False,
        widget=forms.Textarea({"rows": 4}),
        help_text="Of a category: one on each line. Empty takes any text.",
    )

    @classmethod
    def of(cls, definition: ScoreDefinition) -> EditDefinition:
        """The form as it is shown first."""
        initial = {name: getattr(definition, name) for name in ("description", "low", "high")}
        return cls(initial={**initial, "categories": "\n".join(definition.categories)})

    def clean_categories(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["categories"].splitlines() if line.strip()]


class NewDefinition(EditDefinition):
    name = forms.CharField(max_length=LONGEST_NAME, help_text="As feedback names it, such as helpfulness.")
    kind = forms.ChoiceField(choices=KINDS)
    field_order = ("name", "kind", "description")


class Days(forms.Form):
    """What is not acceptable in a URL is left out, never an error."""

    days = forms.ChoiceField(choices=DAYS, required=False)

    def chosen(self) -> int:
        self.is_valid()
        given: dict[str, Any] = self.cleaned_data
        return int(given.get("days") or 7)
