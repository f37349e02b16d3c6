"""The board of versions: what a pairwise judge said in all runs of a project, as strengths that compare.

A judge is its rubric, model and panel; what it compares with is another matter, so its verdicts against any baseline
come together. A contestant is a version of a prompt on a model, or a column of a dataset with recorded answers.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evals import judges
from evals.judges.specs import PAIRWISE
from evals.models import EvaluatorVersion, Run, RunEvaluator, Score
from evals.queries import evaluators, runs
from evals.queries.contestants import Contestant, of_column, of_run
from evals.statistics import boards, scores
from evals.statistics.boards import Outcome
from evals.statistics.ranking import Board
from llmops.common import ids
from llmops.common.errors import Invalid
from llmops.projects.models import Project

MOST_RUNS = 200  # the newest ones
MOST_VERDICTS = 100_000
MOST_CONTESTANTS = 30


@dataclass(frozen=True, slots=True)
class Judge:
    """A pairwise judge, whatever its baseline: `key` names it in addresses, `slug` the evaluator that it is or ""."""

    key: str
    title: str
    slug: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A contestant on the board: `share` of its comparisons with the reference that it is expected to win."""

    contestant: Contestant
    strength: float
    strength_limits: tuple[float, float] | None
    rank: tuple[int, int] | None
    share: float | None
    share_limits: tuple[float, float] | None
    wins: int
    ties: int
    losses: int
    examples: int
    clearly_beats: tuple[str, ...]

    @property
    def n(self) -> int:
        return self.wins + self.ties + self.losses


@dataclass(frozen=True, slots=True)
class Page:
    """All that can be chosen, and the boards of what is chosen: contestants on different ones do not compare.

    `left_out` counts verdicts that could not be used: of a contestant against itself, or beyond the limits.
    """

    judges: tuple[Judge, ...]
    judge: Judge | None
    datasets: tuple[str, ...]
    dataset: str
    contestants: tuple[Contestant, ...]
    against: Contestant | None
    boards: tuple[tuple[Standing, ...], ...]
    n: int
    examples: int
    runs: int
    tie: float
    is_shrunk: bool
    left_out: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Verdicts:
    outcomes: tuple[Outcome, ...]
    contestants: tuple[Contestant, ...]
    baselines: Counter[int]
    left_out: int
    newest: int


def page_of(project: Project, *, judge: str = "", dataset: str = "", against: str = "") -> Page:
    """The board of one judge: the one of `judge` (a key, or an evaluator's slug), else the one that was used last.

    `dataset` keeps to the runs over one dataset; `against` is the key of the contestant that shares are against, else
    the one that was the baseline most often.

    :raises NotFound: when there is no such evaluator.
    :raises Invalid: for a dataset or contestant that the board does not have, naming the field.
    """
    lines = _lines(project)
    by_key = {key: line.evaluator_version for line in reversed(lines) if (key := _key(line.evaluator_version))}
    known = tuple(_judge(key, version) for key, version in reversed(by_key.items()))
    chosen = _chosen(project, known, judge)
    of_judge = [line for line in lines if chosen and _key(line.evaluator_version) == chosen.key]
    slugs = tuple(dict.fromkeys(line.run.dataset_version.dataset.slug for line in of_judge))
    if dataset and dataset not in slugs:
        raise Invalid("This judge has no run over such a dataset.", fields={"dataset": "not among the judge's runs"})
    used = [line for line in of_judge if dataset in ("", line.run.dataset_version.dataset.slug)]
    read = _read(project, used)
    place = _reference(read, against)
    seed = scores.seed_of(chosen.key if chosen else "", dataset, str(read.newest), str(len(read.outcomes)))
    board = boards.bootstrap(read.outcomes, seed, versions=len(read.contestants), against=place)
    return Page(
        judges=known,
        judge=chosen,
        datasets=slugs,
        dataset=dataset,
        contestants=read.contestants,
        against=None if place is None else read.contestants[place],
        boards=tuple(_standings(members, board, read) for members in board.boards),
        n=len(read.outcomes),
        examples=len({example for example, *_ in read.outcomes}),
        runs=len({line.run_id for line in used}),
        tie=board.tie,
        is_shrunk=board.shrunk,
        left_out=read.left_out,
        notes=board.notes,
    )


def key_of(version: EvaluatorVersion) -> str:
    """The key of a pairwise judge's board; empty for every other evaluator."""
    return _key(version)


def _lines(project: Project) -> list[RunEvaluator]:
    """The finished runs with a pairwise judge, newest first."""
    found = RunEvaluator.objects.filter(
        project=project, run__state=Run.State.DONE, evaluator_version__spec__scale__kind=PAIRWISE
    ).select_related(
        "evaluator_version__evaluator", "run__dataset_version__dataset", "run__target__artifact",
        "run__target__numbered", "run__regrades__target__artifact", "run__regrades__target__numbered",
        "run__regrades__dataset_version__dataset",
    )  # fmt: skip
    return list(found.order_by("-run_id", "-id")[:MOST_RUNS])


def _key(version: EvaluatorVersion) -> str:
    spec = version.spec
    if spec.get("scale", {}).get("kind") != PAIRWISE:
        return ""
    same = {name: spec.get(name) for name in ("judge", "connection", "model", "panel")}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:12]


