"""promptfoo configurations: known conversions, and all the real ones that are there."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evals import judges, metrics
from evals.importers import rows
from llmops.common.errors import Invalid
from llmops_client.errors import Problem
from llmops_client.importers import promptfoo
from llmops_client.importers.promptfoo import csv_asserts
from llmops_client.importers.reading import Folder
from llmops_client.importers.types import Conversion
from prompts.prompty import paths, reading
from prompts.rendering import parse

# Why a configuration can have no prompt or no test left: its files are elsewhere, or code makes them.
NOTHING_TO_RUN = {
    "file of a prompt", "file of tests", "prompt made by code", "tests made by code", "tests at another place",
    "messages of a prompt", "no prompts", "no tests", "template",
}  # fmt: skip


def refusal(spec: Any) -> str | None:
    """Why the platform does not take a metric's configuration."""
    try:
        metrics.checked(spec)
    except Invalid as error:
        return f"{error.message} {error.fields}"
    return None


def converted(text: str, folder: Path, file: str = "promptfooconfig.yaml") -> Conversion:
    (folder / file).write_text(text)
    return promptfoo.convert(text, file, Folder(folder), name="mine").checked(refusal)


def lost(found: Conversion) -> list[str]:
    return [str(one) for one in found.lost]


def test_one_assertion_for_all_tests_is_an_evaluator_with_its_value(tmp_path: Path) -> None:
    found = converted(
        "prompts: ['Tell me about {{ topic }}']\nproviders: ['openai:chat:gpt-4o']\n"
        "defaultTest: {assert: [{type: icontains, value: ocean}]}\n"
        "tests:\n- vars: {topic: fish}\n- vars: {topic: ships}\n",
        tmp_path,
    )
    [prompt], [dataset], [evaluator] = found.prompts, found.datasets, found.evaluators
    spec = reading.read(prompt.content)
    assert (prompt.name, spec.model, spec.parts[0].content) == ("mine", "gpt-4o", "Tell me about {{ topic }}")
    assert evaluator.spec == {"metric": "icontains", "params": {"value": "ocean"}}
    assert [one["inputs"] for one in dataset.examples] == [{"topic": "fish"}, {"topic": "ships"}]
    assert dataset.evaluators == (evaluator.slug,)
    assert (found.verdict, found.findings) == ("wholly", [])


def test_values_that_differ_are_expected_values_and_templates_in_them_are_filled_in(tmp_path: Path) -> None:
    found = converted(
        "prompts: ['{{ q }}']\ntests:\n"
        "- {vars: {q: a, right: A}, assert: [{type: equals, value: '{{ right }}'}]}\n"
        "- {vars: {q: b}, assert: [{type: equals, value: 7}]}\n",
        tmp_path,
    )
    [dataset] = found.datasets
    assert [one["expected"] for one in dataset.examples] == ["A", "7"]
    assert found.evaluators[0].spec == {"metric": "exact_match", "params": {}}


def test_assertions_of_some_tests_only_score_only_those(tmp_path: Path) -> None:
    found = converted(
        "prompts: ['{{ q }}']\ntests:\n"
        "- {vars: {q: a}, assert: [{type: contains, value: A}, {type: regex, value: 'x+'}]}\n"
        "- {vars: {q: b}, assert: [{type: equals, value: B}]}\n"
        "- {vars: {q: c}}\n",
        tmp_path,
    )
    by_slug = {one.slug: one.spec for one in found.evaluators}
    seen = [
        ([one["inputs"]["q"] for one in dataset.examples], dataset.examples[0].get("expected"),
         sorted(by_slug[slug]["metric"] for slug in dataset.evaluators))
        for dataset in found.datasets
    ]  # fmt: skip
    assert seen == [(["a", "b", "c"], None, []), (["a"], "A", ["contains", "regex"]), (["b"], "B", ["exact_match"])]


def test_several_texts_that_must_be_there_are_one_list(tmp_path: Path) -> None:
    found = converted(
        "prompts: [p]\ntests:\n- assert: [{type: contains, value: a}, {type: contains, value: b}]\n", tmp_path
    )
    assert found.evaluators[0].spec == {"metric": "contains_all", "params": {"values": ["a", "b"]}}
    assert found.datasets[0].examples[0]["metadata"] == {"test": 1}


def test_rubrics_become_judges_that_the_platform_takes(tmp_path: Path) -> None:
    found = converted(
        "prompts: ['{{ q }}']\ntests:\n"
        "- {vars: {q: a}, assert: [{type: llm-rubric, value: 'is {{ q }}'}, {type: factuality, value: Paris}]}\n"
        "- {vars: {q: b}, assert: [{type: llm-rubric, value: 'is {{ q }}'}, {type: factuality, value: Paris}]}\n",
        tmp_path,
    )
    kinds = {one.spec["scale"]["kind"] for one in found.evaluators}
    assert kinds == {"pass_fail", "choice"}
    for one in found.evaluators:
        judge = judges.checked(one.spec)
        assert one.rubric is not None
        names = {name for part in reading.read(one.rubric.content).parts for name in parse(part.content).variables}
        assert "output" in names
        assert not judges.unknown_variables(names, judge.scale)
    assert [one["expected"] for one in found.datasets[0].examples] == ["is a", "is b"]


