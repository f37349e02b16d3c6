"""The filter of the monitor page, in its address."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from django import forms

from feedback.queries.traffic import Dimension, Span, TrafficFilter
from llmops.common import text
from llmops.dashboards.queries import versions
from llmops.projects.models import Project

BREAKDOWNS = [("version", "Version"), ("model", "Model"), ("environment", "Environment"), ("path", "Prompt")]
RANGES = [("1", "Today"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days")]


class Narrow(forms.Form):
    """What is not acceptable in an address is left out, never an error."""

    days = forms.TypedChoiceField(choices=RANGES, coerce=int, required=False, empty_value=None)
    prompt = forms.CharField(max_length=300, required=False)
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    model = forms.CharField(max_length=200, required=False)
    environment = forms.CharField(max_length=60, required=False)
    by = forms.ChoiceField(choices=BREAKDOWNS, required=False)

    def span(self, project: Project, today: date) -> Span:
        self.is_valid()
        days = self.cleaned_data.get("days") or 7
        return Span(today - timedelta(days=days - 1), today, ZoneInfo(project.timezone))

    def narrowed(self, project: Project) -> TrafficFilter:
        self.is_valid()
        given = {name: text.repaired(self.cleaned_data.get(name) or "") for name in ("prompt", "model", "environment")}
        number = self.cleaned_data.get("version")
        version = None
        if number is not None and given["prompt"]:
            # A number that does not exist narrows to nothing rather than to everything.
            version = versions.version_id(project, given["prompt"], number) or 0
        return TrafficFilter(version=version, **given)

    def breakdown(self) -> Dimension:
        self.is_valid()
        return self.cleaned_data.get("by") or "version"
