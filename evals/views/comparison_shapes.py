"""What the comparison of two runs prints: words first, numbers behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.urls import reverse

from evals.models import Example, Result, Run
from evals.queries import changes, early_stops, looks, run_pages
from evals.queries import runs as run_queries
from evals.queries.comparisons import ChangedRow, ComparedEvaluator, Pairs, RunComparison
from evals.statistics import Interval, margins
from evals.statistics.scales import POINTS, Scale
from evals.views.figure_shapes import bar
from llmops.common import ids
from llmops.common.templatetags import ui

TONES = {"better": "good", "worse": "bad", "no worse": "good", "not known yet": "neutral"}
ICONS = {"better": "trending-up", "worse": "trending-down", "no worse": "check", "not known yet": "circle-dashed"}
MOST_CHANGED = 50

Shape = dict[str, Any]


def comparison(found: RunComparison, *, chosen: str) -> Shape:
    """The page that says which of two runs is better."""
    picked = next((one for one in found.evaluators if one.name == chosen), next(iter(found.evaluators), None))
    shown: Shape = {
        "a": _side(found.baseline),
        "b": _side(found.candidate),
        "dataset_words": _examples(found),
        "look": looks.look_of(found.candidate),
        "warnings": list(_warnings(found)),
        "verdict": _headline(found, picked),
        "quality": [_quality(one) for one in found.evaluators],
        "tests": [line for one in found.evaluators for line in _tests(found, one)],
        "effort": list(_effort(found.baseline, found.candidate)),
        "changes": [dataclasses.asdict(one) for one in changes.changes_between(found.baseline, found.candidate)],
        "choices": [{"key": one.name, "name": one.name} for one in found.evaluators],
        "chosen": picked.name if picked else "",
        "is_paired": found.is_paired,
    }
    for name, count in (("regressed", "losses"), ("improved", "wins")):
        rows: Sequence[ChangedRow] = getattr(picked, name) if picked else ()
        shown[name] = changed_rows(found, rows[:MOST_CHANGED], picked.scale) if picked else []
        shown[f"{name}_count"] = getattr(picked.comparison, count) if picked else 0
    return shown


def pairs(found: Pairs) -> Shape:
    """Several runs in all pairs: each line as in the comparison of two, named by its runs."""
    return {
        "chosen": found.chosen,
        "evaluators": found.evaluators,
        "runs": [str(ids.public("run", run.uid)) for run in found.runs],
        "lines": [
            _quality(pair.compared)
            | {"a": _side(pair.baseline), "b": _side(pair.candidate), "p": p_value(pair.compared.verdict.p_adjusted)}
            | {"wins": pair.compared.comparison.wins, "losses": pair.compared.comparison.losses}
            for pair in found.pairs
        ],
    }


def choices(runs: Sequence[Run], chosen: Collection[Run]) -> list[Shape]:
    """The runs to choose from, those that are chosen first."""
    others = [run for run in runs if run not in chosen]
    return [
        _side(run)
        | {"is_chosen": run in chosen, "at": run.created_at, "model": run.model}
        | {"dataset": run.dataset_version.dataset.slug, "number": run.dataset_version.number}
        for run in [*chosen, *others]
    ]


def p_value(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _side(run: Run) -> Shape:
    named = run_pages.names(run)
    url = ""
    if run.target is not None:
        url = reverse("prompts:versions", args=[run.project.slug, run.target.artifact.path])
    return {**dataclasses.asdict(named), "labels": [], "prompt_url": url}


def _examples(found: RunComparison) -> str:
    if found.is_identical:
        return f"{found.shared:,} examples in both, the outputs identical to the byte"
    if found.is_paired:
        return f"{found.shared:,} examples in both"
    return f"{found.examples[0]:,} examples against {found.examples[1]:,} others"


def _warnings(found: RunComparison) -> Iterator[str]:
    if not found.is_paired and all(found.examples):
        yield (
            "The two runs are on different examples: only their averages are compared, which needs three to ten times "
            "as many examples as two runs on the same ones."
        )
    if found.edited:
        yield f"{found.edited} of the shared examples were edited between the two runs."
    if any(not one.is_same for one in found.evaluators):
        yield "An evaluator of the same name was configured differently in the two runs."
    if found.stopped is not None and found.stopped.is_futile:
        yield (
            f"The second run stopped early, after {found.stopped.used:,} of {found.stopped.planned:,} examples: by "
            "then the rest was unlikely to tell the two apart, so its money was not spent."
        )
    elif found.stopped is not None:
        yield (
            f"The second run stopped early, after {found.stopped.used:,} of {found.stopped.planned:,} examples: its "
            "answer was clear. The difference seen at such a moment leans too far out: trust the end of the "
            "interval that is nearer to 0."
        )
    elif any(early_stops.stopped_of(run) is not None for run in (found.baseline, found.candidate)):
        yield "A run stopped early, when it was clear against another run: its figures here lean too far out."
    if any(run.state != Run.State.DONE for run in (found.baseline, found.candidate)):
        yield "A run is not finished. Looking again and again until a difference shows finds differences by chance."


def _headline(found: RunComparison, one: ComparedEvaluator | None) -> Shape:
    if one is None:
        return {"tone": "neutral", "icon": "circle-dashed", "sentence": "Nothing to compare",
                "proof": "The two runs have no evaluator in common."}  # fmt: skip
    difference, word = one.comparison.difference, one.verdict.word
    tone = TONES[word]
    drawn: Shape = {
        "tone": tone,
        "icon": ICONS[word],
        "sentence": f"{word.capitalize()} on {one.name}",
        "proof": _proof(found, one),
        "n": difference.n,
    }
    if difference.interval is not None and difference.value is not None:
        low, high = difference.interval.low, difference.interval.high
        least = 5.0 / one.scale.per_unit if one.scale.in_points else 1e-12
        reach = max(least, abs(low), abs(high)) * 1.1
        drawn |= {
            "number": one.scale.difference(difference.value),
            "interval": one.scale.differences(low, high),
            "bar": _difference_bar(one, difference.interval, difference.value, reach, tone),
            "axis_low": _end(one, -reach),
            "axis_high": _end(one, reach),
        }
    return drawn


def _proof(found: RunComparison, one: ComparedEvaluator) -> str:
    parts = [_sentence(one)]
    if one.comparison.is_paired:
        parts.append(f"{one.comparison.wins:,} examples improved, {one.comparison.losses:,} regressed.")
    if one.comparison.tests:
        family = sum(bool(each.comparison.tests) for each in found.evaluators)
        corrected = f", corrected for {family} evaluators (Holm)" if family > 1 else ""
        parts.append(f"{one.comparison.tests[0].method}: p {_with_equals(one.verdict.p_adjusted)}{corrected}.")
    return " ".join(parts)


def _with_equals(p: float | None) -> str:
    shown = p_value(p)
    return shown if shown.startswith("<") else f"= {shown}"


def _sentence(one: ComparedEvaluator) -> str:
    sentence = one.verdict.sentence
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _difference_bar(one: ComparedEvaluator, interval: Interval, value: float, reach: float, tone: str) -> Shape | None:
    words = f"{one.scale.difference(value)}, interval {one.scale.differences(interval.low, interval.high)}"
    return bar(interval.low, value, interval.high, span=(-reach, reach), reference=0.0, tone=tone, words=words)


def _end(one: ComparedEvaluator, reach: float) -> str:
    """The end of an axis of differences: whole points, or a number in the metric's unit."""
    shown = f"{reach * one.scale.per_unit:+.0f}" if one.scale.in_points else one.scale.difference(reach)
    return shown.replace("-", "−")


