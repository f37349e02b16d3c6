"""What can be labeled: logged calls and results of runs, as items show them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from evals.models import JudgeVote, Result, Run, Score
from feedback.models import Call, QueueItem, Vote
from feedback.queries import inbox
from feedback.queries.inbox import InboxFilter
from llmops.common import ids
from llmops.projects.models import Project

LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to label, before masking. `probability` is that of being drawn, None when it was picked."""

    kind: str
    uid: UUID
    title: str
    snapshot: dict[str, Any]
    version_id: int | None = None
    priority: float = 0.0
    probability: float | None = None
    gold: dict[str, Any] | None = None


def calls(project: Project, names: Collection[str]) -> list[Source]:
    """The calls of these ids, ours (`call_…`) or the sender's, in no order; unknown names are left out."""
    uids = [uid for name in names if (uid := _uid(name)) is not None]
    rows = Call.objects.filter(Q(uid__in=uids) | Q(client_id__in=list(names)), project=project, erased_at=None)
    return [of_call(call) for call in rows.order_by("id")]


def calls_of(project: Project, narrowed: InboxFilter, most: int) -> list[Source]:
    """Calls that the inbox shows under this filter, the newest feedback first."""
    rows = inbox.items(project, narrowed).order_by(*inbox.ORDER).values_list("call_client_id", flat=True)
    names = list(rows[:most])
    found = Call.objects.filter(project=project, client_id__in=names, erased_at=None).order_by("id")
    return [of_call(call) for call in found]


def call_ids(project: Project, since: datetime, until: datetime, prompt: str = "") -> list[int]:
    """The primary keys of the calls received in [since, until): what a lot is drawn from."""
    found = Call.objects.filter(project=project, received_at__gte=since, received_at__lt=until, erased_at=None)
    if prompt:
        found = found.filter(artifact_path=prompt)
    return list(found.order_by("id").values_list("pk", flat=True))


def calls_by_pk(project: Project, pks: Collection[int], probability: float) -> list[Source]:
    rows = Call.objects.filter(project=project, pk__in=pks).order_by("id")
    return [of_call(call, probability=probability) for call in rows]


def results_of(run: Run, pks: Collection[int] | None = None, *, probability: float | None = None) -> list[Source]:
    """Outputs of a run that are no failures; those of the primary keys `pks` when given."""
    rows = Result.objects.filter(run=run, error_code="", erased_at=None).select_related("example", "run")
    if pks is not None:
        rows = rows.filter(pk__in=pks)
    return [of_result(result, probability=probability) for result in rows.order_by("id")]


def result_ids(run: Run) -> list[int]:
    rows = Result.objects.filter(run=run, error_code="", erased_at=None)
    return list(rows.order_by("id").values_list("pk", flat=True))


def uncertain(run: Run, evaluator_version_id: int, most: int) -> list[Source]:
    """Results that the judge is least sure of: its panel is divided, its value is near the middle, or it gave none."""
    votes: dict[int, list[str]] = defaultdict(list)
    cast = JudgeVote.objects.filter(run=run, evaluator_version=evaluator_version_id)
    for result_id, category in cast.order_by("id").values_list("result_id", "category"):
        votes[result_id].append(category)
    doubts = {}
    scored = Score.objects.filter(run=run, evaluator_version=evaluator_version_id).exclude(state=Score.State.ERROR)
    for result_id, state, value in scored.order_by("id").values_list("result_id", "state", "value"):
        doubts[result_id] = doubt(value if state == Score.State.SCORED else None, votes.get(result_id, ()))
    chosen = sorted((pk for pk in doubts if doubts[pk] > 0), key=lambda pk: (-doubts[pk], pk))[:most]
    rows = Result.objects.filter(pk__in=chosen, error_code="", erased_at=None).select_related("example", "run")
    return [of_result(result, priority=doubts[result.pk]) for result in rows.order_by("id")]


def doubt(value: float | None, votes: Sequence[str]) -> float:
    """How unsure a verdict is, from 0 to 1: no verdict at all is 1; else the entropy of the votes in bits over the most
    possible, or the nearness of a value in [0, 1] to the middle, whichever is larger."""
    if value is None:
        return 1.0
    counts = Counter(votes)
    total = sum(counts.values())
    spread = -sum(n / total * math.log2(n / total) for n in counts.values()) if len(counts) > 1 else 0.0
    highest = math.log2(len(counts)) if len(counts) > 1 else 1.0
    return max(spread / highest, 1 - abs(2 * min(max(value, 0.0), 1.0) - 1))


