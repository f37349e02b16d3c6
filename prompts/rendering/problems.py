"""What can be wrong with a template, with the place."""

from __future__ import annotations

import re

from llmops.common.errors import Invalid


class TemplateProblem(Invalid):
    """`line` and `column` count from 1 in the template's own text; `hint` says what to write instead."""

    code = "template"

    def __init__(self, message: str, *, line: int = 1, column: int = 1, hint: str = "") -> None:
        super().__init__(f"Line {line}, column {column}: {message}" + (f" {hint}" if hint else ""))
        self.reason = message
        self.line = line
        self.column = column
        self.hint = hint


def column_of(source: str, line: int, word: str) -> int:
    """Where `word` stands on the line, else where the first tag of the line starts: Jinja2 keeps lines only."""
    lines = source.splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    if word and (found := re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)):
        return found.start() + 1
    tag = re.search(r"\{[{%#]", text)
    return tag.start() + 1 if tag else 1
