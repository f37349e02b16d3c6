"""What the doctor finds in rows made to be found, and that it stays silent about healthy ones."""

from __future__ import annotations

import random
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.doctor import Finding, Kind, Row
from evals.doctor import examination as examinations
from evals.doctor.examination import Examination
from evals.doctor.history import Verdicts, records
from evals.doctor.needles import Needles
from evals.doctor.odd import extremes
from llmops.common.errors import TooLarge

ROOT = Path(__file__).resolve().parents[3]


def row(number: int, text: str, expected: Any = "x", split: str = "") -> Row:
    return Row(uuid.UUID(int=number), number, {"mail": text}, expected, split)


def examined(rows: Sequence[Row], *, prompts: dict[str, str] | None = None, past: Any = (), runs: int = 0,
             threshold: float = 0.8) -> list[Finding]:  # fmt: skip
    look = Examination(rows=len(rows), prompts=prompts or {}, threshold=threshold)
    for one in rows:
        look.add(one)
    inputs = {one.key: one.inputs for one in rows}
    return list(look.findings(lambda keys: {key: inputs[key] for key in keys}, records=records(past), runs=runs))


def numbers(found: list[Finding], kind: Kind) -> list[list[int]]:
    return [sorted(member.number for member in one.members) for one in found if one.kind is kind]


TEXTS = [
    "My parcel was to come on Monday, and nobody has seen the courier since.",
    "The fern arrived with brown leaves; may I send it back for the money?",
    "How often should an orchid be watered in winter when the heating is on?",
    "Please change the address of my order to the office in the second street.",
    "I cannot sign in any more, the page says that my account is not known.",
    "Which of your roses bear a north wall and a late frost in the spring?",
]


def test_a_healthy_dataset_has_no_finding() -> None:
    assert examined([row(n, text, split="test") for n, text in enumerate(TEXTS)]) == []


def test_equal_inputs_are_duplicates_and_conflict_when_no_answer_is_common() -> None:
    found = examined(
        [row(1, TEXTS[0], "a"), row(2, TEXTS[0], "b"), row(3, TEXTS[1], ["a", "b"]), row(4, TEXTS[1], "b")]
    )
    assert numbers(found, Kind.DUPLICATE) == [[1, 2], [3, 4]]
    assert numbers(found, Kind.CONFLICT) == [[1, 2]]
    assert numbers(found, Kind.NEAR_DUPLICATE) == []


def test_the_order_of_names_makes_no_other_input() -> None:
    one, two = Row(uuid.UUID(int=1), 1, {"a": 1, "b": 2}), Row(uuid.UUID(int=2), 2, {"b": 2, "a": 1})
    assert numbers(examined([one, two]), Kind.DUPLICATE) == [[1, 2]]


def test_other_case_and_a_typing_error_are_nearly_the_same_input() -> None:
    found = examined([row(1, TEXTS[0]), row(2, TEXTS[0].upper()), row(3, TEXTS[0].replace("courier", "couriers"))])
    assert numbers(found, Kind.NEAR_DUPLICATE) == [[1, 2, 3]]
    assert numbers(found, Kind.DUPLICATE) == []
    [near] = [one for one in found if one.kind is Kind.NEAR_DUPLICATE]
    assert 0.8 <= near.strength < 1


def test_the_same_input_in_two_splits_is_a_leak_and_without_splits_is_none() -> None:
    rows = [row(1, TEXTS[0], split="train"), row(2, TEXTS[0] + "!", split="test"), row(3, TEXTS[1]), row(4, TEXTS[1])]
    found = examined(rows)
    assert numbers(found, Kind.SPLIT_LEAK) == [[1, 2]]


def test_a_leak_shows_a_row_of_each_split_however_many_there_are() -> None:
    rows = [row(n, TEXTS[0], split="train") for n in range(50)] + [row(99, TEXTS[0], split="test")]
    [leak] = [one for one in examined(rows) if one.kind is Kind.SPLIT_LEAK]
    assert {member.split for member in leak.members} == {"train", "test"}
    assert leak.size == 51
    assert len(leak.members) == examinations.MOST_MEMBERS


def test_a_row_in_a_prompts_own_examples_is_a_leak_unless_it_is_for_training() -> None:
    prompt = f"Name the category.\nExample: {TEXTS[2]}\nAnswer: plant\nThe mail is {{{{ mail }}}}"
    rows = [row(1, TEXTS[2], split="test"), row(2, TEXTS[2], split="train"), row(3, TEXTS[3], split="test")]
    found = examined(rows, prompts={"mail/classify v3": prompt})
    assert numbers(found, Kind.PROMPT_LEAK) == [[1]]
    [leak] = [one for one in found if one.kind is Kind.PROMPT_LEAK]
    assert "mail/classify v3" in leak.note
    assert leak.strength == pytest.approx(1.0, abs=0.05)


def test_a_short_input_in_a_prompt_is_no_leak() -> None:
    assert examined([row(1, "delivery")], prompts={"p v1": "Categories: delivery, refund, plant"}) == []


