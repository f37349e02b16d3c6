from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import importers
from evals.importers import ExampleAt, Options, Place, Problem, Record, mapping
from evals.importers.rows import MAX_ROW
from llmops.common.errors import Invalid

CSV, JSON, JSONL = Options("csv"), Options("json"), Options("jsonl")


def read(body: bytes | str, options: Options) -> list[Record | Problem]:
    return list(importers.records(io.BytesIO(body.encode() if isinstance(body, str) else body), options))


def values(body: bytes | str, options: Options) -> list[Any]:
    return [
        item.values if isinstance(item, Record) else (item.line, item.column, item.reason)
        for item in read(body, options)
    ]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        yield json.loads(line)


def test_csv_spectrum(shared_data: Path) -> None:
    seen = 0
    for case in lines(shared_data / "adversarial" / "csv_spectrum.jsonl"):
        expected = case["expected"] if isinstance(case["expected"], list) else [case["expected"]]
        if case["name"] == "newlines_crlf":  # the collected bytes lost their CR
            expected[1]["a"] = expected[1]["a"].replace("\r", "")
        if case["name"] == "location_coordinates":  # the collected facts blank the number that the bytes have
            expected[0]["Contact Phone Number"] = "2095257564"
        assert values(base64.b64decode(case["csv_b64"]), CSV) == expected, case["name"]
        seen += 1
    assert seen == 12


def test_json_parsing_suite_as_rows_of_jsonl(shared_data: Path) -> None:
    """What must be refused is a problem; what must be read is read, but for the documented limits."""
    limits = ("twice", "surrogate", "NUL")
    for case in lines(shared_data / "adversarial" / "json_parsing_suite.jsonl"):
        if case["bytes_b64"] is None:
            continue
        body = base64.b64decode(case["bytes_b64"])
        for options, wrapped in (
            (JSONL, b'{"v": ' + body.replace(b"\n", b" ") + b"}"),
            (JSON, b'[{"v": ' + body + b"}]"),
        ):
            if options is JSONL and b"\n" in body:
                continue
            found = read(wrapped, options)
            if case["expect"] == "accept":
                fits = all(isinstance(item, Record) or any(word in item.reason for word in limits) for item in found)
                assert fits, (case["file"], found)
            elif case["expect"] == "reject":
                assert any(isinstance(item, Problem) for item in found), (case["file"], options)


def test_formulas_of_spreadsheets_are_plain_text(shared_data: Path) -> None:
    for case in lines(shared_data / "adversarial" / "csv_injection.jsonl"):
        cell = case["s"].replace('"', '""')
        assert values(f'question\n"{cell}"\n', CSV) == [{"question": case["s"]}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a,b\n1\n2,3\n", [(2, 2, "1 values where the header names 2 columns"), {"a": "2", "b": "3"}]),
        ("a,b\n1,2,3\n", [(2, 3, "3 values where the header names 2 columns")]),
        (
            'a,b\n1,"open\n2,3\n4,5\n',
            [(2, 2, "a quotation mark is opened and never closed"), {"a": "2", "b": "3"}, {"a": "4", "b": "5"}],
        ),
        (
            'a,b\n1,"x" y\n2,3\n',
            [(2, 2, "a quotation mark stands inside a value; write it twice"), {"a": "2", "b": "3"}],
        ),
        (
            b"a,b\n1,caf\xe9\n2,3\n",
            [(2, 2, "the byte 0xE9 is not UTF-8; save the file as UTF-8"), {"a": "2", "b": "3"}],
        ),
        ("a\r\n1\r2\n3\r\n\r\n4", [{"a": "1"}, {"a": "2"}, {"a": "3"}, {"a": "4"}]),
        ('\ufeffa\n"x\ny"\nz\n', [{"a": "x\ny"}, {"a": "z"}]),
        ("a,\n1,2\n", [{"a": "1", "column 2": "2"}]),
    ],
)
def test_csv_rows_and_what_is_wrong_with_them(body: bytes | str, expected: list[Any]) -> None:
    assert values(body, CSV) == expected


