"""The command `llmops`."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

from llmops_client import __version__, evaluation, gate, importing, local, reports, syncing, uploads
from llmops_client.errors import Exit, Problem
from llmops_client.files import text_of, write_text
from llmops_client.progress import Progress
from llmops_client.rest import Server

Json = Any
EPILOG = "Exit codes: 0 pass, 1 fail (for push: a conflict; for drift: drift), 2 inconclusive, 3 error."


class _Parser(argparse.ArgumentParser):
    """Wrong arguments end with 3: argparse's own 2 would read as inconclusive."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(Exit.ERROR, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except Problem as problem:
        sys.stderr.write(f"llmops: {problem}\n")
        return Exit.ERROR
    except KeyboardInterrupt:
        sys.stderr.write("llmops: stopped\n")
        return Exit.ERROR


def parser() -> argparse.ArgumentParser:
    top = _Parser(prog="llmops", description="Gates, prompts as files and imports, over the REST API.", epilog=EPILOG)
    top.add_argument("--version", action="version", version=__version__)
    top.add_argument("--url", default=os.environ.get("LLMOPS_URL", ""), help="the server (default: LLMOPS_URL)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_eval(commands)
    _add_syncing(commands)
    _add_import(commands)
    return top


def server_of(options: argparse.Namespace) -> Server:
    """The server and project that the environment names; the key is never an argument, which others could read."""
    return Server(options.url, os.environ.get("LLMOPS_KEY", ""))


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


# eval


def _add_eval(commands: Any) -> None:
    one = commands.add_parser("eval", help="run, compare with a baseline, and decide", epilog=EPILOG)
    one.set_defaults(run=_eval)
    one.add_argument("--prompt", default="", help="its path; with --local the name of --file when left out")
    candidate = one.add_mutually_exclusive_group()
    candidate.add_argument("--version", type=int, metavar="N", help="the candidate: this version")
    candidate.add_argument("--label", default="", help="the candidate: the version under this label")
    candidate.add_argument("--file", type=Path, help="the candidate: this .prompty file, saved as a version first")
    one.add_argument("--dataset", required=True, help="its slug; with --local a CSV, JSON or JSONL file")
    one.add_argument("--dataset-version", type=int, metavar="N", help="default: the newest, sealed by the run")
    one.add_argument(
        "-E", "--evaluator", nargs="+", action="extend", default=[], metavar="E",
        help="slugs, metrics' names or configurations as JSON; default: those of the gate",
    )  # fmt: skip
    one.add_argument("--against", default="", help="the baseline's label; with --local a .prompty file")
    one.add_argument("--gate", type=Path, metavar="FILE", help="what the candidate must reach, in YAML")
    for name, meaning in (("junit", "JUnit XML"), ("json", "JSON"), ("markdown", "Markdown")):
        one.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write the report as {meaning}")
    one.add_argument("--repeats", type=int, default=1)
    one.add_argument("--concurrency", type=int, help="calls in flight")
    one.add_argument("--model", default="", help="instead of the prompts' own")
    one.add_argument("--connection", default="", help="the connection's name; default: the project's")
    one.add_argument("--max-cost-usd", type=float, help="pause a run that would cost more; a paused run is an error")
    one.add_argument("--no-cache", action="store_true", help="ask the model even for answers that are known")
    one.add_argument("--no-reuse", action="store_true", help="run the baseline even if it was run before")
    one.add_argument("--commit", default="", help="the application's commit, kept with the run")
    one.add_argument("--message", default="", help="of the version that --file saves")
    one.add_argument("--timeout", type=float, default=3600.0, metavar="S", help="seconds until it is an error")
    _add_local(one)


def _add_local(one: argparse.ArgumentParser) -> None:
    here = one.add_argument_group("without a server")
    here.add_argument("--local", action="store_true", help="start a platform in a scratch folder (LLMOPS_HOME)")
    here.add_argument("--provider", default="openai", choices=["openai", "anthropic", "openai-compatible", "demo"])
    here.add_argument("--provider-url", default="")
    here.add_argument("--provider-model", default="", help="for prompts that name none")
    here.add_argument("--provider-key-from", default="", metavar="NAME", help="environment variable with its key")
    here.add_argument("--prompts", type=Path, metavar="FOLDER", help="prompt files to load too: rubrics, includes")
    here.add_argument("--evaluators", type=Path, metavar="FILE", help="YAML: slugs and configurations")


def _eval(options: argparse.Namespace) -> Exit:
    try:
        found = _evaluated(options)
    except Problem as problem:
        if options.junit:
            write_text(options.junit, reports.junit_of_error(str(problem)))
        if options.json:
            body = {"v": 1, "result": "error", "exit_code": int(Exit.ERROR), "problem": str(problem)}
            write_text(options.json, json.dumps(body, indent=2) + "\n")
        if options.markdown:
            write_text(options.markdown, f"### llmops eval\n\n**Gate: ERROR**\n\n```\n{problem}\n```\n")
        raise
    sys.stdout.write(reports.table(found))
    if options.junit:
        write_text(options.junit, reports.junit(found))
    if options.json:
        write_text(options.json, json.dumps(reports.as_json(found), indent=2, ensure_ascii=False) + "\n")
    if options.markdown:
        write_text(options.markdown, reports.markdown(found))
    return reports.exit_of(found)


def _evaluated(options: argparse.Namespace) -> evaluation.Evaluation:
    asked = gate.read(text_of(options.gate), str(options.gate)) if options.gate else gate.Gate()
    evaluators = list(dict.fromkeys(options.evaluator or [rule.evaluator for rule in asked.rules]))
    if not evaluators:
        raise Problem("Name at least one evaluator with --evaluator, or in the gate.")
    progress = Progress(sys.stderr)
    with _platform(options, progress) as server:
        wanted = _wanted(options, evaluators)
        if options.local:
            wanted = _loaded(server, options, evaluators, progress)
        elif not wanted.prompt:
            raise Problem("Name the prompt with --prompt.")
        return evaluation.evaluate(server, wanted, asked, progress)


def _platform(options: argparse.Namespace, progress: Progress) -> AbstractContextManager[Server]:
    if not options.local:
        return nullcontext(server_of(options))
    provider = local.Provider(options.provider, options.provider_url, options.provider_model, options.provider_key_from)
    return local.LocalPlatform(provider, progress.say)


def _wanted(options: argparse.Namespace, evaluators: Sequence[str], **given: Json) -> evaluation.Wanted:
    plain = {
        "prompt": options.prompt, "dataset": options.dataset, "version": options.version, "label": options.label,
        "file": options.file, "against": options.against,
    }  # fmt: skip
    return evaluation.Wanted(
        **(plain | given),
        evaluators=evaluators,
        dataset_version=options.dataset_version,
        repeats=options.repeats,
        concurrency=options.concurrency,
        model=options.model,
        connection=options.connection,
        max_cost_usd=options.max_cost_usd,
        use_cache=not options.no_cache,
        reuse=not options.no_reuse,
        commit=options.commit,
        message=options.message,
        timeout_s=options.timeout,
    )


def _loaded(
    server: Server, options: argparse.Namespace, evaluators: Sequence[str], progress: Progress
) -> evaluation.Wanted:
    """Put the files into the empty platform; the baseline becomes `production`."""
    if options.file is None or options.version is not None or options.label:
        raise Problem("--local evaluates a file: say which with --file.")
    name = options.prompt or re.sub(r"[^A-Za-z0-9._-]+", "-", options.file.stem).strip("-._") or "prompt"
    dataset = Path(options.dataset)
    slug = uploads.slug_of(dataset.stem)
    uploads.dataset_file(server, dataset, slug)
    if options.prompts:
        uploads.prompts_folder(server, options.prompts, progress.say)
    if options.evaluators:
        uploads.evaluators_file(server, options.evaluators)
    if options.against:
        saved = uploads.prompt(server, name, text_of(Path(options.against)), "The baseline")
        server.put(f"/prompts/{name}/labels/{syncing.LABEL}", {"version": saved["version"]})
    against = syncing.LABEL if options.against else ""
    return _wanted(options, evaluators, prompt=name, dataset=slug, against=against)


# pull, push, lock, drift


def _add_syncing(commands: Any) -> None:
    pull = commands.add_parser("pull", help="write a label's prompts as files, and the lock")
    push = commands.add_parser("push", help="save changed files as new versions")
    lock = commands.add_parser("lock", help="write down which versions a label means now")
    drift = commands.add_parser("drift", help="fail when the label is not what the lock says")
    for one in (pull, push, lock, drift):
        one.add_argument("--folder", type=Path, default=Path("prompts"), help="default: prompts")
    for one in (pull, push, lock):
        one.add_argument("names", nargs="*", metavar="PROMPT", help="default: all")
    for one in (pull, lock):
        one.add_argument("--label", default=syncing.LABEL, help=f"default: {syncing.LABEL}")
    pull.add_argument("--force", action="store_true", help="overwrite files that were edited here")
    push.add_argument("-m", "--message", default="")
    pull.set_defaults(run=lambda o: syncing.pull(server_of(o), o.folder, o.label, o.names, _say, force=o.force))
    push.set_defaults(run=lambda o: syncing.push(server_of(o), o.folder, o.names, o.message, _say))
    lock.set_defaults(run=lambda o: syncing.lock(server_of(o), o.folder, o.label, o.names, _say))
    drift.set_defaults(run=lambda o: syncing.drift(server_of(o), o.folder, _say))


# import


def _add_import(commands: Any) -> None:
    kinds = commands.add_parser("import", help="bring a configuration of another tool").add_subparsers(
        dest="kind", required=True, metavar="KIND", parser_class=_Parser
    )
    promptfoo = kinds.add_parser("promptfoo", help="prompts, tests and assertions of a promptfoo configuration")
    registry = kinds.add_parser("openai-evals", help="an eval of an OpenAI Evals registry")
    registry.add_argument("--data", type=Path, help="folder of the samples (registry/data)")
    registry.add_argument("--modelgraded", type=Path, help="folder of the rubrics (registry/modelgraded)")
    registry.add_argument("--eval", default="", help="only this one of the file")
    for one in (promptfoo, registry):
        one.add_argument("config", type=Path)
        one.add_argument("--name", default="", help="what prompts and datasets are called; default: from the file")
        one.add_argument("--root", type=Path, help="files outside this folder are not read; default: CONFIG's folder")
        one.add_argument("--dry-run", action="store_true", help="only say what would be made")
        one.add_argument("--strict", action="store_true", help="end with 1 when anything cannot be supported")
    promptfoo.set_defaults(run=_import_promptfoo)
    registry.set_defaults(run=_import_registry)


def _import_promptfoo(options: argparse.Namespace) -> Exit:
    found = importing.read_promptfoo(options.config, root=options.root, name=options.name)
    return _imported(options, [found])


def _import_registry(options: argparse.Namespace) -> Exit:
    found = importing.read_openai_evals(
        options.config, data=options.data, rubrics=options.modelgraded, only=options.eval, name=options.name
    )
    return _imported(options, found)


def _imported(options: argparse.Namespace, found: Sequence[Any]) -> Exit:
    server = None if options.dry_run else server_of(options)
    return importing.carry_out(found, server, _say, strict=options.strict)
