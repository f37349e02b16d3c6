"""One answer from several people's: when all agree, or the majority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from feedback.rubrics.answers import comparable
from feedback.rubrics.questions import Question

Json = Any
FREE = frozenset({"text", "correction"})


def combined(
    questions: Sequence[Question], given: Sequence[Mapping[str, Json]], *, unanimous: bool
) -> dict[str, Json] | None:
    """What stands for all of `given`; None where a question is undecided, which a person must settle.

    An optional question that some left out is decided by those who answered. Free words stand when there is only one
    wording; several wordings of an optional question are left out.
    """
    found = {}
    for question in questions:
        values = [answers[question.key] for answers in given if question.key in answers]
        if not values:
            continue
        winner = _wording(values) if question.kind in FREE else _vote(question, values, unanimous=unanimous)
        if winner is not None:
            found[question.key] = winner
        elif question.required or question.kind != "text":
            return None
    return found or None


def most_frequent(votes: Sequence[Hashable]) -> Hashable | None:
    """The one value with the most votes; None for a tie or no votes."""
    ranked = Counter(votes).most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def _vote(question: Question, values: Sequence[Json], *, unanimous: bool) -> Json | None:
    votes = [comparable(question, value) for value in values]
    winner = most_frequent(votes)
    if winner is None or (unanimous and len(set(votes)) > 1):
        return None
    return values[votes.index(winner)]


def _wording(values: Sequence[Json]) -> Json | None:
    return values[0] if len(set(values)) == 1 else None