def test_odd_rows_are_told_with_their_reason() -> None:
    rows = [row(n, f"{TEXTS[n % 6]} {n * 7919}") for n in range(40)]
    rows += [row(50, "  "), row(51, TEXTS[3] * 60), Row(uuid.UUID(int=52), 52, {"subject": "Hello there"}, "x")]
    rows += [row(53, "A mail that nobody has answered yet, and that needs one.", None)]
    notes = {one.members[0].number: one.note for one in examined(rows) if one.kind is Kind.ODD}
    assert notes[50] == "every input is empty"
    assert "characters" in notes[51]
    assert "without mail" in notes[52]
    assert notes[53].startswith("without an expected answer")
    assert set(notes) == {50, 51, 52, 53}


def test_lengths_that_hardly_differ_have_no_extremes() -> None:
    low, high = extremes([100] * 50 + [101] * 50)
    assert low < 40
    assert high > 250


def test_a_row_never_fails_only_after_three_runs_that_all_passed() -> None:
    def verdict(number: int, run: int, **passed: bool) -> Verdicts:
        return Verdicts(uuid.UUID(int=number), run, passed)

    past = [verdict(1, run, exact=True) for run in range(3)]
    past += [verdict(2, run, exact=run != 1) for run in range(3)]
    past += [verdict(3, run, exact=True) for run in range(2)]
    past += [verdict(4, run) for run in range(3)]
    past += [Verdicts(uuid.UUID(int=5), run, {"exact": True}, failed=run == 2) for run in range(3)]
    found = examined([row(n, TEXTS[n]) for n in range(1, 6)], past=past, runs=3)
    assert numbers(found, Kind.NEVER_FAILS) == [[1]]


def test_evaluators_that_differ_are_a_disagreement_with_its_share() -> None:
    past = [
        Verdicts(uuid.UUID(int=1), 0, {"exact": True, "judge": False}),
        Verdicts(uuid.UUID(int=1), 1, {"exact": True, "judge": True}),
        Verdicts(uuid.UUID(int=2), 0, {"exact": False, "judge": False}),
    ]
    [found] = examined([row(1, TEXTS[0]), row(2, TEXTS[1])], past=past, runs=2)
    assert (found.kind, found.strength) == (Kind.DISAGREEMENT, 0.5)
    assert "exact: pass, judge: fail" in found.note


def test_too_many_rows_are_refused_before_anything_is_read() -> None:
    with pytest.raises(TooLarge, match="250,000"):
        Examination(rows=examinations.MOST_ROWS + 1, prompts={})


def test_proposed_texts_are_found_among_rows_and_among_themselves() -> None:
    needles = Needles([TEXTS[0].lower(), "quite another question about peat", TEXTS[0].lower() + "!"], threshold=0.8)
    for number, text in enumerate(TEXTS):
        needles.look_at(uuid.UUID(int=number), text.lower())
    assert needles.found[0] == (uuid.UUID(int=0), 1.0)
    assert needles.found[2][0] == uuid.UUID(int=0)
    assert 1 not in needles.found
    assert needles.among_themselves().keys() == {2}


HUNDRED_THOUSAND = """
import random, resource, uuid
from evals.doctor import Kind, Row
from evals.doctor.examination import Examination
ROWS = 100_000
def text(number):
    chance = random.Random(number)
    return " ".join("%05x" % chance.randrange(2**20) for _ in range(12))
def rows():
    for number in range(ROWS):
        of = number - 1 if number % 1000 == 1 else number
        yield Row(uuid.UUID(int=number), number, {"mail": text(of) + ("!" if of != number else "")}, "x",
                  "test" if number % 2 else "train")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
look = Examination(rows=ROWS, prompts={"p v1": text(7)})
for row in rows():
    look.add(row)
def fetched(keys):
    return {key: {"mail": text(key.int - 1) + "!" if key.int % 1000 == 1 else text(key.int)} for key in keys}
found = list(look.findings(fetched, records={}, runs=0))
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
pairs = sum(one.kind is Kind.SPLIT_LEAK for one in found)
prompts = [one.members[0].number for one in found if one.kind is Kind.PROMPT_LEAK]
print(pairs, prompts, grown)
"""


def test_a_hundred_thousand_rows_take_less_than_200_mb_and_no_planted_pair_is_missed() -> None:
    """In a process of its own, whose highest memory is the doctor's alone."""
    done = subprocess.run(
        [sys.executable, "-c", HUNDRED_THOUSAND], capture_output=True, text=True, check=True, cwd=ROOT, timeout=300
    )
    pairs, prompts, grown = done.stdout.rsplit(maxsplit=2)
    assert (pairs, prompts) == ("100", "[7]")
    assert int(grown) < 200, f"{grown} MB"


def test_the_same_rows_give_the_same_findings() -> None:
    chance = random.Random(5)
    rows = [row(n, chance.choice(TEXTS) + chance.choice(["", "!", " Thanks."])) for n in range(60)]
    assert examined(rows) == examined(rows)
