"""The metric that asks for embeddings, in runs: own work items, own cost, and what happens without a provider."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Run, Score, WorkItem
from evals.queries import run_pages
from evals.queries import runs as queries
from evals.services import evaluators, outcomes, run_estimates, run_requests, run_retries, runs
from llmops.common.errors import Conflict, Invalid
from llmops.gateway.models import Attempt
from llmops.gateway.services import connections, prices
from tests.evals.conftest import EXACT, Bench

pytestmark = pytest.mark.django_db(transaction=True)
PLACES = {"yes": [1.0, 0.0], "yeah": [0.8, 0.6], "no": [0.0, 1.0], "never": [-1.0, 0.0]}


def metric(**rest: Any) -> dict[str, Any]:
    modifiers = {name: rest.pop(name) for name in ("threshold", "negate") if name in rest}
    return {"metric": "embedding_similarity", "params": {"model": "embed-1", **rest}, **modifiers}


@pytest.fixture
def meant(bench: Bench) -> Bench:
    """The server places four words; the prompt repeats its input."""
    bench.fake.vector = lambda text: PLACES[text]
    return bench


def rows(*pairs: tuple[str, Any]) -> list[ExampleRow]:
    return [ExampleRow(inputs={"text": text}, expected=expected) for text, expected in pairs]


def scores(run: Run) -> list[Score]:
    return list(Score.objects.filter(run=run).order_by("result__example__position"))


def done(bench: Bench, run: Run) -> Run:
    bench.work()
    run = Run.objects.get(pk=run.pk)
    assert run.state == Run.State.DONE, run.problem
    return run


def test_a_score_is_the_cosine_and_says_method_model_and_cost(meant: Bench) -> None:
    prices.put(
        project=meant.project, model="embed-1", in_per_million=Decimal(1), out_per_million=Decimal(9), by=meant.by,
        now=timezone.now(),
    )  # fmt: skip
    dataset = meant.dataset(rows(("yes", "yeah"), ("no", ["yes", "yeah"]), ("yes", "never"), ("yes", "yes")))
    run = done(meant, meant.start(dataset, meant.prompt(), evaluators=[EXACT, metric(threshold=0.7)]))
    found = [score for score in scores(run) if score.model_asked]
    assert [score.value for score in found] == [
        pytest.approx(0.8), pytest.approx(0.6), 0.0, pytest.approx(1.0)  # the nearest counts; −1 is 0
    ]  # fmt: skip
    assert [score.passed for score in found] == [True, False, False, True]
    assert {(score.category, score.model_asked, score.model_answered) for score in found} == {
        ("embeddings", "embed-1", "embed-1")
    }
    assert [score.cost_usd for score in found] == [Decimal("0.000011")] * 4  # 11 tokens each
    assert "cosine 0.600 to “yeah” by embeddings of embed-1" in found[1].reason
    attempts = Attempt.objects.filter(owner_uid=run.uid, purpose="judge")
    assert {(one.model_asked, one.tokens_in, one.outcome) for one in attempts} == {("embed-1", 11, "ok")}
    assert run.spent_usd == Decimal("0.000044")
    assert queries.summary_of(run).evaluators[1].mean == pytest.approx(0.6)


def test_a_second_run_pays_nothing_for_texts_that_were_placed_before(meant: Bench) -> None:
    dataset, prompt = meant.dataset(rows(("yes", "yeah"), ("no", "yes"))), meant.prompt()
    first = done(meant, meant.start(dataset, prompt, evaluators=[metric()], repeats=2))
    assert meant.fake.calls == 2 * 2 + 4  # repeats are answers of their own
    calls = meant.fake.calls
    second = done(meant, meant.start(dataset, prompt, evaluators=[metric(floor=0.5)]))
    assert meant.fake.calls == calls
    assert [(score.from_cache, score.cost_usd) for score in scores(second)] == [(True, Decimal(0))] * 2
    assert [score.value for score in scores(second)] == [pytest.approx(0.6), 0.0]  # (0.8 − 0.5) / 0.5
    assert {score.model_answered for score in scores(first)} == {"embed-1"}


def test_an_outage_leaves_not_judged_and_is_made_up_for_whatever_the_fallback(
    meant: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MOST_DEFERRALS", 0)
    dataset = meant.dataset(rows(("yes", "yeah"), ("yes", None), ("", "yes")))
    run = meant.start(dataset, recorded="text", evaluators=[metric(fallback="ngrams")])
    meant.fake.script = ["500"] * 100
    run = done(meant, run)
    outage, nothing, empty = scores(run)
    assert (outage.state, outage.value, outage.category) == ("error", None, "")
    assert outage.reason.startswith("not judged: ")
    assert (nothing.state, empty.state, empty.value) == ("unscored", "scored", 0.0)
    assert run_pages.unjudged(run) == 1  # what has no expected value will never have a score
    meant.fake.script = []
    calls = meant.fake.calls
    assert run_retries.judge_again(run=run, by=meant.by) == 1
    run = done(meant, run)
    assert [score.state for score in scores(run)] == ["scored", "unscored", "scored"]
    assert (scores(run)[0].category, meant.fake.calls - calls) == ("embeddings", 1)
    with pytest.raises(Conflict):
        run_retries.judge_again(run=run, by=meant.by)


def test_a_server_without_embeddings_is_fallen_back_from_only_when_that_was_asked_for(meant: Bench) -> None:
    pairs = [(f"text number {n}", f"text number {n + 1}") for n in range(30)]
    dataset = meant.dataset(rows(*pairs))
    meant.fake.script = ["501"] * 200
    strict = done(meant, meant.start(dataset, recorded="text", evaluators=[metric()], concurrency=5))
    assert {(score.state, score.reason) for score in scores(strict)} == {
        ("error", "not judged: This connection offers no embeddings.")
    }
    assert meant.fake.calls <= 5  # whoever said no once is not asked by every row
    lenient = done(meant, meant.start(dataset, recorded="text", evaluators=[metric(fallback="ngrams", threshold=0.5)]))
    assert {(score.category, score.model_answered, score.passed) for score in scores(lenient)} == {
        ("character n-grams", "", True)
    }
    assert all("the connection offers no embeddings" in score.reason for score in scores(lenient))


@pytest.fixture
def talker(bench: Bench) -> str:
    connections.create(
        project=bench.project, name="Talker", kind="anthropic", base_url=bench.fake.anthropic_url, key="sk-t-12345678",
        by=bench.by,
    )  # fmt: skip
    return "Talker"


def test_a_kind_without_embeddings_is_refused_at_the_start_or_never_called(bench: Bench, talker: str) -> None:
    dataset = bench.dataset(rows(("a cat", "the cat")))
    with pytest.raises(Invalid) as refused:
        bench.start(dataset, recorded="text", evaluators=[metric(connection=talker)])
    assert "offers no embeddings" in refused.value.fields["evaluators[0]"]
    wanted = run_requests.Wanted(
        dataset=dataset, recorded="text", evaluators=[metric(connection=talker, fallback="ngrams", negate=True)]
    )
    assert run_estimates.estimate(project=bench.project, wanted=wanted, by=bench.by).cost_usd == 0
    run = done(bench, runs.start(project=bench.project, wanted=wanted, by=bench.by))
    [score] = scores(run)
    assert (score.category, bench.fake.calls, Attempt.objects.count()) == ("character n-grams", 0, 0)
    assert score.reason.startswith("negated: ")


def test_a_model_has_to_be_known_before_a_run(bench: Bench) -> None:
    dataset = bench.dataset(rows(("a", "b")))
    with pytest.raises(Invalid) as refused:
        bench.start(dataset, recorded="text", evaluators=[metric(model="")])
    assert "names no model" in refused.value.fields["evaluators[0]"]


def test_the_estimate_counts_what_is_sent(bench: Bench) -> None:
    connections.create(
        project=bench.project, name="Real", kind="openai", base_url="https://api.openai.com/v1", key="sk-real-12345678",
        by=bench.by,
    )  # fmt: skip
    dataset = bench.dataset(rows(("x" * 400, "y" * 400)))
    wanted = run_requests.Wanted(dataset=dataset, recorded="text", evaluators=[metric(model="", connection="Real")])
    estimate = run_estimates.estimate(project=bench.project, wanted=wanted, by=bench.by)
    assert (estimate.judge_calls, estimate.tokens_out) == (1, 0)
    tokens = (1024 + 400) // 4 + 4  # an answer of usual length, and the expected text
    assert estimate.tokens_in == tokens
    assert estimate.cost_usd == (Decimal("0.02") * tokens / 1_000_000).quantize(Decimal("0.000001"))


def test_it_works_on_the_demo_provider_as_a_named_evaluator(bench: Bench) -> None:
    connections.ensure_demo(project=bench.project)
    spec = {"metric": "embedding_similarity", "params": {"connection": connections.DEMO_NAME}}
    evaluators.create(project=bench.project, slug="meaning", spec=spec, by=bench.by)
    dataset = bench.dataset(rows(("the late parcel", "a late parcel"), ("blue", "Mittwoch")))
    run = done(bench, bench.start(dataset, recorded="text", evaluators=["meaning"]))
    near, far = scores(run)
    assert (near.value or 0) > 0.5 > (far.value or 0)
    assert "no model" in near.model_answered
    assert not WorkItem.objects.filter(run=run).exists()
