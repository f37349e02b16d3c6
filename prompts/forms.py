"""The shape of what people type: the editor, its inputs, labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.http import QueryDict

from llmops.common import text as intake
from llmops.common.errors import Invalid
from prompts import prompty, rendering
from prompts.prompty import Part, PromptSpec
from prompts.rendering import TemplateProblem

ROLES = ("system", "user", "assistant", "developer")
MAX_PARTS = 50
NUMBERS = {"temperature": float, "top_p": float, "max_output_tokens": int}

Json = Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the text; `part` is the message's place, None when it is about the whole."""

    message: str
    part: int | None = None
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Editor:
    """What stands in the editor: messages and settings as typed, and the rest of the file as it was."""

    path: str
    parts: tuple[Part, ...]
    model: str
    connection: str
    description: str
    numbers: Mapping[str, str]
    message: str
    base: int
    rest: str

    @classmethod
    def of(cls, spec: PromptSpec, *, path: str, base: int) -> Editor:
        """A saved version or a draft, ready to edit."""
        parameters = dict(spec.parameters)
        numbers = {name: _number_text(parameters.pop(name, None)) for name in NUMBERS}
        rest = replace(spec, parts=(), model="", description="", parameters=parameters).as_json()
        return cls(
            path=path, parts=spec.parts, model=spec.model, connection="", description=spec.description,
            numbers=numbers, message="", base=base, rest=json.dumps(rest, ensure_ascii=False),
        )  # fmt: skip

    @classmethod
    def typed(cls, data: QueryDict) -> Editor:
        """From a form; line ends as git wants them."""
        pairs = list(zip(data.getlist("role"), data.getlist("content"), strict=False))[:MAX_PARTS]
        return cls(
            path=data.get("path", "").strip(),
            parts=tuple(
                Part(role if role in ROLES else "user", content.replace("\r\n", "\n")) for role, content in pairs
            ),
            model=data.get("model", "").strip()[:200],
            connection=data.get("connection", "")[:120],
            description=data.get("description", "").replace("\r\n", "\n"),
            numbers={name: data.get(name, "").strip()[:40] for name in NUMBERS},
            message=data.get("message", ""),
            base=int(base) if (base := data.get("base", "0")).isascii() and base.isdigit() and len(base) < 9 else 0,
            rest=data.get("rest", "{}"),
        )

    def spec(self) -> PromptSpec:
        """The prompt that the form means.

        :raises Invalid: naming the field, when a number is none or the rest of the file was tampered with.
        """
        try:
            rest = (
                PromptSpec.from_json(intake.loads(self.rest, max_bytes=200_000)) if self.rest != "{}" else PromptSpec()
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Invalid("The form is damaged; reload the page.", fields={"rest": "not readable"}) from None
        numbers, wrong = {}, {}
        for name, kind in NUMBERS.items():
            if not self.numbers[name]:
                continue
            try:
                numbers[name] = kind(self.numbers[name])
                intake.storable(numbers[name])
            except (ValueError, Invalid):
                wrong[name] = "write a number"
        if wrong:
            raise Invalid("A setting is not a number.", fields=wrong)
        return replace(
            rest,
            parts=tuple(part for part in self.parts if part.content.strip()),
            model=self.model,
            description=self.description.strip(),
            parameters={**numbers, **rest.parameters},
        )

    def text(self) -> str:
        """The prompt file.

        :raises Invalid: as `spec`.
        """
        return prompty.write(self.spec())

    def checked(self) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
        """The variables in order of appearance, and everything that is wrong."""
        variables: dict[str, None] = {}
        problems: list[Problem] = []
        for place, part in enumerate(self.parts):
            try:
                variables.update(dict.fromkeys(rendering.parse(part.content).variables))
            except TemplateProblem as error:
                problems.append(Problem(f"{error.reason} {error.hint}".strip(), place, error.line, error.column))
            if reason := intake.problem(part.content):
                problems.append(Problem(f"the text {reason}.", place, 1, 1))
        try:
            self.spec()
        except Invalid as error:
            problems += [Problem(f"{name.replace('_', ' ')}: {reason}.") for name, reason in error.fields.items()]
        return tuple(variables), tuple(problems)

    def rearranged(self, action: str) -> Editor:
        """After `add`, `up:<place>`, `down:<place>` or `drop:<place>`; anything else changes nothing."""
        verb, _, place_text = action.partition(":")
        parts = list(self.parts)
        place = int(place_text) if place_text.isascii() and place_text.isdigit() else -1
        if verb == "add" and len(parts) < MAX_PARTS:
            parts.append(Part("user" if parts and parts[-1].role != "user" else "assistant", ""))
        elif verb == "drop" and 0 <= place < len(parts):
            del parts[place]
        elif verb in {"up", "down"} and 0 <= place < len(parts):
            other = place - 1 if verb == "up" else place + 1
            if 0 <= other < len(parts):
                parts[place], parts[other] = parts[other], parts[place]
        return replace(self, parts=tuple(parts))


def inputs_typed(data: QueryDict, variables: Sequence[str]) -> dict[str, Json]:
    """The values for a try-out: text, or JSON where it is a list or an object.

    :raises Invalid: for JSON that cannot be stored.
    """
    return {name: _value(str(data[f"input-{name}"])) for name in variables if f"input-{name}" in data}


def _value(typed: str) -> Json:
    stripped = typed.strip()
    if stripped[:1] in {"{", "["}:
        try:
            json.loads(stripped)
        except (ValueError, RecursionError):
            return typed
        return intake.loads(stripped, max_bytes=1_000_000)
    return typed.replace("\r\n", "\n")


def _number_text(value: Json) -> str:
    return "" if value is None else str(value)


class MoveLabel(forms.Form):
    """Where a label goes."""

    label = forms.RegexField(
        r"\A[a-z0-9][a-z0-9._-]{0,59}\Z",
        max_length=60,
        error_messages={"invalid": "Lower-case letters, digits, “.”, “-” and “_”."},
    )
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)
    expected = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    reason = forms.CharField(required=False, max_length=500)
