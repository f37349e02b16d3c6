"""Metrics that compare JSON with JSON: equal values, equal fields, how alike, and lists of texts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal

from rapidfuzz.distance import Levenshtein

from evals.metrics import structure
from evals.metrics.matching import NOTHING_EXPECTED
from evals.metrics.numbers import closeness
from evals.metrics.types import Json, Metric, Outcome, Score, Scorer, Unscored, param, verdict
from llmops.common.errors import Invalid

MAX_TEXT = 20_000
MAX_LIST = 300
MAX_DEPTH = 60
MAX_VALUES = 20_000
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class JsonEqual:
    any_of: bool = param(False, "the expected value is a list, and any one of its items is right")
    allow_fence: bool = param(False, "a Markdown code fence around the JSON is taken off first")


@dataclass(frozen=True, slots=True)
class JsonFields:
    fields: list[str] = field(
        default_factory=list,
        metadata={"meaning": "the fields that count, such as `order.items.0.name`; without them, all expected ones"},
    )
    allow_fence: bool = param(False, "a Markdown code fence around the JSON is taken off first")


@dataclass(frozen=True, slots=True)
class JsonDiff:
    read_texts: bool = param(True, "texts that hold an object or array are read as such, inside the JSON too")


@dataclass(frozen=True, slots=True)
class ListContains:
    allow_extra: bool = param(False, "further items in the output cost nothing")


def json_equal(params: JsonEqual) -> Scorer:
    def score(output: str, expected: Json) -> Outcome:
        if expected is None:
            return NOTHING_EXPECTED
        wanted = expected if params.any_of and isinstance(expected, list) else [expected]
        try:
            value = structure.parse(output, allow_fence=params.allow_fence)
        except ValueError as error:
            return verdict(False, "", str(error))
        equal = any(same(value, as_json(item)) for item in wanted)
        return verdict(equal, "the JSON is the expected one", "the JSON is not the expected one")

    return score


def json_fields(params: JsonFields) -> Scorer:
    """The share of fields that are equal; it passes when all are."""
    if any(not path.strip(".") for path in params.fields):
        raise Invalid("A field has no name.", fields={"params.fields": "names with dots between, such as a.b.0"})

    def score(output: str, expected: Json) -> Outcome:
        if expected is None:
            return NOTHING_EXPECTED
        wanted = as_json(expected)
        paths = params.fields or (list(wanted) if isinstance(wanted, dict) else [])
        if not paths:
            return Unscored("the expected value is no object with fields")
        try:
            value = structure.parse(output, allow_fence=params.allow_fence)
        except ValueError as error:
            return verdict(False, "", str(error))
        split = (lambda path: path.split(".")) if params.fields else (lambda path: [path])
        wrong = [path for path in paths if not _same_at(value, wanted, split(path))]
        share = 1 - len(wrong) / len(paths)
        named = f"; not equal: {', '.join(wrong[:5])}" if wrong else ""
        return Score(share, not wrong, f"{len(paths) - len(wrong)} of {len(paths)} fields are equal{named}"[:500])

    return score


def json_diff(params: JsonDiff) -> Scorer:
    """How alike two JSON values are, as autoevals computes it: fields and items in pairs, texts by Levenshtein
    similarity, numbers by their relative difference, different kinds by the similarity of their JSON."""

    def score(output: str, expected: Json) -> Outcome:
        if expected is None:
            return NOTHING_EXPECTED
        budget = _Budget()
        try:
            value = alike(_loaded(output), expected, budget, read_texts=params.read_texts)
        except TooLarge:
            return Unscored("the JSON is too large or too deep to be compared value by value")
        return Score(value, None, f"{value:.0%} alike, value by value")

    return score


def list_contains(params: ListContains) -> Scorer:
    """The best pairing of output and expected items by Levenshtein similarity (Kuhn 1955), as autoevals computes it."""

    def score(output: str, expected: Json) -> Outcome:
        if expected is None:
            return NOTHING_EXPECTED
        got, wanted = listed(output), listed(expected)
        if len(got) > MAX_LIST or len(wanted) > MAX_LIST:
            return Unscored(f"a list has more than {MAX_LIST} items")
        if any(len(item) > MAX_TEXT for item in (*got, *wanted)):
            return Unscored(f"an item is longer than {MAX_TEXT:,} characters")
        value = paired(got, wanted, allow_extra=params.allow_extra)
        return Score(value, None, f"{len(got)} items for {len(wanted)} expected ones")

    return score


def paired(got: list[str], wanted: list[str], *, allow_extra: bool) -> float:
    """Similarity of the best pairs / number of items, of the longer list unless extra items are allowed."""
    if not got or not wanted:
        return float(not wanted and (allow_extra or not got))
    import numpy as np  # noqa: PLC0415
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    table = np.array([[Levenshtein.normalized_similarity(one, other) for other in wanted] for one in got])
    rows, columns = linear_sum_assignment(table, maximize=True)
    size = len(wanted) if allow_extra else max(len(got), len(wanted))
    return min(1.0, max(0.0, float(table[rows, columns].sum()) / size))


def listed(value: Json) -> list[str]:
    """A list's items as texts: a JSON array, or one item a line of plain text."""
    if isinstance(value, str):
        try:
            value = structure.parse(value)
        except ValueError:
            return [line.strip() for line in value.splitlines() if line.strip()]
    items = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, sort_keys=True) for item in items]


