"""The doctor's look as background work: progress, cancel, crash, and what it keeps."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from evals.doctor import Kind
from evals.importers.rows import ExampleRow
from evals.models import Checkup, CheckupFinding, Dataset, Example, Run
from evals.queries import datasets as queries
from evals.services import checkups, dataset_examples, datasets, examining
from llmops.common.errors import Invalid, NotFound
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)

MAIL = "My parcel was to come on Monday, and nobody has seen the courier since {}."


def sick(bench: Bench, slug: str = "texts") -> Dataset:
    """Two equal rows that conflict, one nearly equal in another split, and healthy ones."""
    same = {"text": MAIL.format("then")}
    rows = [
        ExampleRow(inputs=same, expected="delivery", split="train"),
        ExampleRow(inputs=same, expected="refund", split="train"),
        ExampleRow(inputs={"text": MAIL.format("then!")}, expected="delivery", split="test"),
        *(ExampleRow(inputs={"text": uuid.uuid5(uuid.NAMESPACE_URL, str(n)).hex * 2}, expected="x") for n in range(5)),
    ]
    return bench.dataset(rows, slug=slug)


def looked(bench: Bench, dataset: Dataset, **options: Any) -> Checkup:
    made = checkups.start(dataset=dataset, by=bench.by, **options)
    examining.work(checkup_id=made.pk)
    made.refresh_from_db()
    return made


def test_a_look_keeps_its_findings_and_counts_them(bench: Bench) -> None:
    look = looked(bench, sick(bench))
    assert (look.state, look.error, look.rows, look.done, look.progress) == ("finished", "", 8, look.total, 1.0)
    counted = {kind: count for kind, count in look.counts.items() if count}
    assert counted == {"conflict": 1, "split_leak": 1, "duplicate": 1, "near_duplicate": 1}
    kept = list(CheckupFinding.objects.filter(checkup=look).order_by("rank").values_list("kind", flat=True))
    assert kept == ["conflict", "split_leak", "duplicate", "near_duplicate"]
    conflict = CheckupFinding.objects.get(checkup=look, kind=Kind.CONFLICT)
    assert [row["number"] for row in conflict.members] == [1, 2]


def test_an_older_version_is_examined_as_it_was(bench: Bench) -> None:
    dataset = sick(bench)
    datasets.seal(dataset=dataset, by=bench.by, now=timezone.now())
    dataset_examples.remove(dataset=dataset, uids=[row.uid for row in queries.examples_of(dataset)[1:3]], by=bench.by)
    assert not any(looked(bench, dataset).counts.values())
    assert looked(bench, dataset, version=1).counts["conflict"] == 1


def test_what_runs_and_prompts_say_is_read(bench: Bench) -> None:
    texts = [f"{uuid.uuid5(uuid.NAMESPACE_URL, str(n)).hex}" for n in range(3)]
    dataset = bench.dataset([ExampleRow(inputs={"text": text}, expected=text, split="test") for text in texts])
    shown = "---\nname: Repeat\nmodel:\n  id: model-1\ninputs:\n  text:\n    type: string\n---\nsystem:\n"
    version = bench.prompt(content=f"{shown}For example {texts[0]} is a good text.\n\nuser:\n{{{{ text }}}}\n")
    bench.fake.answer = lambda text: "wrong" if text == texts[2] else text
    both = [{"metric": "exact_match", "params": {}}, {"metric": "regex", "params": {"pattern": "[a-z0-9]+"}}]
    for repeat in range(3):
        bench.start(dataset, version, evaluators=both if repeat == 2 else both[:1], use_cache=False)
        bench.work()
    assert set(Run.objects.values_list("state", flat=True)) == {"done"}
    look = looked(bench, dataset)
    assert (look.runs, look.prompts) == (3, 1)
    by_kind = {kind: [] for kind in Kind}
    for found in CheckupFinding.objects.filter(checkup=look):
        by_kind[Kind(found.kind)] += [row["number"] for row in found.members]
    assert by_kind[Kind.PROMPT_LEAK] == [1]
    assert sorted(by_kind[Kind.NEVER_FAILS]) == [1, 2]
    assert by_kind[Kind.DISAGREEMENT] == [3]


def test_verdicts_on_a_row_that_was_edited_since_do_not_count(bench: Bench) -> None:
    dataset, version = bench.dataset(2), bench.prompt()
    for _ in range(3):
        bench.start(dataset, version, use_cache=False)
        bench.work()
    row = queries.examples_of(dataset)[0]
    dataset_examples.change(
        dataset=dataset, uid=row.uid, row=ExampleRow(inputs={"text": "another"}, expected="y"), by=bench.by
    )
    look = looked(bench, dataset)
    found = CheckupFinding.objects.filter(checkup=look, kind=Kind.NEVER_FAILS)
    assert [one.members[0]["number"] for one in found] == [2]


def test_one_look_at_a_time(bench: Bench) -> None:
    dataset = sick(bench)
    first = checkups.start(dataset=dataset, by=bench.by)
    assert checkups.start(dataset=dataset, by=bench.by).pk == first.pk
    examining.work(checkup_id=first.pk)
    assert checkups.start(dataset=dataset, by=bench.by).pk != first.pk


def test_a_second_worker_leaves_the_look_alone(bench: Bench) -> None:
    look = checkups.start(dataset=sick(bench), by=bench.by)
    Checkup.objects.filter(pk=look.pk).update(state="running", lease_until=timezone.now() + timedelta(minutes=1))
    examining.work(checkup_id=look.pk)
    look.refresh_from_db()
    assert (look.state, look.attempts) == ("running", 0)


def test_a_look_that_was_cancelled_meanwhile_stops_and_keeps_nothing(bench: Bench, monkeypatch: Any) -> None:
    look = checkups.start(dataset=sick(bench), by=bench.by)
    monkeypatch.setattr(examining, "BEAT_S", 0.0)

    def cancelling(*args: Any, **options: Any) -> dict[str, str]:
        checkups.cancel(of=look, by=bench.by, now=timezone.now())
        return {}

    monkeypatch.setattr(examining, "_prompt_texts", cancelling)
    examining.work(checkup_id=look.pk)
    look.refresh_from_db()
    assert (look.state, look.counts) == ("cancelled", {})
    assert not CheckupFinding.objects.exists()


def test_a_look_whose_worker_died_is_woken_and_given_up_after_three_deaths(bench: Bench) -> None:
    now = timezone.now()
    look = checkups.start(dataset=sick(bench), by=bench.by)
    Checkup.objects.filter(pk=look.pk).update(state="running", lease_until=now - timedelta(seconds=1), attempts=1)
    assert checkups.continue_stalled(now=now) == 1
    Checkup.objects.filter(pk=look.pk).update(attempts=examining.MOST_CRASHES)
    examining.work(checkup_id=look.pk)
    look.refresh_from_db()
    assert look.state == "failed"
    assert "stopped 3 times" in look.error


def test_progress_grows_and_never_passes_the_end(bench: Bench, monkeypatch: Any) -> None:
    monkeypatch.setattr(examining, "BEAT_S", 0.0)
    monkeypatch.setattr(examining, "BATCH", 2)
    seen: list[tuple[str, int, int]] = []
    beat = examining._Look._beat

    def watched(look: Any, phase: str, steps: int) -> None:
        beat(look, phase, steps)
        row = Checkup.objects.get(pk=look.mine.pk)
        seen.append((row.phase, row.done, row.total))

    monkeypatch.setattr(examining._Look, "_beat", watched)
    dataset, version = sick(bench), bench.prompt()
    bench.start(dataset, version)
    bench.work()
    looked(bench, dataset)
    done = [one for _, one, _ in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][2] == 2 * 8 + 8
    assert {phase for phase, _, _ in seen} == {"rows", "results", "comparing", "writing"}


def test_only_the_first_of_very_many_findings_are_kept_and_all_are_counted(bench: Bench, monkeypatch: Any) -> None:
    monkeypatch.setattr(examining, "KEPT", 3)
    rows = [ExampleRow(inputs={"text": f"{n} {uuid.uuid5(uuid.NAMESPACE_URL, str(n // 2)).hex}"}) for n in range(20)]
    rows = [ExampleRow(inputs=rows[n - n % 2].inputs, expected=str(n)) for n in range(20)]
    look = looked(bench, bench.dataset(rows))
    assert look.counts["conflict"] == 10
    assert CheckupFinding.objects.filter(checkup=look, kind=Kind.CONFLICT).count() == 3


def test_what_cannot_be_examined_is_refused(bench: Bench) -> None:
    empty = datasets.create(project=bench.project, slug="empty", by=bench.by)
    with pytest.raises(Invalid, match="no examples"):
        checkups.start(dataset=empty, by=bench.by)
    dataset = sick(bench)
    with pytest.raises(Invalid) as refused:
        checkups.start(dataset=dataset, by=bench.by, threshold=0.2, last_runs=0)
    assert set(refused.value.fields) == {"threshold", "last_runs"}
    with pytest.raises(NotFound):
        checkups.start(dataset=dataset, by=bench.by, version=9)


def test_equal_rows_of_another_project_are_not_seen(bench: Bench, other_project: Any) -> None:
    dataset = bench.dataset([ExampleRow(inputs={"text": MAIL}, expected="a")])
    foreign = datasets.create(project=other_project, slug="texts", by=bench.by)
    dataset_examples.add(dataset=foreign, rows=[ExampleRow(inputs={"text": MAIL}, expected="b")], by=bench.by)
    assert not any(looked(bench, dataset).counts.values())
    assert Example.objects.count() == 2
