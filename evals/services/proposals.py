"""Ask a model for new rows, and decide about each that it proposes: only a person's decision makes an example."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from evals import proposals
from evals.importers import rows as example_rows
from evals.importers.rows import ExampleRow
from evals.models import Dataset, Example, Proposal, ProposalRequest, Result, Run, Score
from evals.proposals import HardRow, Sample
from evals.queries import datasets as queries
from evals.queries import runs as run_queries
from evals.services import dataset_examples
from llmops.audit import services as audit
from llmops.common import ids, jobs, text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.gateway import queries as gateway_queries
from llmops.projects.models import Project

TASK = "evals.propose_rows"
MOST_DESCRIPTION = 4_000
SAMPLES = 8
HARD_ROWS = 10
TOPICS = 5
MOST_OFFERED = 200
KEY = "proposed_by"

Json = Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks a model for. `run` goes with hard rows; no `tags` means those with the fewest rows."""

    dataset: Dataset
    source: str = ProposalRequest.Source.DESCRIPTION
    description: str = ""
    run: Run | None = None
    tags: Sequence[str] = ()
    count: int = 5
    split: str = ""
    connection: str = ""
    model: str = ""


def start(*, project: Project, wanted: Wanted, by: Actor) -> ProposalRequest:
    """Write down what the model will be asked, and let a worker ask it.

    :raises Invalid: naming each field that is not acceptable.
    :raises NotFound: when there is no such connection.
    """
    wrong = _wrong(wanted)
    chosen = gateway_queries.connection_in(project, wanted.connection)
    model = wanted.model.strip() or chosen.model
    if not model or len(model) > 200:
        wrong["model"] = "the connection has no model of its own: give one of at most 200 characters"
    if wrong:
        raise Invalid("The request is not acceptable.", fields=wrong)
    hard = _hard_rows(wanted.run) if wanted.run and wanted.source == ProposalRequest.Source.HARD_ROWS else []
    topics = _topics(wanted) if wanted.source == ProposalRequest.Source.TAGS else {}
    samples = _samples(wanted.dataset, topics)
    shown = [*samples, *(Sample(row.inputs, row.expected, row.tags) for row in hard)]
    asked = proposals.request(
        shape=proposals.shape_of(shown, wanted.dataset.columns.get("inputs", [])),
        wanted=wanted.count,
        description=wanted.description,
        samples=samples,
        hard=hard,
        topics=topics,
    )
    with transaction.atomic():
        made = ProposalRequest.objects.create(
            project=project,
            dataset=wanted.dataset,
            source=wanted.source,
            description=wanted.description,
            run=wanted.run,
            tags=list(topics),
            wanted=wanted.count,
            split=wanted.split.strip(),
            connection_name=chosen.name,
            model=model,
            messages=asked.messages,
            schema=asked.schema,
            by=by.text,
            by_user_id=by.user_id,
        )
        audit.record(
            "dataset.proposals_asked", by=by, target=made, source=wanted.source, rows=wanted.count, model=model
        )
        jobs.enqueue(TASK, request_id=made.pk)
    return made


@transaction.atomic
def offer(
    *,
    dataset: Dataset,
    rows: Sequence[ExampleRow],
    description: str,
    by: Actor,
    now: datetime,
    problems: Sequence[Mapping[str, Json]] = (),
) -> ProposalRequest:
    """Put rows that no model wrote before a person, who accepts or refuses each, as with a model's.

    `problems` names rows that could not be offered, as `{"row", "reason"}`.

    :raises Invalid: when there are none, or more than MOST_OFFERED.
    """
    if not 0 < len(rows) <= MOST_OFFERED:
        raise Invalid("There is nothing to propose.", fields={"rows": f"1 to {MOST_OFFERED}"})
    made = ProposalRequest.objects.create(
        project_id=dataset.project_id,
        dataset=dataset,
        source=ProposalRequest.Source.DESCRIPTION,
        description=description[:MOST_DESCRIPTION],
        wanted=len(rows),
        state=ProposalRequest.State.DONE,
        problems=list(problems),
        by=by.text,
        by_user_id=by.user_id,
        created_at=now,
        finished_at=now,
    )
    Proposal.objects.bulk_create(
        Proposal(project_id=dataset.project_id, request=made, position=place, content=_whole(row))
        for place, row in enumerate(rows, start=1)
    )
    audit.record("dataset.rows_offered", by=by, target=made, rows=len(rows))
    return made


