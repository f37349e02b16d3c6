"""What the documentation shows is what the command and the gate take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from llmops_client import cli, gate

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "docs" / "ci.md", ROOT / "client" / "README.md")


def blocks(kind: str) -> list[str]:
    return [text for page in PAGES for text in re.findall(rf"```{kind}\n(.*?)```", page.read_text(), re.S)]


def commands() -> list[str]:
    plain = [line for text in blocks("sh") for line in text.replace("\\\n", " ").splitlines()]
    for text in blocks("yaml"):
        workflow = yaml.safe_load(text)
        for job in workflow.get("jobs", {}).values():
            plain += [step["run"] for step in job["steps"] if "run" in step]
    found = [re.search(r"\bllmops (?:eval|drift|import|pull|push|lock)\b.*", line, re.S) for line in plain]
    return [one.group(0) for one in found if one]


def test_every_command_of_the_documentation_can_be_parsed() -> None:
    shown = commands()
    assert len(shown) >= 6
    for command in shown:
        cli.parser().parse_args(shlex.split(command)[1:])


def test_the_gate_of_the_documentation_is_one() -> None:
    [text] = [text for text in blocks("yaml") if "gate.yaml\n" in text.splitlines()[0] + "\n"]
    found = gate.read(text, "gate.yaml")
    assert [rule.evaluator for rule in found.rules] == ["exact_match", "helpful"]


def test_wrong_arguments_end_with_3_and_not_with_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["eval"], ["no"], ["eval", "--dataset", "d", "--repeats", "x"], ["import", "other", "x"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 3
    assert "usage: llmops" in capsys.readouterr().err