def disputed(project: Project, most: int) -> list[Source]:
    """Results of examples that came from calls, where the judge's pass or fail contradicts the user's thumb."""
    scores = Score.objects.filter(
        project=project, state=Score.State.SCORED, passed__isnull=False, evaluator_version__judge__isnull=False,
        result__example__source_kind="call", result__example__source_uid__isnull=False, result__erased_at=None,
    ).select_related("result__example", "result__run").order_by("-id")  # fmt: skip
    found: dict[UUID, Source] = {}
    for batch in batches(scores[: most * 50].iterator(chunk_size=500), 500):
        thumbs = _thumbs(project, {score.result.example.source_uid for score in batch})
        for score in batch:
            thumb = thumbs.get(score.result.example.source_uid)
            if thumb and (thumb > 0) != score.passed:
                found.setdefault(score.result.uid, of_result(score.result, priority=1.0))
        if len(found) >= most:
            break
    return list(found.values())[:most]


def of_call(call: Call, *, probability: float | None = None) -> Source:
    origin = {"prompt": call.artifact_path, "model": call.model, "commit": call.commit}
    inputs = call.inputs if isinstance(call.inputs, dict) else {"input": call.inputs}
    snapshot = {
        "inputs": inputs,
        "output": call.output,
        "contexts": call.contexts if isinstance(call.contexts, list) else [],
        "origin": {name: value for name, value in origin.items() if value},
    }
    return Source("call", call.uid, _title(inputs), snapshot, version_id=call.version_id, probability=probability)


def of_result(result: Result, *, priority: float = 0.0, probability: float | None = None) -> Source:
    example = result.example
    snapshot = {
        "inputs": example.inputs,
        "output": result.output,
        "contexts": example.contexts,
        "expected": example.expected,
        "origin": {"run": ids.public("run", result.run.uid), "model": result.model_answered or result.run.model},
    }
    return Source(
        "result", result.uid, _title(example.inputs), snapshot, version_id=result.run.target_id, priority=priority,
        probability=probability,
    )  # fmt: skip


def by_uid(project: Project, items: Iterable[QueueItem]) -> dict[tuple[str, UUID], Source]:
    """What the items were made of, by kind and uid, as far as it is there still."""
    uids: dict[str, list[UUID]] = defaultdict(list)
    for item in items:
        uids[item.source_kind].append(item.source_uid)
    calls = Call.objects.filter(project=project, uid__in=uids["call"], erased_at=None)
    results = Result.objects.filter(project=project, uid__in=uids["result"], erased_at=None)
    found = [of_call(call) for call in calls]
    found += [of_result(result) for result in results.select_related("example", "run")]
    return {(source.kind, source.uid): source for source in found}


def known(queue_id: int, sources: Iterable[Source]) -> set[tuple[str, UUID]]:
    """Which of the sources the queue holds already."""
    uids = [source.uid for source in sources]
    rows = QueueItem.objects.filter(queue_id=queue_id, source_uid__in=uids)
    return set(rows.values_list("source_kind", "source_uid"))


def _thumbs(project: Project, uids: Collection[UUID]) -> dict[UUID, float]:
    """By call: 1 when more people were pleased, -1 when more were not, 0 when as many."""
    names = dict(Call.objects.filter(project=project, uid__in=uids).values_list("client_id", "uid"))
    sums: dict[UUID, float] = defaultdict(float)
    votes = Vote.objects.filter(project=project, call_client_id__in=list(names), kind="thumbs")
    for name, value in votes.values_list("call_client_id", "value"):
        sums[names[name]] += value
    return dict(sums)


def batches(rows: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """The rows, so many at a time."""
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _title(inputs: Any) -> str:
    """The first line that says what the item is about."""
    values = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
    words = next((value for value in values if isinstance(value, str) and value.strip()), "")
    if not words and values and isinstance(values[0], list) and values[0] and isinstance(values[0][-1], dict):
        words = str(values[0][-1].get("content", ""))
    return " ".join(words.split())[:LONGEST_TITLE]


def _uid(name: str) -> UUID | None:
    try:
        return UUID(name.removeprefix("call_"))
    except ValueError:
        return None
