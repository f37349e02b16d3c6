"""Which of two runs is better, by every evaluator that both have."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from evals.models import Result, Run, RunEvaluator
from evals.queries import early_stops
from evals.queries.early_stops import Stopped
from evals.queries.identity import outputs_are_identical
from evals.queries.runs import Tally, evaluators_of, scale_of, tallies_of
from evals.statistics import Comparison, Interval, Verdict, families, power, scores, sequential, verdicts
from evals.statistics.scales import POINTS, Scale
from evals.statistics.scores import Compared
from llmops.common.errors import Invalid

LISTED_CHANGES = 200
MOST_IN_PAIRS = 8  # 28 pairs
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """An example on which two runs differ; `delta` is positive where the candidate is better."""

    example_key: uuid.UUID
    delta: float
    baseline: float
    candidate: float


@dataclass(frozen=True, slots=True)
class ComparedEvaluator:
    """One evaluator in both runs, and the word for it after correction for the number of evaluators.

    `is_same` is False when only the name is equal. The means are over the compared examples. The changed rows are
    listed up to a number, and counted in the comparison.
    """

    name: str
    is_same: bool
    scale: Scale
    baseline_mean: float | None
    candidate_mean: float | None
    comparison: Comparison
    verdict: Verdict
    alternatives: tuple[Interval, ...]
    improved: tuple[ChangedRow, ...]
    regressed: tuple[ChangedRow, ...]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Candidate against baseline.

    `shared` examples are in both runs; `edited` of them have another content in each. With few or none shared the runs
    are compared as different examples: `is_paired` is False. `margin` is the loss that was allowed, as a share of a
    metric's range. `stopped` says that the candidate ended early because it was clear against this baseline: the words
    are those of the looks. `is_identical`: both gave the same outputs to the byte.
    """

    baseline: Run
    candidate: Run
    examples: tuple[int, int]
    shared: int
    edited: int
    is_paired: bool
    margin: float | None
    stopped: Stopped | None
    is_identical: bool
    evaluators: tuple[ComparedEvaluator, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two of several runs; the word is corrected for the number of pairs."""

    baseline: Run
    candidate: Run
    compared: ComparedEvaluator


@dataclass(frozen=True, slots=True)
class Pairs:
    """Several runs, each against each later one, by the evaluator `chosen` of those that all have."""

    runs: tuple[Run, ...]
    evaluators: tuple[str, ...]
    chosen: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """What was found for one evaluator, before the words, which need all the p-values."""

    line: RunEvaluator
    is_same: bool
    before: dict[Hashable, float]
    after: dict[Hashable, float]
    found: Compared


def margin_of(points: float | None) -> float | None:
    """A margin given in points of 100 as a share of a metric's range.

    :raises Invalid: unless it lies between 0 and 100 points, ends excluded.
    """
    if points is None:
        return None
    if not 0 < points < POINTS:  # NaN fails both
        message = "more than 0 and less than 100 points"
        raise Invalid(f"The margin is not acceptable: {message}.", fields={"margin": message})
    return points / POINTS


def comparison_of(
    baseline: Run, candidate: Run, *, margin: float | None = None, within: Collection[uuid.UUID] | None = None
) -> RunComparison:
    """Each evaluator that both runs have, on the examples that both scored, or on all when the examples differ.

    `within` are keys of examples: the comparison is of these alone.

    The p-values are Holm's over the evaluators. `margin` is a share of the metric's range. A run that was looked at
    while it went has spent a fifth of the allowed error; one that stopped early keeps the words it stopped with.
    """
    examples = (_examples(baseline, within), _examples(candidate, within))
    both = examples[0].keys() & examples[1].keys()
    is_paired = _are_paired(*examples)
    sides = [
        _side(baseline, candidate, line, other, tallies, examples, is_paired=is_paired, within=within)
        for line, other, tallies in _evaluators(baseline, candidate)
    ]
    adjusted = families.holm([_p(side.found.comparison) for side in sides])
    rule = early_stops.rule_of(candidate)
    was_looked_at = rule is not None and rule.baseline == baseline.uid
    stopped = early_stops.stopped_of(candidate) if was_looked_at else None
    if rule is not None and was_looked_at and margin is None:
        margin = margin_of(rule.margin)
    alpha = sequential.FINAL if was_looked_at else ALPHA
    is_identical = is_paired and any(map(_is_unmoved, sides)) and outputs_are_identical(baseline, candidate)
    return RunComparison(
        baseline=baseline,
        candidate=candidate,
        examples=(len(examples[0]), len(examples[1])),
        shared=len(both),
        edited=sum(1 for key in both if examples[0][key] != examples[1][key]),
        is_paired=is_paired,
        margin=margin,
        stopped=stopped,
        is_identical=is_identical,
        evaluators=tuple(
            _worded(
                side, p, stopped, margin=margin, family=sum(one is not None for one in adjusted), alpha=alpha,
                is_identical=is_identical and _is_unmoved(side),
            )
            for side, p in zip(sides, adjusted, strict=True)
        ),
    )  # fmt: skip


def every_pair(runs: Sequence[Run], name: str = "") -> Pairs:
    """Each run against each later one by one evaluator (the first that all have, unless named).

    The p-values are Holm's over the pairs: among many pairs one differs by chance.

    :raises Invalid: for fewer than two runs or more than `MOST_IN_PAIRS`, for a run given twice, and when no evaluator
        is in all of them.
    """
    if not 2 <= len(runs) <= MOST_IN_PAIRS or len({run.pk for run in runs}) < len(runs):
        message = f"two to {MOST_IN_PAIRS} different runs"
        raise Invalid(f"Pairs need {message}.", fields={"run": message})
    lines = [{line.name for line in evaluators_of(run)} for run in runs]
    shared = [line.name for line in evaluators_of(runs[0]) if all(line.name in names for names in lines)]
    if not shared or (name and name not in shared):
        message = f"{name!r} is not an evaluator of every run" if name else "no evaluator is in all of these runs"
        raise Invalid(f"The runs cannot be compared: {message}.", fields={"evaluator" if name else "run": message})
    chosen = name or shared[0]
    sides = [(a, b, _side_by(a, b, chosen)) for a, b in itertools.combinations(runs, 2)]
    adjusted = families.holm([_p(side.found.comparison) for _, _, side in sides])
    family = sum(p is not None for p in adjusted)
    return Pairs(
        runs=tuple(runs),
        evaluators=tuple(shared),
        chosen=chosen,
        pairs=tuple(
            Pair(
                a, b, _worded(side, p, None, margin=None, family=family, alpha=ALPHA, is_identical=_is_same(a, b, side))
            )
            for (a, b, side), p in zip(sides, adjusted, strict=True)
        ),
    )


def _side_by(baseline: Run, candidate: Run, name: str) -> _Side:
    examples = (_examples(baseline), _examples(candidate))
    line, other, tallies = next(found for found in _evaluators(baseline, candidate) if found[0].name == name)
    return _side(baseline, candidate, line, other, tallies, examples, is_paired=_are_paired(*examples))


def _are_paired(before: Mapping[uuid.UUID, int], after: Mapping[uuid.UUID, int]) -> bool:
    both = before.keys() & after.keys()
    return bool(both) and 2 * len(both) >= min(len(before), len(after))


def _examples(run: Run, within: Collection[uuid.UUID] | None = None) -> dict[uuid.UUID, int]:
    """The examples with a result, each with the row that holds its content."""
    found = Result.objects.filter(run=run).values_list("example_key", "example_id")
    return {key: pk for key, pk in found if within is None or key in within}


def _evaluators(baseline: Run, candidate: Run) -> list[tuple[RunEvaluator, RunEvaluator, tuple[Tally, Tally]]]:
    """The candidate's evaluators with the baseline's of the same version, else of the same name."""
    first, second = tallies_of(baseline), tallies_of(candidate)
    lines = {line.evaluator_version_id: line for line in evaluators_of(baseline)}
    named = {line.name: line for line in lines.values()}
    found = []
    for line in evaluators_of(candidate):
        other = lines.get(line.evaluator_version_id) or named.get(line.name)
        if other is not None:
            found.append((line, other, (first[other.evaluator_version_id], second[line.evaluator_version_id])))
    return found


def _side(
    baseline: Run,
    candidate: Run,
    line: RunEvaluator,
    other: RunEvaluator,
    tallies: tuple[Tally, Tally],
    examples: tuple[Collection[Hashable], Collection[Hashable]],
    *,
    is_paired: bool,
    within: Collection[uuid.UUID] | None = None,
) -> _Side:
    scale = scale_of(line.evaluator_version)
    before, after = (_means(tally, within) for tally in tallies)
    found = scores.compared(
        before,
        after,
        examples,
        is_paired=is_paired,
        low=scale.low if scale.is_bounded else None,
        high=scale.high if scale.is_bounded else None,
        higher_is_better=scale.higher_is_better,
        seed=scores.seed_of(baseline.uid.hex, candidate.uid.hex, line.name),
    )
    return _Side(line, line.evaluator_version_id == other.evaluator_version_id, before, after, found)


def _means(tally: Tally, within: Collection[uuid.UUID] | None) -> dict[Hashable, float]:
    return {
        key: sum(values) / len(values) for key, values in tally.by_example.items() if within is None or key in within
    }


def _is_same(baseline: Run, candidate: Run, side: _Side) -> bool:
    return side.found.comparison.is_paired and _is_unmoved(side) and outputs_are_identical(baseline, candidate)


def _is_unmoved(side: _Side) -> bool:
    """No score differs. Equal outputs can have unequal scores: by a judge that changed its mind, or by the clock."""
    return side.before == side.after


def _p(comparison: Comparison) -> float | None:
    return comparison.tests[0].p if comparison.tests else None


def _worded(
    side: _Side,
    p: float | None,
    stopped: Stopped | None,
    *,
    margin: float | None,
    family: int,
    alpha: float,
    is_identical: bool,
) -> ComparedEvaluator:
    scale = scale_of(side.line.evaluator_version)
    comparison = side.found.comparison
    verdict = verdicts.decide(
        comparison,
        p_adjusted=p,
        alpha=alpha,
        margin=margin * (scale.high - scale.low) if margin is not None and scale.is_bounded else None,
        unscored_worst=side.found.worst,
        unscored_best=side.found.best,
        family=family,
        smallest=None if scale.is_bounded else _notable(side.before),
        scale=scale,
        is_identical=is_identical,
    )
    word = stopped.evaluators.get(side.line.name) if stopped else None
    if word is not None and stopped is not None:
        verdict = _word_of_looks(comparison, word, stopped, scale)
        comparison = verdict.comparison
    keys = sorted(side.before.keys() & side.after.keys(), key=str)
    changed = _changed(side, keys, 1.0 if scale.higher_is_better else -1.0) if comparison.is_paired else []
    means_over = (keys, keys) if comparison.is_paired else (list(side.before), list(side.after))
    return ComparedEvaluator(
        name=side.line.name,
        is_same=side.is_same,
        scale=scale,
        baseline_mean=_mean(side.before, means_over[0]),
        candidate_mean=_mean(side.after, means_over[1]),
        comparison=comparison,
        verdict=verdict,
        alternatives=side.found.alternatives,
        improved=tuple(sorted((row for row in changed if row.delta > 0), key=lambda row: -row.delta)[:LISTED_CHANGES]),
        regressed=tuple(sorted((row for row in changed if row.delta < 0), key=lambda row: row.delta)[:LISTED_CHANGES]),
    )


def _notable(before: Mapping[Hashable, float]) -> float | None:
    """The change that matters for a metric without a range: as many hundredths of the baseline's mean."""
    mean = abs(_mean(before, list(before)) or 0.0)
    return mean * power.SMALLEST or None


def _word_of_looks(comparison: Comparison, word: early_stops.Word, stopped: Stopped, scale: Scale) -> Verdict:
    """The word with which a run stopped, with the interval that holds at all looks; only its near end is said.

    Where it stopped because more would hardly tell, no error was spent and the usual interval stands.
    """
    if word.chance is not None:
        sentence = (
            f"not clear after {stopped.used:,} of {stopped.planned:,} examples, and the rest would hardly have told: "
            f"a chance of {max(word.chance, 0.01):.0%}"
        ).replace("%", " %")
        return Verdict(word.word, sentence, comparison, None, sequential.FINAL)
    interval = Interval(word.low, word.high, 1 - sequential.SPEND, "betting")
    difference = replace(comparison.difference, interval=interval, method="betting", source=sequential.SOURCE)
    kept = replace(comparison, difference=difference, tests=())
    words = verdicts.Words(stopped.used, scale)
    said = {
        verdicts.BETTER: f"better by at least {words.points(max(word.low, 0.0))}",
        verdicts.WORSE: f"worse by at least {words.points(min(word.high, 0.0))}",
    }.get(word.word, f"at most {words.points(min(word.low, 0.0))} {words.down}")
    sentence = f"{said}: the answer was clear after {stopped.used:,} of {stopped.planned:,} examples"
    return Verdict(word.word, sentence, kept, None, sequential.SPEND)


def _changed(side: _Side, keys: Sequence[Hashable], sign: float) -> list[ChangedRow]:
    rows = []
    for key in keys:
        before, after = side.before[key], side.after[key]
        if before != after and isinstance(key, uuid.UUID):
            rows.append(ChangedRow(key, sign * (after - before), before, after))
    return rows


def _mean(values: Mapping[Hashable, float], keys: Sequence[Hashable]) -> float | None:
    return sum(values[key] for key in keys) / len(keys) if keys else None