@transaction.atomic
def cancel(*, request: ProposalRequest, by: Actor, now: datetime) -> None:
    """Stop waiting: the call that is under way is given up within a second. A finished one is left alone."""
    stopped = ProposalRequest.objects.filter(pk=request.pk, state__in=ProposalRequest.ACTIVE).update(
        state=ProposalRequest.State.CANCELLED, finished_at=now
    )
    if stopped:
        audit.record("dataset.proposals_cancelled", by=by, target=request)


@transaction.atomic
def accept(*, proposal: Proposal, by: Actor, now: datetime, content: Mapping[str, Json] | None = None) -> str:
    """Make the proposed row, or what a person made of it (`content`), an example; returns the example's outside id.

    :raises Invalid: when the content is no acceptable example.
    :raises Conflict: when somebody has decided already.
    """
    request = proposal.request
    given = example_rows.checked(dict(proposal.content if content is None else content))
    metadata = {name: value for name, value in given.metadata.items() if name != KEY}
    is_edited = _whole(dataclasses.replace(given, metadata=metadata)) != _whole(_proposed(proposal))
    metadata[KEY] = _origin(request, is_edited=is_edited)
    row = dataclasses.replace(given, metadata=metadata)
    _decide(proposal, Proposal.State.ACCEPTED, by, now)
    added = dataset_examples.add(
        dataset=request.dataset, rows=[row], by=by, source_kind="proposal", source_uid=request.uid
    )
    key = ids.parse("ex", added.uids[0])
    Proposal.objects.filter(pk=proposal.pk).update(content=_content(row), is_edited=is_edited, example_key=key)
    audit.record("dataset.proposal_accepted", by=by, target=request, example=added.uids[0], edited=is_edited)
    return added.uids[0]


@transaction.atomic
def refuse(*, proposal: Proposal, by: Actor, now: datetime) -> None:
    """Keep the row out.

    :raises Conflict: when somebody has decided already.
    """
    _decide(proposal, Proposal.State.REFUSED, by, now)
    audit.record("dataset.proposals_refused", by=by, target=proposal.request, rows=1)


def give_up_on_lost(*, older_than: datetime, now: datetime) -> int:
    """Fail requests whose worker was killed: nobody pays twice without asking."""
    return ProposalRequest.objects.filter(state__in=ProposalRequest.ACTIVE, created_at__lt=older_than).update(
        state=ProposalRequest.State.FAILED,
        error="The worker ended before the answer came. Ask again.",
        finished_at=now,
    )


def _wrong(wanted: Wanted) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if wanted.source not in ProposalRequest.Source.values:
        wrong["source"] = f"one of {', '.join(ProposalRequest.Source.values)}"
    if not 1 <= wanted.count <= proposals.MOST_WANTED:
        wrong["count"] = f"1 to {proposals.MOST_WANTED}"
    problem = text.problem(wanted.description)
    if problem or len(wanted.description) > MOST_DESCRIPTION:
        wrong["description"] = problem or f"at most {MOST_DESCRIPTION:,} characters"
    elif wanted.source == ProposalRequest.Source.DESCRIPTION and not wanted.description.strip():
        wrong["description"] = "say what the new rows should be about"
    if wanted.source == ProposalRequest.Source.HARD_ROWS:
        if wanted.run is None:
            wrong["run"] = "choose a run over this dataset"
        elif wanted.run.dataset_version.dataset_id != wanted.dataset.pk:
            wrong["run"] = "is over another dataset"
        elif not _failed(wanted.run).exists():
            wrong["run"] = "no row failed in it"
    if wanted.source == ProposalRequest.Source.TAGS and not _topics(wanted):
        wrong["tags"] = "the dataset has no tags yet: name some"
    try:
        example_rows.checked({"inputs": {"-": ""}, "tags": list(wanted.tags), "split": wanted.split})
    except Invalid as error:
        wrong |= error.fields
    return wrong


