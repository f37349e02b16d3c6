"""Domain errors next to the form's fields."""

from __future__ import annotations

from django import forms

from llmops.common.errors import DomainError


def put_on(form: forms.BaseForm, error: DomainError) -> None:
    """Show the error at the fields that it names, else above the form."""
    named = {name: reason for name, reason in error.fields.items() if name in form.fields}
    if not named:
        form.add_error(None, error.message)
    for name in named:
        form.add_error(name, error.message if len(named) == 1 else named[name])
