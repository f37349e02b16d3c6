"""`llmops import` into a real platform: what is made runs, and what cannot be supported is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Platform

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("client")]

PROMPTFOO = """prompts:
- 'say: {{ word }}'
providers:
- openai:chat:model-1
tests:
- vars: {word: alpha}
  assert:
  - {type: equals, value: alpha}
  - {type: javascript, value: output.length}
- vars: {word: beta}
  assert:
  - {type: equals, value: gamma}
"""


def test_a_promptfoo_configuration_is_imported_and_runs(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "promptfooconfig.yaml").write_text(PROMPTFOO)
    arguments = ("import", "promptfoo", "promptfooconfig.yaml", "--name", "words")
    dry = platform.llmops(*arguments, "--dry-run", cwd=tmp_path)
    assert (dry.returncode, "partly convertible" in dry.stdout) == (0, True), dry.stdout + dry.stderr
    assert "words" not in {one["slug"] for one in platform.api("GET", "/datasets")["results"]}
    done = platform.llmops(*arguments, cwd=tmp_path)
    assert (done.returncode, "partly imported" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "promptfooconfig.yaml:9: javascript assertion: output.length" in done.stdout
    assert platform.llmops(*arguments, "--strict", cwd=tmp_path).returncode == 1
    [command] = [line.split(": llmops ")[1] for line in done.stdout.splitlines() if ": llmops eval" in line]
    report = tmp_path / "report.json"
    ran = platform.llmops(*command.split(), "--json", str(report))
    assert ran.returncode == 0, ran.stderr
    [score] = json.loads(report.read_text())["candidate"]["scores"].values()
    assert (score["mean"], score["n"]) == (0.5, 2)


def test_importing_twice_makes_nothing_twice(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(PROMPTFOO)
    for _ in range(2):
        done = platform.llmops("import", "promptfoo", "c.yaml", "--name", "twice", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(platform.api("GET", "/prompts/twice/versions")["results"]) == 1
    assert len(platform.api("GET", "/datasets/twice/examples")["results"]) == 2


def test_judges_come_with_their_rubrics(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "prompts: ['say: {{ a }}']\nproviders: ['openai:model-1']\n"
        "defaultTest: {assert: [{type: llm-rubric, value: 'is {{ polite }}'}]}\ntests: [{vars: {a: b}}]\n"
    )
    done = platform.llmops("import", "promptfoo", "c.yaml", "--name", "graded", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    spec = platform.api("GET", "/evaluators/graded-llm-rubric")["spec"]
    assert spec["judge"]["version"] == 1
    assert "is " in platform.api("GET", f"/prompts/{spec['judge']['prompt']}?label=latest")["messages"][0]["content"]


def test_an_openai_eval_is_imported_and_runs(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "evals").mkdir()
    (tmp_path / "data" / "x").mkdir(parents=True)
    (tmp_path / "evals" / "x.yaml").write_text(
        "echoes:\n  id: echoes.dev.v0\nechoes.dev.v0:\n  class: evals.elsuite.basic.includes:Includes\n"
        "  args: {samples_jsonl: x/s.jsonl}\n"
    )
    rows = [{"input": f"say: word {n}", "ideal": f"word {n}"} for n in range(4)]
    (tmp_path / "data" / "x" / "s.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    done = platform.llmops("import", "openai-evals", "evals/x.yaml", cwd=tmp_path)
    assert (done.returncode, "wholly imported" in done.stdout) == (0, True), done.stdout + done.stderr
    report = tmp_path / "r.json"
    ran = platform.llmops("eval", "--prompt", "echoes", "--dataset", "echoes", "-E", "echoes-contains",
                          "--model", "model-1", "--json", str(report))  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(report.read_text())["candidate"]["scores"]["echoes-contains"]["mean"] == 1.0


def test_what_cannot_be_converted_at_all_ends_with_1(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("prompts: [file://p.py]\ntests: file://t.js\n")
    done = platform.llmops("import", "promptfoo", "c.yaml", cwd=tmp_path)
    assert (done.returncode, "c.yaml:1: prompt made by code: p.py" in done.stdout) == (1, True)
    assert platform.llmops("import", "promptfoo", "none.yaml", cwd=tmp_path).returncode == 3
