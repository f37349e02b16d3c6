"""Repeats that disagree."""

from __future__ import annotations

from collections import defaultdict
from itertools import count

import pytest

from evals.models import Run
from evals.queries import flakiness, runs
from tests.evals.conftest import EXACT, Bench

pytestmark = pytest.mark.django_db(transaction=True)


def unsteady(right_of_four: dict[str, int]) -> object:
    """Answers each text right so many of four times, and every other text always."""
    asked: dict[str, count[int]] = defaultdict(count)

    def answer(text: str) -> str:
        return text if next(asked[text]) < right_of_four.get(text, 4) else "wrong"

    return answer


def test_the_flake_rate_of_a_run_and_its_least_reliable_examples(bench: Bench) -> None:
    bench.fake.answer = unsteady({"text 2": 3, "text 3": 0, "text 4": 2})  # type: ignore[assignment]
    run = bench.start(bench.dataset(6), bench.prompt(), repeats=4, concurrency=1)
    bench.work()
    run = Run.objects.get(pk=run.pk)
    [line] = runs.evaluators_of(run)
    found = flakiness.flakiness_of(run, line)
    assert found is not None
    assert found.rate.value == pytest.approx(0.194444, abs=1.5e-6)
    assert found.all_pass.value == pytest.approx(0.5)
    assert found.any_passes.value == pytest.approx(5 / 6)
    assert (found.mixed, found.repeated) == (2, 6)
    assert [(one.inputs["text"], one.passed, one.n) for one in found.worst] == [("text 4", 2, 4), ("text 2", 3, 4)]


def test_without_repeats_or_verdicts_there_is_nothing_to_say(bench: Bench) -> None:
    graded = {"metric": "levenshtein", "params": {}}
    once = bench.start(bench.dataset(3), bench.prompt())
    twice = bench.start(bench.dataset(3, slug="others"), bench.prompt("other"), repeats=2, evaluators=[graded, EXACT])
    bench.work()
    once, twice = Run.objects.get(pk=once.pk), Run.objects.get(pk=twice.pk)
    assert flakiness.flakiness_of(once, runs.evaluators_of(once)[0]) is None
    by_distance, by_match = runs.evaluators_of(twice)
    assert flakiness.flakiness_of(twice, by_distance) is None
    agreeing = flakiness.flakiness_of(twice, by_match)
    assert agreeing is not None
    assert (agreeing.rate.value, agreeing.mixed, agreeing.worst) == (0.0, 0, ())
