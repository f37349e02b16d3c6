"""Ask a model for a theme's name or for a change to a prompt; only a person's decision makes anything of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from evals.models import Dataset
from evals.queries import datasets as dataset_queries
from evals.services import run_groups, run_requests
from feedback import drafting
from feedback.models import Theme, ThemeDraft
from feedback.queries import theme_drafts as queries
from feedback.queries import themes as theme_queries
from feedback.services import themes
from llmops.audit import services as audit
from llmops.common import jobs
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.gateway import queries as gateway_queries
from llmops.projects.models import Project
from prompts.models import Artifact
from prompts.services import drafts as prompt_drafts
from prompts.services import versions

TASK = "feedback.draft_for_theme"
SHOWN = 20  # complaints that the model sees


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What compares a drafted version with the live one; `evaluators` are slugs."""

    dataset: Dataset
    evaluators: Sequence[str]
    max_cost_usd: Decimal | None = None
    connection: str = ""
    model: str = ""


def ask_name(*, theme: Theme, by: Actor, connection: str = "", model: str = "") -> ThemeDraft:
    """Have a model propose a name; until a person accepts it, the theme keeps its own.

    :raises NotFound: when there is no such connection.
    :raises Invalid: when the connection has no model of its own and none is named.
    """
    complaints = [said.as_complaint() for said in theme_queries.newest_said(theme, SHOWN)]
    asked = drafting.ask_name(theme.terms, complaints)
    return _start(theme, ThemeDraft.Kind.NAME, asked, by, connection, model)


def ask_change(*, theme: Theme, artifact: Artifact, by: Actor, connection: str = "", model: str = "") -> ThemeDraft:
    """Have a model draft a change to the newest version of a prompt; nothing is saved or released by it.

    :raises NotFound: when there is no such connection, or the prompt has no version.
    :raises Invalid: when the connection has no model of its own and none is named.
    """
    base = queries.newest(artifact)
    parts = [(part.role, part.content) for part in base.content.prompt.parts]
    complaints = [said.as_complaint() for said in theme_queries.newest_said(theme, SHOWN)]
    asked = drafting.ask_change(theme=theme.name, terms=theme.terms, messages=parts, complaints=complaints)
    return _start(theme, ThemeDraft.Kind.PROMPT, asked, by, connection, model, artifact=artifact, base=base)


@transaction.atomic
def cancel(*, draft: ThemeDraft, by: Actor, now: datetime) -> None:
    """Stop waiting: the call that is under way is given up within a second. A finished one is left alone."""
    stopped = ThemeDraft.objects.filter(pk=draft.pk, state__in=ThemeDraft.ACTIVE).update(
        state=ThemeDraft.State.CANCELLED, finished_at=now
    )
    if stopped:
        audit.record("theme.draft_cancelled", by=by, target=draft, kind=draft.kind)


@transaction.atomic
def accept_name(*, draft: ThemeDraft, by: Actor, now: datetime) -> Theme:
    """Give the theme the proposed name.

    :raises Conflict: when somebody has decided already, or it is no name.
    """
    _decide(draft, ThemeDraft.Kind.NAME, ThemeDraft.Decision.ACCEPTED, by, now)
    theme = theme_queries.final(draft.theme)
    return themes.rename(theme=theme, name=draft.content, by=by, named_by=Theme.NamedBy.MODEL)


@transaction.atomic
def refuse(*, draft: ThemeDraft, by: Actor, now: datetime) -> None:
    """:raises Conflict: when somebody has decided already."""
    _decide(draft, draft.kind, ThemeDraft.Decision.REFUSED, by, now)
    audit.record("theme.draft_refused", by=by, target=draft, kind=draft.kind)


@transaction.atomic
def save_version(*, draft: ThemeDraft, content: str, message: str, by: Actor, now: datetime) -> versions.Saved:
    """Save the drafted prompt, as a person left it, as the next version. No label moves.

    :raises Invalid: with line and column, when the text is no good prompt; or when it equals the newest version.
    :raises Conflict: when somebody saved another version since, or has decided already.
    """
    _decide(draft, ThemeDraft.Kind.PROMPT, ThemeDraft.Decision.ACCEPTED, by, now)
    assert draft.artifact is not None
    assert draft.base is not None
    saved = versions.save(
        project=draft.project,
        path=draft.artifact.path,
        content=content,
        message=message.strip() or f"Mend “{draft.theme.name}”",
        by=by,
        now=now,
        base_version=draft.base.numbered.number,
    )
    if not saved.created:
        raise Invalid("The text equals the newest version.", fields={"content": "change something"})
    ThemeDraft.objects.filter(pk=draft.pk).update(version=saved.version, content=content)
    draft.refresh_from_db()
    audit.record("theme.draft_saved", by=by, target=draft, prompt=draft.artifact.path, version=saved.number)
    return saved


