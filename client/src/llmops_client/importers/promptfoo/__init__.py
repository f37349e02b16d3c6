"""promptfoo configurations: prompts, tests and assertions become prompts, datasets and evaluators."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.importers import prompty
from llmops_client.importers.promptfoo import asserts, cases, prompts, providers
from llmops_client.importers.promptfoo.cases import Case
from llmops_client.importers.promptfoo.context import Context
from llmops_client.importers.promptfoo.grouping import Grouping
from llmops_client.importers.promptfoo.prompts import Prompt
from llmops_client.importers.promptfoo.providers import Model
from llmops_client.importers.reading import Folder
from llmops_client.importers.types import Conversion, PromptFile

Json = Any
READ = frozenset({"description", "prompts", "providers", "targets", "tests", "defaultTest", "scenarios", "$schema"})
HARMLESS = frozenset(
    {
        "outputPath", "sharing", "evaluateOptions", "commandLineOptions", "writeLatestResults", "metadata",
        "tags", "env", "outputs",
    }
)  # fmt: skip
MAX_REFERENCES = 32


def convert(text: str, file: str, folder: Folder, *, name: str = "") -> Conversion:
    """A promptfoo configuration as prompts, datasets and evaluators, with a finding for all that is left.

    :param file: how findings name the configuration.
    :param folder: where the files that it names are read.
    :raises Problem: when the text is not a configuration at all.
    """
    data, lines = yamls.load(text, file)
    if not isinstance(data, dict):
        raise Problem(f"{file}: a promptfoo configuration is a mapping with prompts, providers and tests")
    config = _with_references(data, data, 0)
    context = Context(file, lines, folder)
    found = Conversion(source=file, findings=context.findings)
    own = _name(file, name)
    slug = re.sub(r"[^a-z0-9]+", "-", own.lower()).strip("-")[:56] or "promptfoo"
    _tell(config, context)
    key = "providers" if "providers" in config else "targets"
    model = providers.read(config.get(key), context, key)
    read = prompts.read(config.get("prompts"), context)
    if not config.get("prompts"):
        context.lose(context.at(), "no prompts", "nothing to run")
    found.prompts = _prompt_files(read, model, own)
    all_cases = _with_every_variable(cases.read(config, context), read)
    if all_cases:
        checks = [
            [check for one in case.asserts if (check := asserts.read(one, case.inputs, context)) is not None]
            for case in all_cases
        ]
        Grouping(prompty.path_of(own) or "promptfoo", slug, found).run(all_cases, checks)
    elif not any(one.lost for one in context.findings):
        context.lose(context.at("tests"), "no tests", "nothing to run on")
    return found


def _name(file: str, name: str) -> str:
    """The configuration's name: as given, else the file's, and the folder's where the file's says nothing."""
    if name:
        return name
    path = Path(file)
    stem = path.stem.removeprefix("promptfooconfig").strip("-._")
    folder = path.resolve().parent.name
    return f"{folder}-{stem}" if stem else folder


def _tell(config: Mapping[str, Json], context: Context) -> None:
    for key in config.keys() - READ:
        if key in HARMLESS:
            context.note(context.at(key), "has no counterpart and changes no result", key)
        else:
            context.lose(context.at(key), "part of the configuration", key)


def _with_references(value: Json, whole: Json, depth: int) -> Json:
    """`$ref: '#/…'` written out."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/") and depth < MAX_REFERENCES:
            target = whole
            for step in reference[2:].split("/"):
                target = target.get(step) if isinstance(target, dict) else None
            rest = {key: item for key, item in value.items() if key != "$ref"}
            if isinstance(target, dict):
                return _with_references({**target, **rest}, whole, depth + 1)
        return {key: _with_references(item, whole, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_references(item, whole, depth + 1) for item in value]
    return value


def _prompt_files(read: Sequence[Prompt], model: Model, own: str) -> list[PromptFile]:
    found: list[PromptFile] = []
    taken: set[str] = set()
    for number, one in enumerate(read, start=1):
        path = prompty.path_of(own) if len(read) == 1 else prompty.path_of(own, one.label[:60] or f"prompt-{number}")
        if not path or path in taken or (len(read) > 1 and "/" not in path):
            path = f"{prompty.path_of(own) or 'promptfoo'}/prompt-{number}"
        taken.add(path)
        content = prompty.write(
            one.label or own, one.messages, model=model.name, options=model.options, tools=model.tools
        )
        found.append(PromptFile(path, content, one.place.file, one.place.line))
    return found


def _with_every_variable(found: Sequence[Case], read: Sequence[Prompt]) -> list[Case]:
    """Nunjucks writes nothing for a variable that a test does not have; here it is empty text."""
    used = sorted({name for prompt in read for name in prompt.variables})
    return [
        replace(case, inputs={**case.inputs, **{name: "" for name in used if name not in case.inputs}})
        for case in found
    ]
