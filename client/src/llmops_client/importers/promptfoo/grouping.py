"""From assertions on single tests to evaluators that hold for whole datasets.

promptfoo asserts test by test; an evaluator scores every example of a dataset. So: an assertion that holds for all
tests alike becomes an evaluator with that value. One whose value differs reads the example's expected value. One that
only some tests have gets a dataset of those tests. An example has one expected value, so assertions that need several
get several datasets; answers to the same inputs come from the cache, and no model is asked twice.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmops_client.importers import prompty
from llmops_client.importers.promptfoo.asserts import FORMS, MANY, NOTHING, PATTERN, RUBRIC, SCHEMA, Check
from llmops_client.importers.promptfoo.cases import Case
from llmops_client.importers.types import Conversion, NewDataset, NewEvaluator, PromptFile

Json = Any
Key = tuple[str, str, str, int]  # type, metric, settings as JSON, which of several in one test
EVERY = {"contains": "contains-all", "icontains": "icontains-all"}
CRITERION = """You are grading the output of a model by one criterion.

Criterion:
{criterion}

Output:
{{{{ output }}}}

Does the output meet the criterion?"""
FACTUALITY = """You compare a submitted answer with an expert answer. Style, grammar and punctuation do not count.

Expert answer:
{criterion}

Submitted answer:
{{{{ output }}}}

Which one holds?
A: the submitted answer is a subset of the expert answer and fully consistent with it.
B: it is a superset of the expert answer and fully consistent with it.
C: it contains all the same details as the expert answer.
D: the two disagree.
E: they differ, but the differences do not matter for the facts."""
FACTUALITY_SCORES = {"A": 1.0, "B": 1.0, "C": 1.0, "D": 0.0, "E": 1.0}


@dataclass(slots=True)
class _Set:
    """A dataset in the making: which cases, and what each expects if anything reads it."""

    cases: tuple[int, ...]
    expected: dict[int, Json] | None = None
    slugs: list[str] = field(default_factory=list)


class Grouping:
    """Puts evaluators and datasets into a conversion."""

    def __init__(self, name: str, slug: str, into: Conversion) -> None:
        self.name, self.slug, self.into = name, slug, into
        self.sets: list[_Set] = []
        self.made: dict[str, NewEvaluator] = {}

    def run(self, cases: Sequence[Case], checks: Sequence[Sequence[Check]]) -> None:
        """:param checks: those of each case, in the cases' order."""
        every = tuple(range(len(cases)))
        slots = _slots(checks)
        # What holds for all comes first, so that the first dataset has it.
        for slot in sorted(slots, key=lambda slot: -len(slot)):
            self._slot(slot, every)
        covered = {case for one in self.sets for case in one.cases}
        if covered != set(every):
            self.sets.insert(0, _Set(every))
        for number, one in enumerate(self.sets):
            slug = self.slug if number == 0 else f"{self.slug[:54]}-{number + 1}"
            self.into.datasets.append(
                NewDataset(slug, f"From {self.into.source}"[:500], tuple(_examples(cases, one)), tuple(one.slugs))
            )
        self.into.evaluators.extend(self.made.values())

    def _slot(self, slot: Mapping[int, Check], every: tuple[int, ...]) -> None:
        by_value: dict[str, dict[int, Check]] = defaultdict(dict)
        for case, check in slot.items():
            by_value[json.dumps(check.value, sort_keys=True)][case] = check
        form = next(iter(slot.values())).form
        if form.takes in (PATTERN, SCHEMA, NOTHING):
            for alike in by_value.values():
                self._place(alike, fixed=True)
        else:
            is_fixed = len(by_value) == 1 and len(slot) == len(every) and (bool(form.param) or form.takes == RUBRIC)
            self._place(slot, fixed=is_fixed)

    def _place(self, slot: Mapping[int, Check], *, fixed: bool) -> None:
        """Put an evaluator into the first dataset of these cases that it fits into."""
        cases = tuple(sorted(slot))
        check = slot[cases[0]]
        slug = self._evaluator(check, fixed=fixed)
        expected = None if fixed else {case: slot[case].value for case in cases}
        for one in self.sets:
            if one.cases == cases and (expected is None or one.expected in (None, expected)):
                break
        else:
            one = _Set(cases)
            self.sets.append(one)
        if expected is not None:
            one.expected = expected
        if slug not in one.slugs:
            one.slugs.append(slug)

    def _evaluator(self, check: Check, *, fixed: bool) -> str:
        spec = _spec(check, fixed=fixed)
        rubric = self._rubric(check, fixed=fixed) if check.form.takes == RUBRIC else None
        identity = json.dumps([spec, rubric.content if rubric else None], sort_keys=True)
        if identity not in self.made:
            slug = f"{self.slug[:36].rstrip('-')}-{check.type[:20]}"
            taken = {one.slug for one in self.made.values()}
            number = 2
            while slug in taken:
                slug = f"{self.slug[:36].rstrip('-')}-{check.type[:16]}-{number}"
                number += 1
            if rubric is not None:
                rubric = replace(rubric, name=f"{rubric.name}-{len(self.made) + 1}")
                spec = {**spec, "judge": {"prompt": rubric.name}}
            what = f"{check.type} assertion"
            self.made[identity] = NewEvaluator(slug, spec, what, check.place.file, check.place.line, rubric)
        return self.made[identity].slug

    def _rubric(self, check: Check, *, fixed: bool) -> PromptFile:
        criterion = prompty.literal(check.value) if fixed else "{{ expected }}"
        frame = FACTUALITY if check.form.metric == "factuality" else CRITERION
        content = prompty.write(check.type, [("user", frame.format(criterion=criterion))])
        return PromptFile(f"judges/{self.name}/{check.type}", content, check.place.file, check.place.line)


