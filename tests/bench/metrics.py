"""What a score costs: each metric that asks no model over 100,000 pairs of texts, in batches, beside an event loop."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from evals import metrics
from evals.metrics import CallFacts, Grader, Unscored

PAIRS = 100_000
BATCH = 1_000
TICK_S = 0.01
TEXT = "the a cat dog sat ran on under mat tree and quickly slowly red blue 12 3.5 Paris London yes no"
WORDS = TEXT.split()
CALL = CallFacts(latency_ms=120.0, tokens_in=50, tokens_out=20, cost_usd=0.001, finish_reason="stop")
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
VALUE, VALUES, AT_5 = {"value": "Paris"}, {"values": ["Paris", "London"]}, {"k": 5}
PARTS = {"parts": {"a": {"metric": "token_f1"}, "b": {"metric": "contains"}}, "expression": "b or a >= 0.5"}
SLOW = {"ter": 10}  # not cheap: its search for moved words gets a tenth of the pairs
# Metric, its parameters, and the kind of texts that it is given.
CHEAP: dict[str, tuple[dict[str, Any], str]] = {
    "exact_match": ({"normalizer": "squad"}, "text"),
    **dict.fromkeys(("contains", "icontains", "starts_with", "ends_with"), (VALUE, "text")),
    **dict.fromkeys(("contains_any", "icontains_any", "contains_all", "icontains_all"), (VALUES, "text")),
    "regex": ({"pattern": r"\b(cat|dog)\b"}, "text"),
    **dict.fromkeys(("token_f1", "levenshtein", "levenshtein_distance", "levenshtein_within"), ({}, "text")),
    **dict.fromkeys(("fuzzy_match", "jaccard", "cer", "wer", "similar"), ({}, "text")),
    **dict.fromkeys(("rouge_1", "rouge_2", "rouge_l", "rouge_lsum"), ({}, "text")),
    **dict.fromkeys(("bleu", "bleu_words", "chrf", "ter", "gleu"), ({}, "text")),
    **dict.fromkeys(("length", "word_count", "sentence_count"), ({"at_most": 20}, "text")),
    "reading_ease": ({}, "text"),
    "language": ({"language": "en"}, "text"),
    "json_valid": ({}, "json"),
    "json_schema": ({"schema": PLACE}, "json"),
    **dict.fromkeys(("json_equal", "json_fields", "json_diff"), ({}, "json")),
    "list_contains": ({}, "words"),
    "xml_valid": ({"elements": ["place"]}, "xml"),
    "html_valid": ({"anywhere": True}, "html"),
    "sql_valid": ({}, "sql"),
    "tool_call": ({"functions": {"find": PLACE}, "form": "openai_tools"}, "call"),
    "tool_call_f1": ({}, "call"),
    "numeric": ({"tolerance": 0.5}, "number"),
    "numeric_diff": ({}, "number"),
    **dict.fromkeys(("precision_at_k", "recall_at_k", "f1_at_k", "hit_rate_at_k"), (AT_5, "list")),
    **dict.fromkeys(("mrr_at_k", "ndcg_at_k"), (AT_5, "list")),
    **dict.fromkeys(("refusal", "no_personal_data", "no_injection"), ({}, "text")),
    "no_secret": ({"canaries": ["KIWI-7421"]}, "text"),
    "no_words": ({"words": ["tiger", "rubber duck"]}, "text"),
    "latency": ({"at_most": 200}, "text"),
    **dict.fromkeys(("tokens", "cost"), ({"at_most": 200}, "text")),
    "finish_reason": ({"reasons": ["stop"]}, "text"),
    "combination": (PARTS, "text"),
}


@dataclass(slots=True)
class Cost:
    """Seconds of processor time: of the first score, of all, and of the slowest batch for each score in it; scores that
    were none; and for how long the event loop beside them was held up at most."""

    first_s: float = 0.0
    total_s: float = 0.0
    slowest_s: float = 0.0
    unscored: int = 0
    held_up_s: float = 0.0


def run(pairs: int = PAIRS, names: Collection[str] = CHEAP) -> dict[str, Cost]:
    """Measure the metrics of these names and print."""
    columns = (("first ms", 10), ("µs a score", 12), ("scores/s", 12), ("slowest batch", 15), ("loop held ms", 14))
    print(f"{'metric':22}" + "".join(f"{name:>{width}}" for name, width in columns))
    found = {}
    for name in names:
        params, kind = CHEAP[name]
        count = max(1, pairs // SLOW.get(name, 1))
        cost = found[name] = asyncio.run(_measured(metrics.scorer({"metric": name, "params": params}), kind, count))
        print(
            f"{name:22}{cost.first_s * 1e3:10.1f}{cost.total_s / count * 1e6:12.1f}{count / cost.total_s:12,.0f}"
            f"{cost.slowest_s * 1e6:15.1f}{cost.held_up_s * 1e3:14.1f}"
            + (f"  {cost.unscored:,} unscored" if cost.unscored else ""),
            flush=True,
        )
    return found


async def _measured(grade: Grader, kind: str, pairs: int) -> Cost:
    """Score in one thread, as a slice's desk does, while the loop goes on."""
    cost = Cost()
    loop = asyncio.get_running_loop()
    ticking = asyncio.create_task(_tick(cost))
    with ThreadPoolExecutor(1) as thread:
        output, expected = next(batches(kind, 1))[0]
        _, cost.first_s = await loop.run_in_executor(thread, _graded, grade, [(output, expected)])
        for batch in batches(kind, pairs):
            unscored, spent = await loop.run_in_executor(thread, _graded, grade, batch)
            cost.unscored += unscored
            cost.total_s += spent
            cost.slowest_s = max(cost.slowest_s, spent / len(batch))
    ticking.cancel()
    return cost


