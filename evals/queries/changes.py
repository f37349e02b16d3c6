"""What changed between two runs: every hash and setting that differs, from what each run wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from evals.models import Result, Run
from evals.queries import early_stops
from llmops.common import ids

LONGEST = 300
MOST_MODELS = 20


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that is not the same in both runs; None is one that a run does not have."""

    name: str
    before: str | None
    after: str | None
    is_hash: bool = False


@dataclass(frozen=True, slots=True)
class _Setting:
    name: str
    value: str | None
    is_hash: bool = False


def changes_between(baseline: Run, candidate: Run) -> list[Change]:
    """The differing settings in a fixed order: prompt, dataset, evaluators, model, the rest."""
    first = {setting.name: setting for setting in _settings(baseline)}
    second = {setting.name: setting for setting in _settings(candidate)}
    found = []
    for name in _in_order(list(first), list(second)):
        before, after = first.get(name), second.get(name)
        values = (before.value if before else None, after.value if after else None)
        if values[0] != values[1]:
            found.append(Change(name, *values, is_hash=any(one is not None and one.is_hash for one in (before, after))))
    return found


def _in_order(first: list[str], second: list[str]) -> list[str]:
    """All names; those that only the second has stand behind the name before them there."""
    names = list(first)
    for place, name in enumerate(second):
        if name not in names:
            names.insert(names.index(second[place - 1]) + 1 if place else 0, name)
    return names


def _settings(run: Run) -> Iterator[_Setting]:
    yield from _prompt(run)
    yield from _dataset(run)
    yield from _evaluators(run)
    yield from _model(run)
    yield _Setting("repeats", str(run.repeats))
    yield _Setting("calls at once", str(run.in_flight))
    yield _Setting("answers from cache", "allowed" if run.use_cache else "never")
    yield _Setting("most money", None if run.cap_usd is None else f"{run.cap_usd.normalize():f} USD")
    rule = early_stops.rule_of(run)
    yield _Setting("stop early against", None if rule is None else ids.public("run", rule.baseline))
    for model, rates in sorted((run.provenance.get("prices") or {}).items()):
        yield _Setting(f"price of {model}", _text(rates))
    yield _Setting("application commit", run.provenance.get("application_commit"), is_hash=True)


def _prompt(run: Run) -> Iterator[_Setting]:
    yield _Setting("recorded column", run.recorded_column or None)
    prompt = run.provenance.get("prompt") or {}
    yield _Setting("prompt", prompt.get("path"))
    yield _Setting("prompt version", _number(prompt.get("version")))
    yield _Setting("prompt commit", prompt.get("commit"), is_hash=True)
    yield _Setting("prompt blob", prompt.get("blob"), is_hash=True)
    for path, blob in sorted((prompt.get("includes") or {}).items()):
        yield _Setting(f"included {path}", blob, is_hash=True)


def _dataset(run: Run) -> Iterator[_Setting]:
    dataset = run.provenance.get("dataset") or {}
    yield _Setting("dataset", dataset.get("slug"))
    yield _Setting("dataset version", _number(dataset.get("version")))
    yield _Setting("dataset hash", dataset.get("content_hash"), is_hash=True)


def _evaluators(run: Run) -> Iterator[_Setting]:
    seen: dict[str, int] = {}
    for one in run.provenance.get("evaluators") or []:
        name = one["name"]
        seen[name] = seen.get(name, 0) + 1
        shown = name if seen[name] == 1 else f"{name}-{seen[name]}"
        yield _Setting(f"evaluator {shown}, version", _number(one.get("version")))
        yield _Setting(f"evaluator {shown}, hash", one.get("spec_hash"), is_hash=True)
        yield _Setting(f"evaluator {shown}, settings", _text(one.get("spec")))


def _model(run: Run) -> Iterator[_Setting]:
    yield _Setting("model asked", run.model or None)
    yield _Setting("model answered", _answered(run))
    connection = run.provenance.get("connection") or {}
    yield _Setting("connection", connection.get("name"))
    yield _Setting("provider", connection.get("kind"))
    yield _Setting("address", connection.get("base_url"))
    for name, value in sorted((run.parameters or {}).items()):
        yield _Setting(f"parameter {name}", _text(value))


def _answered(run: Run) -> str | None:
    """The models that answered, the most frequent first: a provider may move a name to another model."""
    rows = (
        Result.objects.filter(run=run)
        .exclude(model_answered="")
        .values("model_answered")
        .annotate(count=Count("id"))
        .order_by("-count", "model_answered")
    )
    return ", ".join(row["model_answered"] for row in rows[:MOST_MODELS]) or None


def _number(value: Any) -> str | None:
    return None if value is None else str(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
