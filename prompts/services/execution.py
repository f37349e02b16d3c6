"""From a version or typed text, and inputs, to a model's messages: one way for try-outs, runs and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.common.errors import Invalid
from llmops.projects.models import Project
from prompts import queries, rendering
from prompts.models import Artifact, Version
from prompts.prompty import PromptSpec
from prompts.rendering import Template, TemplateProblem
from prompts.services import parsing

MAX_INPUT_CHARS = 1_000_000

Json = Any


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered message."""

    role: str
    content: str

    def as_json(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A prompt made ready once and rendered for many inputs; pickled never, shared between threads freely."""

    spec: PromptSpec
    parts: tuple[tuple[str, Template], ...]
    # The messages' text one after the other: what an include of this prompt means; None when that is too long.
    joined: Template | None

    def messages(self, inputs: Mapping[str, Json]) -> tuple[Message, ...]:
        """Render every part. Declared defaults fill what is not given; inputs that are not used are ignored.

        :raises TemplateProblem: naming the input that is missing, or the limit that was reached.
        """
        if sum(len(str(value)) for value in inputs.values()) > MAX_INPUT_CHARS:
            raise Invalid(f"The inputs have more than {MAX_INPUT_CHARS:,} characters together.")
        values = {one.name: one.default for one in self.spec.inputs if one.has_default} | dict(inputs)
        texts = rendering.render_all((template for _, template in self.parts), values)
        return tuple(Message(role, text) for (role, _), text in zip(self.parts, texts, strict=True))


def compiled(version: Version) -> Compiled:
    """A version ready to render, its includes as they were pinned."""
    pinned = queries.pinned_contents(version)
    ready: dict[int, Compiled] = {}

    def build(one: Version) -> Compiled:
        if one.pk not in ready:
            includes = {path: build(pinned[one.pk, path]) for path in one.content.includes}
            ready[one.pk] = _compile(one.content.prompt, includes)
        return ready[one.pk]

    return build(version)


def compiled_text(project: Project, text: str) -> Compiled:
    """Typed text that is not saved yet; its includes are the latest versions.

    :raises Invalid: when the text is not a prompt, or an include names none.
    """
    parsed = parsing.parse(text)
    includes = {}
    for path in parsed.includes:
        artifact = Artifact.objects.live().filter(project=project, path=path).first()
        latest = queries.latest_of(artifact) if artifact else None
        if latest is None:
            raise Invalid(f"There is no prompt “{path}” to include.", fields={"content": f"include “{path}”"})
        includes[path] = compiled(latest)
    return _compile(parsed.spec, includes)


def _compile(spec: PromptSpec, includes: Mapping[str, Compiled]) -> Compiled:
    templates: dict[str, Template] = {}
    for path, included in includes.items():
        if included.joined is None:
            raise Invalid(f"“{path}” is too long to be included.", fields={"content": f"include “{path}”"})
        templates[path] = included.joined
    parts = tuple((part.role, rendering.parse(part.content).with_includes(templates)) for part in spec.parts)
    try:
        joined = rendering.parse("\n\n".join(part.content for part in spec.parts)).with_includes(templates)
    except TemplateProblem:  # each message is within the limits of a template, all of them together are not
        joined = None
    return Compiled(spec, parts, joined)
