"""The shape of what the settings pages take; the rules are in the services."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms

from llmops.projects.models import ApiKey, Membership, Project
from llmops.projects.permissions import PUBLISHABLE_SCOPES, ROLES, SECRET_SCOPES, Permission
from llmops.projects.services.projects import MOST_RETENTION_DAYS

ROLE_HINTS = {
    "viewer": "Viewer: reads everything but the audit trail",
    "labeler": "Labeler: labels in the queues that name them, nothing else",
    "editor": "Editor: writes prompts and datasets, starts runs",
    "releaser": "Releaser: also moves production",
    "admin": "Admin: also members, keys, connections and settings",
}
KIND_HINTS = {
    "personal": "Personal: acts as you, for git and scripts",
    "secret": "Secret: for servers",
    "publishable": "Publishable: for browsers, may only send feedback",
}
LIFETIMES = [("90", "In 90 days"), ("365", "In 1 year"), ("30", "In 30 days"), ("", "Never")]


@cache
def timezones() -> list[tuple[str, str]]:
    """Every IANA name; UTC first. Looking for them reads the disk."""
    return [("UTC", "UTC"), *((name, name) for name in sorted(available_timezones() - {"UTC"}))]


class NewProject(forms.Form):
    name = forms.CharField(max_length=120)
    slug = forms.CharField(
        max_length=60, label="Address", help_text="Lower-case letters, digits and hyphens; it stands in every address."
    )


class EditProject(forms.Form):
    name = forms.CharField(max_length=120)
    timezone = forms.ChoiceField(choices=timezones, label="Time zone", help_text="What “a day” means in charts.")
    retention_days = forms.IntegerField(
        min_value=1,
        max_value=MOST_RETENTION_DAYS,
        label="Keep logged calls for (days)",
        help_text="Calls and feedback older than this are removed.",
    )
    mask_personal_data = forms.BooleanField(
        required=False,
        label="Mask personal data before it is stored",
        help_text="E-mail addresses, card numbers and keys in logged calls and feedback.",
    )


class DeleteProject(forms.Form):
    confirm = forms.CharField(max_length=60, label="Type the project's address to delete it")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_confirm(self) -> str:
        if self.cleaned_data["confirm"] != self.project.slug:
            raise forms.ValidationError(f"Type {self.project.slug} exactly.")
        return self.project.slug


class Role(forms.Form):
    role = forms.ChoiceField(choices=Membership.Role)


class Invite(forms.Form):
    email = forms.EmailField(max_length=254, label="E-mail")
    role = forms.ChoiceField(choices=[(role, ROLE_HINTS[role]) for role in ROLES], initial="editor")


class Join(forms.Form):
    name = forms.CharField(max_length=120, label="Your name", widget=forms.TextInput({"autocomplete": "name"}))
    password = forms.CharField(
        max_length=256,
        strip=False,
        help_text="At least 10 characters.",
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )


class Profile(forms.Form):
    name = forms.CharField(max_length=120, required=False, widget=forms.TextInput({"autocomplete": "name"}))
    timezone = forms.ChoiceField(choices=timezones, label="Time zone")


class IssueKey(forms.Form):
    """Kinds and scopes are those that the person may give."""

    name = forms.CharField(max_length=120, help_text="Where the key will live, such as “checkout service”.")
    kind = forms.ChoiceField(widget=forms.RadioSelect)
    scopes = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="May",
        help_text="Nothing chosen: everything that the kind may do.",
    )
    origins = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 2, "placeholder": "https://shop.example"}),
        help_text="For publishable keys: the sites that may use it, one a line. Empty: every site.",
    )
    days = forms.ChoiceField(required=False, choices=LIFETIMES, label="Ends")

    def __init__(self, *args: Any, permissions: frozenset[Permission], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [kind for kind in KIND_HINTS if kind == ApiKey.Kind.PERSONAL or Permission.KEY_MANAGE in permissions]
        self.fields["kind"].choices = [(kind, KIND_HINTS[kind]) for kind in kinds]  # type: ignore[attr-defined]
        self.fields["kind"].initial = kinds[-2] if len(kinds) > 1 else kinds[0]
        self.fields["scopes"].choices = [(scope, scope) for scope in _scopes(permissions, kinds)]  # type: ignore[attr-defined]

    def clean_origins(self) -> list[str]:
        return str(self.cleaned_data["origins"]).split()


def _scopes(permissions: frozenset[Permission], kinds: Iterable[str]) -> list[Permission]:
    """In the order in which they are declared."""
    offered = permissions | (SECRET_SCOPES | PUBLISHABLE_SCOPES if "secret" in kinds else frozenset())
    return [permission for permission in Permission if permission in offered]
