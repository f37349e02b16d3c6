"""Registries of OpenAI Evals: known conversions, and the real ones that are there."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_promptfoo import refusal

from evals import judges
from evals.importers import rows
from llmops_client.errors import Problem
from llmops_client.importers import openai_evals
from llmops_client.importers.reading import Folder
from llmops_client.importers.types import Conversion
from prompts.prompty import paths, reading
from prompts.rendering import parse

REGISTRY = """capitals:
  id: capitals.dev.v0
  metrics: [accuracy]
capitals.dev.v0:
  class: evals.elsuite.basic.{KIND}
  args:
    samples_jsonl: capitals/samples.jsonl
"""


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    for name in ("data/capitals", "modelgraded", "evals"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def convert(registry: Path, text: str, samples: list[Any], **more: str) -> list[Conversion]:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in samples]
    (registry / "data/capitals/samples.jsonl").write_text("\n".join(lines))
    found = openai_evals.convert(
        text, "capitals.yaml", data=Folder(registry / "data"), rubrics=Folder(registry / "modelgraded"), **more
    )
    return [one.checked(refusal) for one in found]


def chat(country: str, city: str) -> dict[str, Any]:
    return {
        "input": [{"role": "system", "content": "Answer {{ shortly }}."}, {"role": "user", "content": country}],
        "ideal": city,
    }


def test_what_all_samples_share_is_in_the_prompt_and_the_rest_are_inputs(registry: Path) -> None:
    [found] = convert(
        registry, REGISTRY.replace("{KIND}", "match:Match"), [chat("France", "Paris"), chat("Italy", "Rome")]
    )
    spec = reading.read(found.prompts[0].content)
    assert [(part.role, parse(part.content).variables) for part in spec.parts] == [("system", ()), ("user", ("user",))]
    assert found.datasets[0].examples == (
        {"inputs": {"user": "France"}, "expected": "Paris"},
        {"inputs": {"user": "Italy"}, "expected": "Rome"},
    )
    assert [one.spec for one in found.evaluators] == [{"metric": "starts_with", "params": {"ignore_space": False}}]
    assert (found.verdict, found.datasets[0].evaluators) == ("wholly", (found.evaluators[0].slug,))


def test_samples_of_other_shapes_get_a_prompt_of_their_own(registry: Path) -> None:
    [found] = convert(
        registry,
        REGISTRY.replace("{KIND}", "includes:Includes") + "    ignore_case: true\n    few_shot_jsonl: x.jsonl\n",
        [chat("France", "Paris"), {"input": "Capital of Italy?", "ideal": ["Rome", "Roma"]}, {"ideal": "x"}, "{broken"],
    )
    assert [prompt.name for prompt in found.prompts] == ["capitals-1", "capitals-2"]
    assert found.datasets[1].examples[0] == {"inputs": {"user": "Capital of Italy?"}, "expected": ["Rome", "Roma"]}
    assert found.evaluators[0].spec["metric"] == "icontains"
    assert [(one.file, one.line, one.kind) for one in found.lost] == [
        ("capitals.yaml", 4, "argument of an eval"),
        ("capitals/samples.jsonl", 3, "sample"),
        ("capitals/samples.jsonl", 4, "sample"),
    ]


def test_a_rubric_becomes_a_judge(registry: Path) -> None:
    (registry / "modelgraded" / "polite.yaml").write_text(
        "polite:\n  prompt: |-\n    Is this polite {{as json}}?\n    {input}\n    {completion}\n    By: {criteria}\n"
        "  choice_strings: YN\n  choice_scores: {'Y': 1.0, 'N': 0.0}\n  input_outputs: {input: completion}\n"
    )
    text = REGISTRY.replace("basic.{KIND}", "modelgraded.classify:ModelBasedClassify")
    text += "    modelgraded_spec: polite\n    modelgraded_spec_args: {criteria: 'no {{ insults }}'}\n"
    [found] = convert(registry, text, [chat("France", "Paris"), chat("Italy", "Rome")])
    [evaluator] = found.evaluators
    judges.checked(evaluator.spec)
    assert evaluator.spec["scale"] == {"kind": "choice", "choices": {"Y": 1.0, "N": 0.0}}
    assert evaluator.rubric is not None
    template = parse(reading.read(evaluator.rubric.content).parts[0].content)
    assert set(template.variables) == {"input", "output"}
    assert found.verdict == "wholly"


def test_what_is_no_registry_or_has_no_such_eval_is_a_problem(registry: Path) -> None:
    with pytest.raises(Problem, match="mapping"):
        convert(registry, "[]", [])
    with pytest.raises(Problem, match="no eval other"):
        convert(registry, REGISTRY, [], only="other")


def test_every_real_registry_file_converts_to_what_the_platform_takes(shared_data: Path) -> None:
    root = shared_data / "configs" / "openai_evals"
    verdicts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    judged = 0
    files = sorted((root / "evals_yaml").glob("*.yaml"))
    for path in files:
        for found in openai_evals.convert(
            path.read_text(), path.name, data=Folder(root / "data"), rubrics=Folder(root / "modelgraded")
        ):
            found.checked(refusal)
            for evaluator in found.evaluators:
                if evaluator.rubric is not None:
                    judged += 1
                    judges.checked(evaluator.spec)
                    paths.checked(evaluator.rubric.name)
                    parse(reading.read(evaluator.rubric.content).parts[0].content)
            for dataset in found.datasets:
                for example in dataset.examples:
                    rows.checked(example)
            assert found.verdict == "wholly" or found.lost
            verdicts[found.verdict] += 1
            reasons.update({one.kind for one in found.lost})
    print(f"\n{len(files)} registry files: {dict(verdicts)}, {judged} rubrics became judges; reasons by evals:")
    for reason, count in reasons.most_common():
        print(f"  {count:4} {reason}")
    assert judged
