"""OpenAI Evals: registry entries, their samples and rubrics become prompts, datasets and evaluators."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.importers import openai_rubrics, prompty
from llmops_client.importers.prompty import Message
from llmops_client.importers.reading import Folder, NotThere
from llmops_client.importers.types import Conversion, Finding, NewDataset, NewEvaluator, PromptFile

Json = Any
MAX_SHAPES = 20
ARGUMENTS = frozenset(
    {
        "samples_jsonl", "max_tokens", "sample_kwargs", "ignore_case", "modelgraded_spec",
        "modelgraded_spec_args", "eval_type", "seed",
    }
)  # fmt: skip
HARMLESS = frozenset({"seed", "eval_type"})
# The class of each eval: the metrics that say the same, with their parameters.
METRICS: dict[str, tuple[tuple[str, Mapping[str, Json]], ...]] = {
    "Match": (("starts_with", {"ignore_space": False}),),
    "Includes": (("contains", {}),),
    "FuzzyMatch": (("fuzzy_match", {}), ("token_f1", {})),
    "JsonValidator": (("json_valid", {}),),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One eval of a registry file."""

    name: str
    key: str
    body: Mapping[str, Json]
    line: int

    @property
    def arguments(self) -> Mapping[str, Json]:
        found = self.body.get("args")
        return found if isinstance(found, dict) else {}

    @property
    def kind(self) -> str:
        return str(self.body.get("class", "")).rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Sample:
    messages: tuple[Message, ...]
    ideal: Json
    more: Mapping[str, Json]
    line: int

    @property
    def shape(self) -> tuple[str, ...]:
        return tuple(role for role, _ in self.messages)


@dataclass(slots=True)
class _Eval:
    """One eval on its way: where findings go, and what its examples are called."""

    entry: Entry
    file: str
    slug: str
    found: Conversion
    inputs: list[str] = field(default_factory=list)

    def lose(self, kind: str, detail: str = "", *, file: str = "", line: int = 0) -> None:
        self.found.findings.append(Finding(file or self.file, line or self.entry.line, kind, detail[:200]))

    def note(self, kind: str, detail: str = "") -> None:
        self.found.findings.append(Finding(self.file, self.entry.line, kind, detail[:200], lost=False))


def convert(text: str, file: str, *, data: Folder, rubrics: Folder, only: str = "", name: str = "") -> list[Conversion]:
    """Every eval of a registry file (or the one named `only`).

    :param data: where `samples_jsonl` is looked for; `rubrics` where the `modelgraded` files are.
    :raises Problem: when the text is no registry file, or has no such eval.
    """
    loaded, lines = yamls.load(text, file)
    if not isinstance(loaded, dict):
        raise Problem(f"{file}: a registry file is a mapping from names to evals")
    entries = list(_entries(loaded, lines))
    chosen = [one for one in entries if not only or only in (one.name, one.key)]
    if not chosen:
        known = ", ".join(one.name for one in entries)
        raise Problem(f"{file}: there is no eval {only or 'with a class'} in this file; it has {known}")
    return [_converted(one, file, data, rubrics, name if len(chosen) == 1 else "") for one in chosen]


def _entries(loaded: Mapping[str, Json], lines: yamls.Lines) -> Iterator[Entry]:
    names = {body["id"]: name for name, body in loaded.items() if isinstance(body, dict) and "id" in body}
    for key, body in loaded.items():
        if isinstance(body, dict) and "class" in body:
            yield Entry(names.get(key, key), key, body, lines.at(key))


def _converted(entry: Entry, file: str, data: Folder, rubrics: Folder, name: str) -> Conversion:
    own = name or entry.name
    slug = re.sub(r"[^a-z0-9]+", "-", own.lower()).strip("-")[:50].strip("-") or "eval"
    one = _Eval(entry, file, slug, Conversion(source=f"{file}#{entry.name}"))
    for argument in sorted(entry.arguments.keys() - ARGUMENTS - {"dataset"}):
        one.lose("argument of an eval", f"{argument}: {entry.arguments[argument]}")
    for argument in sorted(entry.arguments.keys() & HARMLESS):
        one.note("has no counterpart; judges are asked for their reason and a choice", argument)
    rubric = openai_rubrics.read(entry.arguments, rubrics, one.lose) if entry.kind == "ModelBasedClassify" else None
    samples = _samples(one, data)
    needed = rubric.fields if rubric else frozenset()
    by_shape: dict[tuple[str, ...], list[Sample]] = {}
    for sample in samples:
        by_shape.setdefault(sample.shape, []).append(sample)
    for number, alike in enumerate(list(by_shape.values())[:MAX_SHAPES], start=1):
        _prompt_and_dataset(one, alike, number if len(by_shape) > 1 else 0, needed)
    if len(by_shape) > MAX_SHAPES:
        one.lose("samples", f"{len(by_shape)} sequences of roles; the first {MAX_SHAPES} are converted")
    _evaluators(one, rubric)
    return one.found


