"""One call of the spans of a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from feedback import traces
from feedback.otlp import conventions
from feedback.otlp.attributes import first, opened, text
from feedback.otlp.messages import EMPTY, TRACE_INPUT, TRACE_OUTPUT, answer_of
from feedback.otlp.steps import Step
from llmops.gateway.types import Span

Json = Any

# What tokens cost that no span names a price for: who answered, the model, the usage; None where it is not known.
Price = Callable[[str, str, conventions.Usage], float | None]

NS = 1_000_000_000
LATEST_NS = 4_102_444_800 * NS  # the year 2100: what is later is no time
LONGEST_MS = 2**31 - 1
COST, ESTIMATED = "cost", "estimated"  # in the metadata of a call whose price nobody named


def is_whole(steps: Sequence[Step]) -> bool:
    """Whether the head of the trace is among them; spans below it may still come."""
    return any(step.heads_its_trace for step in steps)


def call_of(steps: Sequence[Step], price: Price | None = None) -> dict[str, Json]:
    """The fields of the call that these spans of one trace are: those of `feedback.services.calls.NewCall`.

    Content is the head's, else the first model's input and the last model's output. Tokens and money are added up over
    the lowest spans that name them, because agents and chains repeat what the models below them used. Where no span
    names money, `price` estimates it, and the metadata say so.
    """
    ordered = sorted(_unique(steps), key=lambda step: (step.start_ns, not step.heads_its_trace))
    head = head_of(ordered)
    begin = min((step.start_ns for step in ordered if step.start_ns), default=0)
    models = [step for step in ordered if step.span.kind == "llm"]
    kept = [_placed(step, begin) for step in ordered[: traces.MOST_SPANS]]
    spans = [asdict(span) for span in kept]
    usage, lowest = _used(ordered)
    estimated = _estimated(lowest, price) if price is not None and usage.cost_usd is None else None
    output = _output(head, ordered, models)
    return {
        "client_id": head.trace_id,
        "session": _fact(head, ordered, lambda step: step.session),
        "end_user": _fact(head, ordered, lambda step: step.end_user),
        "environment": _fact(head, ordered, _environment),
        "model": _model(head, models, ordered),
        "inputs": _inputs(head, ordered, models),
        "output": output,
        "contexts": traces.contexts_of(spans),
        "trace": {"v": 1, "spans": spans},
        "metadata": _metadata(head, len(ordered) - len(kept)) | ({COST: ESTIMATED} if estimated is not None else {}),
        "tags": _fact(head, ordered, lambda step: conventions.tags_of(step.span.attributes)) or (),
        "latency_ms": _latency(head, ordered),
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "cost_usd": usage.cost_usd if estimated is None else estimated,
        "error": head.span.error or _error(models, output),
        "started_at": moment(begin),
        **(_fact(head, ordered, lambda step: conventions.prompt_of(step.span.attributes)) or {}),
    }


def head_of(ordered: Sequence[Step]) -> Step:
    """The step that stands above the others: one without a parent, else one whose parent is not here."""
    ids = {step.span.id for step in ordered}
    for stands_above in (
        lambda step: not step.span.parent,
        lambda step: step.heads_its_trace,
        lambda step: step.span.parent not in ids,
    ):
        if (found := next((step for step in ordered if stands_above(step)), None)) is not None:
            return found
    return ordered[0]


def moment(ns: int) -> datetime | None:
    """A time since 1970 as a datetime, to the microsecond."""
    if not 0 < ns < LATEST_NS:
        return None
    return datetime.fromtimestamp(ns // NS, UTC).replace(microsecond=ns % NS // 1000)


def _unique(steps: Sequence[Step]) -> list[Step]:
    """Each span once, as it came first: exporters send again what was not answered in time."""
    found: dict[str, Step] = {}
    for step in steps:
        found.setdefault(step.span.id or f"#{len(found)}", step)
    return list(found.values())


def _placed(step: Step, begin: int) -> Span:
    start = (step.start_ns - begin) // 1_000_000 if step.start_ns else 0
    return replace(step.span, start_ms=min(start, LONGEST_MS), duration_ms=min(step.span.duration_ms, LONGEST_MS))


def _fact(head: Step, ordered: Sequence[Step], read: Callable[[Step], Json]) -> Json:
    """What the head says, else the first span that says anything; empty otherwise."""
    value = read(head)
    for step in ordered if not value else ():
        if value := read(step):
            break
    return value


def _environment(step: Step) -> str:
    named = text(first(step.span.attributes, conventions.ENVIRONMENT), 60)
    return named or text(first(step.resource, conventions.ENVIRONMENT), 60)


def _model(head: Step, models: Sequence[Step], ordered: Sequence[Step]) -> str:
    """The model that answered last, as the output is its."""
    for step in (*reversed(models), head, *reversed(ordered)):
        if model := conventions.model_of(step.span.attributes):
            return model
    return ""


def _inputs(head: Step, ordered: Sequence[Step], models: Sequence[Step]) -> Json:
    value = _fact(head, ordered, lambda step: opened(step.span.attributes.get(TRACE_INPUT)))
    if value in EMPTY:
        value = next((step.span.input for step in (head, *models) if step.span.input not in EMPTY), None)
    is_talk = isinstance(value, list) and all(isinstance(one, dict) and "role" in one for one in value)
    return {"messages": value} if is_talk and value else value


def _output(head: Step, ordered: Sequence[Step], models: Sequence[Step]) -> Json:
    value = answer_of(_fact(head, ordered, lambda step: opened(step.span.attributes.get(TRACE_OUTPUT))))
    if value not in EMPTY:
        return value
    return next((step.span.output for step in (head, *reversed(models)) if step.span.output not in EMPTY), None)


def _error(models: Sequence[Step], output: Json) -> str:
    """A model's failure is the call's when nothing came out."""
    return next((step.span.error for step in reversed(models) if step.span.error), "") if output is None else ""


def _latency(head: Step, ordered: Sequence[Step]) -> int | None:
    if not head.start_ns or not head.end_ns:
        return None
    took = (head.end_ns - head.start_ns) // 1_000_000
    return min(took, LONGEST_MS)


def _metadata(head: Step, left_out: int) -> dict[str, Json]:
    found: dict[str, Json] = {"name": text(first(head.span.attributes, conventions.TRACE_NAME), 200) or head.span.name}
    if head.resource:
        found["resource"] = dict(head.resource)
    if left_out:
        found["spans_left_out"] = left_out
    return found


def _used(steps: Sequence[Step]) -> tuple[conventions.Usage, list[Step]]:
    """All that was used, and the lowest spans that say what."""
    parents = {step.span.id: step.span.parent for step in steps if step.span.id}
    usages = {step.span.id: usage for step in steps if (usage := conventions.usage_of(step.span.attributes)).is_known}
    repeated: set[str] = set()
    for name in usages:
        above = parents.get(name, "")
        while above and above not in repeated:
            repeated.add(above)
            above = parents.get(above, "")
    lowest = [usage for name, usage in usages.items() if name not in repeated]
    total = conventions.Usage(
        tokens_in=_total([usage.tokens_in for usage in lowest]),
        tokens_out=_total([usage.tokens_out for usage in lowest]),
        cost_usd=_total_cost(lowest, [usage for name, usage in usages.items() if name in repeated]),
    )
    return total, [step for step in steps if step.span.id in usages and step.span.id not in repeated]


def _estimated(steps: Sequence[Step], price: Price) -> float | None:
    """The sum of the spans' prices; None when that of one is not known, because a part would pass for the whole."""
    prices = []
    for step in steps:
        attributes = step.span.attributes
        usage = conventions.usage_of(attributes)
        if step.span.kind == "embedding" and usage.tokens_out is None:
            usage = replace(usage, tokens_out=0)
        prices.append(price(conventions.system_of(attributes), conventions.model_of(attributes), usage))
    known = [one for one in prices if one is not None]
    return sum(known) if known and len(known) == len(prices) else None


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return min(sum(known), 2**31 - 1) if known else None


def _total_cost(lowest: Sequence[conventions.Usage], above: Sequence[conventions.Usage]) -> float | None:
    """Money of the lowest spans; where only those above name a price, the highest of theirs."""
    known = [usage.cost_usd for usage in lowest if usage.cost_usd is not None]
    if known:
        return sum(known)
    return max((usage.cost_usd for usage in above if usage.cost_usd is not None), default=None)


def is_estimated(metadata: Json) -> bool:
    """Whether the call's money is an estimate of ours."""
    return isinstance(metadata, dict) and metadata.get(COST) == ESTIMATED


def resource_of(metadata: Json) -> Mapping[str, Json]:
    """The resource that `call_of` kept with a call."""
    found = metadata.get("resource") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