def _quality(one: ComparedEvaluator) -> Shape:
    difference = one.comparison.difference
    tone = TONES[one.verdict.word]
    shown: Shape = {
        "name": one.name,
        "before": one.scale.shown(one.baseline_mean),
        "after": one.scale.shown(one.candidate_mean),
        "tone": tone,
        "icon": ICONS[one.verdict.word],
        "word": one.verdict.word.capitalize(),
        "sentence": _sentence(one),
        "n": difference.n,
        "unscored": difference.unscored,
        "difference": one.scale.difference(difference.value),
    }
    if difference.interval is not None and difference.value is not None:
        low, high = difference.interval.low, difference.interval.high
        reach = one.scale.high - one.scale.low if one.scale.is_bounded else 1.1 * max(abs(low), abs(high), 1e-12)
        shown["bar"] = _difference_bar(one, difference.interval, difference.value, reach, tone)
        shown["interval"] = one.scale.differences(low, high)
    return shown


def _tests(found: RunComparison, one: ComparedEvaluator) -> Iterator[Shape]:
    """Each method behind a word, one line each: the interval and the test that decided first."""
    difference = one.comparison.difference
    intervals = [] if difference.interval is None else [difference.interval]
    for interval in [*intervals, *one.alternatives]:
        use = "decides" if interval is difference.interval else "to compare with other tools"
        yield {"name": one.name, "method": f"{interval.method}, {interval.level:.0%} interval".replace("%", " %"),
               "result": one.scale.differences(interval.low, interval.high), "adjusted": "", "use": use}  # fmt: skip
    for place, test in enumerate(one.comparison.tests):
        adjusted = p_value(one.verdict.p_adjusted) if not place else ""
        use = "decides" if not place else "shown beside"
        yield {"name": one.name, "method": test.method, "result": f"p {_with_equals(test.p)}",
               "adjusted": adjusted, "use": use}  # fmt: skip
    if found.margin is not None and one.comparison.is_paired and one.comparison.sd is None and difference.n:
        test = margins.no_worse(one.comparison.wins, one.comparison.losses, difference.n, found.margin)
        yield {"name": one.name, "method": f"no worse by {found.margin * POINTS:g} points, one-sided",
               "result": f"p {_with_equals(test.p)}", "adjusted": "", "use": "below 0.025: no worse"}  # fmt: skip


