"""OpenAI Evals' rubrics (`modelgraded` files): which judge says the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.importers import prompty
from llmops_client.importers.prompty import Message
from llmops_client.importers.reading import Folder, NotThere

Json = Any
Lose = Callable[..., None]
KEYS = frozenset({"prompt", "choice_strings", "choice_scores", "input_outputs", "eval_type"})
_PLACE = re.compile(r"\{\{|\}\}|\{(\w*)\}")
KNOWN = {"completion": "output", "ideal": "expected"}


@dataclass(frozen=True, slots=True)
class Rubric:
    """A rubric whose verdicts have values. `fields` are the samples' own fields that it shows."""

    name: str
    messages: tuple[Message, ...]
    arguments: Mapping[str, str]
    scale: Json
    fields: frozenset[str]
    file: str
    line: int

    def template(self, inputs: Sequence[str]) -> str:
        """The text of the judge's prompt file; `inputs` are the names of the examples' inputs."""
        shown = f"{{{{ input.{inputs[0]} }}}}" if len(inputs) == 1 else "{{ inputs | tojson }}"
        return prompty.write(self.name, [(role, self._filled(text, shown)) for role, text in self.messages])

    def _filled(self, text: str, shown: str) -> str:
        parts, last = [], 0
        for found in _PLACE.finditer(text):
            parts.append(prompty.literal(text[last : found.start()]))
            parts.append(self._place(found, shown))
            last = found.end()
        return "".join([*parts, prompty.literal(text[last:])])

    def _place(self, found: re.Match[str], shown: str) -> str:
        name = found.group(1)
        if name is None:  # a doubled brace is one brace
            return f"{{{{ '{found.group(0)[0]}' }}}}"
        if name in self.arguments:
            return prompty.literal(self.arguments[name])
        if name == "input":
            return shown
        return f"{{{{ {KNOWN.get(name, f'input.{name}')} }}}}"


def read(arguments: Mapping[str, Json], folder: Folder, lose: Lose) -> Rubric | None:
    """The rubric that an eval's arguments name, or None with a finding."""
    name = str(arguments.get("modelgraded_spec", ""))
    try:
        file, body, line = _found(name, folder)
    except NotThere as error:
        lose("file of a rubric", str(error))
        return None
    given = arguments.get("modelgraded_spec_args")
    filled = {key: str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    for key in sorted(body.keys() - KEYS):
        lose("setting of a rubric", f"{name}: {key}", file=file, line=line)
    if body.keys() - KEYS:  # several outputs, or another way to show them
        return None
    try:
        messages = _messages(body.get("prompt"))
        scale = _scale(body.get("choice_strings"), body.get("choice_scores"))
    except ValueError as error:
        lose("rubric", f"{name}: {error}", file=file, line=line)
        return None
    outputs = body.get("input_outputs")
    if isinstance(outputs, dict) and len(outputs) > 1:
        lose("rubric", f"{name}: compares several outputs", file=file, line=line)
        return None
    used = {place for _, text in messages for place in _PLACE.findall(text) if place}
    if "completion" not in used:
        lose("rubric", f"{name}: never shows the output", file=file, line=line)
        return None
    own = frozenset(used - filled.keys() - KNOWN.keys() - {"input"})
    return Rubric(name, messages, filled, scale, own, file, line)


def _found(name: str, folder: Folder) -> tuple[str, Mapping[str, Json], int]:
    """The file, body and line of a rubric: any file of the folder may hold it.

    :raises NotThere: when none does.
    """
    for file in folder.matching("*.yaml"):
        try:
            loaded, lines = yamls.load(folder.text(file), file)
        except Problem as problem:
            raise NotThere(str(problem)) from None
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            return file, loaded[name], lines.at(name)
    raise NotThere(f"no rubric {name!r} in {folder.base}")


def _messages(prompt: Json) -> tuple[Message, ...]:
    if isinstance(prompt, str) and prompt.strip():
        return (("user", prompt),)
    if isinstance(prompt, list) and prompt:
        pairs = [(one.get("role"), one.get("content")) for one in prompt if isinstance(one, dict)]
        if len(pairs) == len(prompt) and all(r in prompty.ROLES and isinstance(c, str) for r, c in pairs):
            return tuple((str(role), str(content)) for role, content in pairs)
    raise ValueError("the prompt is neither a text nor messages")


def _scale(strings: Json, scores: Json) -> Json:
    """The judge's scale.

    :raises ValueError: where choices have no values between 0 and 1.
    """
    choices = list(strings) if isinstance(strings, str) and strings != "from_n" else strings
    if not isinstance(choices, list) or len(choices) < 2:
        raise ValueError(f"choices {strings!r}")
    if scores == "from_strings":
        numbers = [int(choice) for choice in choices if str(choice).isdigit()]
        if len(numbers) != len(choices) or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise ValueError("choices that are no whole numbers in a row")
        return {"kind": "score", "low": numbers[0], "high": numbers[-1]}
    if not isinstance(scores, dict):
        raise ValueError("choices without values (choice_scores)")
    values = {str(choice): scores.get(str(choice)) for choice in choices}
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in values.values()):
        raise ValueError("choices whose values do not lie between 0 and 1")
    return {"kind": "choice", "choices": values}
