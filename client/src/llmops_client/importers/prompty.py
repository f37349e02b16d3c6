"""Write the text of a .prompty file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Json = Any
Message = tuple[str, str]
# A line that the file's format would read as the start of another message.
_ROLE_LINE = re.compile(
    r"^(?=[ \t]*#?[ \t]*(?:system|user|assistant|developer|tool)(?:\[[^\]\n]*\])?[ \t]*:[ \t]*$)", re.I | re.M
)
ROLES = ("system", "user", "assistant", "developer", "tool")


class _Dumper(yaml.SafeDumper):
    """Without aliases: the server refuses them."""

    def ignore_aliases(self, data: Json) -> bool:
        return True


def write(
    name: str, messages: Sequence[Message], *, model: str = "", options: Mapping[str, Json] | None = None,
    tools: Json = None,
) -> str:  # fmt: skip
    """The file of a prompt with these messages, whose texts are templates."""
    about = {"id": model, "options": dict(options or {})}
    meta = {"name": name, "model": {key: value for key, value in about.items() if value}, "tools": tools}
    front = yaml.dump(
        {key: value for key, value in meta.items() if value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True
    )
    parts = "\n\n".join(f"{role}:\n{_ROLE_LINE.sub('{##}', content)}" for role, content in messages)
    return f"---\n{front}---\n{parts}\n"


def literal(text: str) -> str:
    """A template that gives this text, whatever stands in it."""
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return text
    return f"{{% raw %}}{text}{{% endraw %}}" if "endraw" not in text else text.replace("{", "{{ '{' }}")


def path_of(*steps: str) -> str:
    """A prompt's path from any texts."""
    clean = [re.sub(r"[^A-Za-z0-9_-]+", "-", step).strip("-")[:70].rstrip("-") for step in steps]
    return "/".join(f"{step}-1" if step.lower() in {"versions", "labels", "render"} else step for step in clean if step)
