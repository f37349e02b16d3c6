"""One look over a dataset version: rows go in one by one, findings come out; texts are not kept.

About 700 bytes a row are held: its key, hashes of its inputs and its answer, and a MinHash signature.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from evals.doctor import shingles
from evals.doctor.history import Record
from evals.doctor.minhash import Signatures, Tick
from evals.doctor.odd import Oddities
from evals.doctor.prompts import PromptTexts
from evals.doctor.types import TRAINING_SPLITS, Finding, Kind, Member, Row
from llmops.common.errors import TooLarge

MOST_ROWS = 250_000
MOST_MEMBERS = 20
DEFAULT_THRESHOLD = 0.8
_SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

Texts = Callable[[Sequence[uuid.UUID]], Mapping[uuid.UUID, Mapping[str, Any]]]


class Examination:
    """Reads up to `rows` rows. Rows are one input when their inputs are equal JSON.

    :raises TooLarge: for more than MOST_ROWS.
    """

    def __init__(self, *, rows: int, prompts: Mapping[str, str], threshold: float = DEFAULT_THRESHOLD) -> None:
        if rows > MOST_ROWS:
            raise TooLarge(f"The doctor reads at most {MOST_ROWS:,} rows; this version has {rows:,}.")
        self.threshold = threshold
        self.is_complete = True
        self._members: list[Member] = []
        self._inputs: list[bytes] = []
        self._answers: list[frozenset[bytes]] = []
        self._first: dict[bytes, int] = {}  # normalised text -> the first row that has it
        self._alike: list[tuple[int, int]] = []
        self._signatures = Signatures(rows)
        self._oddities = Oddities()
        self._prompts = PromptTexts(prompts)
        self._in_prompts: list[Finding] = []

    def add(self, row: Row) -> None:
        """Take a row in."""
        place = len(self._members)
        member = Member(row.key, row.number, row.split)
        self._members.append(member)
        self._inputs.append(_digest(_SPELLING.encode(row.inputs)))
        self._answers.append(_answers(row.expected))
        self._oddities.add(row)
        text = shingles.text_of(row.inputs)
        first = self._first.setdefault(_digest(text), place)
        if not text:
            return
        if first == place:
            self._signatures.add(place, shingles.of(text))
        else:
            self._alike.append((first, place))
        if row.split.casefold() not in TRAINING_SPLITS:
            self._look_into_prompts(row, member)

    def findings(
        self, texts_of: Texts, *, records: Mapping[uuid.UUID, Record], runs: int, tick: Tick = lambda band: None
    ) -> Iterator[Finding]:
        """Everything that was found. `texts_of` gives the inputs of rows by key; `records` what `runs` runs say."""
        yield from self._exact()
        yield from self._near(texts_of, tick)
        yield from self._in_prompts
        yield from (
            Finding(Kind.ODD, (self._members[place],), 1, 1.0, reason) for place, reason in self._oddities.found()
        )
        yield from self._history(records, runs)

    def _exact(self) -> Iterator[Finding]:
        groups: dict[bytes, list[int]] = defaultdict(list)
        for place, digest in enumerate(self._inputs):
            groups[digest].append(place)
        for places in groups.values():
            if len(places) > 1:
                answers = self._distinct_answers(places)
                if answers and not frozenset.intersection(*answers):
                    note = f"equal inputs, {len(answers)} different expected answers"
                    yield self._group(Kind.CONFLICT, places, 1.0, note)
                note = "equal inputs" + ("" if len(answers) < 2 else ", different expected answers")
                yield self._group(Kind.DUPLICATE, places, 1.0, note)

    def _near(self, texts_of: Texts, tick: Tick) -> Iterator[Finding]:
        """Near-duplicates, and groups (equal ones too) that lie in more than one split."""

        def texts(places: Sequence[int]) -> dict[int, str]:
            found = texts_of([self._members[place].key for place in places])
            by_place = {place: found.get(self._members[place].key) for place in places}
            return {place: shingles.text_of(inputs) for place, inputs in by_place.items() if inputs is not None}

        groups = self._signatures.groups(texts, threshold=self.threshold, united=self._alike, tick=tick)
        self.is_complete = groups.is_complete
        by_root: dict[int, list[int]] = defaultdict(list)
        for place, root in enumerate(groups.root.tolist()[: len(self._members)]):
            by_root[root].append(place)
        for root, places in by_root.items():
            if len(places) < 2:
                continue
            weakest = groups.weakest.get(root, 1.0)
            splits = sorted({self._members[place].split for place in places} - {""})
            if len(splits) > 1:
                note = f"the same or nearly the same input in the splits {', '.join(splits[:5])}"
                yield self._group(Kind.SPLIT_LEAK, self._one_of_each_split(places), weakest, note, size=len(places))
            if len({self._inputs[place] for place in places}) > 1:
                differs = ", different expected answers" if len(self._distinct_answers(places)) > 1 else ""
                note = f"alike to at least {weakest:.0%} by shared character n-grams{differs}"
                yield self._group(Kind.NEAR_DUPLICATE, self._one_of_each_input(places), weakest, note, size=len(places))

    def _look_into_prompts(self, row: Row, member: Member) -> None:
        names, likeness = self._prompts.holding(row.inputs)
        if names:
            more = f" and {len(names) - 3} more versions" if len(names) > 3 else ""
            note = f"an input stands in the text of {', '.join(names[:3])}{more}"
            self._in_prompts.append(Finding(Kind.PROMPT_LEAK, (member,), 1, likeness, note))

    def _history(self, records: Mapping[uuid.UUID, Record], runs: int) -> Iterator[Finding]:
        for member in self._members:
            record = records.get(member.key)
            if record is None:
                continue
            if record.disputed:
                note = f"{record.disputed} of {record.results} results; for example {record.example}"
                yield Finding(Kind.DISAGREEMENT, (member,), 1, record.disputed / record.results, note)
            if record.never_fails:
                note = f"{record.results} results in {len(record.runs)} of the last {runs} runs, none failed"
                yield Finding(Kind.NEVER_FAILS, (member,), 1, 1.0, note)

    def _distinct_answers(self, places: Sequence[int]) -> set[frozenset[bytes]]:
        return {self._answers[place] for place in places} - {frozenset()}

    def _one_of_each_split(self, places: Sequence[int]) -> list[int]:
        return _led_by(places, lambda place: self._members[place].split)

    def _one_of_each_input(self, places: Sequence[int]) -> list[int]:
        return _led_by(places, lambda place: self._inputs[place])

    def _group(self, kind: Kind, places: Sequence[int], strength: float, note: str, *, size: int = 0) -> Finding:
        members = tuple(self._members[place] for place in places[:MOST_MEMBERS])
        return Finding(kind, members, size or len(places), strength, note)


def _led_by(places: Iterable[int], of: Callable[[int], Any]) -> list[int]:
    """The same places, one of each kind first, so that the first few show what differs."""
    firsts: dict[Any, int] = {}
    rest = []
    for place in places:
        if firsts.setdefault(of(place), place) != place:
            rest.append(place)
    return [*firsts.values(), *rest]


def _answers(expected: Any) -> frozenset[bytes]:
    """Digests of the answers that are right: a list means that any of them is. None and blank texts are no answer."""
    several = expected if isinstance(expected, list) else [expected]
    plain = [one.strip() if isinstance(one, str) else one for one in several]
    return frozenset(_digest(_SPELLING.encode(one)) for one in plain if one not in (None, "", [], {}))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