def _samples(one: _Eval, data: Folder) -> list[Sample]:
    name = one.entry.arguments.get("samples_jsonl")
    if not isinstance(name, str):
        elsewhere = one.entry.arguments.get("dataset")
        one.lose("samples at another place" if elsewhere else "samples", str(elsewhere or "no samples_jsonl"))
        return []
    try:
        text = data.text(name)
    except NotThere as error:
        one.lose("file of samples", str(error))
        return []
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append(_sample(line, number))
            except ValueError as error:
                one.lose("sample", str(error), file=name, line=number)
    return found


def _sample(line: str, number: int) -> Sample:
    """:raises ValueError: for what is no sample."""
    row = json.loads(line)
    if not isinstance(row, dict) or "input" not in row:
        raise ValueError("no input")
    given = row["input"]
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise ValueError("the input is neither a text nor messages")
    messages = []
    for turn in given:
        role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, dict) else (None, None)
        if role not in prompty.ROLES or not isinstance(content, str):
            raise ValueError(f"a message of the role {role!r} that is no text")
        # The registry writes examples of a talk as system messages with a name.
        messages.append((str(role), content))
    more = {key: value for key, value in row.items() if key not in {"input", "ideal"}}
    return Sample(tuple(messages), row.get("ideal"), more, number)


def _prompt_and_dataset(one: _Eval, alike: Sequence[Sample], number: int, needed: frozenset[str]) -> None:
    """Messages that are the same in all samples stand in the prompt; the others are inputs."""
    names: list[str | None] = []
    messages: list[Message] = []
    for place, role in enumerate(alike[0].shape):
        texts = {sample.messages[place][1] for sample in alike}
        is_fixed = len(texts) == 1 and (len(alike) > 1 or place < len(alike[0].shape) - 1)
        if is_fixed:
            names.append(None)
            messages.append((role, prompty.literal(texts.pop())))
        else:
            names.append(role if role not in names else f"{role}_{place + 1}")
            messages.append((role, f"{{{{ {names[-1]} }}}}"))
    suffix = f"-{number}" if number else ""
    options = _options(one)
    content = prompty.write(one.entry.name, messages, options=options)
    one.found.prompts.append(PromptFile(prompty.path_of(f"{one.slug}{suffix}"), content, one.file, one.entry.line))
    one.inputs += [name for name in names if name and name not in one.inputs]
    examples = tuple(_example(sample, names, needed) for sample in alike)
    slug = f"{one.slug}{suffix}"
    one.found.datasets.append(NewDataset(slug, f"From {one.found.source}"[:500], examples, ()))


def _options(one: _Eval) -> dict[str, Json]:
    arguments = one.entry.arguments
    kwargs = arguments.get("sample_kwargs")
    found = dict(kwargs) if isinstance(kwargs, dict) else {}
    if isinstance(arguments.get("max_tokens"), int):
        found["max_tokens"] = arguments["max_tokens"]
    return found


def _example(sample: Sample, names: Sequence[str | None], needed: frozenset[str]) -> Json:
    inputs = {name: text for name, (_, text) in zip(names, sample.messages, strict=True) if name}
    inputs |= {key: sample.more[key] for key in needed if key in sample.more}
    metadata = {key: value for key, value in sample.more.items() if key not in needed}
    example: dict[str, Json] = {"inputs": inputs, "expected": sample.ideal}
    if not inputs:
        metadata["line"] = sample.line
    return example | ({"metadata": metadata} if metadata else {})


def _evaluators(one: _Eval, rubric: openai_rubrics.Rubric | None) -> None:
    made: list[NewEvaluator] = []
    kind = one.entry.kind
    if rubric is not None:
        content = rubric.template(one.inputs)
        prompt = PromptFile(prompty.path_of("judges", one.slug, rubric.name), content, rubric.file, rubric.line)
        spec = {"judge": {"prompt": prompt.name}, "scale": rubric.scale}
        slug = f"{one.slug[:40].rstrip('-')}-{re.sub('[^a-z0-9]+', '-', rubric.name.lower())[:18].strip('-')}"
        made.append(NewEvaluator(slug, spec, f"rubric {rubric.name}", rubric.file, rubric.line, prompt))
    elif kind in METRICS:
        for metric, params in METRICS[kind]:
            chosen = f"i{metric}" if metric == "contains" and one.entry.arguments.get("ignore_case") else metric
            slug = f"{one.slug[:40].rstrip('-')}-{chosen.replace('_', '-')}"
            spec = {"metric": chosen, "params": dict(params)}
            made.append(NewEvaluator(slug, spec, f"{kind} ({chosen})", one.file, one.entry.line))
    elif kind != "ModelBasedClassify":
        one.lose("class of an eval", str(one.entry.body["class"]))
    one.found.evaluators.extend(made)
    slugs = tuple(evaluator.slug for evaluator in made)
    one.found.datasets = [
        NewDataset(dataset.slug, dataset.description, dataset.examples, slugs) for dataset in one.found.datasets
    ]
