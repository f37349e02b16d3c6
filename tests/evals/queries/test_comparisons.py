"""Two runs compared: words, numbers and what changed between them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from scipy.stats import binomtest

from evals.engine import Limits
from evals.importers.rows import ExampleRow
from evals.models import Run, Score
from evals.queries import changes, comparisons
from evals.queries.comparisons import comparison_of, every_pair
from evals.services import dataset_examples, datasets, run_requests, runs, work
from evals.statistics import families
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project
from tests.evals.conftest import EXACT, PROMPT, Bench

pytestmark = pytest.mark.django_db(transaction=True)

LAST_ANSWER = {"metric": "exact_match", "params": {"extract": "A:\\s*(.*)", "normalizer": "number"}}


def finished(run: Run) -> Run:
    run = Run.objects.select_related("dataset_version__dataset", "target").get(pk=run.pk)
    assert run.state == Run.State.DONE, run.problem
    return run


def recorded(project: Project, by: Actor, dataset: Any, column: str, evaluators: list[Any]) -> Run:
    run = runs.start(
        project=project, by=by, wanted=run_requests.Wanted(dataset=dataset, recorded=column, evaluators=evaluators)
    )
    work.run_slice(limits=Limits(linger_s=0.0))
    return finished(run)


def columns(project: Project, by: Actor, slug: str, expected: list[str], **outputs: list[str]) -> Any:
    """A dataset whose rows hold outputs of several systems, one column each."""
    dataset = datasets.create(project=project, slug=slug, by=by)
    rows = [
        ExampleRow(
            inputs={"q": f"{slug} {place}"}, expected=right, metadata={name: outputs[name][place] for name in outputs}
        )
        for place, right in enumerate(expected)
    ]
    dataset_examples.add(dataset=dataset, rows=rows, by=by)
    return dataset


@pytest.mark.slow
def test_four_systems_on_1319_questions_are_compared_in_all_pairs(
    project: Project, by: Actor, shared_data: Path
) -> None:
    """GSM8K: real answers of four systems; McNemar's numbers agree with scipy's, the intervals with the literature."""
    answers: dict[str, dict[str, Any]] = {}
    verdicts_of_authors: dict[str, dict[str, bool]] = {}
    for line in (shared_data / "labelled" / "gsm8k_model_solutions_4systems.jsonl").read_text().splitlines():
        row = json.loads(line)
        answers.setdefault(row["id"], {"expected": row["expected"]})[row["system"]] = row["output"]
        verdicts_of_authors.setdefault(row["system"], {})[row["id"]] = row["is_correct_by_authors"]
    systems = sorted(verdicts_of_authors)
    keys = list(answers)
    by_system = {system: [answers[key][system] for key in keys] for system in systems}
    dataset = columns(project, by, "gsm8k", [answers[key]["expected"] for key in keys], **by_system)
    done = {system: recorded(project, by, dataset, system, [LAST_ANSWER]) for system in systems}

    found = every_pair([done[system] for system in systems])
    assert (found.chosen, len(found.pairs)) == ("exact_match", 6)
    compared = [pair.compared for pair in found.pairs]
    assert [one.verdict.p_adjusted for one in compared] == pytest.approx(
        families.holm([one.comparison.tests[0].p for one in compared])
    )
    exact_adjusted = families.holm([one.comparison.tests[1].p for one in compared])

    head = ("baseline", "candidate", "wins", "losses", "difference", "95 % interval", "mid-p", "exact", "Holm", "word")
    table = [head]
    for (a, b), one in zip(itertools.combinations(systems, 2), compared, strict=True):
        wins = sum(verdicts_of_authors[b][key] and not verdicts_of_authors[a][key] for key in keys)
        losses = sum(verdicts_of_authors[a][key] and not verdicts_of_authors[b][key] for key in keys)
        difference, (mid, exact) = one.comparison.difference, one.comparison.tests
        assert (one.comparison.is_paired, difference.n) == (True, 1_319)
        assert (one.comparison.wins, one.comparison.losses) == (wins, losses)
        oracle = binomtest(min(wins, losses), wins + losses)
        assert exact.p == pytest.approx(oracle.pvalue, rel=1e-7)
        point = binomtest(min(wins, losses), wins + losses, alternative="less").pvalue
        below = binomtest(min(wins, losses) - 1, wins + losses, alternative="less").pvalue
        assert mid.p == pytest.approx(point + below, rel=1e-7)
        assert difference.interval is not None
        assert one.verdict.word == ("better" if wins > losses else "worse")
        assert one.alternatives[0].low == pytest.approx(difference.interval.low, abs=0.002)
        interval = f"{difference.interval.low:+.4f} to {difference.interval.high:+.4f}"
        table.append(
            (a, b, str(wins), str(losses), f"{difference.value:+.4f}", interval, f"{mid.p:.3g}", f"{exact.p:.3g}",
             f"{one.verdict.p_adjusted:.3g}", one.verdict.word)
        )  # fmt: skip
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    print(
        "\n" + "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    )

    closest = next(one for one in compared if {one.comparison.wins, one.comparison.losses} == {152, 209})
    assert closest.comparison.tests[1].p == pytest.approx(0.003150657, rel=1e-6)
    assert exact_adjusted[compared.index(closest)] == pytest.approx(0.003150657, rel=1e-6)
    extreme = next(one for one in compared if {one.comparison.wins, one.comparison.losses} == {499, 43})
    assert extreme.comparison.tests[1].p == pytest.approx(1.656933e-99, rel=1e-5)
    interval = extreme.comparison.difference.interval
    assert interval is not None
    assert sorted(abs(end) for end in (interval.low, interval.high)) == pytest.approx([0.316582, 0.374862], abs=1.5e-6)


def test_pairs_are_refused_that_cannot_be_made(project: Project, by: Actor) -> None:
    dataset = columns(project, by, "two", ["a", "b"], one=["a", "b"], two=["b", "a"])
    first = recorded(project, by, dataset, "one", [{"metric": "exact_match", "params": {}}])
    other = recorded(project, by, dataset, "two", [{"metric": "token_f1", "params": {}}])
    for runs_, name, field in [
        ([first], "", "run"), ([first, first], "", "run"), ([first, other], "", "run"),
        ([first, recorded(project, by, dataset, "two", [{"metric": "exact_match", "params": {}}])], "no", "evaluator"),
    ]:  # fmt: skip
        with pytest.raises(Invalid) as refused:
            every_pair(runs_, name)
        assert list(refused.value.fields) == [field]


def test_several_evaluators_are_corrected_together(project: Project, by: Actor) -> None:
    right = [str(place) for place in range(60)]
    worse = [text if place % 6 else "no" for place, text in enumerate(right)]
    dataset = columns(project, by, "texts", right, one=worse, two=right)
    evaluators = [{"metric": name, "params": {}} for name in ("exact_match", "token_f1", "levenshtein")]
    first, second = (recorded(project, by, dataset, name, evaluators) for name in ("one", "two"))
    found = comparison_of(first, second)
    own = [one.comparison.tests[0].p for one in found.evaluators]
    assert [one.verdict.p_adjusted for one in found.evaluators] == families.holm(own)
    assert {one.verdict.word for one in found.evaluators} == {"better"}
    assert own[0] == pytest.approx(2**-10, rel=1e-6)  # ten wins and no loss, mid-p
    mirrored = comparison_of(second, first)
    assert {one.verdict.word for one in mirrored.evaluators} == {"worse"}
    assert len(found.evaluators[0].improved) == found.evaluators[0].comparison.wins == 10


def test_a_margin_makes_no_worse_possible(project: Project, by: Actor) -> None:
    right = ["yes"] * 300
    dataset = columns(project, by, "texts", right, one=right, two=[*right[:-1], "no"])
    first, second = (recorded(project, by, dataset, name, [EXACT]) for name in ("one", "two"))
    [without] = comparison_of(first, second).evaluators
    assert without.verdict.word == "not known yet"
    [within] = comparison_of(first, second, margin=comparisons.margin_of(3)).evaluators
    assert (within.verdict.word, within.verdict.sentence) == ("no worse", "the same within 3 points")
    for points in (0, -1, 100, float("nan")):
        with pytest.raises(Invalid, match="margin"):
            comparisons.margin_of(points)


def test_what_is_not_known_yet_says_how_many_examples_would_tell(project: Project, by: Actor) -> None:
    right = ["yes"] * 80
    one = ["no"] * 6 + right[6:]
    two = [*right[:76], "no", "no", "no", "no"]
    dataset = columns(project, by, "texts", right, one=one, two=two)
    first, second = (recorded(project, by, dataset, name, [EXACT]) for name in ("one", "two"))
    [found] = comparison_of(first, second).evaluators
    assert found.verdict.needed == 420
    assert found.verdict.sentence.endswith("about 420 more examples would tell")


def test_runs_on_different_examples_are_compared_by_their_averages(project: Project, by: Actor) -> None:
    many = columns(project, by, "many", ["yes"] * 80, out=["yes"] * 48 + ["no"] * 32)
    others = columns(project, by, "others", ["yes"] * 70, out=["yes"] * 56 + ["no"] * 14)
    first, second = recorded(project, by, many, "out", [EXACT]), recorded(project, by, others, "out", [EXACT])
    found = comparison_of(first, second)
    assert (found.is_paired, found.shared, found.examples) == (False, 0, (80, 70))
    [one] = found.evaluators
    interval = one.comparison.difference.interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.052431, 0.333873), abs=1.5e-6)
    assert (one.verdict.word, one.improved, one.regressed) == ("better", (), ())
    assert (one.baseline_mean, one.candidate_mean) == (0.6, 0.8)


def test_many_unscored_examples_leave_the_word_open(project: Project, by: Actor) -> None:
    right = ["yes"] * 60
    dataset = columns(project, by, "texts", right, one=["no"] * 12 + right[12:], two=right)
    first, second = (recorded(project, by, dataset, name, [EXACT]) for name in ("one", "two"))
    [before] = comparison_of(first, second).evaluators
    assert before.verdict.word == "better"
    lost = Score.objects.filter(run=second).order_by("-id").values_list("pk", flat=True)[:30]
    Score.objects.filter(pk__in=list(lost)).purge()
    [after] = comparison_of(first, second).evaluators
    assert after.verdict.word == "not known yet"
    assert after.verdict.sentence == "30 of 60 were not scored"


def test_comparing_costs_the_same_queries_however_many_examples(project: Project, by: Actor) -> None:
    counts = []
    for size in (10, 200):
        dataset = columns(project, by, f"texts-{size}", ["yes"] * size, one=["no"] * size, two=["yes"] * size)
        first, second = (recorded(project, by, dataset, name, [EXACT]) for name in ("one", "two"))
        with CaptureQueriesContext(connection) as queries:
            comparison_of(first, second)
            changes.changes_between(first, second)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


def test_every_setting_that_differs_is_listed(bench: Bench) -> None:
    dataset = bench.dataset(4)
    first = bench.start(dataset, bench.prompt())
    bench.work()
    dataset_examples.add(dataset=dataset, rows=[ExampleRow(inputs={"text": "more"}, expected="more")], by=bench.by)
    other = bench.prompt(content=PROMPT.replace("  id: model-1", "  id: model-2\n  parameters:\n    temperature: 0.5"))
    contains = {"metric": "contains", "params": {"value": "text"}}
    second = bench.start(dataset, other, evaluators=[EXACT, contains], repeats=2, application_commit="abc123")
    bench.work()
    first, second = finished(first), finished(second)
    found = {change.name: (change.before, change.after) for change in changes.changes_between(first, second)}
    assert found["prompt version"] == ("1", "2")
    assert found["prompt commit"] == (first.target.commit.hex, second.target.commit.hex)  # type: ignore[union-attr]
    assert found["prompt blob"] == (first.target.content.blob, second.target.content.blob)  # type: ignore[union-attr]
    assert found["dataset hash"] == (first.dataset_version.content_hash, second.dataset_version.content_hash)
    assert found["dataset version"] == ("1", "2")
    assert found["model asked"] == ("model-1", "model-2")
    assert found["model answered"] == ("model-1", "model-2")
    assert found["parameter temperature"] == (None, "0.5")
    assert found["repeats"] == ("1", "2")
    assert found["application commit"] == (None, "abc123")
    evaluators = {name: values for name, values in found.items() if name.startswith("evaluator")}
    assert list(evaluators) == ["evaluator contains, hash", "evaluator contains, settings"]
    assert {before for before, _ in evaluators.values()} == {None}
    assert "dataset" not in found
    assert changes.changes_between(first, first) == []


def test_runs_with_the_same_outputs_to_the_byte_are_no_worse_without_a_margin(project: Project, by: Actor) -> None:
    said = ["a", "wrong", "c", "d"] * 5
    given = {"one": said, "same": said, "spaced": ["a", "wrong ", *said[2:]]}
    data = columns(project, by, "letters", ["a", "b", "c", "d"] * 5, **given)
    contains = {"metric": "contains", "params": {"value": "d"}}
    first, same, spaced = (recorded(project, by, data, name, [EXACT, contains]) for name in given)
    found = comparison_of(first, same)
    assert found.is_identical
    assert {(one.verdict.word, one.verdict.sentence) for one in found.evaluators} == {
        ("no worse", "the outputs are identical on all 20 examples")
    }
    # A blank behind a wrong answer changes no score, and yet it is another output.
    other = comparison_of(first, spaced)
    assert [one.comparison.wins + one.comparison.losses for one in other.evaluators] == [0, 0]
    assert not other.is_identical
    assert {one.verdict.word for one in other.evaluators} == {"not known yet"}


def test_equal_outputs_whose_scores_differ_are_compared_as_always(project: Project, by: Actor) -> None:
    said = ["a"] * 12
    data = columns(project, by, "letters", ["a"] * 12, one=said, same=said)
    first, same = (recorded(project, by, data, name, [EXACT, {"metric": "levenshtein"}]) for name in ("one", "same"))
    turned = Score.objects.filter(run=same, evaluator_version__spec__metric="exact_match")
    turned.rewrite(value=0.0, passed=False)
    by_name = {one.name: one.verdict for one in comparison_of(first, same).evaluators}
    assert by_name["exact_match"].word == "worse"
    assert by_name["levenshtein"].sentence == "the outputs are identical on all 12 examples"
