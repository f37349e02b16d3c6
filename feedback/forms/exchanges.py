"""Files of other labeling tools, for a queue that is there or for a new one."""

from __future__ import annotations

from typing import Any

from django import forms

from feedback import labelfiles
from feedback.forms.labeling import NewQueue
from feedback.models import Queue
from feedback.services import exchanges, queues
from llmops.common.errors import DomainError


class File(forms.Form):
    """The two files of another tool."""

    format = forms.ChoiceField(
        choices=[(name, tool.title) for name, tool in labelfiles.EXCHANGES.items()], label="Comes from"
    )
    file = forms.FileField(label="Tasks or records", help_text="JSON as the tool exports it, at most 10 MB.")
    settings = forms.FileField(
        required=False, label="What was asked",
        help_text="Label Studio: the labeling configuration, XML. Argilla: settings.json of the dataset.",
    )  # fmt: skip
    people = forms.CharField(
        max_length=20_000, required=False, label="Names of people",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}),
        help_text="For people whom the file only numbers. One for each line, such as 7 = Ann.",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for name in ("file", "settings"):
            if given.get(name) and given[name].size > labelfiles.MAX_BYTES:
                self.add_error(name, "The file is too large: at most 10 MB.")
        return given

    def clean_people(self) -> dict[str, str]:
        found = {}
        for number, line in enumerate(self.cleaned_data["people"].splitlines(), start=1):
            known, sign, name = line.partition("=")
            if line.strip() and not (sign and known.strip() and name.strip()):
                raise forms.ValidationError(f"Line {number}: write such as 7 = Ann.")
            if line.strip():
                found[known.strip()] = name.strip()
        return found

    def given(self) -> exchanges.Given:
        """As the service reads it.

        :raises Invalid: at the field whose file is not readable.
        """
        sent = self.cleaned_data
        settings = None
        if sent["settings"]:
            is_json = labelfiles.EXCHANGES[sent["format"]].settings_are_json
            settings = (labelfiles.json_in if is_json else labelfiles.text_in)(sent["settings"], "settings")
        return exchanges.Given(sent["format"], labelfiles.json_in(sent["file"], "file"), settings, sent["people"])

    def take(self, error: DomainError) -> None:
        """Show what the service refused at the file or field that it names."""
        for name in error.fields:
            field = "settings" if name.startswith("settings") else name if name in self.fields else "file"
            self.add_error(field, error.message)
        if not error.fields:
            self.add_error(None, error.message)


class NewQueueFile(File):
    """The same with what a new queue needs."""

    slug = NewQueue.base_fields["slug"]
    name = NewQueue.base_fields["name"]
    annotators_per_item = NewQueue.base_fields["annotators_per_item"]
    settle_by = forms.ChoiceField(choices=Queue.SettleBy.choices, label="An answer stands")
    field_order = ("format", "file", "settings", "slug", "name", "annotators_per_item", "settle_by", "people")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["settings"].required = True

    def wanted(self) -> queues.Wanted:
        names = ("slug", "name", "annotators_per_item", "settle_by")
        return queues.Wanted(**{name: self.cleaned_data[name] for name in names})
