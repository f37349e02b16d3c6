"""What happened to the work of one run under a fault: lost, doubled, overwritten, paid for twice.

The checker trusts nobody: it compares what was asked for, what clients saw while it ran, what is there at the end, and
what the provider says it answered.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.fake_provider import digest


@dataclass(frozen=True, slots=True)
class Seen:
    """A result as a client read it."""

    key: str  # of the row
    text: str  # what was asked
    output: str


@dataclass(slots=True)
class History:
    """What clients saw, each result when it was first seen."""

    first: dict[str, Seen] = field(default_factory=dict)

    def remember(self, results: Iterable[Seen]) -> None:
        for result in results:
            self.first.setdefault(result.key, result)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost`: questions without a result. `doubled`: results too many. `overwritten`: results that changed or went
    after a client had seen them. `strange`: answers that the provider never gave. `twice`: answers paid for again."""

    lost: int
    doubled: int
    overwritten: int
    strange: int
    twice: int

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.overwritten or self.strange)


def judged(asked: Sequence[str], history: History, results: Sequence[Seen], answered: Mapping[str, int]) -> Verdict:
    """`asked` are the run's questions, `results` what is there at the end, `answered` the provider's ledger."""
    found: dict[str, list[Seen]] = defaultdict(list)
    for result in results:
        found[result.text].append(result)
    at_end = {result.key: result for result in results}
    return Verdict(
        lost=sum(1 for text in asked if not found.get(text)),
        doubled=sum(len(rows) - 1 for rows in found.values()) + sum(1 for text in found if text not in set(asked)),
        overwritten=sum(1 for key, seen in history.first.items() if at_end.get(key) != seen),
        strange=sum(not _was_given(result, answered) for result in results),
        twice=sum(max(0, answered.get(digest(text), 0) - 1) for text in asked),
    )


def _was_given(result: Seen, answered: Mapping[str, int]) -> bool:
    """Answers are numbered by how often their question was asked, so one that was never given has no number."""
    return bool(answered.get(digest(result.text))) and bool(
        re.fullmatch(re.escape(f"echo: {result.text} #") + r"\d+", result.output)
    )


@dataclass(slots=True)
class Line:
    """One kind of fault in the table."""

    times: int = 0
    seconds: float = 0.0
    worst_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


class Table:
    """Fault, times, lost, doubled, overwritten, calls made twice, seconds until the run was done."""

    COLUMNS = ("lost", "doubled", "overwritten", "strange", "twice")

    def __init__(self) -> None:
        self.lines: dict[str, Line] = defaultdict(Line)
        self.work = 0

    def add(self, fault: str, verdict: Verdict, seconds: float, work: int) -> None:
        line = self.lines[fault]
        line.times += 1
        line.seconds += seconds
        line.worst_s = max(line.worst_s, seconds)
        self.work += work
        for name in self.COLUMNS:
            line.counts[name] += getattr(verdict, name)

    def total(self, name: str) -> int:
        return sum(line.counts[name] for line in self.lines.values())

    @property
    def faults(self) -> int:
        return sum(line.times for line in self.lines.values())

    def text(self) -> str:
        heads = f"{'fault':34}{'times':>6}{'lost':>6}{'doubled':>9}{'overwritten':>13}{'made twice':>12}"
        lines = [f"{heads}{'seconds':>9}{'worst':>7}"]
        for name, line in sorted(self.lines.items()):
            counts = line.counts
            lines.append(
                f"{name:34}{line.times:>6}{counts['lost']:>6}{counts['doubled']:>9}{counts['overwritten']:>13}"
                f"{counts['twice']:>12}{line.seconds / line.times:>9.1f}{line.worst_s:>7.1f}"
            )
        paid = (self.work + self.total("twice")) / max(1, self.work)
        lines.append(
            f"{self.faults} faults, {self.work:,} results: {self.total('lost')} lost, {self.total('doubled')} doubled, "
            f"{self.total('overwritten')} overwritten; {paid:.3f} paid calls per result"
        )
        return "\n".join(lines)