def _slots(checks: Sequence[Sequence[Check]]) -> list[dict[int, Check]]:
    """What one evaluator can decide: checks of one kind, at most one of each case."""
    found: dict[Key, dict[int, Check]] = {}
    for case, those in enumerate(_joined(checks)):
        seen: dict[tuple[str, str, str], int] = defaultdict(int)
        for check in those:
            kind = (check.type, check.form.metric, json.dumps(check.settings))
            found.setdefault((*kind, seen[kind]), {})[case] = check
            seen[kind] += 1
    return list(found.values())


def _joined(checks: Sequence[Sequence[Check]]) -> list[list[Check]]:
    """Several texts that one output must hold are one list of which it must hold all."""
    kinds = [(one.type, one.settings) for those in checks for one in those if one.type in EVERY]
    repeated = {
        kind for those in checks for kind in set(kinds)
        if sum((one.type, one.settings) == kind for one in those) > 1 or _has_all(those, kind)
    }  # fmt: skip
    return [_joined_case(those, repeated) for those in checks]


def _has_all(those: Iterable[Check], kind: tuple[str, Json]) -> bool:
    return any((one.type, one.settings) == (EVERY[kind[0]], kind[1]) for one in those)


def _joined_case(those: Sequence[Check], repeated: set[tuple[str, Any]]) -> list[Check]:
    found: list[Check] = []
    for check in those:
        if (check.type, check.settings) in repeated:
            kind = EVERY[check.type]
            check = replace(check, type=kind, form=FORMS[kind], value=[check.value])
        same = next((n for n, one in enumerate(found) if _can_join(one, check)), None)
        if same is None:
            found.append(check)
        else:
            found[same] = replace(found[same], value=[*found[same].value, *check.value])
    return found


def _can_join(one: Check, other: Check) -> bool:
    is_all = one.type in EVERY.values() and one.form.takes == MANY
    return is_all and (one.type, one.settings) == (other.type, other.settings)


def _spec(check: Check, *, fixed: bool) -> Json:
    settings = dict(check.settings)
    if check.form.takes == RUBRIC:
        if check.form.metric == "factuality":
            return {"judge": {}, "scale": {"kind": "choice", "choices": FACTUALITY_SCORES, "pass_at": 1.0}}
        if "threshold" in settings:
            return {"judge": {}, "scale": {"kind": "score", "low": 0, "high": 10, "pass_at": settings["threshold"]}}
        return {"judge": {}, "scale": {"kind": "pass_fail"}}
    params = dict(check.form.params)
    if check.form.limit in settings:
        params[check.form.limit] = settings.pop(check.form.limit)
    if fixed and check.form.param:
        params[check.form.param] = check.value
    return {"metric": check.form.metric, "params": params, **settings}


def _examples(cases: Sequence[Case], one: _Set) -> Iterable[Json]:
    for number in one.cases:
        case = cases[number]
        example: dict[str, Json] = {"inputs": case.inputs}
        if one.expected is not None:
            example["expected"] = one.expected[number]
        metadata = case.metadata if case.inputs else {**case.metadata, "test": number + 1}
        if metadata:
            example["metadata"] = metadata
        yield example
