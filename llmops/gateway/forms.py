"""The shape of what the connection pages take; the rules are in the services."""

from __future__ import annotations

from django import forms

from llmops.gateway import registry
from llmops.gateway.models import Connection
from llmops.gateway.services.connections import MOST_A_MINUTE, MOST_IN_FLIGHT

_SECRET = {"autocomplete": "off", "spellcheck": "false"}


class EditConnection(forms.Form):
    """What may be changed later; the kind may not."""

    name = forms.CharField(max_length=120)
    base_url = forms.CharField(
        max_length=500,
        required=False,
        label="Address",
        help_text="Where the server answers, ending in /v1. Empty: the provider's own.",
        widget=forms.TextInput({"inputmode": "url", "placeholder": "https://models.example/v1", "spellcheck": "false"}),
    )
    key = forms.CharField(
        max_length=500, required=False, widget=forms.PasswordInput(_SECRET), help_text="Sealed at once, never shown."
    )
    model = forms.CharField(
        max_length=200, required=False, help_text="Used when a prompt names none, and for the test.", empty_value=""
    )
    rpm = forms.IntegerField(min_value=1, max_value=MOST_A_MINUTE, required=False, label="Requests a minute")
    tpm = forms.IntegerField(min_value=1, max_value=MOST_A_MINUTE, required=False, label="Tokens a minute")
    max_in_flight = forms.IntegerField(min_value=1, max_value=MOST_IN_FLIGHT, initial=50, label="Calls at once")

    @classmethod
    def of(cls, connection: Connection) -> EditConnection:
        """The form as it is shown first."""
        names = ["name", "base_url", "model", "rpm", "tpm", "max_in_flight"]
        form = cls(initial={name: getattr(connection, name) for name in names})
        form.explain(connection)
        return form

    def explain(self, connection: Connection) -> None:
        """Say what an empty key means here."""
        if connection.sealed_key:
            hint = f"Leave empty to keep the key that ends in {connection.key_hint}. A new address needs it again."
            self.fields["key"].help_text = hint


class NewConnection(EditConnection):
    kind = forms.ChoiceField(choices=lambda: [(kind.name, kind.title) for kind in registry.KINDS.values()])
    is_default = forms.BooleanField(required=False, label="Use it where a prompt or run names none")
    field_order = ("kind", "name", "key", "base_url", "model")


class NewPrice(forms.Form):
    """US dollars per million tokens. The prefix keeps its ids apart from the other form of the page."""

    prefix = "price"
    model = forms.CharField(max_length=200)
    in_per_million = forms.DecimalField(max_digits=14, decimal_places=6, min_value=0, label="Tokens in")
    out_per_million = forms.DecimalField(max_digits=14, decimal_places=6, min_value=0, label="Tokens out")
    cached_per_million = forms.DecimalField(
        max_digits=14, decimal_places=6, min_value=0, required=False, label="Cached tokens in"
    )
