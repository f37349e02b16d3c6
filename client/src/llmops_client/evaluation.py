"""Start the candidate's and the baseline's run, watch them, and fetch what a gate needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_client import gate as gates
from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.files import blob_of, text_of
from llmops_client.gate import Decision, Gate
from llmops_client.progress import Progress
from llmops_client.rest import Server

Json = Any
ENDED = frozenset({"done", "cancelled", "failed", "paused"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to evaluate: at most one of `version`, `label` and `file`; without any, the newest version.

    `against` is the baseline's label; empty for no baseline.
    """

    prompt: str
    dataset: str
    evaluators: Sequence[str]
    version: int | None = None
    label: str = ""
    file: Path | None = None
    against: str = ""
    dataset_version: int | None = None
    repeats: int = 1
    concurrency: int | None = None
    model: str = ""
    connection: str = ""
    max_cost_usd: float | None = None
    use_cache: bool = True
    reuse: bool = True
    commit: str = ""
    message: str = ""
    timeout_s: float = 3600.0


@dataclass(slots=True)
class Evaluation:
    """What came of it, as the REST API tells it."""

    candidate: Json
    baseline: Json = None
    reused: bool = False
    comparisons: dict[float | None, Json] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)

    @property
    def outcome(self) -> gates.Outcome:
        return gates.overall(self.decisions)


def evaluate(server: Server, wanted: Wanted, gate: Gate, progress: Progress) -> Evaluation:
    """Run, compare and decide.

    :raises Problem: when a run cannot be started or does not come to its end.
    """
    if gate.compares and not wanted.against:
        raise Problem("The gate compares with a baseline: say with --against which label that is.")
    baseline_version = _labelled(server, wanted.prompt, wanted.against) if wanted.against else None
    number = _saved(server, wanted, progress.say) if wanted.file else wanted.version
    started: list[str] = []
    try:
        candidate = _start(server, wanted, number, wanted.label if number is None else "", wanted.dataset_version)
        started.append(candidate["id"])
        _check_names(gate, candidate)
        progress.say(f"candidate: {_name(candidate)} {candidate['page'] or candidate['url']}")
        baseline, reused = None, False
        if baseline_version is not None:
            baseline = _finished(server, wanted, candidate, baseline_version)
            reused = baseline is not None
            if baseline is None:
                baseline = _start(server, wanted, baseline_version["version"], "", candidate["dataset_version"])
                started.append(baseline["id"])
            again = ", a finished run of before" if reused else ""
            progress.say(f"baseline: {_name(baseline)}{again} {baseline['page'] or baseline['url']}")
        runs = {"candidate": candidate} | ({"baseline": baseline} if baseline else {})
        ended = _watched(server, runs, wanted.timeout_s, progress)
    except BaseException:
        _cancel(server, started, progress.say)
        raise
    found = Evaluation(ended["candidate"], ended.get("baseline"), reused)
    if found.baseline:
        for margin in gate.margins | {None}:
            found.comparisons[margin] = server.get(
                "/runs/compare", a=found.baseline["id"], b=found.candidate["id"], margin=_points(margin)
            )
    found.decisions = gates.decide(gate, found.candidate, found.comparisons)
    return found


def _points(margin: float | None) -> float | None:
    """The API takes margins in points of 100; rounded, so that 0.07 is 7."""
    return None if margin is None else round(margin * 100, 9)


def _labelled(server: Server, prompt: str, label: str) -> Json:
    found = server.find(f"/prompts/{prompt}", label=label)
    if found is None:
        raise Problem(f"{prompt} has no label “{label}” on the server, so there is no baseline to compare with.")
    return found


def _saved(server: Server, wanted: Wanted, say: Callable[[str], None]) -> int:
    """Save the file as a version, unless its text is a version already; returns the number."""
    assert wanted.file is not None
    text = text_of(wanted.file)
    blob = blob_of(text)
    for version in server.pages(f"/prompts/{wanted.prompt}/versions") if _exists(server, wanted.prompt) else ():
        if version["blob"] == blob:
            say(f"{wanted.file} is version {version['version']} of {wanted.prompt} already")
            return int(version["version"])
    body = {"content": text, "message": wanted.message or f"Evaluate {wanted.file.name}"}
    saved = server.post(f"/prompts/{wanted.prompt}/versions", body)
    say(f"{wanted.file} saved as version {saved['version']} of {wanted.prompt}")
    return int(saved["version"])


def _exists(server: Server, prompt: str) -> bool:
    return server.find(f"/prompts/{prompt}", label="latest") is not None


