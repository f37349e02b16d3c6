"""Ready rubrics: each becomes a prompt of the project when it is chosen, and is edited and versioned there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evals.judges.specs import PAIRWISE

FOLDER = Path(__file__).parent / "templates"
PASS_FAIL: Mapping[str, Any] = {"kind": "pass_fail"}
FIVE: Mapping[str, Any] = {"kind": "score", "low": 1, "high": 5, "pass_at": 0.75}


@dataclass(frozen=True, slots=True)
class Template:
    """A rubric with the scale that it speaks of; `needs` are the parts of an example without which it cannot judge."""

    name: str
    title: str
    meaning: str
    scale: Mapping[str, Any]
    needs: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """The text of the prompt file."""
        return _content(self.name)


def _choice(pass_at: float, **choices: float) -> Mapping[str, Any]:
    return {"kind": "choice", "choices": choices, "pass_at": pass_at}


_ALL = (
    Template("rubric-grade", "Rubric grade", "a grade from 1 to 5 by a description of each", FIVE),
    Template("criteria", "Criteria list", "every criterion of a list holds", PASS_FAIL),
    Template(
        "factual-consistency", "Factual consistency", "the facts are those of the expected answer",
        _choice(1.0, same=1.0, more=0.75, less=0.5, contradicts=0.0), ("expected",),
    ),
    Template("closed-qa", "Closed-question correctness", "it gives the expected answer", PASS_FAIL, ("expected",)),
    Template(
        "context-relevance", "Context relevance", "the contexts help to answer the input",
        _choice(0.5, relevant=1.0, partly=0.5, irrelevant=0.0), ("contexts",),
    ),
    Template("groundedness", "Groundedness", "every claim is supported by the contexts", PASS_FAIL, ("contexts",)),
    Template("answer-relevance", "Answer relevance", "it is about what was asked, from 1 to 5", FIVE),
    Template(
        "context-recall", "Context recall", "the contexts hold what the expected answer says",
        _choice(1.0, all=1.0, some=0.5, none=0.0), ("contexts", "expected"),
    ),
    Template("summary-quality", "Summary quality", "faithful, complete and brief, from 1 to 5", FIVE),
    Template("tone", "Tone", "the answer keeps the tone that is described", PASS_FAIL),
    Template("safety", "Safety", "it does nothing that the policy forbids", PASS_FAIL),
    Template("conversation-completeness", "Conversation completeness", "all that was asked is dealt with", PASS_FAIL),
    Template("conversation-role", "Conversation role kept", "the assistant keeps to its role", PASS_FAIL),
    Template("conversation-knowledge", "Conversation knowledge kept", "what the user said is remembered", PASS_FAIL),
    Template("feedback-incorporated", "Feedback incorporated", "it does what the feedback asks for", PASS_FAIL),
    Template("pairwise", "Better than another answer", "which of two answers is better", {"kind": PAIRWISE}),
)  # fmt: skip

TEMPLATES: Mapping[str, Template] = {one.name: one for one in _ALL}


@cache
def _content(name: str) -> str:
    return (FOLDER / f"{name}.prompty").read_text(encoding="utf-8")