def _effort(baseline: Run, candidate: Run) -> Iterator[Shape]:
    """Cost and latency beside quality: plain figures, no verdict is drawn from them."""
    first, second = run_queries.summary_of(baseline), run_queries.summary_of(candidate)
    pairs = [
        ("cost", first.cost_usd, second.cost_usd, ui.money),
        ("median latency", first.latency_p50_ms, second.latency_p50_ms, ui.milliseconds),
        ("p95 latency", first.latency_p95_ms, second.latency_p95_ms, ui.milliseconds),
        ("tokens out", first.tokens_out, second.tokens_out, "{:,}".format),
    ]
    for name, before, after, shown in pairs:
        if before is None or after is None:
            continue
        change = (float(after) - float(before)) / float(before) * 100 if float(before) else 0.0
        yield {
            "name": name, "before": shown(before), "after": shown(after), "difference": f"{change:+.0f} %", "bar": None,
            "tone": "neutral", "icon": "minus", "word": "Measured", "interval": "",
        }  # fmt: skip


def changed_rows(found: RunComparison, rows: Sequence[ChangedRow], scale: Scale) -> list[Shape]:
    """The rows that changed, with both outputs and their scores on the scale."""
    keys = [row.example_key for row in rows]
    old, new = (run_queries.first_results(run, keys) for run in (found.baseline, found.candidate))
    shown = []
    for row in rows:
        before, after = old.get(row.example_key), new.get(row.example_key)
        if before is None or after is None:
            continue
        example: Example = after.example
        shown.append(
            {
                "url": reverse("evals:result-detail", args=[
                    found.candidate.project.slug, ids.public("run", found.candidate.uid), ids.public("res", after.uid)
                ]),
                "number": example.position,
                "inputs": ", ".join(str(value) for value in example.inputs.values())[:300],
                "expected": str(example.expected or ""),
                "before": _output(before, row.baseline, scale),
                "after": _output(after, row.candidate, scale),
                "tags": example.tags,
            }
        )  # fmt: skip
    return shown


def _output(result: Result, value: float, scale: Scale) -> Shape:
    """Right or wrong only where scores lie between 0 and 1: nobody knows how many milliseconds are right."""
    passed = value >= 0.5 if (scale.low, scale.high) == (0.0, 1.0) else None
    tone, icon = {True: ("good", "check"), False: ("bad", "x"), None: ("neutral", "circle-dot")}[passed]
    return {"tone": tone, "icon": icon, "output": result.output or result.error, "word": scale.score(value)}
