"""JUnit XML, as build servers read it: one test case for each verdict.

A wrong verdict is a failure, an answer or evaluator that failed is an error, no verdict is skipped. Shape: the schema
of Jenkins' xunit plugin (junit-10.xsd).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from evals.reports.types import Head, Row, Scored

# What XML 1.0 allows (section 2.2, production [2]); anything else may not even stand as a reference.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
LONGEST_MESSAGE = 500


def render(head: Head, rows: Iterable[Row]) -> Iterator[str]:
    """A document of one suite."""
    counts = head.counts
    totals = {"tests": counts.verdicts, "failures": counts.wrong, "errors": counts.errors, "skipped": counts.unscored}
    numbers = "".join(f' {name}="{value}"' for name, value in totals.items())
    suite = f"<testsuite name={quoted(head.title)}{numbers}{_started(head)}"
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{suite} time="{head.took_s:.3f}">\n'
    yield _properties(head)
    for row in rows:
        for one in row.scores:
            yield _case(row, one)
    yield "</testsuite>\n</testsuites>\n"


def legal(value: str) -> str:
    """The text with what XML cannot hold replaced by U+FFFD."""
    return _ILLEGAL.sub("\ufffd", value)


def quoted(value: str) -> str:
    """The text as an attribute's value, quotes included; line ends survive."""
    return f'"{escape(legal(value), _ATTRIBUTE)}"'


def _body(value: str) -> str:
    return escape(legal(value), {"\r": "&#13;"})


def _started(head: Head) -> str:
    return f" timestamp={quoted(head.started_at)}" if head.started_at else ""


def _properties(head: Head) -> str:
    facts = {
        "run": head.uid, "url": head.url, "state": head.state, "dataset": f"{head.dataset} v{head.dataset_version}",
        "dataset_hash": head.dataset_hash, "commit": head.commit, "model": head.model,
    }  # fmt: skip
    facts |= {f"mean of {one.name}": f"{one.mean:.6g}" for one in head.evaluators if one.mean is not None}
    lines = [f"<property name={quoted(name)} value={quoted(value)}/>\n" for name, value in facts.items() if value]
    return f"<properties>\n{''.join(lines)}</properties>\n"


def _case(row: Row, one: Scored) -> str:
    name = quoted(f"row {row.position} {row.example} repeat {row.repeat}")
    seconds = "" if row.latency_ms is None else f' time="{row.latency_ms / 1000:.3f}"'
    opening = f"<testcase classname={quoted(one.evaluator)} name={name}{seconds}"
    verdict = _verdict(row, one)
    return f"{opening}>{verdict}</testcase>\n" if verdict else f"{opening}/>\n"


def _verdict(row: Row, one: Scored) -> str:
    if one.state == "error":
        kind = row.error_code or "not_judged"
        return f"<error type={quoted(kind)} message={quoted(_short(one.reason))}/>"
    if one.state == "unscored" or one.value is None:
        return f"<skipped message={quoted(_short(one.reason))}/>"
    if one.passed is False:
        message = _short(one.reason) or f"scored {one.value:g}"
        return f'<failure type="wrong" message={quoted(message)}>{_body(row.output)}</failure>'
    return ""


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_MESSAGE else f"{value[: LONGEST_MESSAGE - 1]}…"
