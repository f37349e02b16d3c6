"""The shape of a masking rule, and of a text to try the rules on."""

from __future__ import annotations

from django import forms


class NewRule(forms.Form):
    name = forms.CharField(max_length=60, help_text="Lower-case letters, digits and hyphens, such as customer-number.")
    pattern = forms.CharField(
        max_length=500,
        strip=False,
        help_text="A regular expression of re2: no look-around, no back-references.",
        widget=forms.TextInput({"spellcheck": "false", "autocomplete": "off"}),
    )
    placeholder = forms.CharField(
        max_length=40, required=False, help_text="What is stored instead; empty: the name in brackets."
    )


class Switch(forms.Form):
    is_on = forms.BooleanField(required=False)


class Try(forms.Form):
    text = forms.CharField(
        max_length=10_000, label="Text", strip=False, required=False, widget=forms.Textarea({"rows": 4})
    )
