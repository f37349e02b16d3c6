"""Templates of other tools (Nunjucks, Jinja): what the platform's templates can say as well, and simple filling in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = Any

_EXPRESSION = re.compile(r"\{\{-?(.*?)-?\}\}", re.S)
_TAG = re.compile(r"\{%-?(.*?)-?%\}", re.S)
_PATH = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[(?:\d+|'[^']*'|\"[^\"]*\")\])*"
_LITERAL = r"'[^']*'|\"[^\"]*\"|\d+(?:\.\d+)?"
_FILTERS = "default|join|length|lower|tojson|trim|upper"
_GOOD = re.compile(rf"\s*(?:{_PATH}|{_LITERAL})(?:\s*\|\s*(?:{_FILTERS})(?:\([^(){{}}]*\))?)*\s*\Z")
_GOOD_TAG = re.compile(
    r"\s*(?:(?:if|elif)\s[^()+*/~]+|else|endif|endfor|raw|endraw|for\s+[A-Za-z_]\w*\s+in\s+[A-Za-z_][\w.]*)\s*\Z", re.S
)
_FOR = re.compile(r"\bfor\s+([A-Za-z_]\w*)\s+in\b")
_NAME = re.compile(r"(?<![\w.'\"|])([A-Za-z_]\w*)")
_STRINGS = re.compile(r"'[^']*'|\"[^\"]*\"")
_FILTER_USE = re.compile(r"\|\s*\w+(?:\([^()]*\))?")
_WORDS = frozenset(
    {
        "if", "elif", "else", "endif", "for", "in", "endfor", "raw", "endraw", "and", "or", "not", "is", "none",
        "defined", "undefined", "true", "false", "loop", "True", "False", "None",
    }
)  # fmt: skip


def converted(text: str) -> tuple[str, list[str]]:
    """The template in the platform's spelling, and what it uses that the platform's templates have not."""
    body = re.sub(r"\{%(-?)\s*elseif\b", r"{%\1 elif", text)
    body = _EXPRESSION.sub(lambda found: _respelled(found.group(0)), body)
    problems = [_problem(found.group(1)) for found in _EXPRESSION.finditer(body) if not _is_good(found.group(1))]
    problems += [f"{{%{found.group(1)}%}}" for found in _TAG.finditer(body) if not _GOOD_TAG.match(found.group(1))]
    rest = _TAG.sub("", _EXPRESSION.sub("", re.sub(r"\{#.*?#\}", "", body, flags=re.S)))
    problems += [f"an open {mark}" for mark in ("{{", "{%", "{#") if mark in rest]
    if "_conversation" in variables(body):
        problems.append("_conversation, the turns before")
    return body, [" ".join(problem.split())[:80] for problem in problems]


def variables(text: str) -> set[str]:
    """The names at the start of what a template uses, without those of its loops."""
    found: set[str] = set()
    for inside in [*_EXPRESSION.findall(text), *_TAG.findall(text)]:
        found |= set(_NAME.findall(_FILTER_USE.sub("", _STRINGS.sub("''", inside))))
    return found - _WORDS - set(_FOR.findall(text))


def filled(text: str, values: Mapping[str, Json]) -> str | None:
    """The text with plain `{{ name }}` filled in; None when it holds more than that."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name = found.group(1).strip()
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            missing = True
            return ""
        return as_text(values.get(name, ""))

    done = _EXPRESSION.sub(value, text)
    return None if missing or "{%" in text else done


def as_text(value: Json) -> str:
    """A value as templates write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "" if value is None else str(value)


def _respelled(expression: str) -> str:
    """`dump` is `tojson` here, and nothing is escaped, so `safe` says nothing."""
    without = re.sub(r"\|\s*dump(?:\([^()]*\))?", "| tojson", expression)
    return re.sub(r"\|\s*safe\b(?:\(\))?", "", without)


def _is_good(inside: str) -> bool:
    return bool(_GOOD.match(inside)) and not re.match(r"\s*env\b", inside)


def _problem(inside: str) -> str:
    return f"{{{{{inside}}}}}"