def as_json(value: Json) -> Json:
    """An expected value: a text that is JSON is read as such."""
    if not isinstance(value, str):
        return value
    try:
        return structure.parse(value)
    except ValueError:
        return value


def same(left: Json, right: Json) -> bool:
    """Equal as JSON: 1 and 1.0 are, true and 1 are not, and order counts in arrays only."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(one, other) for one, other in zip(left, right, strict=True))
    return bool(left == right)


def _same_at(value: Json, wanted: Json, path: list[str]) -> bool:
    there, hoped = _at(value, path), _at(wanted, path)
    return there is not _ABSENT and hoped is not _ABSENT and same(there, hoped)


def _at(value: Json, path: list[str]) -> Json:
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and len(name) < 6 and int(name) < len(value):
            value = value[int(name)]
        else:
            return _ABSENT
    return value


class TooLarge(Exception):
    """More values or text than are compared."""


class _Budget:
    def __init__(self) -> None:
        self.values, self.characters = MAX_VALUES, 20 * MAX_TEXT

    def spend(self, depth: int, characters: int = 0) -> None:
        self.values -= 1
        self.characters -= characters
        if self.values < 0 or self.characters < 0 or depth > MAX_DEPTH:
            raise TooLarge


def _loaded(text: str) -> Json:
    """An object or array that the text holds; any other text as it is."""
    try:
        value = structure.parse(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def alike(left: Json, right: Json, budget: _Budget, *, read_texts: bool, depth: int = 0) -> float:
    """See `json_diff`.

    :raises TooLarge: when there is too much to compare.
    """
    budget.spend(depth)
    if read_texts:
        left, right = (_loaded(side) if isinstance(side, str) else side for side in (left, right))

    def inner(one: Json, other: Json) -> float:
        return alike(one, other, budget, read_texts=read_texts, depth=depth + 1)

    if isinstance(left, dict) and isinstance(right, dict):
        keys = left.keys() | right.keys()
        return sum(inner(left.get(key), right.get(key)) for key in keys) / len(keys) if keys else 1.0
    if isinstance(left, list) and isinstance(right, list):
        longer = max(len(left), len(right))
        return sum(inner(one, other) for one, other in zip(left, right, strict=False)) / longer if longer else 1.0
    if left is None or right is None:
        return float(left is None and right is None)
    if _is_number(left) and _is_number(right):
        return closeness(Decimal(str(left)), Decimal(str(right)))
    return _alike_texts(left, right, budget, depth)


def _alike_texts(left: Json, right: Json, budget: _Budget, depth: int) -> float:
    both = isinstance(left, str) and isinstance(right, str)
    one, other = (left, right) if both else (_compact(left), _compact(right))
    if max(len(one), len(other)) > MAX_TEXT:
        raise TooLarge
    budget.spend(depth, len(one) + len(other))
    return float(Levenshtein.normalized_similarity(one, other))


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


METRICS = (
    Metric("json_equal", "the output is the expected JSON", JsonEqual, json_equal, family="structure"),
    Metric(
        "json_fields",
        "share of the JSON's fields that are the expected ones",
        JsonFields,
        json_fields,
        pass_fail=False,
        family="structure",
    ),
    Metric(
        "json_diff", "how alike the JSON is, value by value", JsonDiff, json_diff, pass_fail=False, family="structure"
    ),
    Metric(
        "list_contains",
        "how well the list's items pair with the expected ones",
        ListContains,
        list_contains,
        pass_fail=False,
        family="structure",
    ),
)
