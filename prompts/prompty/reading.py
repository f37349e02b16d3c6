"""Read a `.prompty` file; every refusal names the line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import yaml

from llmops.common import text
from llmops.common.errors import Invalid
from prompts.prompty.spec import InputSpec, Part, PromptSpec

MAX_FILE = 256 * 1024
MAX_FRONT_MATTER = 64 * 1024
MAX_PARTS = 200
MAX_NODES = 5_000
ROLES = ("system", "user", "assistant", "developer", "tool")

_ROLE_LINE = re.compile(
    r"^[ \t]*#?[ \t]*(system|user|assistant|developer|tool)(?:\[[^\]\n]{0,200}\])?[ \t]*:[ \t]*$", re.I
)
_KNOWN = frozenset({"name", "description", "model", "inputs", "outputs", "tools"})

Json = Any


class PromptyProblem(Invalid):
    """`line` and `column` count from 1 in the file."""

    code = "prompt_file"

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"Line {line}: {message}")
        self.reason = message
        self.line = line
        self.column = column


def read(source: str) -> PromptSpec:
    """The spec of a file's text.

    :raises PromptyProblem: with the line, when it is not a prompt file.
    """
    if len(source) > MAX_FILE:
        raise PromptyProblem(f"the file has {len(source):,} characters; the limit is {MAX_FILE:,}.")
    if (reason := text.problem(source)) is not None:
        raise PromptyProblem(f"the file {reason}.")
    lines = source.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    front, body_at = _front_matter(lines)
    meta = _yaml(front) if front.strip() else {}
    parts = tuple(_parts(lines, body_at))
    if len(parts) > MAX_PARTS:
        raise PromptyProblem(f"more than {MAX_PARTS} messages.", line=parts[MAX_PARTS].line)
    return _spec(meta, parts)


def _front_matter(lines: list[str]) -> tuple[str, int]:
    """The YAML between the two `---` lines, and the index of the first line after them."""
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is None or lines[first].strip() != "---":
        return "", 0
    for index in range(first + 1, len(lines)):
        if lines[index].strip() == "---":
            return "\n" * (first + 1) + "\n".join(lines[first + 1 : index]), index + 1
    raise PromptyProblem("the front matter starts with “---” and never ends with one.", line=first + 1)


def _yaml(front: str) -> dict[str, Json]:
    if len(front) > MAX_FRONT_MATTER:
        raise PromptyProblem(f"the front matter is longer than {MAX_FRONT_MATTER:,} characters.")
    try:
        # Aliases can make a small file huge: they are refused on the event stream, before anything is built.
        for count, event in enumerate(yaml.parse(front, Loader=yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                raise PromptyProblem("aliases (*name) cannot be used.", line=_line(event))
            if count > MAX_NODES:
                raise PromptyProblem("the front matter has too many entries.", line=_line(event))
        loaded = yaml.safe_load(front)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = {"line": mark.line + 1, "column": mark.column + 1} if mark else {}
        raise PromptyProblem(f"{error.problem or 'the front matter is not YAML'}.", **place) from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise PromptyProblem(f"the front matter is not YAML: {str(error)[:120]}.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise PromptyProblem("the front matter must be a mapping of names to values.")
    try:
        plain: dict[str, Json] = text.storable(_plain(loaded))
    except Invalid as error:
        raise PromptyProblem(error.message) from None
    return plain


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _plain(value: Json) -> Json:
    """YAML's dates and other keys as JSON has them."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | set | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        raise PromptyProblem("binary values cannot be used in the front matter.")
    if isinstance(value, float) and not math.isfinite(value):
        raise PromptyProblem("numbers in the front matter must be finite.")
    if isinstance(value, int) and abs(value) >= 10**100:
        raise PromptyProblem("a number in the front matter is too long.")
    return value


def _parts(lines: list[str], start: int) -> Iterator[Part]:
    role, first, gathered = "system", start, list[str]()
    for index in range(start, len(lines)):
        marker = _ROLE_LINE.match(lines[index])
        if marker is None:
            gathered.append(lines[index])
            continue
        yield from _part(role, gathered, first)
        role, first, gathered = marker.group(1).lower(), index + 1, []
    yield from _part(role, gathered, first)


def _part(role: str, lines: list[str], first: int) -> Iterator[Part]:
    """The message without the blank lines around it; an empty one is none."""
    while lines and not lines[0].strip():
        lines, first = lines[1:], first + 1
    content = "\n".join(lines).rstrip()
    if content:
        yield Part(role=role, content=content, line=first + 1)


def _spec(meta: Mapping[str, Json], parts: tuple[Part, ...]) -> PromptSpec:
    model = _mapping(meta, "model", shorthand="id")
    # The older layout of the format kept parameters and the model's name one level deeper.
    older = _mapping(model, "configuration")
    options = _mapping(model, "options") or _mapping(model, "parameters")
    return PromptSpec(
        name=_text(meta, "name"),
        description=_text(meta, "description"),
        parts=parts,
        model=_text(model, "id") or _text(older, "azure_deployment") or _text(older, "name"),
        provider=_text(model, "provider"),
        parameters=options,
        inputs=tuple(_inputs(meta.get("inputs"))),
        outputs=meta.get("outputs"),
        tools=meta.get("tools"),
        extra={key: value for key, value in meta.items() if key not in _KNOWN}
        | ({"model": rest} if (rest := _rest_of_model(model)) else {}),
    )


def _rest_of_model(model: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in model.items() if key not in {"id", "provider", "options", "parameters"}}


def _mapping(meta: Mapping[str, Json], key: str, *, shorthand: str = "") -> Mapping[str, Json]:
    value = meta.get(key)
    if value is None:
        return {}
    if shorthand and isinstance(value, str):
        return {shorthand: value}
    if not isinstance(value, dict):
        raise PromptyProblem(f"“{key}” in the front matter must be a mapping.")
    return value


def _text(meta: Mapping[str, Json], key: str) -> str:
    value = meta.get(key)
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise PromptyProblem(f"“{key}” in the front matter must be text.")
    return str(value)


def _inputs(declared: Json) -> Iterator[InputSpec]:
    """A list of `{name, kind, default}`, or the older mapping of names to types, objects or sample values."""
    if declared is None:
        return
    if isinstance(declared, dict):
        declared = [
            {"name": name, **value} if isinstance(value, dict) else {"name": name, "default": value}
            for name, value in declared.items()
        ]
    if not isinstance(declared, list) or not all(isinstance(one, dict) and one.get("name") for one in declared):
        raise PromptyProblem("“inputs” in the front matter must be a list of entries with a name.")
    for one in declared:
        has_default = "default" in one
        yield InputSpec(
            name=str(one["name"]),
            kind=str(one.get("kind") or one.get("type") or "string"),
            description=str(one.get("description") or ""),
            default=one.get("default"),
            has_default=has_default,
        )
