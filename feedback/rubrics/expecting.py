"""What a settled answer says the output should have been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from feedback.rubrics.questions import Question

Json = Any
# An answer of these kinds is one right output; a list would be read as several of which any is right.
EXPECTABLE = frozenset({"correction", "text", "category", "pass_fail", "scale"})


def expectable(questions: Sequence[Question]) -> list[Question]:
    """The questions whose answers can be an expected output, those that ask for a better output first."""
    found = [question for question in questions if question.kind in EXPECTABLE]
    return sorted(found, key=lambda question: question.kind != "correction")


def expected(
    questions: Sequence[Question], question: Question, answers: Mapping[str, Json], snapshot: Mapping[str, Json]
) -> Json | None:
    """The answer to `question`; None where there is none.

    An output that passed every pass-or-fail question and was not corrected is right as it is.
    """
    answer = answers.get(question.key)
    if answer is not None or question.kind != "correction":
        return answer
    verdicts = [answers[one.key] for one in questions if one.kind == "pass_fail" and one.key in answers]
    return snapshot.get("output") if verdicts and set(verdicts) == {"pass"} else None