def _judge(key: str, version: EvaluatorVersion) -> Judge:
    judge, panel = version.spec["judge"], version.spec.get("panel") or []
    models = " + ".join([version.spec.get("model") or "the rubric's model", *(one["model"] for one in panel)])
    slug = version.evaluator.slug if version.evaluator else ""
    return Judge(key, f"{judge['prompt']} v{judge['version']} on {models}", slug)


def _chosen(project: Project, known: Sequence[Judge], wanted: str) -> Judge | None:
    if not wanted:
        return known[0] if known else None
    found = next((one for one in known if one.key == wanted), None)
    if found is not None:
        return found
    version = evaluators.newest_version(project, wanted)
    key = _key(version)
    if not key:
        raise Invalid(f"“{wanted[:60]}” is no pairwise judge.", fields={"judge": "compares no answers"})
    return next((one for one in known if one.key == key), _judge(key, version))


def _read(project: Project, lines: Sequence[RunEvaluator]) -> _Verdicts:
    """Every verdict as (example, candidate, baseline, result), contestants numbered as they come."""
    numbered: dict[str, int] = {}
    contestants: list[Contestant] = []

    def place_of(one: Contestant) -> int:
        if one.key not in numbered:
            numbered[one.key] = len(contestants)
            contestants.append(one)
        return numbered[one.key]

    meetings = {}
    others = _baseline_runs(project, [line.evaluator_version for line in lines])
    for line in lines:
        candidate, baseline = of_run(line.run), _baseline(line, others)
        if baseline is not None and len({*numbered, candidate.key, baseline.key}) <= MOST_CONTESTANTS:
            meetings[line.run_id, line.evaluator_version_id] = (place_of(candidate), place_of(baseline))
    outcomes: list[Outcome] = []
    baselines: Counter[int] = Counter()
    left_out = newest = 0
    for pk, run, version, example, value in _verdicts(lines):
        newest = max(newest, pk)
        first, second = meetings.get((run, version), (0, 0))
        if first == second:
            left_out += 1
        else:
            outcomes.append((example, first, second, 2 * value - 1))
            baselines[second] += 1
    return _Verdicts(tuple(outcomes), tuple(contestants), baselines, left_out, newest)


def _verdicts(lines: Sequence[RunEvaluator]) -> list[tuple[int, int, int, object, float]]:
    found = Score.objects.filter(
        run__in={line.run_id for line in lines},
        evaluator_version__in={line.evaluator_version_id for line in lines},
        state=Score.State.SCORED,
    )
    names = ("id", "run_id", "evaluator_version_id", "result__example_key", "value")
    return list(found.order_by("-id").values_list(*names)[:MOST_VERDICTS])


def _baseline_runs(project: Project, versions: Collection[EvaluatorVersion]) -> dict[str, Run]:
    """The runs that judges compare with, by their public id."""
    wanted = {one.run for version in versions if (one := judges.baseline_of(version.spec)) and one.run}
    found = runs.runs_in(project).filter(uid__in=[ids.parse("run", uid) for uid in wanted])
    return {ids.public("run", run.uid): run for run in found}


def _baseline(line: RunEvaluator, others: dict[str, Run]) -> Contestant | None:
    """None when the run that was compared with is gone."""
    given = judges.baseline_of(line.evaluator_version.spec)
    if given is None:
        return None
    if given.column:
        return of_column(line.run, given.column)
    return of_run(others[given.run]) if given.run in others else None


def _reference(read: _Verdicts, wanted: str) -> int | None:
    if wanted:
        for place, one in enumerate(read.contestants):
            if one.key == wanted:
                return place
        raise Invalid("There is no such version on this board.", fields={"against": "not on this board"})
    return read.baselines.most_common(1)[0][0] if read.baselines else None


def _standings(members: Sequence[int], board: Board, read: _Verdicts) -> tuple[Standing, ...]:
    """The contestants of one board, the strongest first."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    seen: dict[int, set[object]] = defaultdict(set)
    for example, first, second, result in read.outcomes:
        word = "tie" if abs(result) < 0.5 else "win" if result > 0 else "loss"
        counts[first][word] += 1
        counts[second][{"win": "loss", "loss": "win"}.get(word, word)] += 1
        seen[first].add(example)
        seen[second].add(example)
    ordered = sorted(members, key=lambda place: -(board.strengths[place] or 0.0))
    found = []
    for place in ordered:
        interval = board.intervals[place] if board.intervals else None
        share = board.shares[place] if board.shares else None
        found.append(
            Standing(
                contestant=read.contestants[place],
                strength=board.strengths[place] or 0.0,
                strength_limits=(interval.low, interval.high) if interval else None,
                rank=board.ranks[place] if board.ranks else None,
                share=share.value if share else None,
                share_limits=(share.interval.low, share.interval.high) if share and share.interval else None,
                wins=counts[place]["win"],
                ties=counts[place]["tie"],
                losses=counts[place]["loss"],
                examples=len(seen[place]),
                clearly_beats=tuple(
                    read.contestants[other].key for other in ordered if (place, other) in board.told_apart
                ),
            )
        )
    return tuple(found)
