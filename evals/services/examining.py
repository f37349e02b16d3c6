"""The dataset doctor's work: rows and results in batches, findings at the end in one transaction.

Imports numpy, so only tasks import it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from evals.doctor import Finding, Kind, Row
from evals.doctor.examination import Examination
from evals.doctor.history import Verdicts, records
from evals.doctor.minhash import BANDS
from evals.models import Checkup, CheckupFinding, Example, Result, Run, RunEvaluator, Score
from evals.models.dataset import ExampleQuerySet
from llmops.audit import services as audit
from llmops.common import leased
from llmops.common.actors import SYSTEM
from llmops.common.errors import DomainError
from prompts import queries as prompt_queries
from prompts.models import Version

LEASE = timedelta(minutes=3)
BEAT_S = 0.5
BATCH = 1_000
MOST_CRASHES = 3
MOST_PROMPTS = 200
KEPT = 1_000  # findings of each kind


class _NotOursError(Exception):
    """Somebody cancelled the look, or another worker has it."""


def work(*, checkup_id: int) -> None:
    """Examine; does nothing when another worker has it or it was cancelled. Safe to run twice and to die anywhere."""
    mine = _claim(checkup_id)
    if mine is None:
        return
    try:
        _Look(mine).go()
    except _NotOursError:
        return
    except DomainError as error:
        _end(mine, Checkup.State.FAILED, error=error.message)


def _claim(checkup_id: int) -> Checkup | None:
    mine = leased.claim(Checkup.objects.select_related("dataset"), checkup_id, LEASE, done=0)
    if mine is not None and mine.attempts > MOST_CRASHES:
        _end(mine, Checkup.State.FAILED, error=f"The worker stopped {MOST_CRASHES} times while it looked.")
        return None
    return mine


class _Look:
    """One pass: read rows, compare them, read results, write findings."""

    def __init__(self, mine: Checkup) -> None:
        self.mine = mine
        self.keys: dict[int, uuid.UUID] = {}  # of the rows by primary key
        self.rows_by_key: dict[uuid.UUID, int] = {}
        self.done = 0
        self.beaten_at = 0.0
        self.runs = list(
            Run.objects.filter(dataset_version__dataset=mine.dataset, state=Run.State.DONE).order_by("-id")[
                : mine.last_runs
            ]
        )

    def go(self) -> None:
        mine = self.mine
        mine.rows = self._examples().count()
        mine.runs = len(self.runs)
        results = Result.objects.filter(run__in=self.runs).count()
        texts = _prompt_texts(mine)
        mine.prompts = len(texts)
        mine.total = 2 * mine.rows + results
        Checkup.objects.filter(pk=mine.pk, fence=mine.fence).update(
            rows=mine.rows, runs=mine.runs, prompts=mine.prompts, total=mine.total
        )
        examination = Examination(rows=mine.rows, prompts=texts, threshold=mine.threshold)
        for batch in self._batches():
            for example in batch:
                examination.add(_row(example))
            self._beat("rows", len(batch))
        past = records(self._verdicts())
        kept, counts = _best(examination.findings(self._inputs, records=past, runs=len(self.runs), tick=self._tick))
        mine.is_complete = examination.is_complete
        self._beat("writing", 0)
        _finish(mine, kept, counts)

    def _examples(self) -> ExampleQuerySet:
        rows: ExampleQuerySet = Example.objects.filter(dataset_id=self.mine.dataset_id)
        return rows.at(self.mine.version_number)

    def _batches(self) -> Iterator[Sequence[Example]]:
        """Rows in order, each batch a query of its own: on SQLite an open cursor would forbid writing."""
        position, key = -1, 0
        fields = ("id", "key", "position", "inputs", "expected", "split")
        while len(self.keys) < self.mine.rows:
            after = Q(position__gt=position) | Q(position=position, id__gt=key)
            batch = list(self._examples().filter(after).in_order().only(*fields)[:BATCH])
            batch = batch[: self.mine.rows - len(self.keys)]  # the open version may have grown meanwhile
            if not batch:
                return
            position, key = batch[-1].position, batch[-1].pk
            self.keys.update((example.pk, example.key) for example in batch)
            self.rows_by_key.update((example.key, example.pk) for example in batch)
            yield batch

    def _inputs(self, keys: Sequence[uuid.UUID]) -> dict[uuid.UUID, Mapping[str, Any]]:
        self._beat("comparing", 0)
        found = Example.objects.filter(pk__in=[self.rows_by_key[key] for key in keys])
        return dict(found.values_list("key", "inputs"))

    def _tick(self, band: int) -> None:
        share = self.mine.rows * band // BANDS - self.mine.rows * (band - 1) // BANDS
        self._beat("comparing", share)

    def _verdicts(self) -> Iterator[Verdicts]:
        """What each result of the last runs was said to be, for rows whose content is still the same."""
        for place, run in enumerate(self.runs):
            names = dict(RunEvaluator.objects.filter(run=run).values_list("evaluator_version_id", "name"))
            last = 0
            while batch := list(
                Result.objects.filter(run=run, id__gt=last)
                .order_by("id")
                .values_list("id", "example_id", "error_code")[:BATCH]
            ):
                first, last = batch[0][0], batch[-1][0]
                passed: dict[int, dict[str, bool]] = {}
                scores = Score.objects.filter(run=run, result_id__gte=first, result_id__lte=last)
                for result, version, verdict in scores.exclude(passed=None).values_list(
                    "result_id", "evaluator_version_id", "passed"
                ):
                    passed.setdefault(result, {})[names[version]] = bool(verdict)
                for result, example, error in batch:
                    if (key := self.keys.get(example)) is not None:
                        yield Verdicts(key, place, passed.get(result, {}), failed=bool(error))
                self._beat("results", len(batch))

    def _beat(self, phase: str, steps: int) -> None:
        """Tell how far it is, twice a second.

        :raises _NotOursError: when it is no longer ours.
        """
        self.done += steps
        if time.monotonic() - self.beaten_at < BEAT_S:
            return
        self.beaten_at = time.monotonic()
        held = Checkup.objects.filter(pk=self.mine.pk, fence=self.mine.fence, state=Checkup.State.RUNNING).update(
            phase=phase, done=self.done, lease_until=timezone.now() + LEASE
        )
        if not held:
            raise _NotOursError


def _row(example: Example) -> Row:
    return Row(example.key, example.position, example.inputs, example.expected, example.split)


def _prompt_texts(mine: Checkup) -> dict[str, str]:
    """The text of every prompt version that ran on the dataset, with what it includes; the newest MOST_PROMPTS."""
    used = Run.objects.filter(dataset_version__dataset_id=mine.dataset_id).exclude(target=None)
    versions: QuerySet[Version] = Version.objects.filter(pk__in=used.values("target")).order_by("-id")
    texts = {}
    for version in versions.select_related("artifact", "numbered", "content")[:MOST_PROMPTS]:
        included = {pinned.pk: pinned for pinned in prompt_queries.pinned_contents(version).values()}
        contents = [version.content, *(pinned.content for pinned in included.values())]
        name = f"{version.artifact.path} v{version.numbered.number}"
        texts[name] = "\n".join(part.content for content in contents for part in content.prompt.parts)
    return texts


def _best(findings: Iterable[Finding]) -> tuple[list[Finding], dict[str, int]]:
    """The KEPT worst of each kind, the worst kind first, and how many of each there are."""
    kept: dict[Kind, list[Finding]] = {kind: [] for kind in Kind}
    counts = dict.fromkeys((kind.value for kind in Kind), 0)
    for one in findings:
        of_kind = kept[one.kind]
        of_kind.append(one)
        counts[one.kind.value] += 1
        if len(of_kind) >= 2 * KEPT:
            of_kind.sort(key=_badness)
            del of_kind[KEPT:]
    return [one for kind in Kind for one in sorted(kept[kind], key=_badness)[:KEPT]], counts


def _badness(one: Finding) -> tuple[float, int, int]:
    return -one.strength, -one.size, one.members[0].number


@transaction.atomic
def _finish(mine: Checkup, kept: Sequence[Finding], counts: Mapping[str, int]) -> None:
    if not _end(mine, Checkup.State.FINISHED, counts=dict(counts), is_complete=mine.is_complete, done=mine.total):
        return
    CheckupFinding.objects.bulk_create(
        [
            CheckupFinding(
                project_id=mine.project_id,
                checkup=mine,
                kind=one.kind.value,
                rank=rank,
                members=[{"key": str(row.key), "number": row.number, "split": row.split} for row in one.members],
                size=one.size,
                strength=one.strength,
                note=one.note[:500],
            )
            for rank, one in enumerate(kept, start=1)
        ],
        batch_size=500,
    )


@transaction.atomic
def _end(mine: Checkup, state: str, *, error: str = "", **values: Any) -> bool:
    ended = Checkup.objects.filter(pk=mine.pk, fence=mine.fence, state__in=Checkup.ACTIVE).update(
        state=state, error=error, finished_at=timezone.now(), lease_until=None, **values
    )
    if ended:
        audit.record("dataset.check_ended", by=SYSTEM, target=mine, state=state)
    return bool(ended)
