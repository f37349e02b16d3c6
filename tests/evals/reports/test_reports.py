"""Reports in every format: nothing is lost, nothing is executed, nothing breaks a reader."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from evals.reports import FORMATS, Counts, Evaluator, Head, Row, Scored, as_csv, as_markdown

HEAD = Head(
    uid="run_1", url="https://example.test/runs/run_1/", title="mail/classify v2", state="done", dataset="mails",
    dataset_version=3, dataset_hash="ab", prompt="mail/classify", version=2, commit="cd", model="model-1", repeats=1,
    total=2, done=2, failed=0, cost_usd="0.01", latency_p50_ms=120, latency_p95_ms=300,
    started_at="2026-03-04T12:00:00+00:00", took_s=1.5,
    evaluators=(Evaluator("exact", 0.5, 0.1, 0.9, 2, 0, 0, 1, "Wilson", score="50.0 %", between="10.0 to 90.0"),),
    counts=Counts(2, 1, 0, 0),
)  # fmt: skip
RIGHT = Scored("exact", "scored", 1.0, True, "", "")
WRONG = Scored("exact", "scored", 0.0, False, "", "not the same")
ROW = Row(
    uid="res_1", example="ex_1", position=1, repeat=1, inputs={"mail": "Hello"}, expected="billing", tags=("a", "b"),
    split="dev", output="billing", error_code="", error="", latency_ms=120, tokens_in=3, tokens_out=4,
    cost_usd="0.005", model="model-1", from_cache=False, scores=(RIGHT,),
)  # fmt: skip
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def written(name: str, *rows: Row, head: Head = HEAD) -> str:
    return "".join(FORMATS[name].render(head, rows))


def spreadsheet(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_csv_has_a_line_per_result_with_a_column_per_verdict() -> None:
    [line] = spreadsheet(written("csv", ROW))
    assert (line["output"], line["exact"], line["exact passed"], line["tags"]) == ("billing", "1.0", "true", "a, b")
    assert line["exact unit"] == "share"
    assert json.loads(line["inputs"]) == {"mail": "Hello"}


def test_a_json_report_is_one_object_also_without_results() -> None:
    assert json.loads(written("json"))["results"] == []
    found = json.loads(written("json", ROW, ROW))
    assert [row["output"] for row in found["results"]] == ["billing", "billing"]
    assert (found["run"]["uid"], found["evaluators"][0]["mean"]) == ("run_1", 0.5)


def test_a_build_server_reads_failures_errors_and_skipped_verdicts() -> None:
    rows = [
        ROW,
        replace(ROW, scores=(WRONG,)),
        replace(ROW, scores=(Scored("exact", "error", None, None, "", "no output: timeout"),), error_code="timeout"),
        replace(ROW, scores=(Scored("exact", "unscored", None, None, "", "no number in the output"),)),
    ]
    suite = ElementTree.fromstring(written("junit", *rows, head=replace(HEAD, counts=Counts(4, 1, 1, 1))))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    cases = suite.findall("testcase")
    assert [case[0].tag if len(case) else "" for case in cases] == ["", "failure", "error", "skipped"]
    assert cases[2][0].get("type") == "timeout"


def test_a_markdown_report_shows_scores_and_what_went_wrong_but_not_what_went_right() -> None:
    text = written("markdown", replace(ROW, scores=(WRONG,), output="wrong | answer"), ROW)
    assert "| exact | 50.0 % | 10.0 to 90.0 | 2 | 0 | 0 | Wilson |" in text
    assert "wrong \\| answer" in text
    assert "exact\\: wrong" in text
    assert text.count("| 1 |") == 1


def test_a_long_markdown_report_is_cut_and_says_so() -> None:
    text = written("markdown", *[replace(ROW, scores=(WRONG,))] * 51)
    assert text.count("| 1 |") == 50
    assert "The first 50 are shown" in text


def test_no_formula_of_the_known_lists_starts_a_cell(shared_data: Path) -> None:
    lines = (shared_data / "adversarial" / "csv_injection.jsonl").read_text(encoding="utf-8").splitlines()
    hostile = [json.loads(line)["s"] for line in lines]
    assert len(hostile) >= 17
    for text in hostile:
        row = replace(ROW, output=text, inputs={}, expected=text, error=text, tags=(text,), split=text, model=text,
                      scores=(replace(RIGHT, reason=text, category=text),))  # fmt: skip
        [line] = spreadsheet(written("csv", row))
        for name in ("output", "expected", "error", "tags", "split", "model", "exact reason", "exact category"):
            assert line[name].lstrip()[:1] not in {"=", "+", "-", "@"}, name
            assert line[name].removeprefix("'") == text


def test_naughty_strings_go_through_every_format(shared_data: Path) -> None:
    naughty = json.loads((shared_data / "adversarial" / "blns.json").read_text(encoding="utf-8"))
    rows = [replace(ROW, output=text, scores=(replace(WRONG, reason=text),)) for text in naughty]
    head = replace(HEAD, title=naughty[-1], counts=Counts(len(rows), len(rows), 0, 0))
    assert len(ElementTree.fromstring(written("junit", *rows, head=head))[0].findall("testcase")) == len(rows)
    assert [row["output"] for row in json.loads(written("json", *rows, head=head))["results"]] == naughty
    assert len(spreadsheet(written("csv", *rows, head=head))) == len(rows)


@pytest.mark.parametrize("text", ["-5", "+3.25", "-", "=1", " =1", "\uff1d1", "\t1", "-5+2", "1=2", "a@b"])
def test_plain_numbers_and_words_stay_and_formulas_are_marked(text: str) -> None:
    assert as_csv.neutral(text) == (text if text in {"-5", "+3.25", "1=2", "a@b"} else f"'{text}")


@given(ANY_TEXT)
def test_xml_is_well_formed_whatever_a_model_wrote(text: str) -> None:
    row = replace(ROW, output=text, scores=(replace(WRONG, reason=text, evaluator=text),))
    case = ElementTree.fromstring(written("junit", row))[0].find("testcase")
    readable = "".join(character if _is_legal(character) else "\ufffd" for character in text)
    assert case.get("classname") == readable
    assert (case[0].text or "") == readable


@given(ANY_TEXT)
def test_csv_cells_come_back_as_they_were_but_for_the_mark(text: str) -> None:
    [line] = spreadsheet(written("csv", replace(ROW, output=text)))
    assert line["output"] in {text, f"'{text}"}
    assert line["output"].lstrip("\ufeff \t\r\n")[:1] not in {"=", "+", "-", "@"} or as_csv._NUMBER.match(text)


@given(ANY_TEXT)
def test_a_markdown_cell_is_one_line_without_open_markup(text: str) -> None:
    cell = as_markdown.cell(text)
    assert "\n" not in cell
    for place, character in enumerate(cell):
        if character in "|<[`*!":
            assert cell[place - 1] == "\\"


def _is_legal(character: str) -> bool:
    """XML 1.0, production [2]."""
    return (
        character in "\t\n\r"
        or " " <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character > "\uffff"
    )
