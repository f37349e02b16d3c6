"""What the home page's figures look like: texts and axes made of numbers."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from llmops.common.templatetags import ui
from llmops.dashboards.queries.home import Figure, Home, Steps
from llmops.projects.models import Project


@dataclass(frozen=True, slots=True)
class Stat:
    """One figure. `start` and `end` are the axis; without a value only `words` are shown."""

    name: str
    value: str
    words: str
    interval: str
    note: str
    direction: str
    is_clear: bool
    figure: Figure
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Step:
    """One first step: `url_name` with `args`, and the API call that does the same."""

    title: str
    text: str
    glyph: str
    is_done: bool
    url_name: str
    code: str


def stats(home: Home, days: int) -> list[Stat]:
    before = "yesterday" if days == 1 else f"the {days} days before"
    return [
        _stat("Satisfaction", home.satisfaction, before, "votes", share=True),
        _stat("Pass rate", home.pass_rate, before, "verdicts", share=True),
        _stat("Cost per day", home.cost_per_day, before, "priced calls", form=ui.money),
        _stat("p95 latency", home.p95_ms, before, "timed calls", form=ui.milliseconds),
    ]


def headline(home: Home) -> str:
    """The page's first line: what waits, in words."""
    waiting = []
    if home.open_items:
        waiting.append(f"{home.open_items:,} call{'s' if home.open_items != 1 else ''} with open feedback")
    if home.paused_runs:
        waiting.append(f"{home.paused_runs:,} paused run{'s' if home.paused_runs != 1 else ''}")
    if waiting:
        return f"{' and '.join(waiting)} wait for you"
    return "Nothing waits for you"


def steps(done: Steps, project: Project) -> list[Step]:
    """The way from an empty project to a proven prompt."""
    curl = f'curl -X POST {settings.LLMOPS_BASE_URL}/api/v1/{{path}} -H "Authorization: Bearer $LLMOPS_KEY" \\\n'
    curl += "  -H 'Content-Type: application/json' -d '{body}'"

    def call(path: str, body: str) -> str:
        return curl.replace("{path}", path).replace("{body}", body)

    connect = f"manage.py add_connection {project.slug} --kind openai --key $OPENAI_API_KEY --default"
    return [
        Step("Connect a model provider", "OpenAI, Anthropic, or any server that speaks like OpenAI's", "plug",
             done.connection, "gateway:connection-list", connect),
        Step("Write a prompt", "Every save is a commit in the project's git repository", "file-text",
             done.prompt, "prompts:new",
             call("prompts/support/reply/versions", '{"content": "user:\\nAnswer: {{question}}", "message": "First"}')),
        Step("Collect 20 examples", "Paste, import a file, or take them from logged calls", "table-2",
             done.examples, "evals:dataset-list",
             call("datasets/golden/examples", '[{"inputs": {"question": "1 + 1?"}, "expected": "2"}]')),
        Step("Run the first evaluation", "You see the price before anything is paid", "flask-conical",
             done.run, "evals:run-new",
             call("runs", '{"prompt": "support/reply", "label": "latest", "dataset": "golden", '
                          '"evaluators": [{"metric": "exact_match"}]}')),
        Step("Log your app's calls", "One request for each call, or batches of up to 1,000", "activity",
             done.call, "dashboards:monitor",
             call("calls", '{"id": "req-1", "prompt": "support/reply", "label": "production", '
                           '"inputs": {"question": "1 + 1?"}, "output": "2", "latency_ms": 812}')),
        Step("Add thumbs to your app", "With a publishable key it works from the browser", "message-square",
             done.feedback, "feedback:inbox",
             call("feedback", '{"call": "req-1", "thumbs": "down", "correction": "two", "end_user": "u-17"}')),
    ]  # fmt: skip


def _stat(name: str, figure: Figure, before: str, unit: str, *, share: bool = False, form: object = ui.percent) -> Stat:
    shown = form if callable(form) else ui.percent
    if figure.value is None or figure.low is None or figure.high is None:
        return Stat(name, "", figure.words or "not known yet", "", "", "", False, figure, 0, 1)
    ends = [value for value in (figure.low, figure.high, figure.before) if value is not None]
    margin = (max(ends) - min(ends)) * 0.25 or abs(figure.value) * 0.1 or 1.0
    start, end = min(ends) - margin, max(ends) + margin
    note, direction = f"nothing to compare with in {before}", ""
    if figure.change is not None:
        direction = "up" if figure.change > 0 else "down" if figure.change < 0 else ""
        size = f"{abs(figure.change) * 100:.1f} points" if share else str(shown(abs(figure.change)))
        sign = "+" if figure.change > 0 else "−" if figure.change < 0 else ""
        note = f"{sign}{size} since {before}: {'changed' if figure.is_clear else 'too little to call'}"
    return Stat(
        name=name,
        value=str(shown(figure.value)),
        words="",
        interval=f"{shown(figure.low)} to {shown(figure.high)}, n {figure.n:,} {unit}",
        note=note,
        direction=direction,
        is_clear=figure.is_clear,
        figure=figure,
        start=max(0.0, start),
        end=min(1.0, end) if share else end,
    )
