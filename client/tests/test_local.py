"""`--local`: the same evaluation from files alone, without a server."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from conftest import run_command

from tests.fake_provider import FakeProvider
from tests.installation import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("client")]
PROMPT = "---\nname: Say\nmodel:\n  id: model-1\n---\nuser:\nsay: {{ FIELD }}\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, field in (("new", "right"), ("old", "half")):
        (tmp_path / f"{name}.prompty").write_text(PROMPT.replace("FIELD", field))
    rows = [
        {"inputs": {"right": f"city {n}", "half": f"city {n}" if n % 2 else "?"}, "expected": f"city {n}"}
        for n in range(30)
    ]
    (tmp_path / "cities.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "gate.yaml").write_text("evaluators:\n  exact_match: {min: 0.8}\n  holds: {better: true}\n")
    (tmp_path / "evaluators.yaml").write_text("holds:\n  metric: contains\n")
    return tmp_path


def scratch_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("llmops-local-*"))


def test_files_are_evaluated_on_a_platform_that_is_gone_afterwards(files: Path) -> None:
    before = scratch_folders()
    with FakeProvider(answer=lambda text: text.partition("say: ")[2]) as fake:
        done = run_command(
            ("eval", "--local", "--file", "new.prompty", "--against", "old.prompty", "--dataset", "cities.jsonl",
             "--gate", "gate.yaml", "--evaluators", "evaluators.yaml", "--provider", "openai-compatible",
             "--provider-url", fake.openai_url, "--provider-key-from", "MINE", "--json", "report.json"),
            files,
            {"LLMOPS_HOME": str(ROOT), "MINE": "sk-of-my-own", "DATABASE_URL": "postgres://nowhere/never"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Bearer sk-of-my-own" in fake.keys
    report = json.loads((files / "report.json").read_text())
    assert {one["rule"]: one["outcome"] for one in report["decisions"]} == {"min 0.8": "pass", "better": "pass"}
    assert scratch_folders() == before


def test_a_bad_dataset_and_a_missing_checkout_are_errors(files: Path) -> None:
    arguments = ("eval", "--local", "--file", "new.prompty", "--dataset", "cities.jsonl", "-E", "exact_match")
    nowhere = run_command(arguments, files, {"LLMOPS_HOME": str(files)})
    assert (nowhere.returncode, "LLMOPS_HOME" in nowhere.stderr) == (3, True)
    (files / "cities.jsonl").write_text('{"inputs": {"right": "a"}}\n{broken\n')
    broken = run_command((*arguments, "--provider", "demo"), files, {"LLMOPS_HOME": str(ROOT)})
    assert (broken.returncode, "line 2" in broken.stderr) == (3, True), broken.stderr
