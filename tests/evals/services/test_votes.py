"""Judges that are asked more than once about an output: both orders of a pair, and panels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import JudgeVote, Result, Run, Score, WorkItem
from evals.queries import comparisons, run_pages
from evals.queries import runs as queries
from evals.services import evaluators, run_requests, run_retries, runs
from llmops.common import ids
from llmops.common.errors import Invalid
from prompts.services import versions
from tests.evals.conftest import EXACT, Bench

pytestmark = pytest.mark.django_db(transaction=True)

PAIR = "Question: {{ inputs }}\nFirst: {{ first }}\nSecond: {{ second }}"


def rubric(bench: Bench, text: str, path: str) -> str:
    content = f"---\nname: judge\nmodel:\n  id: judge-1\n---\nuser:\n{text}\n"
    versions.save(project=bench.project, path=path, content=content, message="", by=bench.by, now=timezone.now())
    return path


def judging(choose: Callable[[str, str], str]) -> Callable[[str], str]:
    """A model server that echoes, and judges pairs by `choose(first, second)`, which answers first, second or tie."""

    def answer(text: str) -> str:
        found = re.findall(r"<data-\w+ (?:first|second)>\n(.*?)\n</data", text, re.S)
        if len(found) != 2:
            return text
        return json.dumps({"reason": f"{found[0]} or {found[1]}", "verdict": choose(*found)})

    return answer


def done(run: Run) -> Run:
    run.refresh_from_db()
    assert (run.state, run.problem) == ("done", "")
    assert not WorkItem.objects.filter(run=run).exists()
    return run


def pairs(*rows: tuple[str, str]) -> list[ExampleRow]:
    return [
        ExampleRow(inputs={"text": f"q{n}"}, metadata={"old": old, "new": new}) for n, (old, new) in enumerate(rows)
    ]


def values(run: Run) -> list[tuple[float | None, str]]:
    return list(Score.objects.filter(run=run).order_by("result__example__position").values_list("value", "category"))


def test_a_pair_is_asked_in_both_orders_and_disagreement_is_a_tie(bench: Bench) -> None:
    # The judge prefers the longer answer, and the first place between equally long ones.
    bench.fake.answer = judging(lambda first, second: "second" if len(second) > len(first) else "first")
    spec = {"judge": {"prompt": rubric(bench, PAIR, "judges/pair")}, "scale": {"kind": "pairwise"},
            "baseline": {"column": "old"}}  # fmt: skip
    dataset = bench.dataset(pairs(("a", "longer"), ("longer", "a"), ("same", "even")))
    run = bench.start(dataset, recorded="new", evaluators=[spec])
    bench.work()
    assert values(done(run)) == [(1.0, "win"), (0.0, "loss"), (0.5, "tie")]
    votes = JudgeVote.objects.filter(run=run)
    assert list(votes.order_by("result_id", "part").values_list("part", "category")) == [
        (0, "win"), (1, "win"), (0, "loss"), (1, "loss"), (0, "win"), (1, "loss"),
    ]  # fmt: skip
    assert set(votes.values_list("model_asked", flat=True)) == {"judge-1"}
    assert bench.fake.calls == 6
    tie = Score.objects.get(run=run, category="tie")
    assert tie.reason.startswith("the orders disagree; win: ")
    assert (tie.model_asked, bool(tie.model_answered)) == ("judge-1", True)
    [figures] = queries.summary_of(run).evaluators
    assert (figures.mean, figures.n) == (0.5, 3)


def test_an_order_without_a_verdict_leaves_the_pair_unscored(bench: Bench) -> None:
    bench.fake.answer = judging(lambda first, second: "first" if first == "new" else "I prefer neither")
    spec = {"judge": {"prompt": rubric(bench, PAIR, "judges/pair")}, "scale": {"kind": "pairwise"},
            "baseline": {"column": "old"}}  # fmt: skip
    run = bench.start(bench.dataset(pairs(("old", "new"))), recorded="new", evaluators=[spec])
    bench.work()
    assert values(done(run)) == [(None, "")]
    [figures] = queries.summary_of(run).evaluators
    assert (figures.mean, figures.unscored) == (None, 1)


def test_a_pairs_baseline_is_another_runs_outputs(bench: Bench) -> None:
    dataset = bench.dataset(pairs(("a", "longer"), ("longer", "a")))
    first = bench.start(dataset, recorded="old", evaluators=[{"metric": "contains", "params": {"value": "l"}}])
    bench.work()
    bench.fake.answer = judging(lambda one, other: "first" if len(one) > len(other) else "second")
    path = rubric(bench, PAIR, "judges/pair")
    spec = {"judge": {"prompt": path}, "scale": {"kind": "pairwise"}, "baseline": {"run": ids.public("run", first.uid)}}
    second = bench.start(dataset, recorded="new", evaluators=[spec])
    bench.work()
    assert values(done(second)) == [(1.0, "win"), (0.0, "loss")]
    with pytest.raises(Invalid) as refused:
        bench.start(dataset, recorded="new", evaluators=[spec | {"baseline": {"run": "run_" + "0" * 32}}])
    assert "evaluators[0].baseline" in refused.value.fields


def test_a_pair_without_an_answer_to_compare_with_is_an_error_and_never_a_win(bench: Bench) -> None:
    bench.fake.answer = judging(lambda first, second: "first")
    spec = {"judge": {"prompt": rubric(bench, PAIR, "judges/pair")}, "scale": {"kind": "pairwise"},
            "baseline": {"column": "expected"}}  # fmt: skip
    run = bench.start(bench.dataset(pairs(("a", "b"))), recorded="new", evaluators=[spec])
    bench.work()
    score = Score.objects.get(run=done(run))
    assert (score.state, score.reason) == ("error", "not judged: There is no other answer to compare with.")


def test_a_panel_decides_by_the_majority_of_all_who_were_asked(bench: Bench) -> None:
    path = rubric(bench, "Is {{ output }} right?", "judges/right")
    verdicts = {"yes": ["pass", "pass", "fail"], "no": ["fail", "pass", "fail"], "split": ["pass", "fail", "?"]}

    def answer(text: str) -> str:
        [output] = re.findall(r"<data-\w+ output>\n(.*?)\n</data", text, re.S)
        return json.dumps({"reason": "so", "verdict": verdicts[output].pop()})

    bench.fake.answer = answer
    spec = {"judge": {"prompt": path}, "panel": [{"model": "judge-2"}, {"model": "judge-3"}]}
    rows = [ExampleRow(inputs={"text": word}, metadata={"new": word}) for word in verdicts]
    run = bench.start(bench.dataset(rows), recorded="new", evaluators=[spec], concurrency=1)
    bench.work()
    assert values(done(run)) == [(1.0, "pass"), (0.0, "fail"), (None, "")]
    one = Score.objects.filter(run=run).earliest("id")
    assert one.model_asked == "judge-1 + judge-2 + judge-3"
    assert Score.objects.get(run=run, state="unscored").reason.startswith("no majority among 3 judges")


def test_votes_that_failed_are_asked_again_and_the_others_are_not(bench: Bench) -> None:
    bench.fake.answer = judging(lambda first, second: "first" if first == "new" else "second")
    spec = {"judge": {"prompt": rubric(bench, PAIR, "judges/pair")}, "scale": {"kind": "pairwise"},
            "baseline": {"column": "old"}}  # fmt: skip
    bench.fake.script = ["400"]
    run = bench.start(bench.dataset(pairs(("old", "new"))), recorded="new", evaluators=[spec], concurrency=1)
    bench.work()
    assert Score.objects.get(run=done(run)).state == "error"
    assert run_retries.retry_failed(run=run, by=bench.by) == 1
    bench.work()
    assert values(done(run)) == [(1.0, "win")]
    assert bench.fake.calls == 3


def test_a_panel_that_gave_no_verdict_is_asked_again_as_a_whole(bench: Bench) -> None:
    path = rubric(bench, "Is {{ output }} right?", "judges/right")
    verdicts = {"yes": ["pass", "pass", "pass"], "split": ["pass", "fail", "?"]}

    def answer(text: str) -> str:
        [output] = re.findall(r"<data-\w+ output>\n(.*?)\n</data", text, re.S)
        return json.dumps({"reason": "so", "verdict": verdicts[output].pop()})

    bench.fake.answer = answer
    spec = {"judge": {"prompt": path}, "panel": [{"model": "judge-2"}, {"model": "judge-3"}]}
    rows = [ExampleRow(inputs={"text": word}, metadata={"new": word}) for word in verdicts]
    run = bench.start(bench.dataset(rows), recorded="new", evaluators=[spec])
    bench.work()
    assert values(done(run)) == [(1.0, "pass"), (None, "")]
    kept = set(JudgeVote.objects.filter(run=run, result__output="yes").values_list("pk", flat=True))
    assert run_pages.unjudged(run) == 1
    verdicts["split"] = ["fail", "pass", "pass"]
    assert run_retries.judge_again(run=run, by=bench.by) == 3
    assert set(WorkItem.objects.filter(run=run).values_list("part", flat=True)) == {0, 1, 2}
    bench.work()
    assert values(done(run)) == [(1.0, "pass"), (1.0, "pass")]
    assert bench.fake.calls == 9
    assert JudgeVote.objects.filter(run=run).count() == 6
    assert set(JudgeVote.objects.filter(run=run, result__output="yes").values_list("pk", flat=True)) == kept


def test_a_pair_that_was_not_judged_is_asked_again_in_both_orders(bench: Bench) -> None:
    bench.fake.answer = judging(lambda first, second: "first" if first == "new" else "I prefer neither")
    spec = {"judge": {"prompt": rubric(bench, PAIR, "judges/pair")}, "scale": {"kind": "pairwise"},
            "baseline": {"column": "old"}}  # fmt: skip
    run = bench.start(bench.dataset(pairs(("old", "new"))), recorded="new", evaluators=[spec])
    bench.work()
    assert values(done(run)) == [(None, "")]
    bench.fake.answer = judging(lambda first, second: "first" if first == "new" else "second")
    assert run_retries.judge_again(run=run, by=bench.by) == 2
    bench.work()
    assert values(done(run)) == [(1.0, "win")]
    assert list(JudgeVote.objects.filter(run=run).order_by("part").values_list("part", "category")) == [
        (0, "win"), (1, "win"),
    ]  # fmt: skip


def test_frozen_outputs_are_graded_anew_without_a_call_of_the_model(bench: Bench) -> None:
    bench.fake.answer = lambda text: "wrong" if text == "text 1" else text
    earlier = bench.start(bench.dataset(4), bench.prompt(), repeats=2, use_cache=False)
    bench.work()
    calls = bench.fake.calls
    dataset = done(earlier).dataset_version.dataset
    anew = runs.start(
        project=bench.project, by=bench.by,
        wanted=run_requests.Wanted(
            dataset=dataset, evaluators=[EXACT, {"metric": "contains", "params": {"value": "wrong"}}],
            regrades=earlier, repeats=2,
        ),
    )  # fmt: skip
    bench.work()
    done(anew)
    assert bench.fake.calls == calls
    taken = Result.objects.filter(run=anew).order_by("example_id", "repeat").values_list("output", "model_answered")
    given = Result.objects.filter(run=earlier).order_by("example_id", "repeat").values_list("output", "model_answered")
    assert list(taken) == list(given)
    exact, contains = queries.summary_of(anew).evaluators
    assert (exact.mean, contains.mean) == (0.75, 0.25)
    assert anew.provenance["regrades"] == ids.public("run", earlier.uid)
    with pytest.raises(Invalid) as refused:
        runs.start(project=bench.project, by=bench.by,
                   wanted=run_requests.Wanted(dataset=dataset, evaluators=[EXACT], regrades=earlier))  # fmt: skip
    assert "repeats" in refused.value.fields


def test_the_verdicts_that_a_new_version_of_an_evaluator_flips_are_listed(bench: Bench) -> None:
    made = evaluators.create(project=bench.project, slug="grade", spec=EXACT, by=bench.by)
    assert made.evaluator is not None
    rows = [ExampleRow(inputs={"text": "a"}, expected="A", metadata={"new": "a"}),
            ExampleRow(inputs={"text": "b"}, expected="b", metadata={"new": "b"})]  # fmt: skip
    dataset = bench.dataset(rows)
    earlier = bench.start(dataset, recorded="new", evaluators=["grade"])
    bench.work()
    loose = {"metric": "exact_match", "params": {"normalizer": "casefold"}}
    evaluators.save(evaluator=made.evaluator, spec=loose, by=bench.by)
    anew = bench.start(dataset, regrades=done(earlier), evaluators=["grade"])
    bench.work()
    assert run_pages.before(done(anew)) == earlier
    [one] = comparisons.comparison_of(earlier, anew).evaluators
    assert (one.name, one.is_same) == ("grade", False)
    flipped = [Result.objects.get(run=anew, example_key=row.example_key).output for row in one.improved]
    assert (flipped, one.regressed) == (["a"], ())


def test_a_rubric_that_compares_must_show_both_answers(bench: Bench) -> None:
    path = rubric(bench, "Is {{ output }} right?", "judges/right")
    with pytest.raises(Invalid) as refused:
        evaluators.ensure(
            project=bench.project, by=bench.by,
            spec={"judge": {"prompt": path}, "scale": {"kind": "pairwise"}, "baseline": {"column": "old"}},
        )  # fmt: skip
    assert refused.value.fields == {"judge.prompt": "must use {{ first }} and {{ second }}"}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"scale": {"kind": "pairwise"}}, "baseline"),
        ({"scale": {"kind": "pairwise"}, "baseline": {"column": "a", "run": "b"}}, "baseline"),
        ({"scale": {"kind": "pairwise"}, "baseline": {"column": 3}}, "baseline"),
        ({"baseline": {"column": "a"}}, "baseline"),
        ({"panel": "large"}, "panel"),
        ({"panel": [{"model": "a"}] * 7}, "panel"),
        ({"panel": [{"connection": "x"}]}, "panel[0]"),
        ({"panel": [{"model": "a", "weight": 2}]}, "panel[0]"),
    ],
)
def test_a_pair_or_a_panel_that_makes_no_sense_is_refused_by_field(bench: Bench, more: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        evaluators.ensure(project=bench.project, by=bench.by, spec={"judge": {"prompt": "x"}, **more})
    assert field in refused.value.fields
