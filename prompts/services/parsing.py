"""From the text of a prompt file to checked content: one validator for pages, API and git pushes."""

from __future__ import annotations

from dataclasses import dataclass

from dulwich.objects import Blob

from prompts import prompty, rendering
from prompts.prompty import PromptSpec
from prompts.rendering import TemplateProblem


@dataclass(frozen=True, slots=True)
class Parsed:
    """A prompt file that is good. `blob_sha` is the git hash (20 bytes) of `text` in UTF-8."""

    text: str
    spec: PromptSpec
    blob_sha: bytes
    variables: tuple[str, ...]
    includes: tuple[str, ...]

    def inputs_json(self) -> list[dict[str, object]]:
        """The declared inputs, then those that are only used, in order."""
        declared = {one["name"]: one for one in self.spec.as_json()["inputs"]}
        return [
            *declared.values(),
            *({"name": name, "kind": "string"} for name in self.variables if name not in declared),
        ]


def parse(text: str) -> Parsed:
    """Read and check a prompt file.

    :raises prompty.PromptyProblem: with the line, when the file is not acceptable.
    :raises TemplateProblem: with line and column in the file, when a message's template is not.
    """
    spec = prompty.read(text)
    if not spec.parts:
        raise prompty.PromptyProblem("the prompt has no message.", line=max(1, text.count("\n")))
    variables: dict[str, None] = {}
    includes: dict[str, None] = {}
    for part in spec.parts:
        try:
            template = rendering.parse(part.content)
        except TemplateProblem as problem:
            raise TemplateProblem(
                problem.reason, line=problem.line + part.line - 1, column=problem.column, hint=problem.hint
            ) from None
        variables.update(dict.fromkeys(template.variables))
        includes.update(dict.fromkeys(template.includes))
    blob = Blob.from_string(text.encode())
    return Parsed(text, spec, bytes.fromhex(blob.id.decode()), tuple(variables), tuple(includes))
