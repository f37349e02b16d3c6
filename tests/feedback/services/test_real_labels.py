"""Real labels through our own importer: a crowd of 83, and two annotators with an adjudicator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from feedback import labelfiles
from feedback.models import Annotation, QueueItem, Seat, Settled
from feedback.queries import agreement
from feedback.services import label_imports
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project
from tests.feedback import labeling
from tests.feedback.labeling import NOW


def rows_of(folder: Path, name: str) -> list[Any]:
    return [json.loads(line) for line in (folder / "labelled" / name).read_text().splitlines()]


def test_the_labels_of_a_crowd_become_a_queue_whose_majority_is_checked_against_the_gold(
    project: Project, by: Actor, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = {"key": "label", "kind": "category", "text": "Which?", "choices": ["0", "1"]}
    queue = labeling.queue(project, by, questions=[question], annotators_per_item=5, settle_by="majority")
    mapping = labelfiles.Mapping.parse({"item": "item", "annotator": "worker", "answer": "label", "question": "label"})
    found = labelfiles.read(rows_of(shared_data, "crowd_barzanmozafari_labels.jsonl"), mapping)
    made = label_imports.labels(queue=queue, found=found, by=by, now=NOW)
    assert (made.items, made.answers, made.settled) == (1_000, 5_000, 1_000)
    assert Seat.objects.values("outsider").distinct().count() == 83
    [figures] = agreement.of_questions(queue)
    assert figures.alpha.value == pytest.approx(0.405937, abs=1e-6)
    assert figures.fleiss.value == pytest.approx(0.405818, abs=1e-6)
    gold = {row["item"]: row["gold"] for row in rows_of(shared_data, "crowd_barzanmozafari_gold.jsonl")}
    settled = Settled.objects.values_list("item__title", "answers")
    right = sum(gold[item] == answers["label"] for item, answers in settled)
    assert right == 696
    assert figures.words == "do not build on this question"
    busiest = agreement.of_people(queue)[0]
    assert label_imports.labels(queue=queue, found=found, by=by, now=NOW).left_alone == 1_000
    assert figures.alpha.interval is not None
    with capsys.disabled():
        print(
            f"\ncrowd: 1,000 items, 5,000 answers of 83 people; alpha {figures.alpha.value:.6f} "
            f"({figures.alpha.interval.low:.3f} to {figures.alpha.interval.high:.3f}), "
            f"Fleiss {figures.fleiss.value:.6f}, AC1 {figures.ac1.value:.6f}; majority right {right} of {len(gold)}; "
            f"busiest {busiest.answers} answers"
        )


def test_two_annotators_and_their_adjudicator_become_a_queue_whose_settled_answers_are_the_published_ones(
    project: Project, by: Actor, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = labeling.queue(project, by, questions=[labeling.GOOD])
    rows = rows_of(shared_data, "openqa_nq301_human_and_judges.jsonl")
    mapping = labelfiles.Mapping.parse(
        {
            "item": "id", "question": "good", "annotators": ["human_1", "human_2"],
            "adjudicator": "human_3_adjudicator", "inputs": ["question", "gold_answers"], "output": "answer",
            "values": {"Yes": "pass", "No": "fail"},
        }
    )  # fmt: skip
    made = label_imports.labels(queue=queue, found=labelfiles.read(rows, mapping), by=by, now=NOW)
    [figures] = agreement.of_questions(queue)
    final = {row["id"]: {"Yes": "pass", "No": "fail"}[row["human_final"]] for row in rows}
    settled = dict(Settled.objects.values_list("item__title", "answers__good"))
    right = sum(final[item] == answer for item, answer in settled.items())
    methods = {method: Settled.objects.filter(method=method).count() for method in ("unanimous", "adjudicated")}
    kappa = figures.pairs[0].kappa
    with capsys.disabled():
        print(
            f"\nopenqa: {made.items:,} items, {made.answers:,} answers; agreement {figures.percent.value:.4f}, "
            f"alpha {figures.alpha.value:.4f}, Cohen {kappa.value:.4f}; settled {len(settled):,} {methods}, "
            f"as published {right:,} of {len(final):,}"
        )
    assert (made.items, made.answers) == (1_490, 2_973)
    assert right == len(settled) == len(final)
    assert QueueItem.objects.filter(state="settled").count() == 1_490


def test_what_is_no_answer_stops_the_whole_import_and_names_the_item(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by)
    good = labelfiles.LabeledItem("a", {}, [labelfiles.Given("ann", {"good": "pass"})])
    bad = labelfiles.LabeledItem("b", {}, [labelfiles.Given("ann", {"good": "perhaps"})])
    with pytest.raises(Invalid) as refused:
        label_imports.labels(queue=queue, found=[good, bad], by=by, now=NOW)
    assert "'b'" in refused.value.message
    assert (list(refused.value.fields), Annotation.objects.count()) == (["good"], 0)


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"question": "q"}, "mapping.item"),
        ({"item": "i", "question": "q"}, "mapping.annotators"),
        ({"item": "i", "question": "q", "annotators": "a"}, "mapping.annotators"),
        ({"item": "i", "question": "q", "vote": "a"}, "mapping.vote"),
    ],
)
def test_a_mapping_that_names_too_little_is_refused(mapping: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        labelfiles.Mapping.parse(mapping)
    assert list(refused.value.fields) == [field]


def test_a_second_answer_of_the_same_person_is_refused_with_its_line() -> None:
    mapping = labelfiles.Mapping.parse({"item": "i", "question": "q", "annotator": "who", "answer": "a"})
    row = {"i": 1, "who": "ann", "a": "x"}
    with pytest.raises(Invalid) as refused:
        labelfiles.read([row, row], mapping)
    assert list(refused.value.fields) == ["line 2"]
