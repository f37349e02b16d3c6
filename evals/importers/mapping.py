"""Which column of a file becomes which part of an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.importers import rows
from evals.importers.rows import ExampleRow
from llmops.common.errors import Invalid

Json = Any

LEAVE_OUT = ""
_WHOLE = frozenset(rows.PARTS)
_NAMED = frozenset({"inputs", "metadata", "expected"})
_EXPECTED = (
    "expected", "expected_output", "expected_answer", "reference", "ideal", "target", "gold", "label", "answer",
    "correct_answer", "best answer", "best_answer", "gold_answers", "answers", "accept", "canonical_solution",
    "answer_matching_behavior",
)  # fmt: skip
_CONTEXTS = ("contexts", "context", "passages", "passage", "retrieved_contexts", "documents")
_METADATA = frozenset(
    {
        "id", "idx", "index", "uid", "key", "task_id", "question_id", "system", "model", "output", "outputs",
        "prediction", "response", "completion", "model_output", "source", "url", "author", "date", "created_at",
        "difficulty", "type", "category", "comment", "note", "notes",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Column → target: `inputs.question`, `expected`, `expected.category`, `contexts`, `metadata.id`, `tags`, `split`,
    a bare `inputs` or `metadata` for a column that is an object itself, or empty to leave the column out.

    A column that is not named here (JSON rows may differ) goes to `metadata` under its own name.
    """

    columns: Mapping[str, str] = field(default_factory=dict)

    def column_of(self, place: str) -> str | None:
        """Which column fills a part such as `inputs.question`; for errors."""
        part = place.partition(".")[0]
        for column, target in self.columns.items():
            if target and (target in (place, part) or place.startswith(f"{target}.")):
                return column
        return None

    def apply(self, values: Mapping[str, Json], *, from_text: bool) -> ExampleRow:
        """The example that a row of the file means; `from_text` for CSV, where every value is a text.

        :raises Invalid: with the part's place in `fields`.
        """
        parts: dict[str, Json] = {"inputs": {}, "metadata": {}}
        for column, value in values.items():
            target = self.columns.get(column, f"metadata.{column}")
            if target != LEAVE_OUT:
                _put(parts, target, column, value, from_text)
        return rows.checked(parts)


def checked(raw: Json) -> ColumnMapping:
    """A mapping from `{"columns": {column: target}}`.

    :raises Invalid: naming each column whose target is not one, and targets that two columns share.
    """
    columns = raw.get("columns") if isinstance(raw, dict) else None
    if not isinstance(columns, dict):
        raise Invalid("A mapping names columns and targets.", fields={"mapping": "must be an object"})
    wrong: dict[str, str] = {}
    used: dict[str, str] = {}
    for column, target in columns.items():
        part, dot, name = target.partition(".") if isinstance(target, str) else ("?", "", "")
        is_known = target == LEAVE_OUT or (target in _WHOLE) or (dot and part in _NAMED and name.strip())
        if not is_known or len(name) > rows.MAX_NAME:
            wrong[column] = f"{str(target)[:60]!r} is not a part of an example"
        elif target in used:
            wrong[column] = f"{target} is filled by “{used[target]}” already"
        elif target != LEAVE_OUT:
            used[target] = column
    if "expected" in used and any(target.startswith("expected.") for target in used):
        wrong[used["expected"]] = "expected cannot be both one value and several named ones"
    if not wrong and not any(target.partition(".")[0] in {"inputs", "metadata"} for target in used):
        wrong["mapping"] = "at least one column must become an input"
    if wrong:
        raise Invalid("The mapping is not acceptable.", fields=wrong)
    return ColumnMapping(columns=dict(columns))


def suggested(columns: Iterable[str], sample: Mapping[str, Json] | None = None) -> ColumnMapping:
    """A first guess from the columns' names; `sample` is a row, to see which columns are objects."""
    names = list(columns)
    sample = sample or {}
    folded = {name: re.sub(r"[\s-]+", "_", name.strip().casefold()) for name in names}
    found: dict[str, str] = {}
    expected = _first(folded, _EXPECTED)
    contexts = _first(folded, _CONTEXTS)
    for name in names:
        plain = folded[name]
        if plain in {"inputs", "metadata"} and isinstance(sample.get(name), dict):
            found[name] = plain
        elif name == expected:
            found[name] = "expected"
        elif name == contexts:
            found[name] = "contexts"
        elif plain in {"tags", "tag"} and "tags" not in found.values():
            found[name] = "tags"
        elif plain == "split":
            found[name] = "split"
        else:
            part, dot, rest = name.partition(".")
            is_place = dot and rest and part in {"inputs", "metadata"}
            found[name] = name if is_place else f"{'metadata' if plain in _METADATA else 'inputs'}.{name}"
    return ColumnMapping(columns=found)


def _first(folded: Mapping[str, str], wanted: Iterable[str]) -> str | None:
    for word in wanted:
        for name, plain in folded.items():
            if plain == word.replace(" ", "_"):
                return name
    return None


def _put(parts: dict[str, Json], target: str, column: str, value: Json, from_text: bool) -> None:
    part, dot, name = target.partition(".")
    if part == "expected" and dot:
        inner = parts.setdefault("expected", {})
        inner[name] = value
    elif part == "expected":
        parts["expected"] = None if from_text and value == "" else value
    elif part == "split":
        parts["split"] = str(value) if isinstance(value, int | float) else value
    elif part == "tags":
        parts["tags"] = _tags(value) if isinstance(value, str) else value
    elif part == "contexts":
        parts["contexts"] = _contexts(value, from_text)
    elif dot:
        parts[part][name] = value
    elif isinstance(value, dict):
        parts[part] |= value
    elif value is not None:
        parts[part][column] = value


def _tags(value: str) -> list[str]:
    return [tag.strip() for tag in re.split(r"[,;|]", value) if tag.strip()]


def _contexts(value: Json, from_text: bool) -> Json:
    """A list of texts; in CSV a cell may hold a JSON list, objects in JSON become JSON text."""
    if from_text and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    if value in (None, ""):
        return []
    if isinstance(value, list):
        return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
