"""Facts recorded from other tools' tests: each row of each file is run, and what we do not share is listed by name.

A listed row that starts to agree, or another one that stops, fails the test of its file.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals import metrics
from evals.metrics import CallFacts, Score, Unscored, similarity, texts
from evals.statistics import classification
from llmops.gateway import pricing
from llmops.gateway.types import Usage

Row = dict[str, Any]

# file -> row -> why we differ
UNRECORDED = "the row holds no inputs: what was added to the result was not recorded"
EMPTY = "nothing asserted passes with 1 there; an evaluator without parts is refused here"
FUNCTION = "scores by a function of the user's own code, which is never run here"
INTERNAL = "looks at an object of the tool's own, not at a score"
PLUGINS = "grades by the tool's own models or red-team plugins"
GUARDRAILS = "a provider's guardrails decide; their parts were not recorded"
PERPLEXITY = "needs log probabilities, which are not kept of a call"
DISAGREEMENTS: dict[str, dict[str, str]] = {
    "promptfoo_assertions_dev": {
        "pf-160": "an empty output passes as a refusal with score 0 there; a pass has score 1 here",
        "pf-243": PERPLEXITY,
        "pf-246": PERPLEXITY,
        "pf-249": PERPLEXITY,
        "pf-275": "SELECT a b FROM t is SQL: b is an alias without AS",
    },
    "autoevals_cases_dev": {
        "18: exact_match(json-string-normalised) null": "null means that nothing is expected: unscored, never equal",
    },
    "promptfoo_assertset_weights_raw": {
        "assertionResult.test.ts 0: can return a succeeding testResult": UNRECORDED,
        "assertionResult.test.ts 1: can return a failing testResult": UNRECORDED,
        "assertionResult.test.ts 2: handles PROMPTFOO_SHORT_CIRCUIT_TEST_FAILURES": UNRECORDED,
        "assertionResult.test.ts 3: handles named metrics": UNRECORDED,
        "assertionResult.test.ts 4: handles result without tokensUsed": UNRECORDED,
        "assertionResult.test.ts 7: can use a parentAssertionSet": INTERNAL,
        "assertionResult.test.ts 8: flattens nested componentResults": UNRECORDED,
        "assertionResult.test.ts 9: returns correct value": EMPTY,
        "assertionResult.test.ts 10: handles redteam guardrails": GUARDRAILS,
        "assertionResult.test.ts 11: handles multiple named scores from different sources": UNRECORDED,
        "assertionResult.test.ts 12: handles scoring function errors": FUNCTION,
        "assertionResult.test.ts 13: handles invalid scoring function return value": FUNCTION,
        "assertionResult.test.ts 14: handles named scores with undefined metric": UNRECORDED,
        "assertionResult.test.ts 15: handles scoring function with async GradingResult": FUNCTION,
        "assertionResult.test.ts 16: handles multiple named scores with undefined metrics": UNRECORDED,
        "assertionsResult.test.ts 17: should return default result for no assertions": EMPTY,
        "assertionsResult.test.ts 18: should add result and update totals": UNRECORDED,
        "assertionsResult.test.ts 19: should handle failed results": UNRECORDED,
        "assertionsResult.test.ts 20: should throw error if short circuit enabled": UNRECORDED,
        "assertionsResult.test.ts 22: should handle scoring function": FUNCTION,
        "assertionsResult.test.ts 23: should handle scoring function errors": FUNCTION,
        "assertionsResult.test.ts 24: should handle failed content safety checks": GUARDRAILS,
        "assertionsResult.test.ts 25: should return parent assertion set": INTERNAL,
        "runAssertions.test.ts 39: preserves default provider": PLUGINS,
        "runAssertions.test.ts 40: should use stored grader result from crescendo strategy": PLUGINS,
        "runAssertions.test.ts 41: should construct proper return shape for stored grader result": PLUGINS,
    },
}


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def as_text(value: Any) -> str:
    """An output of another tool as the text that a model would have written."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def grade(metric: str, output: Any, expected: Any = None, call: CallFacts = metrics.NO_CALL, **rest: Any) -> Any:
    modifiers = {name: rest.pop(name) for name in ("negate", "threshold", "weight") if name in rest}
    return metrics.score({"metric": metric, "params": rest, **modifiers}, as_text(output), expected, call)


def value_of(outcome: Any) -> float | None:
    return outcome.value if isinstance(outcome, Score) else None


def close(left: float | None, right: float, tolerance: float = 1e-9) -> bool:
    return left is not None and abs(left - right) <= max(tolerance, 1e-9)