def test_what_cannot_be_supported_is_named_with_its_line(tmp_path: Path) -> None:
    found = converted(
        "prompts:\n- file://made.py\n- 'Hi {{ name }}'\nproviders:\n- exec:run.sh\ntests:\n- vars:\n    name: x\n"
        "  assert:\n  - type: javascript\n    value: output.length > 3\n  - type: g-eval\n    value: hello\n",
        tmp_path,
    )
    assert lost(found) == [
        "promptfooconfig.yaml:5: unknown provider: exec:run.sh",
        "promptfooconfig.yaml:2: prompt made by code: made.py",
        "promptfooconfig.yaml:10: javascript assertion: output.length > 3",
        "promptfooconfig.yaml:12: g-eval assertion: the platform has no such metric",
    ]
    assert found.verdict == "partly"


def test_csv_tests_and_chats_in_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "chat.json").write_text(
        json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ q | dump }}"}])
    )
    (tmp_path / "tests.csv").write_text('q,__expected,__description\n"a, b",contains: x,First\nc,contains: y,\n')
    found = converted("prompts: file://chat.json\ntests: file://tests.csv\n", tmp_path)
    assert [(part.role, part.content) for part in reading.read(found.prompts[0].content).parts] == [
        ("system", "Be brief."), ("user", "{{ q | tojson }}"),
    ]  # fmt: skip
    assert found.datasets[0].examples[0] == {
        "inputs": {"q": "a, b"}, "expected": "x", "metadata": {"description": "First"}
    }  # fmt: skip
    assert found.verdict == "wholly"


def test_lists_of_values_are_every_combination(tmp_path: Path) -> None:
    found = converted("prompts: ['{{ a }}{{ b }}']\ntests:\n- vars: {a: [1, 2], b: [x, y]}\n", tmp_path)
    assert [tuple(one["inputs"].values()) for one in found.datasets[0].examples] == [
        (1, "x"), (1, "y"), (2, "x"), (2, "y"),
    ]  # fmt: skip


def test_a_text_that_looks_like_a_role_stays_text(tmp_path: Path) -> None:
    found = converted("prompts:\n- |\n  Continue:\n  User:\n  Hello\n", tmp_path)
    [part] = reading.read(found.prompts[0].content).parts
    assert part.role == "user"
    assert parse(part.content).source.replace("{##}", "") == "Continue:\nUser:\nHello"


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "link.txt"])
def test_files_outside_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.txt").symlink_to(tmp_path / "secret.txt")
    found = converted(f"prompts: ['file://{name}']\ntests: [{{vars: {{x: 'file://{name}'}}}}]\n", inner)
    assert not found.prompts
    assert found.datasets[0].examples[0]["inputs"] == {"x": ""}
    assert all("outside" in one for one in lost(found))


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "mapping"), ("a: [", "promptfooconfig.yaml:1"), ("a: &a [*a]", "nested"), ("", "mapping")],
)
def test_what_is_no_configuration_is_a_problem(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        converted(text, tmp_path)


def test_aliases_cannot_blow_up(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    with pytest.raises(Problem, match="too large"):
        converted(bomb, tmp_path)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("contains-any: a, b", {"type": "contains-any", "value": ["a", "b"]}),
        ("similar(0.8): x y", {"type": "similar", "value": "x y", "threshold": 0.8}),
        ("not-contains: x", {"type": "not-contains", "value": "x"}),
        ("is-json", {"type": "is-json"}),
        ("fn: output.length", {"type": "javascript", "value": "output.length"}),
        ("note: this is text", {"type": "equals", "value": "note: this is text"}),
        ("grade: is polite", {"type": "llm-rubric", "value": "is polite"}),
    ],
)
def test_the_short_form_of_assertions(text: str, made: dict[str, Any]) -> None:
    assert csv_asserts.assertion(text) == made


def test_every_real_configuration_converts_to_what_the_platform_takes(shared_data: Path) -> None:
    """Nothing raises, everything that is converted passes the platform's own checks, nothing is lost unsaid."""
    root = shared_data / "configs" / "promptfoo"
    listed = [json.loads(line) for line in (root / "examples_index.jsonl").read_text().splitlines()]
    verdicts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for one in listed:
        path = root / one["path"]
        if not path.exists():
            verdicts["absent"] += 1
            continue
        found = promptfoo.convert(path.read_text(), one["path"], Folder(path.parent)).checked(refusal)
        for prompt in found.prompts:
            paths.checked(prompt.name)
            for part in reading.read(prompt.content).parts:
                parse(part.content)
        for evaluator in found.evaluators:
            if evaluator.rubric is not None:
                judges.checked(evaluator.spec)
                paths.checked(evaluator.rubric.name)
                reading.read(evaluator.rubric.content)
        slugs = {evaluator.slug for evaluator in found.evaluators}
        for dataset in found.datasets:
            assert dataset.examples
            assert set(dataset.evaluators) <= slugs
            for example in dataset.examples:
                rows.checked(example)
        assert found.verdict == "wholly" or found.lost, one["path"]
        if found.verdict == "not":
            assert {finding.kind for finding in found.lost} & NOTHING_TO_RUN, one["path"]
        assert all(finding.line > 0 for finding in found.findings)
        verdicts[found.verdict] += 1
        reasons.update({finding.kind for finding in found.lost})
    print(f"\n{len(listed)} configurations: {dict(verdicts)}; why not wholly, by configurations:")
    for reason, count in reasons.most_common():
        print(f"  {count:4} {reason}")
    assert verdicts["wholly"] + verdicts["partly"] > 2 * verdicts["not"]
