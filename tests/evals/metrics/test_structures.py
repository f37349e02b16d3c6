"""Known answers of the metrics for JSON values, XML, HTML, SQL and calls of tools."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from evals import metrics
from evals.metrics import CallFacts, Score, Unscored
from llmops.common.errors import Invalid


def grade(metric: str, output: str, expected: Any = None, call: CallFacts = metrics.NO_CALL, **params: Any) -> Any:
    return metrics.score({"metric": metric, "params": params}, output, expected, call)


@pytest.mark.parametrize(
    ("output", "expected", "params", "passed"),
    [
        ('{"a": [1, 2.0]}', {"a": [1.0, 2]}, {}, True),
        ('{"a": true}', {"a": 1}, {}, False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', {}, True),
        ("[1, 2]", [2, 1], {}, False),
        ("2", [1, 2], {"any_of": True}, True),
        ("```json\n{}\n```", {}, {"allow_fence": True}, True),
        ("{", {}, {}, False),
        ('"text"', "text", {}, True),
    ],
)
def test_equal_json(output: str, expected: Any, params: dict[str, Any], passed: bool) -> None:
    assert grade("json_equal", output, expected, **params).passed is passed


def test_fields_are_compared_one_by_one() -> None:
    order = {"name": "Ada", "items": [{"sku": 1}, {"sku": 2}], "note": None}
    output = json.dumps(order | {"name": "Bob"})
    assert grade("json_fields", output, order).value == pytest.approx(2 / 3)
    right = grade("json_fields", output, order, fields=["items.1.sku", "note"])
    assert (right.value, right.passed) == (1.0, True)
    wrong = grade("json_fields", output, order, fields=["name", "items.0.sku"])
    assert (wrong.value, wrong.passed) == (0.5, False)
    assert "name" in wrong.reason
    assert grade("json_fields", output, order, fields=["items.7.sku", "missing"]).value == 0
    assert isinstance(grade("json_fields", output, "no object"), Unscored)


def test_json_somewhere_in_a_text() -> None:
    text = 'Of course! [broken {"a": 1} and {"a": "x"}'
    assert grade("json_valid", text, anywhere=True).passed
    assert not grade("json_valid", "no [json", anywhere=True).passed
    only_text = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert grade("json_schema", text, schema=only_text, anywhere=True).passed
    assert not grade("json_schema", '{"a": 1}', schema=only_text, anywhere=True).passed


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-01-01T10:00:00Z", "2024-01-01 10:00"),
        ("email", "a@b.c", "nobody"),
        ("ipv4", "127.0.0.1", "127.0.0.256"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
    ],
)
def test_formats_are_checked_when_asked_for(name: str, right: str, wrong: str) -> None:
    schema = {"type": "string", "format": name}
    assert grade("json_schema", json.dumps(right), schema=schema, formats=True).passed
    assert not grade("json_schema", json.dumps(wrong), schema=schema, formats=True).passed
    assert grade("json_schema", json.dumps(wrong), schema=schema).passed


def test_lists_pair_their_items_best() -> None:
    assert grade("list_contains", '["b", "a"]', ["a", "b"]).value == 1
    assert grade("list_contains", "a\nb\nc", ["a"]).value == pytest.approx(1 / 3)
    assert grade("list_contains", "a\nb\nc", ["a"], allow_extra=True).value == 1
    assert grade("list_contains", "[]", []).value == 1
    assert grade("list_contains", '["a"]', [], allow_extra=True).value == 1
    assert isinstance(grade("list_contains", json.dumps(["a"] * 301), ["a"]), Unscored)


def test_json_that_is_too_large_to_compare_is_unscored() -> None:
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    assert isinstance(grade("json_diff", json.dumps(deep), deep), Unscored)
    assert isinstance(grade("json_diff", json.dumps([0] * 30_000), [0] * 30_000), Unscored)


@pytest.mark.parametrize(
    ("output", "params", "passed"),
    [
        ("<a><b/></a>", {}, True),
        ("<a><b></a>", {}, False),
        ("text <a/>", {}, False),
        ("text <a/> text", {"anywhere": True}, True),
        ("a < b <open> and <ok>1</ok>", {"anywhere": True}, True),
        ("<a><b><c/></b></a>", {"elements": ["a.b.c"]}, True),
        ("<a><b><c/></b></a>", {"elements": ["a.c"]}, False),
        ("<a><b/></a> <a><c/></a>", {"elements": ["a.c"], "anywhere": True}, True),
        ("", {}, False),
    ],
)
def test_xml(output: str, params: dict[str, Any], passed: bool) -> None:
    assert grade("xml_valid", output, **params).passed is passed


def test_documents_with_entities_are_refused_and_fetch_nothing() -> None:
    laughs = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'
    outside = '<!DOCTYPE l SYSTEM "http://127.0.0.1:1/x.dtd"><l/>'
    for text in (laughs, outside):
        assert "document type" in grade("xml_valid", text).reason


@pytest.mark.parametrize(
    ("output", "params", "passed"),
    [
        ("<!DOCTYPE html><html><body><p>Hi<br>there</body></html>", {}, True),
        ("<p>One</p>\n<p>Two</p>", {}, True),
        ("<script>if (a < b) { x() }</script>", {}, True),
        ("<p>One</p> and", {}, False),
        ("<custom-thing>x</custom-thing>", {}, False),
        ("<!-- <p> -->", {"anywhere": True}, False),
        ("see <b class='x'>this</b>", {"anywhere": True}, True),
    ],
)
def test_html(output: str, params: dict[str, Any], passed: bool) -> None:
    assert grade("html_valid", output, **params).passed is passed


@pytest.mark.parametrize(
    ("output", "params", "passed"),
    [
        ("SELECT a FROM t WHERE b IN (SELECT c FROM u)", {}, True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", {"tables": ["select::null::y"]}, True),
        ("SELECT 1; DROP TABLE t", {"tables": ["select::null::.*"]}, False),
        ("hello", {}, False),
        ("", {}, False),
        ("SELECT FROM WHERE", {}, False),
        ("SELECT '```' FROM t", {"dialect": "postgres"}, True),
        ("Here:\n```sql\nSELECT 1\n```", {"anywhere": True}, True),
        ("SELECT t.a, u.b FROM t JOIN u ON t.id = u.id", {"columns": ["select::(t|u)::(a|b|id)"]}, True),
        ("SELECT x.secret FROM t AS x", {"columns": ["select::t::name"]}, False),
        ("DELETE FROM t WHERE id = 1", {"tables": ["delete::null::t"]}, True),
        ("INSERT INTO t (a) SELECT b FROM u", {"tables": ["insert::null::t"]}, False),
    ],
)
def test_sql(output: str, params: dict[str, Any], passed: bool) -> None:
    assert grade("sql_valid", output, **params).passed is passed


ADD = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("output", "passed"),
    [
        ('{"name": "add", "arguments": "{\\"x\\": 1}"}', True),
        ('[{"type": "function", "function": {"name": "add", "arguments": {"x": 1}}}]', True),
        ('[{"functionCall": {"name": "add", "args": {"x": 1}}}]', True),
        ('[{"type": "tool_use", "name": "add", "input": {"x": 1}}]', True),
        ('{"name": "add", "arguments": "{"}', False),
        ('{"name": "other", "arguments": {"x": 1}}', False),
        ('{"name": "add", "arguments": {"x": 1, "y": 2}}', False),
        ("plain text", False),
        ("[]", False),
    ],
)
def test_calls_of_tools(output: str, passed: bool) -> None:
    assert grade("tool_call", output, functions={"add": ADD}).passed is passed


def test_calls_apart_from_the_text_count_too() -> None:
    call = CallFacts(
        tool_calls=({"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"x": 2}'}},)
    )
    assert grade("tool_call", "", None, call, functions={"add": ADD}).passed
    assert grade("tool_call_f1", "Let me see.", [{"name": "add", "args": {"x": 2.0}}], call).value == 1
    assert grade("tool_call_f1", "none", [{"name": "add", "args": {}}]).value == 0
    assert grade("tool_call_f1", "", [{"name": "add", "args": {}}], call, names_only=True).value == 1
    assert isinstance(grade("tool_call_f1", "", "no calls"), Unscored)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"metric": "sql_valid", "params": {"tables": ["("]}}, "params.tables"),
        ({"metric": "sql_valid", "params": {"dialect": "basic"}}, "params.dialect"),
        ({"metric": "tool_call", "params": {"functions": {"add": 1}}}, "params.functions"),
        ({"metric": "tool_call", "params": {"functions": {"add": {"type": "nope"}}}}, "params.functions"),
        ({"metric": "json_fields", "params": {"fields": ["."]}}, "params.fields"),
    ],
)
def test_bad_settings_are_refused(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked(spec)
    assert field in refused.value.fields


HOSTILE = [
    "<",
    "<a",
    "<a ",
    "<!--",
    "<a>",
    "</a>",
    "<a b='",
    "&",
    "[",
    "{",
    '{"a":',
    "(",
    "SELECT (",
    "`",
    "'",
    "<script>",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize(
    ("metric", "params"),
    [
        ("xml_valid", {}),
        ("xml_valid", {"anywhere": True}),
        ("html_valid", {}),
        ("html_valid", {"anywhere": True}),
        ("sql_valid", {}),
        ("json_valid", {"anywhere": True}),
        ("json_diff", {}),
        ("tool_call", {"mcp": True}),
    ],
)
def test_hostile_outputs_answer_in_time(metric: str, params: dict[str, Any], piece: str) -> None:
    started = time.process_time()
    for size in (150_000, 15_000):
        outcome = metrics.score({"metric": metric, "params": params}, piece * (size // len(piece)), {"a": 1})
        assert isinstance(outcome, Score | Unscored)
    assert time.process_time() - started < 4
