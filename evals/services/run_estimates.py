"""What a run would cost, before anybody pays: tokens and money from a sample of the dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from evals.models import DatasetVersion, Example
from evals.queries import datasets as dataset_queries
from evals.queries import runs as run_queries
from evals.services import plans, run_requests
from evals.services.run_requests import Ready, Wanted
from llmops.common.actors import Actor
from llmops.common.errors import DomainError, Invalid
from llmops.gateway import pricing
from llmops.gateway import queries as gateway_queries
from llmops.gateway.types import EmbeddingRequest, Request, Usage
from llmops.projects.models import Project

SAMPLE = 50
CHARS_PER_TOKEN = 4
# What an answer may cost is reserved before it: as long as the prompt allows, else as long as answers usually are.
ASSUMED_OUTPUT_TOKENS = 512
LENGTHS = ("max_output_tokens", "max_tokens", "max_completion_tokens", "maxOutputTokens")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would cost: tokens are counted from a sample's length, and money is None where no price is known."""

    examples: int
    calls: int
    judge_calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal | None
    call_usd: Decimal
    note: str = ""


def estimate(*, project: Project, wanted: Wanted, by: Actor) -> Estimate:
    """Tokens and money of a run that is not started; changes nothing.

    :raises Invalid: as `start` does.
    """
    with transaction.atomic():
        try:
            ready = run_requests.ready(project, wanted, by)
            number = wanted.regrades.dataset_version.number if wanted.regrades else wanted.dataset_version
            version = (
                dataset_queries.newest_version(wanted.dataset)
                if number is None
                else dataset_queries.version_of(wanted.dataset, number)
            )
            if version is None or not version.examples:
                raise Invalid(f"{wanted.dataset.slug} has no examples yet.", fields={"dataset": "has no examples"})
            return estimate_of(ready, version, run_requests.examples_of(wanted, version))
        finally:
            transaction.set_rollback(True)  # inline evaluators that it had to make stay unmade


def estimate_of(ready: Ready, pinned: DatasetVersion, examples: int) -> Estimate:
    """The same of a run that was checked, over so many rows of a sealed version."""
    wanted = ready.wanted
    sample = list(run_queries.rows_of(pinned, wanted.split).order_by("position", "id")[:SAMPLE])
    prices = gateway_queries.price_overrides(ready.project.pk)
    runs = examples * wanted.repeats
    total = _Bill()
    highest = Decimal(0)
    if wanted.version is not None and ready.connection is not None:
        plan = plans.target_of(wanted.version, ready.connection, ready.model, ready.parameters)
        requests = [plans.target_request(plan, example) for example in _renderable(plan, sample)]
        bill = _bill(requests, ready.connection.kind, ready.model, prices)
        total = total + bill.times(runs)
        highest = bill.highest or highest
    judging = [plans.asking(version) for version in ready.evaluators if version.asks_model]
    for judge in judging:
        for number, on in enumerate(judge.calls):
            found = [_judge_sample(judge, example, number) for example in sample]
            if found and all(isinstance(request, plans.Settled) for request in found):
                continue  # it asks nothing
            asked = [request for request in found if isinstance(request, Request)]
            bill = _bill(asked, on.config.kind, on.model, prices)
            total = total + bill.times(runs)
            highest = max(highest, bill.highest or Decimal(0))
    note = (
        "" if total.cost is not None else "The price of a model is not known here: costs cannot be counted or capped."
    )
    return Estimate(
        examples=examples,
        calls=runs if wanted.version is not None else 0,
        judge_calls=runs * sum(len(judge.calls) for judge in judging),
        tokens_in=round(total.tokens_in),
        tokens_out=round(total.tokens_out),
        cost_usd=None if total.cost is None else total.cost.quantize(Decimal("0.000001")),
        call_usd=highest.quantize(Decimal("0.00000001")),
        note=note,
    )


@dataclass(frozen=True, slots=True)
class _Bill:
    """Expected tokens and money of one call, and the most that one may cost."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0
    cost: Decimal | None = Decimal(0)
    highest: Decimal | None = None

    def times(self, count: int) -> _Bill:
        cost = None if self.cost is None else self.cost * count
        return _Bill(self.tokens_in * count, self.tokens_out * count, cost)

    def __add__(self, other: _Bill) -> _Bill:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return _Bill(self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out, cost)


def _bill(requests: Sequence[Request], kind: str, model: str, prices: Mapping[str, pricing.Rates]) -> _Bill:
    if not requests:
        return _Bill(cost=None)
    sizes = [_characters(request) // CHARS_PER_TOKEN + 4 for request in requests]
    out = _longest_answer(requests[0])
    mean_in, mean_out = sum(sizes) / len(sizes), min(out, ASSUMED_OUTPUT_TOKENS) / 2
    cost = pricing.cost(Usage(round(mean_in), round(mean_out)), kind=kind, model=model, overrides=prices)
    # A fifth more than the longest sampled prompt: the sample may not hold the longest of all.
    highest = pricing.cost(Usage(round(max(sizes) * 1.2), out), kind=kind, model=model, overrides=prices)
    return _Bill(mean_in, mean_out, cost, highest)


def _characters(request: Request) -> int:
    texts = request.texts if isinstance(request, EmbeddingRequest) else [message.text for message in request.messages]
    return sum(len(text) for text in texts)


def _longest_answer(request: Request) -> int:
    """Tokens; embeddings are paid for by what is sent alone."""
    if isinstance(request, EmbeddingRequest):
        return 0
    longest = next((int(v) for n in LENGTHS if isinstance(v := request.parameters.get(n), int) and v > 0), None)
    return longest or ASSUMED_OUTPUT_TOKENS


def _renderable(plan: plans.ModelPlan, sample: Sequence[Example]) -> list[Example]:
    found = []
    for example in sample:
        try:
            plan.compiled.messages(example.inputs)
        except DomainError:
            continue  # becomes a failed result of the run, which costs nothing
        found.append(example)
    return found


def _judge_sample(judge: plans.AskingPlan, example: Example, part: int) -> Request | plans.Settled | None:
    """As if the outputs were as long as answers usually are; None where nothing can be asked about the example."""
    output = "x" * (ASSUMED_OUTPUT_TOKENS // 2 * CHARS_PER_TOKEN)
    try:
        return plans.asking_request(judge, output=output, example=example, part=part, baseline=output)
    except DomainError:
        return None
