"""What the rows of a run show: every result with its verdicts, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Q

from evals.models import Example, Result, Run, Score
from evals.queries import dataset_pages, paging
from evals.queries.output_diffs import DiffLine, as_text, diff
from evals.queries.runs import evaluators_of, scale_of
from evals.statistics.scales import Scale
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.gateway.types import spans_of

WHOLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """One evaluator's verdict on one result, as a word with a tone and an icon."""

    name: str
    tone: str
    icon: str
    big_icon: str
    word: str
    value: str
    reason: str
    judged_by: str = ""


@dataclass(frozen=True, slots=True)
class ResultRow:
    uid: str
    number: int
    repeat: int
    inputs: str
    expected: str
    output: str
    error: str
    latency_ms: int | None
    scores: list[Mark]


@dataclass(frozen=True, slots=True)
class ResultDetail:
    """Everything of one result. `diff` is the output against the expected answer, when both can be put side by side."""

    inputs: list[tuple[str, str]]
    tags: list[str]
    expected: str
    output: str
    error: str
    error_code: str
    diff: list[DiffLine]
    diff_words: str
    scores: list[Mark]
    spans: list[tuple[str, str, float, float]]
    latency_ms: int | None
    facts: list[tuple[str, str]]
    example_key: str


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results are listed: of one evaluator, worst first; `show` is empty, wrong, unscored or failed."""

    evaluator: int = 0
    show: str = ""
    search: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """A page of results."""

    page: paging.Page[ResultRow]
    results: list[Result] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Called:
    """What a run calls an evaluator, and what its values are."""

    name: str
    scale: Scale


def _evaluators(run: Run) -> dict[int, Called]:
    return {
        line.evaluator_version_id: Called(line.name, scale_of(line.evaluator_version)) for line in evaluators_of(run)
    }


def results(run: Run, narrowed: ResultFilter, cursor: str = "") -> Graded:
    """A page of results by the chosen evaluator's score, worst first; without evaluators in the order of the rows."""
    called = _evaluators(run)
    chosen = narrowed.evaluator if narrowed.evaluator in called else next(iter(called), 0)
    if narrowed.show == "failed" or not chosen:
        found = Result.objects.filter(run=run).select_related("example").prefetch_related("scores")
        found = found.exclude(error_code="") if narrowed.show == "failed" else found
        page = paging.page(_narrowed(found, narrowed, "", run), order=("id",), cursor=cursor, size=25)
        return Graded(page.map(lambda result: _result_row(result, called)), page.rows)
    scores = Score.objects.filter(run=run, evaluator_version_id=chosen).select_related("result__example")
    if narrowed.show == "unscored":
        # An output that was not judged is unscored too; without an output there is nothing to score.
        scores, order = scores.exclude(state=Score.State.SCORED).filter(result__error_code=""), ("id",)
    else:
        worst = "value" if called[chosen].scale.higher_is_better else "-value"
        scores, order = scores.filter(state=Score.State.SCORED), (worst, "id")  # type: ignore[assignment]
    if narrowed.show == "wrong":
        scores = scores.filter(passed=False)
    scores = _narrowed(scores, narrowed, "result__", run).prefetch_related("result__scores")
    graded = paging.page(scores, order=order, cursor=cursor, size=25)
    return Graded(graded.map(lambda score: _result_row(score.result, called)), [score.result for score in graded.rows])


def _narrowed(rows: Any, narrowed: ResultFilter, prefix: str, run: Run) -> Any:
    if narrowed.search:
        rows = rows.filter(
            Q(**{f"{prefix}output__icontains": narrowed.search})
            | Q(**{f"{prefix}example__inputs__icontains": narrowed.search})
        )
    if narrowed.tag:
        tagged = Example.objects.filter(dataset_id=run.dataset_version.dataset_id).tagged(narrowed.tag)
        rows = rows.filter(**{f"{prefix}example__in": tagged})
    return rows