@pytest.mark.parametrize(
    "body", ["", "\n\n", "a,a\n1,2\n", ",".join(f"c{n}" for n in range(100_000)), "x" * 200 + "\n1", '"open\n1\n']
)
def test_a_header_that_names_no_columns_is_refused(body: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(body, CSV)
    assert refused.value.code in {"no_header", "too_many_columns"}


def test_fields_and_lines_of_ten_megabytes_are_problems_and_the_next_row_is_read() -> None:
    big = "x" * 10_000_000
    for body in (f"a,b\n{big},1\n2,3\n", f'a,b\n"{big}",1\n2,3\n'):
        [problem, row] = read(body, CSV)
        assert isinstance(problem, Problem)
        assert problem.line == 2
        assert "longer" in problem.reason
        assert isinstance(row, Record)
        assert row.values == {"a": "2", "b": "3"}
    for options, body in ((JSONL, '{{"a": "{}"}}\n{{"a": 1}}'), (JSON, '[{{"a": "{}"}},\n{{"a": 1}}]')):
        [problem, row] = read(body.format(big), options)
        assert isinstance(problem, Problem)
        assert "longer" in problem.reason
        assert isinstance(row, Record)
        assert (row.values, row.line) == ({"a": 1}, 2)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ('{"a": 1', 8, "not JSON"),
        ('{"a": NaN}', 1, "NaN"),
        ('{"a": -Infinity}', 1, "Infinity"),
        ('{"a": 1e999}', 1, "out of range"),
        ('{"a": ' + "1" * 5_000 + "}", 1, "digits"),
        ('{"a": "\\u0000"}', 1, "NUL"),
        ('{"a": "\\ud800"}', 1, "surrogate"),
        ('{"a": 1, "a": 2}', 1, "twice"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", 1, "deeper"),
        ("[" * 100_000, None, ""),
        ("[1, 2]", 1, "object"),
        ("null", 1, "object"),
        ("'a'", 1, "not JSON"),
    ],
)
def test_rows_of_json_that_cannot_be_stored_name_line_column_and_reason(
    row: str, column: int | None, reason: str
) -> None:
    [first, problem, last] = read(f'{{"a": 0}}\n{row}\n{{"a": 2}}\n', JSONL)
    assert isinstance(problem, Problem)
    assert problem.line == 2
    assert reason in problem.reason
    assert column is None or problem.column == column
    assert isinstance(first, Record)
    assert isinstance(last, Record)


def test_an_array_is_read_element_by_element_with_lines_and_columns() -> None:
    body = '\ufeff[\n  {"a": "]},{\\"" },\n  {"a": oops},   {"a":\n 3}, 7, , {"a": [4, {"b": "x,y"}]}\n]\n'
    assert values(body, JSON) == [
        {"a": ']},{"'},
        (3, 9, "not JSON: Expecting value"),
        {"a": 3},
        (4, 6, "must be an object with names and values"),
        (4, 9, "a value is missing between two commas"),
        {"a": [4, {"b": "x,y"}]},
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('[{"a": 1},]', "a comma before the end of the array"),
        ('[{"a": 1}', "the array is never closed"),
        ('[{"a": 1}, {"a"', "not JSON"),
        ('[{"a": 1}] []', "something follows the end of the array"),
        ('[{"a": 1}] x', "something follows the end of the array"),
    ],
)
def test_an_array_that_ends_badly_keeps_its_good_rows(body: str, reason: str) -> None:
    found = values(body, JSON)
    assert found[0] == {"a": 1}
    assert any(reason in item[2] for item in found if isinstance(item, tuple))


@pytest.mark.parametrize("body", ["", "   ", "{}", '"a"', "null"])
def test_a_json_file_must_be_an_array(body: str) -> None:
    with pytest.raises(Invalid):
        read(body, JSON)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@given(st.lists(st.fixed_dictionaries({"a": cells, "b": cells}), min_size=1, max_size=8), st.data())
