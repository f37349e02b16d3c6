"""Ask the model and keep what it proposes. Imports numpy, so only tasks import it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from evals import proposals
from evals.doctor import shingles
from evals.doctor.needles import Needles
from evals.importers import rows as example_rows
from evals.models import Proposal, ProposalRequest
from evals.proposals import UnreadableAnswerError
from evals.queries import datasets as queries
from evals.services import asking
from llmops.common.errors import DomainError, Invalid
from llmops.gateway import queries as gateway_queries
from llmops.gateway.services import connections

ALIKE = 0.8  # the doctor's threshold
BATCH = 1_000

State = ProposalRequest.State


def work(*, request_id: int) -> None:
    """Ask for the rows of a waiting request; does nothing when another worker has it or it was cancelled."""
    claimed = ProposalRequest.objects.filter(pk=request_id, state=State.WAITING).update(state=State.RUNNING)
    if not claimed:
        return
    request = ProposalRequest.objects.select_related("project", "dataset").get(pk=request_id)
    try:
        config = connections.config_of(gateway_queries.connection_in(request.project, request.connection_name))
        answer, figures = asking.ask(
            config=config, model=request.model, messages=request.messages, schema=request.schema, purpose="propose",
            owner=request.uid, is_wanted=ProposalRequest.objects.filter(pk=request.pk, state=State.RUNNING).exists,
        )  # fmt: skip
    except DomainError as error:
        _finish(request, State.FAILED, error=error.message)
        return
    try:
        found = proposals.read(answer.text, request.schema)
    except UnreadableAnswerError as error:
        _finish(request, State.FAILED, error=f"The answer could not be read: {error}", **figures)
        return
    _keep(request, found, figures)


def _keep(request: ProposalRequest, found: Sequence[dict[str, Any]], figures: dict[str, Any]) -> None:
    """Store the rows that are acceptable examples, each marked when it repeats another; the rest are problems."""
    contents, problems = [], []
    for number, row in enumerate(found[: proposals.MOST_WANTED], start=1):
        try:
            checked = example_rows.checked({**row, "split": request.split})
        except Invalid as error:
            problems.append({"row": number, "reason": error.message[:300]})
            continue
        contents.append(
            {"inputs": checked.inputs, "expected": checked.expected, "tags": checked.tags, "split": checked.split}
        )
    if len(found) > proposals.MOST_WANTED:
        problems.append({"row": proposals.MOST_WANTED + 1, "reason": "More rows came than may be asked for."})
    rows = _marked(request, contents)
    with transaction.atomic():
        if _finish(request, State.DONE, problems=problems, **figures):
            Proposal.objects.bulk_create(rows)


def _marked(request: ProposalRequest, contents: Sequence[dict[str, Any]]) -> list[Proposal]:
    needles = Needles([shingles.text_of(content["inputs"]) for content in contents], threshold=ALIKE)
    _seek(request, needles)
    repeated = needles.among_themselves()
    made = []
    for place, content in enumerate(contents):
        key, likeness = needles.found.get(place, (None, None))
        earlier: int | None = None
        if key is None and place in repeated:
            earlier, likeness = repeated[place][0] + 1, repeated[place][1]
        made.append(
            Proposal(
                project_id=request.project_id,
                request=request,
                position=place + 1,
                content=content,
                like_key=key,
                like_position=earlier,
                likeness=likeness,
            )
        )
    return made


def _seek(request: ProposalRequest, needles: Needles) -> None:
    """Show every row of the newest version to the needles, a batch at a time."""
    last = 0
    rows = queries.examples_of(request.dataset).order_by("id")
    while batch := list(rows.filter(id__gt=last).only("id", "key", "inputs")[:BATCH]):
        last = batch[-1].pk
        for example in batch:
            needles.look_at(example.key, shingles.text_of(example.inputs))


def _finish(request: ProposalRequest, state: str, **values: Any) -> bool:
    done = ProposalRequest.objects.filter(pk=request.pk, state=State.RUNNING).update(
        state=state, finished_at=timezone.now(), **values
    )
    return bool(done)