def keep_in_editor(*, draft: ThemeDraft, content: str, user_id: int, now: datetime) -> None:
    """Put the drafted text into the person's editor, to go on there.

    :raises Conflict: when there is no drafted prompt.
    """
    if draft.artifact is None or not draft.content:
        raise Conflict("There is no drafted prompt.", code="no_draft")
    prompt_drafts.keep(
        project=draft.project,
        user_id=user_id,
        artifact=draft.artifact,
        path=draft.artifact.path,
        content=content,
        base=draft.base,
        now=now,
    )


@transaction.atomic
def evaluate(*, draft: ThemeDraft, wanted: Evaluation, by: Actor, now: datetime) -> ThemeDraft:
    """Run the live version and the drafted one over the whole dataset; the theme's slice is among its rows.

    Live is what `production` names, else the version that the draft began with. Both runs see the same version of
    the dataset and share one cap. Nothing is released by what they say.

    :raises Invalid: naming the field; also when the dataset has no rows of the theme.
    :raises Conflict: when the draft is not saved as a version yet.
    """
    if draft.version is None or draft.artifact is None or draft.base is None:
        raise Conflict("Save the draft as a version first.", code="not_saved")
    if not dataset_queries.examples_of(wanted.dataset).tagged(draft.theme.tag).exists():
        raise Invalid(
            "The dataset has no rows of this theme.", fields={"dataset": f"no row has the tag {draft.theme.tag}"}
        )
    live = queries.live(draft.artifact) or draft.base
    group = run_groups.start(
        project=draft.project,
        wanted=run_requests.Wanted(
            dataset=wanted.dataset,
            evaluators=list(wanted.evaluators),
            version=live,
            connection=wanted.connection,
            model=wanted.model,
            max_cost_usd=wanted.max_cost_usd,
        ),
        axes=run_groups.Axes(versions=[live, draft.version]),
        by=by,
        name=f"Draft for “{draft.theme.name}”",
        now=now,
    )
    by_version = {run.target_id: run for run in group.runs.all()}
    draft.dataset, draft.baseline = wanted.dataset, by_version[live.pk]
    draft.candidate = by_version[draft.version.pk]
    draft.save(update_fields=["dataset", "baseline", "candidate"])
    audit.record("theme.draft_evaluated", by=by, target=draft, dataset=wanted.dataset.slug)
    return draft


def give_up_on_lost(*, older_than: datetime, now: datetime) -> int:
    """Fail drafts whose worker was killed: nobody pays twice without asking."""
    return ThemeDraft.objects.filter(state__in=ThemeDraft.ACTIVE, created_at__lt=older_than).update(
        state=ThemeDraft.State.FAILED,
        error="The worker ended before the answer came. Ask again.",
        finished_at=now,
    )


def forget_old(*, now: datetime) -> None:
    """What a model was shown goes when the project's retention says so: it quotes logged calls."""
    for project in Project.objects.live().order_by("id"):
        old = ThemeDraft.objects.filter(project=project, created_at__lt=now - timedelta(days=project.retention_days))
        old.exclude(messages=[]).update(messages=[], answer="")


def _start(
    theme: Theme, kind: str, asked: drafting.Asked, by: Actor, connection: str, model: str, **about: Any
) -> ThemeDraft:
    chosen = gateway_queries.connection_in(theme.project, connection)
    model = model.strip() or chosen.model
    if not model or len(model) > 200:
        raise Invalid(
            "The request is not acceptable.",
            fields={"model": "the connection has no model of its own: give one of at most 200 characters"},
        )
    with transaction.atomic():
        made = ThemeDraft.objects.create(
            project=theme.project,
            theme=theme,
            kind=kind,
            connection_name=chosen.name,
            model=model,
            messages=asked.messages,
            schema=asked.schema,
            by=by.text,
            by_user_id=by.user_id,
            **about,
        )
        audit.record("theme.draft_asked", by=by, target=made, kind=kind, model=model)
        jobs.enqueue(TASK, draft_id=made.pk)
    return made


def _decide(draft: ThemeDraft, kind: str, decision: str, by: Actor, now: datetime) -> None:
    changed = ThemeDraft.objects.filter(
        pk=draft.pk, kind=kind, state=ThemeDraft.State.DONE, decision=ThemeDraft.Decision.OPEN
    ).update(decision=decision, decided_by=by.text, decided_at=now)
    if not changed:
        raise Conflict("Somebody has decided about this draft already, or it is not there yet.", code="decided")
    draft.refresh_from_db()