def result_in(run: Run, uid: str) -> Result:
    """:raises NotFound: when the run has no such result."""
    found = (
        Result.objects.filter(run=run, uid=ids.parse("res", uid))
        .select_related("example")
        .prefetch_related("scores")
        .first()
    )
    if found is None:
        raise NotFound("There is no such result here.")
    return found


def result_row(run: Run, result: Result) -> ResultRow:
    return _result_row(result, _evaluators(run))


def _result_row(result: Result, called: Mapping[int, Called]) -> ResultRow:
    return ResultRow(
        uid=ids.public("res", result.uid),
        number=result.example.position,
        repeat=result.repeat + 1,
        inputs=dataset_pages.one_line(result.example.inputs),
        expected=dataset_pages.one_line(result.example.expected),
        output=dataset_pages.one_line(result.output),
        error=result.error_code,
        latency_ms=result.latency_ms,
        scores=[mark(score, called) for score in _in_order(result, called)],
    )


def _in_order(result: Result, called: Mapping[int, Called]) -> list[Score]:
    places = {version: place for place, version in enumerate(called)}
    return sorted(result.scores.all(), key=lambda score: places.get(score.evaluator_version_id, WHOLE))


def mark(score: Score, called: Mapping[int, Called]) -> Mark:
    """With the judge's models, where it was one: what was asked, and what answered if it calls itself otherwise."""
    other = score.model_answered if score.model_answered != score.model_asked else ""
    judged_by = f"{score.model_asked}, answered by {other}" if other and score.model_asked else score.model_asked
    return replace(_mark(score, called), judged_by=judged_by or other)


def _mark(score: Score, called: Mapping[int, Called]) -> Mark:
    found = called.get(score.evaluator_version_id, Called("?", Scale()))
    name = found.name
    if score.state == Score.State.ERROR:
        word = "not judged" if score.reason.startswith("not judged") else "could not be graded"
        return Mark(name, "warn", "triangle-alert", "triangle-alert", word, "–", score.reason)
    if score.state == Score.State.UNSCORED or score.value is None:
        return Mark(name, "neutral", "circle-dashed", "circle-dashed", "unscored", "–", score.reason)
    value = found.scale.score(score.value)
    word = f"{score.category}, " if score.category else ""
    if score.passed is None:
        return Mark(name, "neutral", "circle-dot", "circle-dot", f"{word}{value}", value, score.reason)
    if score.passed:
        return Mark(name, "good", "check", "circle-check", f"{word}right", value, score.reason)
    return Mark(name, "bad", "x", "circle-x", f"{word}wrong", value, score.reason)


def result_detail(run: Run, result: Result) -> ResultDetail:
    example = result.example
    called = _evaluators(run)
    lines = diff(result.output, example.expected)
    differing = sum(1 for line in lines if line.tone)
    return ResultDetail(
        inputs=[(name, as_text(value)) for name, value in example.inputs.items()],
        tags=list(example.tags),
        expected=as_text(example.expected),
        output=result.output,
        error=result.error,
        error_code=result.error_code,
        diff=lines,
        diff_words=f"{differing} line{'' if differing == 1 else 's'} differ{'s' if differing == 1 else ''}"
        if differing
        else ("the same" if lines else ""),
        scores=[mark(score, called) for score in _in_order(result, called)],
        spans=_spans(result.trace),
        latency_ms=result.latency_ms,
        facts=_facts(result),
        example_key=example.uid,
    )


def _spans(trace: Any) -> list[tuple[str, str, float, float]]:
    if not isinstance(trace, dict):
        return []
    return [(span.name, span.kind, float(span.start_ms), float(span.duration_ms)) for span in spans_of(trace)]


def _facts(result: Result) -> list[tuple[str, str]]:
    tokens = ""
    if result.tokens_in is not None or result.tokens_out is not None:
        tokens = f"{result.tokens_in or 0:,} in, {result.tokens_out or 0:,} out"
    facts = [
        ("Answered by", result.model_answered),
        ("Tokens", tokens),
        ("Ended", result.finish_reason),
        ("From cache", "yes" if result.from_cache else ""),
    ]
    return [(name, value) for name, value in facts if value]
