"""How well the people of a queue agree: per question, per pair, per person, and what more labels would bring."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from evals.statistics import Estimate
from evals.statistics.agreement import gwet_ac1
from feedback import agreement, rubrics
from feedback.models import Annotation, Queue
from feedback.queries import queues

MOST = 100_000
FREE = frozenset({"text", "correction"})


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people: how many items both answered, the share on which they agree, and Cohen's kappa."""

    first: str
    second: str
    n: int
    share: float
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class QuestionFigures:
    """One question's agreement; `words` says what alpha is good for."""

    question: rubrics.Question
    percent: Estimate
    alpha: Estimate
    fleiss: Estimate
    ac1: Estimate
    words: str
    worth: agreement.Worth | None
    pairs: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """One person: answers, skips, median seconds, agreement with others on shared items, and right gold answers."""

    name: str
    answers: int
    skips: int
    seconds: float | None
    agreed: int
    compared: int
    gold_right: int
    gold: int

    @property
    def share(self) -> float | None:
        return self.agreed / self.compared if self.compared else None


def of_questions(queue: Queue) -> list[QuestionFigures]:
    """Figures of each question that people can agree on, gold items aside; adjudication counts as nobody."""
    questions = [one for one in rubrics.parse(queue.rubric_version.questions) if one.kind not in FREE]
    names: dict[str, int] = {}
    items: dict[int, dict[int, dict[str, Any]]] = defaultdict(dict)
    rows = queues.answers_of(queue).filter(seat__item__gold__isnull=True)
    for row in rows[:MOST].iterator(chunk_size=2_000):
        person = names.setdefault(row.seat.who, len(names))
        items[row.seat.item_id][person] = row.answers
    people = list(names)
    return [_figures(question, list(items.values()), people) for question in questions]


def of_people(queue: Queue) -> list[PersonFigures]:
    """Everybody who answered, the busiest first."""
    key = next((one for one in rubrics.parse(queue.rubric_version.questions) if one.kind not in FREE), None)
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    paces: dict[str, list[int]] = defaultdict(list)
    items: dict[int, list[tuple[str, Hashable]]] = defaultdict(list)
    rows = Annotation.objects.filter(seat__item__queue=queue).select_related("seat__user", "seat__item")
    for row in rows.defer("seat__item__snapshot").order_by("id")[:MOST].iterator(chunk_size=2_000):
        who, tally = row.seat.who, tallies[row.seat.who]
        if row.seat.slot is None:
            tally["skips"] += 1
            continue
        tally["answers"] += 1
        if row.seconds is not None:
            paces[who].append(row.seconds)
        if row.seat.item.gold is not None:
            tally["gold"] += 1
            tally["gold_right"] += _is_right(queue, row.seat.item.gold, row.answers)
        elif key is not None:
            items[row.seat.item_id].append((who, rubrics.comparable(key, row.answers.get(key.key))))
    for answers in items.values():
        _compare(answers, tallies)
    found = [
        PersonFigures(
            who, tally["answers"], tally["skips"], median(paces[who]) if paces[who] else None, tally["agreed"],
            tally["compared"], tally["gold_right"], tally["gold"],
        )
        for who, tally in tallies.items()
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.answers, one.name))


def _figures(question: rubrics.Question, items: list[dict[int, dict[str, Any]]], people: list[str]) -> QuestionFigures:
    answers = [
        {
            person: found
            for person, given in item.items()
            if (found := rubrics.comparable(question, given.get(question.key))) is not None
        }
        for item in items
    ]
    used = {answer for item in answers for answer in item.values()}
    values: list[Hashable] = list(question.values) if used <= set(question.values) else sorted(used, key=str)
    counts = agreement.counted([item.values() for item in answers], values)
    percent = agreement.percent(counts)
    alpha = agreement.alpha(counts, question.level)
    paired = [row for row in counts if sum(row) >= 2]
    return QuestionFigures(
        question=question, percent=percent, alpha=alpha, fleiss=agreement.fleiss(paired),
        ac1=gwet_ac1(counts, max(len(values), 2)), words=agreement.words(alpha), worth=agreement.worth(percent),
        pairs=_pairs(answers, people, values, question.level),
    )  # fmt: skip


def _pairs(
    answers: list[dict[int, Hashable]], people: list[str], values: list[Hashable], level: str, most: int = 20
) -> list[Pair]:
    """The pairs with the most shared items."""
    found = sorted(agreement.pairs(answers).items(), key=lambda one: -len(one[1]))[:most]
    return [
        Pair(
            people[first], people[second], len(both), sum(a == b for a, b in both) / len(both),
            agreement.cohen(both, values, level),
        )
        for (first, second), both in found
    ]  # fmt: skip


def _compare(answers: list[tuple[str, Hashable]], tallies: dict[str, Counter[str]]) -> None:
    for place, (who, answer) in enumerate(answers):
        for other, (_, said) in enumerate(answers):
            if other != place and answer is not None and said is not None:
                tallies[who]["compared"] += 1
                tallies[who]["agreed"] += answer == said


def _is_right(queue: Queue, gold: dict[str, Any], answers: dict[str, Any]) -> bool:
    questions = [one for one in rubrics.parse(queue.rubric_version.questions) if one.kind not in FREE]
    return all(
        rubrics.comparable(one, gold[one.key]) == rubrics.comparable(one, answers.get(one.key))
        for one in questions
        if one.key in gold
    )