def _start(server: Server, wanted: Wanted, version: int | None, label: str, dataset_version: int | None) -> Json:
    given = {
        "prompt": wanted.prompt, "version": version, "label": label, "dataset": wanted.dataset,
        "dataset_version": dataset_version, "evaluators": [_evaluator(server, one) for one in wanted.evaluators],
        "repeats": wanted.repeats, "concurrency": wanted.concurrency, "model": wanted.model,
        "connection": wanted.connection, "max_cost_usd": wanted.max_cost_usd, "use_cache": wanted.use_cache,
        "application_commit": wanted.commit,
    }  # fmt: skip
    started = server.post("/runs", {name: value for name, value in given.items() if value is not None})
    return server.get(f"/runs/{started['id']}")


def _evaluator(server: Server, named: str) -> Json:
    """An evaluator's slug, a configuration as JSON, or the name of a metric that needs no parameters."""
    if named.lstrip().startswith("{"):
        spec, _ = yamls.load(named, "--evaluator")
        return spec
    if server.find(f"/evaluators/{named}") is not None:
        return named
    metrics = [one["name"] for one in server.get("/metrics")["results"]]
    if named in metrics:
        return {"metric": named, "params": {}}
    raise Problem(
        f"There is no evaluator “{named}” in the project, and no metric of that name; metrics: {', '.join(metrics)}"
    )


def _check_names(gate: Gate, candidate: Json) -> None:
    names = list(candidate["scores"])
    if unknown := gates.missing(gate, names):
        raise Problem(f"The gate names {', '.join(unknown)}; the run's evaluators are {', '.join(names)}.")


def _finished(server: Server, wanted: Wanted, candidate: Json, version: Json) -> Json:
    """The newest finished run that did what the baseline's run would do, or None.

    One that stopped early, or had other parameters than the prompt's own, did something else.
    """
    if not wanted.reuse or not wanted.use_cache:
        return None
    model = wanted.model or version["model"]
    alike = {"version": version["version"], "dataset_version": candidate["dataset_version"], "repeats": wanted.repeats}
    for listed in server.pages("/runs", prompt=wanted.prompt, dataset=wanted.dataset, status="done"):
        if listed["id"] == candidate["id"] or any(listed[name] != value for name, value in alike.items()):
            continue
        if model and listed["model"] != model:
            continue
        run = server.get(f"/runs/{listed['id']}")
        is_whole = run["done"] == run["total"] and run["provenance"]["parameters"] == version["parameters"]
        if is_whole and _is_alike(run["provenance"], candidate["provenance"], is_model_given=bool(model)):
            return run
    return None


def _is_alike(run: Json, candidate: Json, *, is_model_given: bool) -> bool:
    """Whether the run scored with all the candidate's evaluators, through the same connection."""
    have = {one["spec_hash"] for one in run["evaluators"]}
    need = {one["spec_hash"] for one in candidate["evaluators"]}
    # Where neither prompt nor command names a model, both runs must have taken the connection's.
    is_same_model = is_model_given or run["model"] == candidate["model"]
    return need <= have and run["connection"] == candidate["connection"] and is_same_model


def _watched(server: Server, runs: dict[str, Json], timeout_s: float, progress: Progress) -> dict[str, Json]:
    """Wait until all have ended well."""
    deadline, wait = time.monotonic() + timeout_s, 0.25
    while True:
        progress.show(runs)
        for role, run in runs.items():
            if run["status"] in ENDED and run["status"] != "done":
                why = run["problem"] or run["reason"] or "no reason is given"
                raise Problem(f"The {role}'s run is {run['status']}: {why}. {run['page'] or run['url']}")
        waiting = [role for role, run in runs.items() if run["status"] not in ENDED]
        if not waiting:
            progress.end()
            return runs
        if time.monotonic() > deadline:
            raise Problem(f"After {timeout_s:g} seconds the run of the {' and the '.join(waiting)} is not done.")
        time.sleep(wait)
        wait = min(wait * 1.3, 2.0)
        runs = {role: server.get(f"/runs/{run['id']}") if role in waiting else run for role, run in runs.items()}


def _cancel(server: Server, started: Sequence[str], say: Callable[[str], None]) -> None:
    """What nobody will look at need not be paid for."""
    for uid in started:
        try:
            server.post(f"/runs/{uid}/cancel")
        except Problem as error:
            say(f"{uid} could not be cancelled: {error}")


def _name(run: Json) -> str:
    return f"{run['prompt']} version {run['version']} on {run['dataset']} version {run['dataset_version']}"
