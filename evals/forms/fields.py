"""Fields and helpers that the forms of the evaluation pages share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings

from llmops.common import text
from llmops.common.errors import DomainError

Json = Any
MONO = {"class": "mono"}
MAX_EXAMPLE_TEXT = 1_000_000


class Lines(forms.CharField):
    """Text as typed: not stripped, with the line ends that the browser rewrote put back."""

    widget = forms.Textarea

    def __init__(self, *, rows: int = 3, mono: bool = True, **options: Any) -> None:
        options.setdefault("widget", forms.Textarea(attrs={"rows": rows, **(MONO if mono else {})}))
        options.setdefault("max_length", MAX_EXAMPLE_TEXT)
        super().__init__(strip=False, **options)

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")


class JsonLines(Lines):
    """A JSON value as text; an invalid one comes back as it was typed."""

    def clean(self, value: Any) -> Json:
        typed = super().clean(value)
        if not typed.strip():
            return None
        try:
            return text.loads(typed, max_bytes=settings.MAX_JSON_BYTES)
        except DomainError as error:
            raise forms.ValidationError(error.message) from None


class OnePerLine(Lines):
    def clean(self, value: Any) -> list[str]:
        return [line for line in super().clean(value).split("\n") if line.strip()]


class Commas(forms.CharField):
    """Words with commas between them."""

    def clean(self, value: Any) -> list[str]:
        words = [word.strip() for word in super().clean(value).split(",")]
        return list(dict.fromkeys(word for word in words if word))

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


def take_errors(form: forms.Form, error: DomainError, names: Mapping[str, str] | None = None) -> None:
    """Put a refusal of the domain beside the fields that it names; what fits no field stands above the form."""
    placed = False
    for field, reason in error.fields.items():
        name = (names or {}).get(field, field).removeprefix("params.")
        if name not in form.fields:
            name = name.split(".")[0].split("[")[0]
        if name in form.fields:
            form.add_error(name, reason)
            placed = True
    if not placed or not error.fields:
        form.add_error(None, error.message)