def test_reading_goes_on_from_any_row_as_if_it_had_never_stopped(
    rows: list[dict[str, str]], data: st.DataObject
) -> None:
    import csv

    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *([row["a"], row["b"]] for row in rows)])
    bodies = {
        CSV: table.getvalue(),
        JSON: json.dumps(rows, indent=data.draw(st.sampled_from([None, 1])), ensure_ascii=False),
        JSONL: "\n".join(json.dumps(row) for row in rows),
    }
    for options, body in bodies.items():
        file = io.BytesIO(body.encode())
        found = list(importers.records(file, options))
        assert [item.values for item in found if isinstance(item, Record)] == rows
        stop = data.draw(st.integers(0, len(found) - 1))
        assert list(importers.records(file, options, found[stop].next)) == found[stop + 1 :]


@pytest.mark.parametrize(
    ("name", "body", "format_"),
    [
        ("a.csv", "a,b\n1,2", "csv"),
        ("a.json", "[]", "json"),
        ("a.json", '{"a": 1}\n{"a": 2}', "jsonl"),
        ("a.jsonl", "[]", "json"),
        ("a.ndjson", "{}", "jsonl"),
        ("unknown", "{}", "jsonl"),
        ("unknown", "a;b\n1;2", "csv"),
    ],
)
def test_the_format_is_known_by_name_and_content(name: str, body: str, format_: str) -> None:
    assert importers.options_of(io.BytesIO(body.encode()), name).format == format_


@pytest.mark.parametrize("body", [b"PK\x03\x04zip", b"\x1f\x8bgzip", b"PAR1"])
def test_binary_files_are_refused_with_words(body: bytes) -> None:
    with pytest.raises(Invalid):
        importers.options_of(io.BytesIO(body), "a.csv")


def test_separators_and_the_encoding_of_old_spreadsheets_are_found() -> None:
    options = importers.options_of(io.BytesIO("name;city\nJosé;Köln\n".encode("cp1252")), "a.csv")
    assert (options.delimiter, options.encoding) == (";", "cp1252")
    assert values("name;city\nJosé;Köln\n".encode("cp1252"), options) == [{"name": "José", "city": "Köln"}]


def test_a_mapping_is_suggested_from_names() -> None:
    names = ["id", "Question", "Best Answer", "context", "tags", "split", "output", "inputs.tone"]
    assert dict(mapping.suggested(names).columns) == {
        "id": "metadata.id",
        "Question": "inputs.Question",
        "Best Answer": "expected",
        "context": "contexts",
        "tags": "tags",
        "split": "split",
        "output": "metadata.output",
        "inputs.tone": "inputs.tone",
    }
    nested = mapping.suggested(["inputs", "expected", "metadata"], {"inputs": {"q": 1}, "metadata": {}})
    assert dict(nested.columns) == {"inputs": "inputs", "expected": "expected", "metadata": "metadata"}


def test_a_mapping_makes_examples_and_names_the_column_of_an_error() -> None:
    columns = mapping.checked(
        {
            "columns": {
                "q": "inputs.question",
                "label": "expected.category",
                "prio": "expected.priority",
                "ctx": "contexts",
                "tags": "tags",
                "note": "",
            }
        }
    )
    body = 'q,label,prio,ctx,tags,note\nWhere?,delivery,low,"[""a"", ""b""]","x; y",secret\nA\x00,b,c,,,\n'
    [good, bad] = importers.examples(io.BytesIO(body.encode()), CSV, columns)
    assert isinstance(good, ExampleAt)
    assert good.row.inputs == {"question": "Where?"}
    assert good.row.expected == {"category": "delivery", "priority": "low"}
    assert (good.row.contexts, good.row.tags, good.row.metadata) == (["a", "b"], ["x", "y"], {})
    assert isinstance(bad, Problem)
    assert (bad.line, bad.column) == (3, 1)
    assert "NUL" in bad.reason


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"a": "nowhere"},
        {"a": "inputs."},
        {"a": 1},
        {"a": "expected", "b": "expected.x"},
        {"a": "inputs.x", "b": "inputs.x"},
        {"a": "expected"},
        {"a": "contexts.x", "b": "inputs.b"},
    ],
)
def test_a_mapping_that_makes_no_example_is_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        mapping.checked({"columns": columns})


