"""What a conversion gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of the configuration that is not carried over (`lost`), or that is worth knowing.

    `kind` is the short form that findings are counted by, `detail` says what it is about.
    """

    file: str
    line: int
    kind: str
    detail: str = ""
    lost: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt as the text of a .prompty file."""

    name: str
    content: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class NewEvaluator:
    """A named configuration; `what` is the assertion it came from, `rubric` the prompt that a judge needs."""

    slug: str
    spec: Json
    what: str
    file: str
    line: int
    rubric: PromptFile | None = None


@dataclass(frozen=True, slots=True)
class NewDataset:
    """Examples, and the evaluators (by slug) that read their expected values or hold for all of them."""

    slug: str
    description: str
    examples: tuple[Json, ...]
    evaluators: tuple[str, ...]


@dataclass(slots=True)
class Conversion:
    """One configuration, converted. Evaluators that a server refuses become findings by `without`."""

    source: str
    prompts: list[PromptFile] = field(default_factory=list)
    evaluators: list[NewEvaluator] = field(default_factory=list)
    datasets: list[NewDataset] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def lost(self) -> list[Finding]:
        return [one for one in self.findings if one.lost]

    @property
    def verdict(self) -> str:
        """`wholly`, `partly`, or `not` when nothing is left that could be run."""
        if not self.prompts or not self.datasets:
            return "not"
        return "partly" if self.lost else "wholly"

    def without(self, evaluator: NewEvaluator, reason: str) -> None:
        """Take an evaluator out that cannot be had."""
        self.evaluators.remove(evaluator)
        self.findings.append(Finding(evaluator.file, evaluator.line, evaluator.what, reason))
        self.datasets = [
            replace(one, evaluators=tuple(slug for slug in one.evaluators if slug != evaluator.slug))
            for one in self.datasets
        ]

    def checked(self, refusal: Callable[[Json], str | None]) -> Conversion:
        """Without the metrics for which `refusal(spec)` gives a reason."""
        for one in list(self.evaluators):
            if "metric" in one.spec and (reason := refusal(one.spec)):
                self.without(one, reason)
        return self
