"""What a prompt file says, as one frozen object that is stored as JSON `{"v": 1, …}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Part:
    """One message. `line` is where its text starts in the file, for errors; 0 when unknown."""

    role: str
    content: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One declared input; `default` is used by try-outs, and by rendering when the caller gives nothing."""

    name: str
    kind: str = "string"
    description: str = ""
    default: Json = None
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """A parsed prompt. `extra` keeps the front matter's keys that the platform does not know."""

    name: str = ""
    description: str = ""
    parts: tuple[Part, ...] = ()
    model: str = ""
    provider: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    inputs: tuple[InputSpec, ...] = ()
    outputs: Json = None
    tools: Json = None
    extra: Mapping[str, Json] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """For the database; `from_json` reads it back."""
        return {
            "v": 1,
            "name": self.name,
            "description": self.description,
            "parts": [{"role": part.role, "content": part.content, "line": part.line} for part in self.parts],
            "model": self.model,
            "provider": self.provider,
            "parameters": dict(self.parameters),
            "inputs": [
                {"name": one.name, "kind": one.kind, "description": one.description}
                | ({"default": one.default} if one.has_default else {})
                for one in self.inputs
            ],
            "outputs": self.outputs,
            "tools": self.tools,
            "extra": dict(self.extra),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> PromptSpec:
        """:raises ValueError: for a version of the shape that this code does not know."""
        if data.get("v") != 1:
            raise ValueError(f"prompt spec of version {data.get('v')!r}")
        return cls(
            name=data["name"],
            description=data["description"],
            parts=tuple(Part(**part) for part in data["parts"]),
            model=data["model"],
            provider=data["provider"],
            parameters=data["parameters"],
            inputs=tuple(InputSpec(**one, has_default="default" in one) for one in data["inputs"]),
            outputs=data["outputs"],
            tools=data["tools"],
            extra=data["extra"],
        )
