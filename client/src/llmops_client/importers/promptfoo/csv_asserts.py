"""promptfoo's CSV tests: columns are variables, and `__expected` holds assertions in a short form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = Any
_SHORT = re.compile(r"\A(not-)?([a-z][a-z-]*[a-z])(?:\(([0-9.]+)\))?(?::(.*))?\Z", re.S)
_CODE = re.compile(r"\A(javascript|fn|eval|python):", re.S)
_TYPES = frozenset(
    {
        "equals", "contains", "contains-any", "contains-all", "icontains", "icontains-any", "icontains-all",
        "starts-with", "regex", "is-json", "contains-json", "is-sql", "contains-sql", "is-xml", "contains-xml",
        "is-html", "contains-html", "similar", "llm-rubric", "model-graded-closedqa", "factuality",
        "answer-relevance", "context-recall", "context-relevance", "context-faithfulness", "levenshtein",
        "rouge-n", "bleu", "gleu", "meteor", "latency", "cost", "perplexity", "moderation", "is-refusal",
        "classifier", "is-valid-openai-tools-call", "is-valid-openai-function-call", "is-valid-function-call",
        "webhook", "guardrails", "g-eval",
    }
)  # fmt: skip
_LISTS = frozenset({"contains-any", "contains-all", "icontains-any", "icontains-all"})
_GRADED = {"grade": "llm-rubric"}


def test_of(row: Mapping[str | None, Json]) -> tuple[dict[str, Json], list[str]]:
    """A test's object from a row, and what of it is not known."""
    values: dict[str, Json] = {}
    asserts: list[dict[str, Json]] = []
    metadata: dict[str, Json] = {}
    body: dict[str, Json] = {"vars": values, "assert": asserts, "metadata": metadata}
    problems = ["a row with more values than columns"] if None in row else []
    for column, cell in row.items():
        if column is None or cell is None:
            continue
        if re.fullmatch(r"__expected\d*", column):
            if cell.strip():
                asserts.append(assertion(cell))
        elif column == "__description":
            body["description"] = cell
        elif column.startswith("__metadata:"):
            name = column.removeprefix("__metadata:")
            metadata[name.removesuffix("[]")] = cell.split(",") if name.endswith("[]") else cell
        elif column.startswith("__"):
            if cell.strip():
                problems.append(column)
        else:
            values[column] = cell
    return body, problems


def assertion(text: str) -> dict[str, Json]:
    """An assertion from its short form: `contains: x`, `similar(0.8): x`; other text must be equal."""
    bare = text.strip()
    if code := _CODE.match(bare):
        kind = "python" if code.group(1) == "python" else "javascript"
        return {"type": kind, "value": bare[code.end() :].strip()}
    found = _SHORT.match(bare)
    if found is None:
        return {"type": "equals", "value": text}
    negated, kind, threshold, value = found.groups()
    kind = _GRADED.get(kind, kind)
    if kind not in _TYPES:
        return {"type": "equals", "value": text}
    made: dict[str, Json] = {"type": (negated or "") + kind}
    if value is not None:
        made["value"] = [item.strip() for item in value.split(",")] if kind in _LISTS else value.strip()
    if threshold:
        made["threshold"] = float(threshold)
    return made