def _topics(wanted: Wanted) -> dict[str, int]:
    """The chosen tags, else the TOPICS with the fewest rows, each with its number of rows."""
    counted = queries.tags_of(wanted.dataset)
    chosen = list(dict.fromkeys(tag.strip() for tag in wanted.tags if tag.strip()))
    rarest = sorted(counted, key=lambda tag: (counted[tag], tag))[:TOPICS]
    return {tag: counted.get(tag, 0) for tag in chosen or rarest}


def _samples(dataset: Dataset, topics: Mapping[str, int]) -> list[Sample]:
    """Rows from all over the dataset, and one of each topic."""
    rows = queries.examples_of(dataset)
    count = rows.count()
    places = sorted({count * place // SAMPLES for place in range(min(SAMPLES, count))})
    found = [rows[place] for place in places]
    found += [row for tag in topics if (row := rows.tagged(tag).first()) is not None]
    return [_sample(row) for row in {row.pk: row for row in found}.values()]


def _sample(row: Example) -> Sample:
    return Sample(row.inputs, row.expected, row.tags)


def _failed(run: Run) -> Any:
    """Results of the run without an answer, or that an evaluator says did not pass."""
    refused = Score.objects.filter(run=run, passed=False).values("result")
    return Result.objects.filter(run=run).filter(Q(error_code__gt="") | Q(pk__in=refused))


def _hard_rows(run: Run) -> list[HardRow]:
    """The first rows that failed, each once, with what was said about the output."""
    names = {line.evaluator_version_id: line.name for line in run_queries.evaluators_of(run)}
    found: dict[Any, HardRow] = {}
    results = _failed(run).select_related("example").prefetch_related("scores").order_by("id")
    for result in results[: HARD_ROWS * 5]:
        verdicts = [
            f"{names[score.evaluator_version_id]}: {'pass' if score.passed else 'fail'} {score.reason}".strip()
            for score in result.scores.all()
            if score.passed is not None
        ]
        example = result.example
        row = HardRow(
            inputs=example.inputs,
            expected=example.expected,
            tags=example.tags,
            output=result.output or result.error,
            verdicts=verdicts,
        )
        found.setdefault(result.example_key, row)
    return list(found.values())[:HARD_ROWS]


def _decide(proposal: Proposal, state: str, by: Actor, now: datetime) -> None:
    changed = Proposal.objects.filter(pk=proposal.pk, state=Proposal.State.PROPOSED).update(
        state=state, decided_by=by.text, decided_at=now
    )
    if not changed:
        raise Conflict("Somebody has decided about this row already.", code="decided")
    proposal.refresh_from_db()


def _origin(request: ProposalRequest, *, is_edited: bool) -> dict[str, Json]:
    """Where an accepted row comes from, kept in its metadata."""
    spelled = json.dumps(request.messages, sort_keys=True, ensure_ascii=False) if request.messages else ""
    return {
        "kind": "model" if request.model else "rows",
        "model": request.model_answered or request.model,
        "connection": request.connection_name,
        "source": request.source,
        "prompt": request.description[:500],
        "prompt_sha256": hashlib.sha256(spelled.encode()).hexdigest() if spelled else None,  # erased since
        "request": ids.public("ask", request.uid),
        "edited": is_edited,
    }


def _proposed(proposal: Proposal) -> ExampleRow:
    """The row as it was proposed; a model proposes neither contexts nor metadata."""
    content = proposal.content
    return example_rows.checked({**content, "contexts": content.get("contexts", [])})


def _whole(row: ExampleRow) -> dict[str, Json]:
    return _content(row) | {"contexts": row.contexts, "metadata": row.metadata}


def _content(row: ExampleRow) -> dict[str, Json]:
    return {"inputs": row.inputs, "expected": row.expected, "tags": row.tags, "split": row.split}
