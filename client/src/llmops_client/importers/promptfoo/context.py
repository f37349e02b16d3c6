"""What the parts of a promptfoo conversion share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.importers.reading import Folder, NotThere
from llmops_client.importers.types import Finding

Json = Any
CODE = (".js", ".cjs", ".mjs", ".ts", ".mts", ".cts", ".py", ".rb", ".go", ".sh")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, for findings."""

    file: str
    line: int


@dataclass(slots=True)
class Context:
    """The configuration's file, its lines, the files beside it, and what was found on the way."""

    file: str
    lines: yamls.Lines
    folder: Folder
    findings: list[Finding] = field(default_factory=list)

    def at(self, *path: str | int) -> Place:
        return Place(self.file, self.lines.at(*path))

    def lose(self, place: Place, kind: str, detail: str = "") -> None:
        """Something is not carried over."""
        self._add(Finding(place.file, place.line, kind, detail))

    def note(self, place: Place, kind: str, detail: str = "") -> None:
        """Something is worth knowing."""
        self._add(Finding(place.file, place.line, kind, detail, lost=False))

    def _add(self, finding: Finding) -> None:
        if finding not in self.findings:
            self.findings.append(finding)

    def loaded(self, reference: str) -> tuple[Json, yamls.Lines]:
        """The value of a YAML or JSON file that `file://…` names.

        :raises NotThere: when it cannot be had.
        """
        name = name_of(reference)
        try:
            return yamls.load(self.folder.text(name), name)
        except Problem as problem:
            raise NotThere(str(problem)) from None


def name_of(reference: str) -> str:
    """The file's name in `file://name`."""
    return reference.removeprefix("file://")


def is_code(reference: str) -> bool:
    """Whether the file is a program, with or without a function's name behind it."""
    name = name_of(reference).lower()
    return name.endswith(CODE) or any(f"{ending}:" in name for ending in CODE)
