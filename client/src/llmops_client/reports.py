"""What an evaluation came to: a table for people, Markdown, JSON and JUnit XML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from llmops_client.errors import Exit
from llmops_client.evaluation import Evaluation
from llmops_client.gate import EXITS, Outcome

Json = Any
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = ("evaluator", "candidate (95 %)", "baseline", "difference (95 %)", "word")


def table(found: Evaluation) -> str:
    """The comparison and the gate's decisions, aligned for a terminal."""
    rows = [HEAD, *_rows(found)]
    lines = [_title(found), "", *_aligned(rows), "", *_effort(found)]
    if found.decisions:
        lines += [
            "",
            *_aligned([(one.outcome.upper(), one.subject, one.rule, one.sentence) for one in found.decisions]),
        ]
        lines += ["", f"gate: {found.outcome.upper()}"]
    return "\n".join(lines) + "\n"


def markdown(found: Evaluation) -> str:
    """The same as Markdown, for a comment on a pull request."""
    lines = [f"### {_escaped(_title(found))}", "", *_pipes([HEAD, *_rows(found)]), "", *_effort(found)]
    if found.decisions:
        decided = [(one.outcome.upper(), one.subject, one.rule, one.sentence) for one in found.decisions]
        lines += ["", *_pipes([("", "", "rule", "because"), *decided]), "", f"**Gate: {found.outcome.upper()}**"]
    links = [f"[{role}]({run['page']})" for role, run in _runs(found) if run.get("page")]
    return "\n".join([*lines, *(["", " · ".join(links)] if links else [])]) + "\n"


def as_json(found: Evaluation) -> Json:
    """Everything, for other programs. The comparison is the one without a margin; `decisions` name theirs."""
    return {
        "v": 1,
        "result": str(found.outcome) if found.decisions else None,
        "exit_code": int(exit_of(found)),
        "candidate": found.candidate,
        "baseline": found.baseline,
        "baseline_reused": found.reused,
        "comparison": found.comparisons.get(None),
        "comparisons": [one for margin, one in found.comparisons.items() if margin is not None],
        "decisions": [
            {"subject": one.subject, "rule": one.rule, "outcome": str(one.outcome), "sentence": one.sentence}
            for one in found.decisions
        ],
    }


def junit(found: Evaluation) -> str:
    """A test suite with a case for each rule; an inconclusive one is a failure of type `inconclusive`."""
    suite = ElementTree.Element("testsuite", name=_xml(_title(found)), tests=str(len(found.decisions)))
    failures = 0
    for one in found.decisions:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(f"gate.{one.subject}"), name=_xml(one.rule))
        if one.outcome is Outcome.PASS:
            ElementTree.SubElement(case, "system-out").text = _xml(one.sentence)
        else:
            failures += 1
            failure = ElementTree.SubElement(case, "failure", type=str(one.outcome), message=_xml(one.sentence))
            failure.text = _xml(f"{one.subject}: {one.rule}: {one.sentence}")
    suite.set("failures", str(failures))
    suite.set("errors", "0")
    return _document(suite)


def junit_of_error(message: str) -> str:
    """A test suite that says that nothing could be decided."""
    suite = ElementTree.Element("testsuite", name="llmops eval", tests="1", failures="0", errors="1")
    case = ElementTree.SubElement(suite, "testcase", classname="gate", name="evaluation")
    ElementTree.SubElement(case, "error", type="error", message=_xml(message.splitlines()[0])).text = _xml(message)
    return _document(suite)


def exit_of(found: Evaluation) -> Exit:
    return EXITS[found.outcome]


def _document(suite: ElementTree.Element) -> str:
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _runs(found: Evaluation) -> list[tuple[str, Json]]:
    return [("candidate", found.candidate), *([("baseline", found.baseline)] if found.baseline else [])]


def _title(found: Evaluation) -> str:
    run = found.candidate
    against = f" against version {found.baseline['version']}" if found.baseline else ""
    return f"{run['prompt']} version {run['version']}{against}, {run['dataset']} version {run['dataset_version']}"


def _rows(found: Evaluation) -> Iterator[tuple[str, ...]]:
    compared = {one["name"]: one for one in (found.comparisons.get(None) or {"evaluators": []})["evaluators"]}
    for name, score in found.candidate["scores"].items():
        other = compared.get(name)
        yield (
            name,
            _interval(score["mean"], score["low"], score["high"]) + _doubts(score),
            "–" if other is None or other["a"] is None else f"{other['a']:.3f}",
            "–" if other is None else _points(other),
            "–" if other is None else str(other["word"]),
        )


def _interval(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None:
        return "–"
    return f"{mean:.3f}" if low is None or high is None else f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _doubts(score: Json) -> str:
    parts = [f"{score[name]} {name}" for name in ("failed", "unscored") if score[name]]
    return f", {', '.join(parts)}" if parts else ""


def _points(one: Json) -> str:
    value, interval = one["difference"]["value"], one["difference"]["interval"]
    if value is None:
        return "–"
    return f"{value:+.3f}" if interval is None else f"{value:+.3f} ({interval['low']:+.3f} to {interval['high']:+.3f})"


def _effort(found: Evaluation) -> list[str]:
    return [f"{role}: {_costs(run)}" for role, run in _runs(found)]


def _costs(run: Json) -> str:
    cost = "cost unknown" if run["cost_usd"] is None else f"${run['cost_usd']:.6g}"
    p95 = run["latency_ms"]["p95"]
    slow = "no call timed" if p95 is None else f"p95 {p95:,} ms"
    failed = f", {run['failed']} failed" if run["failed"] else ""
    return f"{run['done']} results{failed}, {run['from_cache']} from the cache, {cost}, {slow}"


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    clean = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(_width(row[column]) for row in clean) for column in range(len(clean[0]))]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in clean
    ]


def _one_line(text: str) -> str:
    """Names come from the server: nothing that moves the cursor reaches the terminal."""
    return "".join(one if one.isprintable() else " " for one in text)


def _pipes(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", _one_line(text))
