"""Write a spec as a `.prompty` file: the same spec always gives the same bytes."""

from __future__ import annotations

from typing import Any

import yaml

from prompts.prompty.spec import InputSpec, PromptSpec

Json = Any


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def write(spec: PromptSpec) -> str:
    """The file's text; `read` gives the same spec back."""
    extra = dict(spec.extra)
    rest_of_model = extra.pop("model", {})
    model = {"id": spec.model, "provider": spec.provider, **rest_of_model, "options": dict(spec.parameters)}
    meta: dict[str, Json] = {
        "name": spec.name,
        "description": spec.description,
        **extra,
        "model": {key: value for key, value in model.items() if value not in ("", {}, None)},
        "inputs": [_input(one) for one in spec.inputs],
        "outputs": spec.outputs,
        "tools": spec.tools,
    }
    meta = {key: value for key, value in meta.items() if value not in ("", {}, [], None)}
    front = yaml.dump(meta, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100) if meta else ""
    parts = "\n\n".join(f"{part.role}:\n{part.content}" for part in spec.parts)
    return f"---\n{front}---\n{parts}\n"


def _input(one: InputSpec) -> dict[str, Json]:
    entry: dict[str, Json] = {"name": one.name, "kind": one.kind}
    if one.description:
        entry["description"] = one.description
    if one.has_default:
        entry["default"] = one.default
    return entry
