"""Published figures of 15 judges on 419 labelled pairs come out of the product's own calibration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.queries import certificates as queries
from evals.services import certificates, evaluators
from evals.statistics import pairwise
from prompts.services import versions
from tests.evals.conftest import Bench

PAIR = "---\nname: pair\nmodel:\n  id: judge-1\n---\nuser:\n{{ input.input }}\n{{ first }}\n{{ second }}\n"


def lines(shared_data: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shared_data / "labelled" / name).read_text().splitlines()]


def count(published: str) -> int:
    return int(published.split("/")[0])


def test_the_published_statistics_are_reproduced(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = lines(shared_data, "llmbar_419.jsonl")
    met = {"n": 0, "right as it is": 0, "right swapped": 0, "right in both": 0, "same in both": 0}
    apart, with_the_rest, published = 0, 0, lines(shared_data, "llmbar_published_statistics.jsonl")
    for known in published:
        subset = [row for row in rows if row["subset"] == known["subset"]]
        gold = [str(row["gold"]) for row in subset]
        sides = [[row["judges"][known["judge"]][order] for row in subset] for order in ("original", "swapped")]
        found = pairwise.both_orders(gold, *sides)
        met["n"] += found.n == known["n"]
        met["right as it is"] += found.right_as_is == count(known["correct_False"])
        met["right swapped"] += found.right_swapped == count(known["correct_True"])
        met["right in both"] += found.right_in_both == count(known["correct_both"])
        met["same in both"] += found.same_in_both == count(known["equal"])
        apart += found.kappa.value == pytest.approx(known["kappa_agreement"], abs=1e-9)
        # The authors put unreadable answers together with the second answer: “the first one won” or not.
        rest = pairwise.both_orders(gold, *sides, against_rest="1").kappa.value
        with_the_rest += rest == pytest.approx(known["kappa_agreement"], abs=1e-9)
        unreadable = None in sides[0] or None in sides[1]
        assert unreadable or found.kappa.value == pytest.approx(rest)
    met["kappa between the orders"] = with_the_rest
    total = len(published)
    with capsys.disabled():
        print(f"\n{sum(met.values())} of {len(met) * total} valid published figures are met")
        for name, number in met.items():
            print(f"  {name}: {number} of {total}")
        print(f"  kappa with unreadable answers as a class of their own: {apart} of {total} (the others have some)")
    assert set(met.values()) == {75}
    assert apart == 55


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["GPT-4/Vanilla", "ChatGPT/CoT"])
def test_a_run_of_such_a_judge_gets_the_published_figures_as_its_certificate(
    bench: Bench, shared_data: Path, name: str
) -> None:
    rows = [row for row in lines(shared_data, "llmbar_419.jsonl") if row["subset"] == "Natural"]
    [known] = [
        one for one in lines(shared_data, "llmbar_published_statistics.jsonl")
        if (one["subset"], one["judge"]) == ("Natural", name)
    ]  # fmt: skip
    bench.fake.answer = replaying(rows, name)
    versions.save(project=bench.project, path="judges/pair", content=PAIR, message="", by=bench.by, now=timezone.now())
    spec = {"judge": {"prompt": "judges/pair"}, "scale": {"kind": "pairwise"}, "baseline": {"column": "output_2"}}
    evaluator = evaluators.create(project=bench.project, slug="better", spec=spec, by=bench.by).evaluator
    assert evaluator is not None
    examples = [
        ExampleRow(inputs={"input": row["input"]}, metadata={
            "output_1": row["output_1"], "output_2": row["output_2"], "gold": "win" if row["gold"] == 1 else "loss",
        })
        for row in rows
    ]  # fmt: skip
    run = bench.start(bench.dataset(examples), recorded="output_1", evaluators=["better"], concurrency=50)
    bench.work(120.0)
    run.refresh_from_db()
    assert run.state == "done"
    made = certificates.measure(evaluator=evaluator, run=run, column="gold", by=bench.by, now=timezone.now())
    orders = made.figures["orders"]
    names = ("right_as_is", "right_swapped", "right_in_both", "same_in_both")
    columns = ("correct_False", "correct_True", "correct_both", "equal")
    assert made.n == known["n"]
    assert [orders[one] for one in names] == [count(known[column]) for column in columns]
    if name == "GPT-4/Vanilla":  # the other one has an unreadable answer, here a class of its own
        assert orders["kappa"]["value"] == pytest.approx(known["kappa_agreement"], abs=1e-9)
    bias = queries.order_bias(run, made.evaluator_version)
    assert bias.pairs - bias.order_sensitive == count(known["equal"])
    assert bias.share.value == pytest.approx(orders["first_place"]["value"])


def replaying(rows: list[dict[str, Any]], name: str) -> Callable[[str], str]:
    """A model server that gives the verdicts which this judge gave, in the product's own form."""
    known: dict[tuple[str, str], str] = {}
    for row in rows:
        first, second = row["output_1"], row["output_2"]
        as_is, swapped = row["judges"][name]["original"], row["judges"][name]["swapped"]
        known[first, second] = {"1": "first", "2": "second"}.get(as_is, "unreadable")
        known[second, first] = {"1": "second", "2": "first"}.get(swapped, "unreadable")

    def answer(text: str) -> str:
        first, second = re.findall(r"<data-\w+ (?:first|second)>\n(.*?)\n</data-", text, re.S)
        return json.dumps({"reason": "as recorded", "verdict": known[first, second]})

    return answer
