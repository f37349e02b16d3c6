"""A page for people: the scores with their intervals, and the rows that went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from evals.reports.types import Corrected, Evaluator, Head, Row

SHOWN_ROWS = 50
LONGEST_CELL = 300
# Everything that CommonMark or its tables read as markup; what a model wrote must stay what it wrote.
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&^:@=])")
_BLANKS = re.compile(r"\s+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def render(head: Head, rows: Iterable[Row]) -> Iterator[str]:
    """At most SHOWN_ROWS rows that are wrong or failed are listed; the rest is in the other formats."""
    yield f"# {cell(head.title)} on {cell(head.dataset)} v{head.dataset_version}\n\n"
    yield from _facts(head)
    yield "\n## Scores\n\n"
    yield "| Evaluator | Score | 95 % interval | n | Unscored | Failed | Method |\n|---|--:|--:|--:|--:|--:|---|\n"
    for one in head.evaluators:
        yield _score_line(one)
        if one.corrected is not None:
            yield _corrected_line(one.corrected, one.n)
    yield "\n## Wrong and failed rows\n\n"
    shown, more = 0, False
    for row in rows:
        if not (row.error_code or any(one.passed is False for one in row.scores)):
            continue
        if shown == SHOWN_ROWS:
            more = True
            break
        if not shown:
            yield "| Row | Inputs | Expected | Output | Verdicts |\n|--:|---|---|---|---|\n"
        shown += 1
        yield _row_line(row)
    if not shown:
        yield "None.\n"
    elif more:
        yield f"\nThe first {SHOWN_ROWS} are shown; the CSV and JSON reports hold all.\n"


def cell(value: Any) -> str:
    """Any value as one line of a table's cell, cut, with nothing in it that Markdown or HTML would act on."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    text = _BLANKS.sub(" ", _CONTROL.sub("\ufffd", text)).strip()
    if len(text) > LONGEST_CELL:
        text = f"{text[: LONGEST_CELL - 1]}…"
    return _MARKUP.sub(r"\\\1", text)


def _facts(head: Head) -> Iterator[str]:
    facts = [
        ("Run", head.uid), ("State", head.state), ("Results", f"{head.done} of {head.total}, {head.failed} failed"),
        ("Repeats", str(head.repeats)), ("Model", head.model), ("Commit", head.commit),
        ("Dataset hash", head.dataset_hash), ("Started", head.started_at),
        ("Cost", "not known" if head.cost_usd is None else f"{head.cost_usd} USD"),
        ("Latency", "" if head.latency_p50_ms is None
         else f"median {head.latency_p50_ms} ms, p95 {head.latency_p95_ms} ms"),
    ]  # fmt: skip
    for name, value in facts:
        if value:
            yield f"- {name}: {cell(value)}\n"
    if head.url:
        yield f"- Page: <{head.url}>\n"


def _score_line(one: Evaluator) -> str:
    figures = f"{_figure(one.score)} | {_figure(one.between)}"
    return f"| {cell(one.name)} | {figures} | {one.n} | {one.unscored} | {one.failed} | {cell(one.method)} |\n"


def _corrected_line(one: Corrected, n: int) -> str:
    """What people would say, below what the judge says."""
    said = f"corrected by {one.labels} labels" if one.usable else f"not to be built upon: {'; '.join(one.reasons)}"
    figures = f"{_figure(one.score)} | {_figure(one.between)}"
    return f"| as people would say, {cell(said)} | {figures} | {n} | | | {cell(one.method)} |\n"


def _figure(words: str) -> str:
    """Numbers of our own; two dollars in a line would be a formula."""
    return words.replace("$", "\\$")


def _row_line(row: Row) -> str:
    verdicts = ", ".join(f"{one.evaluator}: {_verdict(one.value, one.passed, one.state)}" for one in row.scores)
    output = f"{row.error_code}: {row.error}" if row.error_code else row.output
    return f"| {row.position} | {cell(row.inputs)} | {cell(row.expected)} | {cell(output)} | {cell(verdicts)} |\n"


def _verdict(value: float | None, passed: bool | None, state: str) -> str:
    if value is None:
        return state
    return f"{value:.3g}" if passed is None else f"{'right' if passed else 'wrong'} ({value:.3g})"