def test_the_preview_shows_rows_problems_and_whether_that_was_all() -> None:
    body = io.BytesIO(b'{"input": "a", "expected": 1}\nbroken\n{"input": "b", "late": 2}\n')
    shown = importers.preview(body, "mails.jsonl")
    assert shown.columns == ["input", "expected", "late"]
    assert [item.row.inputs for item in shown.rows] == [{"input": "a"}, {"input": "b", "late": 2}]
    assert [problem.line for problem in shown.problems] == [2]
    assert shown.is_whole
    assert not importers.preview(body, "mails.jsonl", most=2).is_whole
    with pytest.raises(Invalid):
        importers.preview(io.BytesIO(b"[]"), "a.json")
    with pytest.raises(Invalid):
        importers.preview(io.BytesIO(b'{"all": [\n{"a": 1}]}'), "a.json")


def test_the_preview_of_huge_rows_stays_small() -> None:
    body = io.BytesIO(b"".join(json.dumps({"input": "x" * 900_000}).encode() + b"\n" for _ in range(30)))
    shown = importers.preview(body, "a.jsonl")
    assert len(shown.rows) < 12
    assert not shown.is_whole


def test_the_real_files_import_whole(shared_data: Path) -> None:
    counted = {
        "datasets/gsm8k_test_1319.jsonl": 1_319,
        "datasets/TruthfulQA_original.csv": 790,
        "datasets/docetl_tickets.json": 20,
        "datasets/nq_open_dev_3610.jsonl": 3_610,
        "labelled/gsm8k_model_solutions_4systems.jsonl": 5_276,
    }
    for name, count in counted.items():
        with (shared_data / name).open("rb") as file:
            shown = importers.preview(file, name, most=10_000)
        assert (len(shown.rows), shown.problems) == (count, [])


def test_a_row_is_never_larger_than_the_limit() -> None:
    body = json.dumps({"a": "x" * (MAX_ROW - 100)})
    assert isinstance(read(body, JSONL)[0], Record)
    assert Place() == Place(0, 1)


def test_values_are_put_where_the_mapping_says() -> None:
    columns = mapping.checked(
        {"columns": {"in": "inputs", "more": "metadata", "ctx": "contexts", "t": "tags", "s": "split", "e": "expected"}}
    )
    row = columns.apply(
        {"in": {"q": 1}, "more": 5, "ctx": ["a", {"b": 1}], "t": ["x"], "s": 3, "e": [1, 2], "new": True},
        from_text=False,
    )
    assert (row.inputs, row.metadata) == ({"q": 1}, {"more": 5, "new": True})
    assert (row.contexts, row.tags, row.split, row.expected) == (["a", '{"b": 1}'], ["x"], "3", [1, 2])
    single = columns.apply({"in": {"q": 1}, "more": None, "ctx": {"a": 1}, "t": "x|y", "e": ""}, from_text=False)
    assert (single.contexts, single.tags, single.expected) == (['{"a": 1}'], ["x", "y"], "")
    text = columns.apply({"in": "hello", "ctx": "[not json", "e": ""}, from_text=True)
    assert (text.inputs, text.contexts, text.expected) == ({"in": "hello"}, ["[not json"], None)
    assert columns.column_of("inputs.q") == "in"
    assert columns.column_of("elsewhere") is None
    with pytest.raises(Invalid):
        mapping.checked([])
