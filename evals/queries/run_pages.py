"""What the pages of runs show, computed before a template prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet

from evals.models import Result, Run, Score
from evals.queries.runs import asking, runs_in, settled_states
from llmops.common import ids
from llmops.projects.models import Project

ENOUGH_TO_GUESS = 10
SAMPLED_FAILURES = 500
SHOWN_EXAMPLES = 5
MOST_OFFERED = 25
# What to do about a failure: the gateway's codes, then those of a run's own.
ADVICE = {
    "auth": "Check the key of the connection in the settings",
    "bad_request": "The provider refused the request; see the prompt's parameters",
    "bad_response": "The provider's answer was not readable; retry, or test the connection in the settings",
    "cancelled": "It was stopped before it was done; retry when you want it",
    "connect": "The provider could not be reached; test the connection in the settings",
    "content_filter": "The provider's filter stopped the answer; retrying gives the same",
    "deadline": "The provider took too long; retry, or ask for shorter answers",
    "egress_refused": "The connection's address must not be called; the operator can allow it",
    "limit_wait": "The connection's limit left no room in time; raise it, or retry with fewer in flight",
    "model_not_found": "Check the model's name, and the address of the connection",
    "overloaded": "The provider was busy; retry the failed ones",
    "quota": "The provider's account has no credit left; fill it up, then retry",
    "rate_limited": "Lower the limit of the connection, then retry the failed ones",
    "server_error": "The provider failed; retry the failed ones",
    "timeout": "The provider took too long; retry, or ask for shorter answers",
    "too_large": "The text is longer than the provider takes or may send; shorten the prompt or the inputs",
    "truncated": "The answer broke off on its way; retry the failed ones",
    "unknown_kind": "The connection's provider is not part of this version; choose another connection",
    "no_embeddings": "Name a connection that offers embeddings, or a fallback",
    "no_output": "The dataset has no recorded output in this row",
    "quarantined": "The work of this row failed again and again; see the log, then retry",
    "template": "The prompt cannot be filled with this row's inputs",
}


@dataclass(frozen=True, slots=True)
class Names:
    """How pages call a run: `title` says what was run, `short` tells runs of the same thing apart."""

    uid: str
    title: str
    short: str
    prompt_path: str
    version_word: str


@dataclass(frozen=True, slots=True)
class Head:
    uid: str
    title: str
    short: str
    state: str
    problem: str
    dataset_slug: str
    dataset_number: int
    examples: int
    split: str
    repeats: int
    by: str
    created_at: datetime
    took: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; `left` and `expected_usd` are guesses, given once enough is done to make them."""

    done: int
    total: int
    failed: int
    cached: int
    verdicts: int
    verdicts_total: int
    spent_usd: Decimal
    cap_usd: Decimal | None
    expected_usd: Decimal | None
    left: str

    @property
    def unfinished(self) -> bool:
        return self.done < self.total


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of one kind, with some of the examples' numbers."""

    count: int
    reason: str
    code: str
    examples: str
    advice: str


def listed_in(project: Project, *, prompt: str = "", dataset: str = "", state: str = "") -> QuerySet[Run]:
    """The project's runs with `shown_done`, the number of their results; an unknown state narrows nothing."""
    rows = runs_in(project, prompt=prompt, dataset=dataset, state=state if state in Run.State.values else "")
    return rows.annotate(shown_done=Count("results"))


def settled_in(project: Project, dataset: str = "") -> list[Run]:
    """The newest runs that are done, of all datasets or of one (its slug), as many as a page offers."""
    return list(runs_in(project, dataset=dataset, state=Run.State.DONE)[:MOST_OFFERED])


def names(run: Run) -> Names:
    if run.regrades is not None:
        path, word, title = "", "", f"outputs of run {run.regrades.uid.hex[-6:]}"
    elif run.target is None:
        path, word, title = "", "", f"recorded “{run.recorded_column}”"
    else:
        path = run.target.artifact.path
        number = getattr(getattr(run.target, "numbered", None), "number", None)
        word = f"v{number}" if number else "unnumbered"
        title = f"{path} {word}"
    return Names(
        uid=ids.public("run", run.uid),
        title=title,
        short=f"run {run.uid.hex[-6:]}",
        prompt_path=path,
        version_word=word,
    )