def _graded(grade: Grader, batch: list[tuple[str, Any]]) -> tuple[int, float]:
    """How many had no score, and seconds of this thread's processor time."""
    started = time.thread_time()
    outcomes = [grade(output, expected, CALL) for output, expected in batch]
    return sum(isinstance(one, Unscored) for one in outcomes), time.thread_time() - started


async def _tick(cost: Cost) -> None:
    while True:
        started = time.monotonic()
        await asyncio.sleep(TICK_S)
        cost.held_up_s = max(cost.held_up_s, time.monotonic() - started - TICK_S)


def batches(kind: str, pairs: int) -> Iterator[list[tuple[str, Any]]]:
    """The same pairs each time, a batch at once."""
    source = random.Random(7)
    for start in range(0, pairs, BATCH):
        yield [_pair(kind, source) for _ in range(min(BATCH, pairs - start))]


def _pair(kind: str, source: random.Random) -> tuple[str, Any]:
    one, other = source.sample(WORDS, 2)
    match kind:
        case "number":
            return f"{source.uniform(-9, 9):.2f}", round(source.uniform(-9, 9), 2)
        case "list":
            return json.dumps(source.sample(range(30), 10)), source.sample(range(30), 5)
        case "words":
            return json.dumps(source.sample(WORDS, 4)), source.sample(WORDS, 4)
        case "json":
            wanted = {"place": one, "count": source.randrange(9), "tags": source.sample(WORDS, 2)}
            return json.dumps(wanted | {"count": source.randrange(9)}), wanted
        case "xml":
            return f"<trip><place>{one}</place><count>{source.randrange(9)}</count></trip>", None
        case "html":
            return f'<p>Go to <b>{one}</b> and <a href="/{other}">{other}</a>.</p>', None
        case "sql":
            return f"SELECT name, count(*) FROM trips WHERE place = '{one}' GROUP BY name LIMIT 5", None
        case "call":
            call = {"type": "function", "function": {"name": "find", "arguments": json.dumps({"place": one})}}
            return json.dumps([call]), [{"name": "find", "arguments": {"place": source.choice((one, other))}}]
    words = source.choices(WORDS, k=source.randrange(8, 24))
    return " ".join(words) + ".", " ".join(source.choices(words, k=len(words)))
