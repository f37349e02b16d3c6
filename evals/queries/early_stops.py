"""Whether a run may stop: its evidence so far against an earlier run, in the order that was fixed at its start."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Count

from evals.models import Run, Score
from evals.queries.runs import evaluators_of, rows_of, scale_of, tallies_of
from evals.statistics import sequential
from evals.statistics.scales import Scale
from evals.statistics.sequential import Evidence
from evals.statistics.verdicts import MANY_UNSCORED, UNKNOWN


@dataclass(frozen=True, slots=True)
class Rule:
    """What a run was asked to be compared with while it goes; `margin` is in points of 100."""

    baseline: uuid.UUID
    margin: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {"v": 1, "baseline": self.baseline.hex, "margin": self.margin, "stopped": None}


@dataclass(frozen=True, slots=True)
class Word:
    """What was clear for one evaluator: its word, and the interval that holds at all looks, on the metric's scale.

    `chance` is there where nothing was clear: how likely the rest of the run would have found a word.
    """

    word: str
    low: float
    high: float
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run that ended because its answer was clear, or hardly to be had, after `used` of `planned` examples."""

    used: int
    planned: int
    evaluators: Mapping[str, Word]

    def as_json(self) -> dict[str, Any]:
        words = {name: asdict(word) for name, word in self.evaluators.items()}
        return {"used": self.used, "planned": self.planned, "evaluators": words}

    @property
    def saved(self) -> float:
        return 1 - self.used / self.planned

    @property
    def is_futile(self) -> bool:
        """Whether it ended because more would hardly have told, by one evaluator at least."""
        return any(word.chance is not None for word in self.evaluators.values())


def rule_of(run: Run) -> Rule | None:
    """:raises ValueError: for a version of the shape that this code does not know."""
    kept = run.early_stop
    if kept is None:
        return None
    if kept.get("v") != 1:
        raise ValueError(f"early stop of version {kept.get('v')!r}")
    return Rule(uuid.UUID(kept["baseline"]), kept["margin"])


def stopped_of(run: Run) -> Stopped | None:
    """None for a run that did not stop early."""
    kept = (run.early_stop or {}).get("stopped")
    if rule_of(run) is None or not kept:
        return None
    words = {name: Word(**word) for name, word in kept["evaluators"].items()}
    return Stopped(kept["used"], kept["planned"], words)


def planned_order(run: Run) -> list[tuple[int, uuid.UUID]]:
    """The run's examples, key of the row and of the example, in an order by lot that its uid has fixed.

    The order of the dataset will not do: what was added last may be the hardest.
    """
    rows = rows_of(run.dataset_version, run.split).values_list("id", "key")
    return sorted(rows, key=lambda row: hashlib.sha256(run.uid.bytes + row[1].bytes).digest())


def look(run: Run) -> Stopped | None:
    """What is clear by the finished beginning of the planned order; None: go on.

    Only that beginning counts, because what is finished first is the easy part. Of all evaluators that both runs have
    each must be clear, or unlikely to become clear by the end (`sequential.chance_of_a_word`). With more than a
    twentieth of the examples unscored nothing is.
    """
    rule = rule_of(run)
    baseline = None if rule is None else Run.objects.filter(project_id=run.project_id, uid=rule.baseline).first()
    if rule is None or baseline is None:
        return None
    planned = rows_of(run.dataset_version, run.split).count()
    beginning = _finished_beginning(run)
    sides = _sides(baseline, run) if beginning else {}
    if not sides:
        return None
    words = {}
    for name, (scale, before, after) in sides.items():
        evidence = _evidence(beginning, before, after, scale)
        if evidence.n < (1 - MANY_UNSCORED) * len(beginning):
            return None
        word = _word(evidence, rule, scale, planned, len(sides))
        if word is None:
            return None
        words[name] = word
    return Stopped(len(beginning), planned, words)


def _word(evidence: Evidence, rule: Rule, scale: Scale, planned: int, metrics: int) -> Word | None:
    """A word that is clear, or “not known yet” where the rest of the run would hardly change it; None: go on."""
    margin = None if rule.margin is None else rule.margin / 100
    found = sequential.look(evidence, margin, metrics=metrics)
    width = scale.high - scale.low
    low, high = found.interval.low * width, found.interval.high * width
    if found.word is not None:
        return Word(found.word, low, high)
    chance = sequential.chance_of_a_word(evidence, planned, margin)
    return Word(UNKNOWN, low, high, chance) if chance is not None and chance < sequential.FUTILE else None


def _finished_beginning(run: Run) -> list[uuid.UUID]:
    """The examples of the planned order up to the first that is not scored by every evaluator in every repeat."""
    whole = run.repeats * len(evaluators_of(run))
    counted = Score.objects.filter(run=run).values("result__example_id").annotate(count=Count("id"))
    done = {row["result__example_id"] for row in counted if row["count"] >= whole}
    beginning = []
    for example, key in planned_order(run):
        if example not in done:
            break
        beginning.append(key)
    return beginning


Means = Mapping[Hashable, float]


def _sides(baseline: Run, run: Run) -> dict[str, tuple[Scale, Means, Means]]:
    """The mean scores of each evaluator version that both runs have, by the run's name for it."""
    first, second = tallies_of(baseline), tallies_of(run)
    found: dict[str, tuple[Scale, Means, Means]] = {}
    for line in evaluators_of(run):
        version = line.evaluator_version_id
        if version in first:
            means = [
                {key: sum(values) / len(values) for key, values in tallies[version].by_example.items()}
                for tallies in (first, second)
            ]
            found[line.name] = (scale_of(line.evaluator_version), means[0], means[1])
    return found


def _evidence(beginning: list[uuid.UUID], before: Means, after: Means, scale: Scale) -> Evidence:
    unit = (1 if scale.higher_is_better else -1) / (scale.high - scale.low)
    counts: dict[float, int] = {}
    for key in beginning:
        if key in before and key in after:
            d = round((after[key] - before[key]) * unit, 12)
            counts[d] = counts.get(d, 0) + 1
    return Evidence().merge(Evidence(counts))