def head(run: Run, now: datetime) -> Head:
    named = names(run)
    ended = run.finished_at or now
    return Head(
        uid=named.uid,
        title=named.title,
        short=named.short,
        state=run.state,
        problem=run.problem,
        dataset_slug=run.dataset_version.dataset.slug,
        dataset_number=run.dataset_version.number,
        examples=run.total // run.repeats,
        split=run.split,
        repeats=run.repeats,
        by=run.by,
        created_at=run.created_at,
        took=duration((ended - run.started_at).total_seconds()) if run.started_at and run.finished_at else "",
    )


def progress(run: Run, now: datetime) -> Progress:
    """Counted from the rows, so that it is true whatever happened to the workers."""
    counted = Result.objects.filter(run=run).aggregate(
        done=Count("id"),
        failed=Count("id", filter=~Q(error_code="")),
        cached=Count("id", filter=Q(from_cache=True)),
    )
    judged = [version.pk for version in asking(run)]
    done = counted["done"]
    verdicts = Score.objects.filter(run=run, evaluator_version__in=judged).count() if judged else 0
    steps, all_steps = done + verdicts, run.total * (1 + len(judged))
    elapsed = (now - run.started_at).total_seconds() if run.started_at else 0.0
    can_guess = ENOUGH_TO_GUESS <= steps < all_steps
    share = steps / all_steps if all_steps else 0.0
    return Progress(
        done=done,
        total=run.total,
        failed=counted["failed"],
        cached=counted["cached"],
        verdicts=verdicts,
        verdicts_total=run.total * len(judged),
        spent_usd=run.spent_usd,
        cap_usd=run.cap_usd,
        expected_usd=run.spent_usd / Decimal(share) if can_guess and run.spent_usd else None,
        left=duration(elapsed / share - elapsed) if can_guess else "",
    )


def unjudged(run: Run) -> int:
    """How many scores that need a call the outputs lack: nobody could be asked, or what a judge said was no verdict."""
    asked = asking(run)
    if not asked:
        return 0
    answered = Result.objects.filter(run=run, error_code="").count()
    settled = Q(pk__in=[])
    for version in asked:
        settled |= Q(evaluator_version=version, state__in=settled_states(version))
    return answered * len(asked) - Score.objects.filter(settled, run=run, result__error_code="").count()


def failures(run: Run) -> list[FailureGroup]:
    """Failed calls by their kind, the most frequent first, judges' failures after them."""
    failed = Result.objects.filter(run=run).exclude(error_code="")
    counts = failed.values("error_code").annotate(n=Count("id")).order_by("-n", "error_code")
    if not counts:
        return []
    sampled: dict[str, list[tuple[str, int]]] = {}
    rows = failed.order_by("id").values_list("error_code", "error", "example__position")[:SAMPLED_FAILURES]
    for code, reason, number in rows:
        sampled.setdefault(code, []).append((reason, number))
    return [
        FailureGroup(
            count=row["n"],
            reason=sampled.get(row["error_code"], [("", 0)])[0][0] or row["error_code"],
            code=row["error_code"],
            examples=_numbers([number for _, number in sampled.get(row["error_code"], [])]),
            advice=ADVICE.get(row["error_code"], "See the rows; retry when the reason is gone"),
        )
        for row in counts
    ]


def _numbers(found: Sequence[int]) -> str:
    distinct = list(dict.fromkeys(found))
    shown = ", ".join(f"#{number}" for number in distinct[:SHOWN_EXAMPLES])
    return f"{shown} and more" if len(distinct) > SHOWN_EXAMPLES else shown


def latencies(run: Run, most: int = 20_000) -> list[float]:
    """Milliseconds of the answers that were really asked for."""
    rows = Result.objects.filter(run=run, error_code="", from_cache=False, latency_ms__isnull=False).order_by("id")
    return [float(value or 0) for value in rows.values_list("latency_ms", flat=True)[:most]]


def duration(seconds: float) -> str:
    """Such as `4 min` or `2 h 10 min`; under a minute the seconds."""
    seconds = max(seconds, 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 10:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def before(run: Run) -> Run | None:
    """The newest earlier finished run on the same dataset, of the same prompt if there is one: what to compare with."""
    earlier = runs_in(run.project, state=Run.State.DONE).filter(
        dataset_version__dataset_id=run.dataset_version.dataset_id, id__lt=run.pk
    )
    if run.regrades is not None:
        return run.regrades
    if run.target is not None:
        same = earlier.filter(target__artifact_id=run.target.artifact_id).first()
        return same or earlier.first()
    return earlier.first()
