"""The shape of a deletion of one end user's data."""

from __future__ import annotations

from django import forms


class EraseEndUser(forms.Form):
    end_user = forms.CharField(
        max_length=200,
        label="End user",
        help_text="The id that your application sends as end_user. Only a keyed hash of it is stored.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    confirm = forms.BooleanField(label="I know that this cannot be undone")