def agree(name: str, checked: Iterable[tuple[str, bool]]) -> None:
    """Print how many rows are met, and hold the list of those that are not."""
    found = list(checked)
    differing = {row for row, is_met in found if not is_met}
    listed = set(DISAGREEMENTS.get(name, {}))
    print(f"{name}: {len(found) - len(differing)} of {len(found)}")
    for row in sorted(listed):
        print(f"  {row}: {DISAGREEMENTS[name][row]}")
    assert differing - listed == set(), f"{name}: these rows disagree and are not listed"
    assert listed - differing == set(), f"{name}: these rows agree now"
    assert len({row for row, _ in found}) == len(found)


# --- promptfoo: single assertions

ADD = {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x", "y"]}


def weather(*units: str) -> dict[str, Any]:
    properties = {"location": {"type": "string"}, "unit": {"type": "string", "enum": list(units)}}
    return {"type": "object", "properties": properties, "required": ["location", "unit"]}


# The rows do not hold the functions of the tests that they were recorded from.
FUNCTIONS = {"add": ADD, "getCurrentTemperature": weather("Celsius", "Fahrenheit", "custom_unit")}
# Nor why the provider ended: these are the reasons that the tests' names and reasons tell.
ENDED = {"pf-040": "length", "pf-041": "stop", "pf-043": "STOP", "pf-044": "Length"}
DIALECTS = {"MySQL": "mysql", "PostgreSQL": "postgres", None: "mysql"}
EXPECTING = {"bleu": "bleu_words", "gleu": "gleu", "rouge-n": "rouge_1"}
SEARCHES = {
    "contains": "contains", "icontains": "icontains", "contains-any": "contains_any", "icontains-any": "icontains_any",
    "contains-all": "contains_all", "icontains-all": "icontains_all", "starts-with": "starts_with",
}  # fmt: skip


def promptfoo(row: Row) -> Any:
    kind, value, output = row["assertion"].removeprefix("not-"), row["value"], row["output"]
    negate = {"negate": True} if row["inverse"] else {}
    call = CallFacts(latency_ms=row.get("latencyMs"), cost_usd=row.get("cost"), finish_reason=ENDED.get(row["id"]))
    if kind in EXPECTING:
        return grade(EXPECTING[kind], output, value, threshold=row.get("threshold", 0.5), **negate)
    if kind in SEARCHES:
        how = (
            {"value": value}
            if SEARCHES[kind] in ("contains", "icontains", "starts_with")
            else ({"line": value} if isinstance(value, str) else {"values": value})
        )
        return grade(SEARCHES[kind], output, None, **how, **negate)
    return OTHERS[kind](row, value, output, call, negate)


def _json(row: Row, value: Any, output: Any, call: CallFacts, negate: Row, *, anywhere: bool) -> Any:
    if value is None:
        return grade("json_valid", output, anywhere=anywhere, **negate)
    schema = yaml.safe_load(value) if isinstance(value, str) else value
    return grade("json_schema", output, schema=schema, anywhere=anywhere, formats=True, **negate)


def _xml(row: Row, value: Any, output: Any, call: CallFacts, negate: Row, *, anywhere: bool) -> Any:
    if isinstance(value, dict):
        value = value["requiredElements"]
    elements = value.split(",") if isinstance(value, str) else value or []
    return grade("xml_valid", output, elements=elements, anywhere=anywhere, **negate)


def _sql(row: Row, value: Any, output: Any, call: CallFacts, negate: Row, *, anywhere: bool) -> Any:
    value = value or {}
    return grade(
        "sql_valid", output, dialect=DIALECTS[value.get("databaseType")], anywhere=anywhere,
        tables=value.get("allowedTables", []), columns=value.get("allowedColumns", []), **negate,
    )  # fmt: skip


def _tool(form: str) -> Callable[..., Any]:
    mcp = form == "openai_tools"
    return lambda row, value, output, call, negate: grade(
        "tool_call", output, functions=FUNCTIONS, form=form, mcp=mcp, **negate
    )


OTHERS: dict[str, Callable[..., Any]] = {
    "equals": lambda row, value, output, call, negate: (
        grade("json_equal", output, value, **negate)
        if isinstance(value, dict)
        else grade("exact_match", output, value=value, **negate)
    ),
    "regex": lambda row, value, output, call, negate: grade("regex", output, pattern=value, **negate),
    "levenshtein": lambda row, value, output, call, negate: grade(
        "levenshtein_within", output, value, at_most=row.get("threshold", 5), **negate
    ),
    "is-json": lambda *given: _json(*given, anywhere=False),
    "contains-json": lambda *given: _json(*given, anywhere=True),
    "is-xml": lambda *given: _xml(*given, anywhere=False),
    "contains-xml": lambda *given: _xml(*given, anywhere=True),
    "is-sql": lambda *given: _sql(*given, anywhere=False),
    "contains-sql": lambda *given: _sql(*given, anywhere=True),
    "is-html": lambda row, value, output, call, negate: grade("html_valid", output, **negate),
    "contains-html": lambda row, value, output, call, negate: grade("html_valid", output, anywhere=True, **negate),
    "is-refusal": lambda row, value, output, call, negate: grade("refusal", output, **negate),
    "is-valid-function-call": _tool("google"),
    "is-valid-openai-function-call": _tool("openai_function"),
    "is-valid-openai-tools-call": _tool("openai_tools"),
    "latency": lambda row, value, output, call, negate: grade("latency", output, None, call, at_most=row["threshold"]),
    "cost": lambda row, value, output, call, negate: grade("cost", output, None, call, at_most=row["threshold"]),
    "finish-reason": lambda row, value, output, call, negate: grade(
        "finish_reason", output, None, call, reasons=[value]
    ),
    "perplexity": lambda *given: Unscored("not offered"),
    "perplexity-score": lambda *given: Unscored("not offered"),
}


def is_met(row: Row) -> bool:
    expect, found = row["expect"], promptfoo(row)
    if "toThrow" in expect:  # a fact of the call that is not there: ours is counted apart, as theirs is
        return isinstance(found, Unscored)
    if isinstance(found, Unscored) or found.passed is not expect["pass"]:
        return False
    # Their score of time and cost is the verdict; ours is the figure.
    return "score" not in expect or row["assertion"] in ("latency", "cost") or close(found.value, expect["score"])


def test_promptfoo_assertions(shared_data: Path) -> None:
    found = rows(shared_data / "metrics" / "promptfoo_assertions_dev.jsonl")
    agree("promptfoo_assertions_dev", ((row["id"], is_met(row)) for row in found))


# --- promptfoo: sets of assertions with weights and thresholds

NAMED = {"equals": "exact_match", "contains": "contains"}
# They pick the best of several outputs, and are no parts of what one output is worth: there and here.
OF_SEVERAL_OUTPUTS = {"max-score", "select-best"}


def combined(given: Row) -> Row:
    """A test's assertions as one configuration: a set in it is a combination of its own."""
    parts = {}
    for place, one in enumerate(given["assert"]):
        part = (
            combined(one)
            if one["type"] == "assert-set"
            else {"metric": NAMED[one["type"]], "params": {"value": one["value"]}}
        )
        parts[f"a{place}"] = part | ({"weight": one["weight"]} if "weight" in one else {})
    threshold = {"threshold": given["threshold"]} if "threshold" in given else {}
    return {"metric": "combination", "params": {"parts": parts}} | threshold


def _constant(call: Row, expects: list[Row]) -> Any:
    """A result whose parts were not recorded, only their mean: the threshold decides as theirs does."""
    wanted = {expect["actual"]["path"][-1]: expect["expected"][0] for expect in expects}
    whole = wanted.get("()", {})
    value = whole["score"] if whole else wanted["score"]
    params = {"parts": {"a": {"metric": "length"}}, "expression": f"{value:.2f} * (a + 1) / (a + 1)"}
    return {"metric": "combination", "params": params, "threshold": call["args"][0]["threshold"]}


def set_is_met(row: Row) -> bool:
    """False for whatever the row did not record, or we do not have."""
    calls = [call for call in row["calls"] if call["fn"] in ("runAssertions", "new AssertionsResult")]
    if not calls or not row["expects"] or not calls[0]["args"]:
        return False
    given = calls[0]["args"][0]
    if calls[0]["fn"] == "runAssertions":
        asserted = [one for one in given["test"]["assert"] if one["type"] not in OF_SEVERAL_OUTPUTS]
        if not {one["type"] for one in asserted} <= {*NAMED, "assert-set"}:
            return False
        spec = combined({**given["test"], "assert": asserted})
        if any("componentResults" in expect["actual"]["path"] for expect in row["expects"]):
            return all(_parts_are(list(spec["params"]["parts"].values()), expect) for expect in row["expects"])
        found = metrics.score(spec, as_text(given["providerResponse"]["output"]), None)
    elif "threshold" in given:
        found = metrics.score(_constant(calls[0], row["expects"]), "", None)
    else:
        return False
    return isinstance(found, Score) and all(_expectation(found, expect) for expect in row["expects"])


def _parts_are(parts: list[Row], expect: Row) -> bool:
    """Which assertions became parts, and how many."""
    names = {metric: kind for kind, metric in NAMED.items()}
    kinds = [names[part["metric"]] for part in parts]
    match expect["actual"]["path"], expect["expected"]:
        case ["componentResults"], [int(count)]:
            return len(kinds) == count
        case ["componentResults", place, "assertion", "type"], [kind]:
            return kinds[int(place)] == kind
        case ["componentResults", "map", "()"], [wanted]:
            return kinds == wanted
    return False


def _expectation(found: Score, expect: Row) -> bool:
    path, wanted = [name for name in expect["actual"]["path"] if name not in ("testResult", "()")], expect["expected"]
    if path == ["namedScores"]:
        return close(found.value, next(iter(wanted[0].values())))
    told = wanted[0] if not path else {path[0]: wanted[0]}
    return (
        ("pass" not in told or found.passed is told["pass"])
        and ("score" not in told or close(found.value, told["score"]))
        and (not str(told.get("reason")).startswith("Aggregate score") or f"{found.value:.2f}" in told["reason"])
    )


def test_promptfoo_sets_with_weights_and_thresholds(shared_data: Path) -> None:
    found = rows(shared_data / "metrics" / "promptfoo_assertset_weights_raw.jsonl")
    agree(
        "promptfoo_assertset_weights_raw",
        ((f"{row['file']} {place}: {row['name']}", set_is_met(row)) for place, row in enumerate(found)),
    )


# --- autoevals


def autoevals(row: Row) -> Any:
    kind, output, expected = row["metric"].split("(")[0], row["output"], row.get("expected")
    if kind == "valid_json":
        if row["schema"] is not None:
            return grade("json_schema", output, schema=row["schema"])
        return grade("json_valid", output, kind="object or array")
    if kind == "exact_match":
        return grade("exact_match", output, expected if expected is None else as_text(expected))
    if kind == "list_contains":
        return grade(
            "list_contains", output, expected, allow_extra=row.get("params", {}).get("allow_extra_entities", False)
        )
    return grade({"levenshtein_similarity": "levenshtein"}.get(kind, kind), output, expected)


def test_autoevals(shared_data: Path) -> None:
    found = rows(shared_data / "metrics" / "autoevals_cases_dev.jsonl")
    agree(
        "autoevals_cases_dev",
        (
            (
                f"{place}: {row['metric']} {as_text(row['output'])[:30]}",
                close(value_of(autoevals(row)), row["score"], row["tolerance"]),
            )
            for place, row in enumerate(found)
        ),
    )


# --- MLflow, Hugging Face evaluate, OpenAI evals, Phoenix, ragas


def spread(values: list[float]) -> Row:
    ordered = sorted(values)
    place = 0.9 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    p90 = ordered[low] + (place - low) * (ordered[high] - ordered[low])
    return {
        "scores": values, "mean": statistics.fmean(values), "p90": p90, "p90_linear_interpolation": p90,
        "variance_population": statistics.pvariance(values),
    }  # fmt: skip


def each(metric: str, row: Row, **params: Any) -> Row:
    pairs = zip(row["outputs"], row["references"], strict=True)
    return spread([grade(metric, output, reference, **params).value for output, reference in pairs])


def corpus(row: Row, edits: Callable[[str, str], tuple[int, int]]) -> Row:
    return {"value": similarity.error_rate(edits, zip(row["outputs"], row["references"], strict=True))}


def binary(row: Row) -> classification.Report:
    return classification.report([str(one) for one in row["references"]], [str(one) for one in row["outputs"]])


def passes(metric: str, row: Row, **params: Any) -> Row:
    found = grade(metric, row["output"], row.get("expected"), **params)
    return {"pass": found.passed, "accuracy": found.value, "score": found.value}


def _macro(row: Row) -> Row:
    options = row["params"]
    macro = classification.report(
        row["references"], row["outputs"], beta=options["beta"], zero_division=options["zero_division"]
    ).macro
    return {"precision": macro.precision, "recall": macro.recall, "f": macro.f}


def _price(row: Row) -> Row:
    million = Decimal(1_000_000)
    rates = pricing.Rates(Decimal(str(row["price"]["input"])) * million, Decimal(str(row["price"]["output"])) * million)
    usage = Usage(tokens_in=row["usage"]["input_tokens"], tokens_out=row["usage"]["output_tokens"])
    return {"value": float(pricing.of(usage, rates))}


def _exact(row: Row) -> Row:
    given = row.get("params", {})
    return each(
        "exact_match", row, ignore=given.get("regexes_to_ignore", []), ignore_case=given.get("ignore_case", False),
        ignore_punctuation=given.get("ignore_punctuation", False),
    )  # fmt: skip


TOOLS: dict[str, Callable[[Row], Row]] = {
    "rouge1_f1": lambda row: each("rouge_1", row),
    "rouge2_f1": lambda row: each("rouge_2", row),
    "rougeL_f1": lambda row: each("rouge_l", row),
    "rougeLsum_f1": lambda row: each("rouge_lsum", row),
    "binary_recall": lambda row: {"value": binary(row).of("1").recall},
    "binary_precision": lambda row: {"value": binary(row).of("1").precision},
    "precision_at_k": lambda row: each("precision_at_k", row, k=row["k"]),
    "recall_at_k": lambda row: each("recall_at_k", row, k=row["k"]),
    "ndcg_at_k": lambda row: each("ndcg_at_k", row, k=row["k"]),
    "exact_match": _exact,
    "bleu_corpus(0-1, 13a)": lambda row: {"value": each("bleu", row)["mean"] / 100},
    "wer": lambda row: corpus(row, similarity.word_edits),
    "cer": lambda row: corpus(row, similarity.character_edits),
    "cer(whitespace collapsed, stripped)": lambda row: corpus(row, similarity.character_edits),
    "includes": lambda row: passes("icontains" if row.get("ignore_case") else "contains", row),
    "fuzzy_match+token_f1(max over ideals)": lambda row: {
        "accuracy": passes("fuzzy_match", row)["accuracy"],
        "f1_score": grade("token_f1", row["output"], row["expected"]).value,
    },
    "fuzzy_match(symmetric)": lambda row: passes("fuzzy_match", row),
    "json_match": lambda row: passes("json_equal", row, any_of=isinstance(row["expected"], list)),
    "json_valid": lambda row: passes("json_valid", row),
    "normalize": lambda row: {"value": texts.squad(row["output"])},
    "accuracy": lambda row: {
        "value": classification.report(
            ["yes"] * len(row["flags"]), ["yes" if x else "no" for x in row["flags"]]
        ).accuracy
    },
    "regex_search": lambda row: {
        "score": grade("regex", row["output"], pattern=row["pattern"]).value,
        "n_matches": 0 if not grade("regex", row["output"], pattern=row["pattern"]).passed else None,
    },
    "precision_recall_fscore": _macro,
    "tool_call_f1": lambda row: {"score": grade("tool_call_f1", row["outputs"], row["references"]).value},
    "cost": _price,
}


def tool_is_met(row: Row) -> bool:
    found, tolerance = TOOLS[row["metric"]](row), row.get("tolerance", 1e-9)
    return all(found[name] == pytest.approx(wanted, abs=tolerance) for name, wanted in row["expect"].items())


def test_other_tools(shared_data: Path) -> None:
    found = rows(shared_data / "metrics" / "other_tools_metric_cases_dev.jsonl")
    agree("other_tools_metric_cases_dev", ((row["id"], tool_is_met(row)) for row in found))


# --- rouge_score and SQuAD


def rouge_is_met(row: Row) -> bool:
    metric = {"rouge1": "rouge_1", "rouge2": "rouge_2", "rougeL": "rouge_l", "rougeLsum": "rouge_lsum"}[row["metric"]]
    reference = row["references"] if "references" in row else row["reference"]
    for measure in ("f1", "precision", "recall"):
        if row.get(measure) is None:
            continue
        found = grade(metric, row["output"], reference, measure=measure, stem=bool(row.get("stemmer")))
        if not close(value_of(found), row[measure], row["tolerance"]):
            return False
    return True


def test_rouge_score(shared_data: Path) -> None:
    found = rows(shared_data / "metrics" / "rouge_score_cases.jsonl")
    agree(
        "rouge_score_cases",
        ((f"{place}: {row['metric']}", rouge_is_met(row)) for place, row in enumerate(found)),
    )


@pytest.mark.parametrize("name", ["squad_official_edge_cases", "squad_normalisation_tricky_300"])
def test_the_official_squad_script(shared_data: Path, name: str) -> None:
    def met(row: Row) -> bool:
        gold = row.get("gold_answers", row.get("gold"))
        exact = value_of(grade("exact_match", row["prediction"], gold, normalizer="squad"))
        return exact == row["em"] and close(value_of(grade("token_f1", row["prediction"], gold)), row["f1"], 5e-9)

    found = rows(shared_data / "metrics" / f"{name}.jsonl")
    agree(name, ((f"{place}: {row['prediction'][:30]}", met(row)) for place, row in enumerate(found)))
