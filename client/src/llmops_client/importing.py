"""`llmops import`: convert, say what cannot be supported, and put the rest into the project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llmops_client import uploads
from llmops_client.errors import Exit, Refused
from llmops_client.importers import openai_evals, promptfoo
from llmops_client.importers.reading import Folder, read_config
from llmops_client.importers.types import Conversion, Finding, NewEvaluator
from llmops_client.rest import Server

Json = Any
Say = Callable[[str], None]


def read_promptfoo(config: Path, *, root: Path | None, name: str) -> Conversion:
    """:raises Problem: when the file is not a promptfoo configuration."""
    return promptfoo.convert(read_config(config), str(config), Folder(config.parent, root), name=name)


def read_openai_evals(
    config: Path, *, data: Path | None, rubrics: Path | None, only: str, name: str
) -> list[Conversion]:
    """Every eval of the file; samples and rubrics lie where the registry has them when nothing is said.

    :raises Problem: when the file is not a registry file.
    """
    beside = config.parent.parent
    return openai_evals.convert(
        read_config(config),
        str(config),
        data=Folder(data or beside / "data"),
        rubrics=Folder(rubrics or beside / "modelgraded"),
        only=only,
        name=name,
    )


def carry_out(found: Sequence[Conversion], server: Server | None, say: Say, *, strict: bool) -> Exit:
    """Make everything on the server, or only say what would be made when there is none.

    Ends with 1 when nothing could be converted, and with `strict` when anything is lost.
    """
    for conversion in found:
        if server is not None:
            _upload(conversion, server)
        _report(conversion, say, done=server is not None)
    if all(one.verdict == "not" for one in found):
        return Exit.FAIL
    return Exit.FAIL if strict and any(one.lost for one in found) else Exit.PASS


def _upload(conversion: Conversion, server: Server) -> None:
    for prompt in list(conversion.prompts):
        try:
            uploads.prompt(server, prompt.name, prompt.content, f"From {Path(conversion.source).name}")
        except Refused as refused:
            _refuse(refused)
            conversion.prompts.remove(prompt)
            conversion.findings.append(Finding(prompt.file, prompt.line, "prompt refused", str(refused)))
    slugs: dict[str, str] = {}
    for evaluator in list(conversion.evaluators):
        try:
            slugs[evaluator.slug] = _evaluator(server, evaluator)
        except Refused as refused:
            _refuse(refused)
            conversion.without(evaluator, str(refused))
    for dataset in conversion.datasets:
        uploads.examples(server, dataset.slug, dataset.description, dataset.examples)
    for place, dataset in enumerate(conversion.datasets):
        named = tuple(slugs.get(slug, slug) for slug in dataset.evaluators)
        conversion.datasets[place] = type(dataset)(dataset.slug, dataset.description, dataset.examples, named)


def _evaluator(server: Server, evaluator: NewEvaluator) -> str:
    spec = evaluator.spec
    if evaluator.rubric is not None:
        saved = uploads.prompt(server, evaluator.rubric.name, evaluator.rubric.content, f"Rubric of {evaluator.slug}")
        spec = {**spec, "judge": {"prompt": evaluator.rubric.name, "version": saved["version"]}}
    return uploads.evaluator(server, evaluator.slug, spec, evaluator.what)


def _refuse(refused: Refused) -> None:
    """Only what the server does not take for its content is a finding; anything else stops the import."""
    if refused.status != 400:
        raise refused


def _report(conversion: Conversion, say: Say, *, done: bool) -> None:
    say(f"{conversion.source}: {conversion.verdict} {'imported' if done else 'convertible'}")
    for prompt in conversion.prompts:
        say(f"  prompt {prompt.name}")
    for dataset in conversion.datasets:
        evaluators = f", evaluators: {' '.join(dataset.evaluators)}" if dataset.evaluators else ", no evaluators"
        say(f"  dataset {dataset.slug}: {len(dataset.examples)} examples{evaluators}")
    if conversion.prompts and conversion.datasets:
        for dataset in conversion.datasets:
            if dataset.evaluators:
                names = " ".join(dataset.evaluators)
                say(f"  run: llmops eval --prompt {conversion.prompts[0].name} --dataset {dataset.slug} -E {names}")
    for title, wanted in (("not supported", True), ("to know", False)):
        chosen = [one for one in conversion.findings if one.lost is wanted]
        if chosen:
            say(f"  {title}:")
            for one in chosen:
                say(f"    {one}")
