"""Prompt files are read strictly, written always alike, and real ones are understood."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import prompty
from prompts.prompty import InputSpec, Part, PromptSpec, PromptyProblem


def test_a_whole_file_is_read() -> None:
    spec = prompty.read(
        "---\nname: Greet\nmodel:\n  id: m1\n  options:\n    temperature: 0.5\n"
        "inputs:\n  - name: who\n    default: Ada\n"
        "authors: [me]\n---\nsystem:\nBe brief.\n\nuser:\nHi {{ who }}\n"
    )
    assert (spec.name, spec.model, spec.parameters) == ("Greet", "m1", {"temperature": 0.5})
    assert spec.parts == (Part("system", "Be brief.", 13), Part("user", "Hi {{ who }}", 16))
    assert spec.inputs == (InputSpec("who", "string", "", "Ada", True),)
    assert spec.extra == {"authors": ["me"]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\nname: x\n", 1),
        ("---\na: [1\n---\nuser:\nx", 2),
        ("---\na: &x 1\nb: *x\n---\nuser:\nx", 3),
        ("---\n- a\n---\nuser:\nx", 1),
        ("---\nmodel: [1]\n---\nuser:\nx", 1),
        ("---\nn: .nan\n---\nuser:\nx", 1),
        ("user:\na\x00b", 1),
        ("---\nx: !!python/object/apply:os.system ['true']\n---\nuser:\nx", 2),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int) -> None:
    with pytest.raises(PromptyProblem) as refused:
        prompty.read(text)
    assert refused.value.line == line


names = st.text(alphabet="abc xyzé:#'\"-", max_size=20)
specs = st.builds(
    PromptSpec,
    name=names,
    description=names,
    parts=st.lists(
        st.builds(
            Part,
            role=st.sampled_from(["system", "user", "assistant"]),
            content=st.text(alphabet="ab {}é\n", min_size=1, max_size=30).map(lambda text: f"x{text}".rstrip()),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    model=names,
    parameters=st.dictionaries(st.sampled_from(["temperature", "seed"]), st.integers(0, 9)),
    inputs=st.lists(st.builds(InputSpec, name=st.sampled_from(["a", "b"])), max_size=2).map(tuple),
)


@given(specs)
def test_what_is_written_is_read_back_and_written_alike(spec: PromptSpec) -> None:
    text = prompty.write(spec)
    again = prompty.read(text)
    assert [(part.role, part.content) for part in again.parts] == [(part.role, part.content) for part in spec.parts]
    assert (again.name, again.description, again.model) == (spec.name, spec.description, spec.model)
    assert prompty.write(again) == text


@given(specs)
def test_the_stored_form_gives_the_same_spec(spec: PromptSpec) -> None:
    assert PromptSpec.from_json(spec.as_json()) == spec


def test_real_files_are_read_or_refused_with_a_reason(shared_data: Path) -> None:
    files = sorted((shared_data / "configs" / "prompty").rglob("*.prompty"))
    refused = []
    for file in files:
        try:
            assert prompty.read(file.read_text()).parts
        except PromptyProblem:
            refused.append(file.name)
    assert (len(files), refused) == (91, ["file_ref.prompty"])
