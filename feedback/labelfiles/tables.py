"""Tables of labels: a row for each answer (`annotator` names the column with the person) or for each item
(`annotators` names one column for each person)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from feedback.labelfiles.types import Decision, Given, LabeledItem
from llmops.common import text
from llmops.common.errors import Invalid

Json = Any
KNOWN = {"item", "question", "annotator", "answer", "annotators", "adjudicator", "gold", "inputs", "output", "values"}


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column is what. `values` translates answers, such as `{"Yes": "pass"}`.

    `adjudicator` is a column of who decided last: that answer stands where the others disagree or one is missing.
    """

    item: str
    question: str
    annotator: str = ""
    answer: str = ""
    annotators: tuple[str, ...] = ()
    adjudicator: str = ""
    gold: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""
    values: dict[str, Json] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: Json) -> Mapping:
        """:raises Invalid: naming the part that is not acceptable."""
        if not isinstance(given, dict):
            raise Invalid("The mapping must be an object.", fields={"mapping": "must be an object"})
        for name in given:
            if name not in KNOWN:
                raise _wrong(text.shown(str(name)), "is no part of a mapping")
        for name in ("item", "question", "annotator", "answer", "adjudicator", "gold", "output"):
            if not isinstance(given.get(name, ""), str):
                raise _wrong(name, "must be the name of a column")
        for name in ("annotators", "inputs"):
            value = given.get(name, [])
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise _wrong(name, "must be a list of columns")
        if not isinstance(given.get("values", {}), dict):
            raise _wrong("values", "must be an object")
        for name in ("item", "question"):
            if not given.get(name):
                raise _wrong(name, "is needed")
        if bool(given.get("annotators")) == bool(given.get("annotator") and given.get("answer")):
            raise _wrong("annotators", "name either annotators, or annotator and answer")
        lists = {name: tuple(given[name]) for name in ("annotators", "inputs") if name in given}
        return cls(**given | lists)


def read(rows: Iterable[Json], mapping: Mapping) -> list[LabeledItem]:
    """The items in the order of their first row.

    :raises Invalid: naming the line that is not acceptable.
    """
    found: dict[str, LabeledItem] = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise _at(number, "must be an object")
        key = row.get(mapping.item)
        if key is None or isinstance(key, dict | list) or not str(key).strip():
            raise _at(number, f"has no {mapping.item}")
        item = found.setdefault(str(key), LabeledItem(str(key)))
        _add(item, row, mapping, number)
    return list(found.values())


def _add(item: LabeledItem, row: dict[str, Json], mapping: Mapping, number: int) -> None:
    if not item.snapshot:
        item.snapshot = {
            "inputs": {name: row.get(name) for name in mapping.inputs} or {mapping.item: item.key},
            "output": row.get(mapping.output) if mapping.output else None,
        }
    if mapping.annotators:
        pairs = [(name, row.get(name)) for name in mapping.annotators]
    else:
        pairs = [(str(row.get(mapping.annotator) or ""), row.get(mapping.answer))]
    for who, answer in pairs:
        if answer is None or answer == "":
            continue
        if not who:
            raise _at(number, f"has no {mapping.annotator}")
        if any(given.who == who for given in item.given):
            raise _at(number, f"is the second answer of {text.shown(who)} about {text.shown(item.key)}")
        item.given.append(Given(who, {mapping.question: _value(answer, mapping)}))
    same = all(one.answers == item.given[0].answers for one in item.given)
    agreed = same and len(item.given) == len(mapping.annotators)
    if mapping.adjudicator and row.get(mapping.adjudicator) not in (None, "") and not agreed:
        answers = {mapping.question: _value(row[mapping.adjudicator], mapping)}
        item.decision = Decision(answers, mapping.adjudicator)
    if mapping.gold and row.get(mapping.gold) not in (None, ""):
        item.gold = {mapping.question: _value(row[mapping.gold], mapping)}


def _value(answer: Json, mapping: Mapping) -> Json:
    return mapping.values.get(str(answer), answer) if not isinstance(answer, dict | list) else answer


def _at(number: int, reason: str) -> Invalid:
    return Invalid(f"Line {number:,} {reason}.", fields={f"line {number}": reason})


def _wrong(name: str, reason: str) -> Invalid:
    return Invalid(f"{name}: {reason}.", fields={f"mapping.{name}": reason})
