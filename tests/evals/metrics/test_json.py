from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from evals import metrics
from evals.metrics import Score, Unscored
from llmops.common.errors import Invalid


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def check(schema: Any, output: str) -> Any:
    return metrics.score({"metric": "json_schema", "params": {"schema": schema}}, output, None)


def test_json_valid_agrees_with_the_json_parsing_suite(shared_data: Path) -> None:
    counted = {"accept": 0, "reject": 0}
    for row in lines(shared_data / "adversarial" / "json_parsing_suite.jsonl"):
        body = b"[" * 100_000 if row["bytes_b64"] is None else base64.b64decode(row["bytes_b64"])
        try:
            text = body.decode()
        except UnicodeDecodeError:
            assert row["expect"] != "accept"
            continue
        passed = metrics.score({"metric": "json_valid"}, text, None).passed
        if row["expect"] in counted:
            counted[row["expect"]] += 1
            assert passed is (row["expect"] == "accept"), row["file"]
    assert counted["accept"] == 95


def test_json_schema_agrees_with_the_official_suite_wherever_the_schema_is_taken(shared_data: Path) -> None:
    taken = refused = 0
    for row in lines(shared_data / "adversarial" / "json_schema_suite_dev.jsonl"):
        schema = row["schema"]
        if not isinstance(schema, dict):
            continue
        if "draft7" in row["draft"]:
            schema = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
        try:
            outcome = check(schema, json.dumps(row["instance"]))
        except Invalid:  # other documents, other dialects, \p{Letter}
            refused += 1
            continue
        assert isinstance(outcome, Score)
        assert outcome.passed is row["valid"], row
        taken += 1
    assert (taken, refused) == (954, 9)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"$dynamicRef": "other.json#x"},
        {"$schema": "http://localhost/own"},
        {"pattern": "(?=a)"},
        {"patternProperties": {"(a)\\1": {}}},
        {"description": "x" * 70_000},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
    ],
)
def test_schemas_that_fetch_loop_or_hang_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        check(schema, "{}")
    assert "params.schema" in refused.value.fields


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(60):
        schema = {"not": schema}
    with pytest.raises(Invalid):
        check(schema, "{}")


def test_a_schema_that_doubles_its_work_at_each_step_is_stopped() -> None:
    steps: dict[str, Any] = {f"s{n}": {"anyOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(30)}
    steps["s30"] = {"const": "never"}
    with pytest.raises(Invalid):
        check({"$ref": "#/$defs/s0", "$defs": steps}, '"x"')
    only_objects = {"type": "object", "properties": {"a": {"$ref": "#/$defs/s0"}}, "$defs": steps}
    assert isinstance(check(only_objects, '{"a": "x"}'), Unscored)


def test_a_recursive_schema_is_fine_on_finite_values() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["name"]}
    assert check(tree, '{"name": "a", "child": {"name": "b"}}').passed
    wrong = check(tree, '{"name": "a", "child": {}}')
    assert not wrong.passed
    assert "/child" in wrong.reason


def test_deep_and_huge_outputs_fail_with_a_reason() -> None:
    assert "nested" in metrics.score({"metric": "json_valid"}, "[" * 200_000, None).reason
    assert "digits" in metrics.score({"metric": "json_valid"}, "1" * 5_000, None).reason
    assert "longer" in metrics.score({"metric": "json_valid"}, " " * 1_000_001, None).reason
    assert not check({"uniqueItems": True}, "[1, 1.0]").passed
    assert check({"uniqueItems": True}, "[1, true]").passed
