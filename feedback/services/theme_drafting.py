"""Ask the model for a draft and keep what it says. Imports the gateway's client, so only tasks import it."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.utils import timezone

from evals.services import asking
from feedback import drafting
from feedback.models import ThemeDraft
from llmops.common.errors import DomainError
from llmops.gateway import queries as gateway_queries
from llmops.gateway.services import connections
from prompts import prompty
from prompts.prompty import Part
from prompts.services import parsing

State = ThemeDraft.State


def work(*, draft_id: int) -> None:
    """Ask for a waiting draft; does nothing when another worker has it or it was cancelled."""
    claimed = ThemeDraft.objects.filter(pk=draft_id, state=State.WAITING).update(state=State.RUNNING)
    if not claimed:
        return
    draft = ThemeDraft.objects.select_related("project", "theme", "base__content").get(pk=draft_id)
    try:
        config = connections.config_of(gateway_queries.connection_in(draft.project, draft.connection_name))
        answer, figures = asking.ask(
            config=config,
            model=draft.model,
            messages=draft.messages,
            schema=draft.schema,
            purpose="theme",
            owner=draft.uid,
            is_wanted=ThemeDraft.objects.filter(pk=draft.pk, state=State.RUNNING).exists,
        )
    except DomainError as error:
        _finish(draft, State.FAILED, error=error.message)
        return
    try:
        drafted = _name(answer.text) if draft.kind == ThemeDraft.Kind.NAME else _prompt(draft, answer.text)
    except drafting.UnreadableDraftError as error:
        _finish(draft, State.FAILED, error=f"The answer could not be used: {error}", **figures)
        return
    _finish(draft, State.DONE, **drafted, **figures)


def _name(answer: str) -> dict[str, str]:
    return {"content": drafting.read_name(answer)}


def _prompt(draft: ThemeDraft, answer: str) -> dict[str, str]:
    """The drafted file: the base's settings with the drafted messages.

    :raises UnreadableDraftError: when it is no good prompt, uses variables that the base lacks, or changes nothing.
    """
    assert draft.base is not None
    change = drafting.read_change(answer)
    base = draft.base.content.prompt
    text = prompty.write(dataclasses.replace(base, parts=tuple(Part(role, said) for role, said in change.messages)))
    try:
        parsed = parsing.parse(text)
    except DomainError as error:
        raise drafting.UnreadableDraftError(error.message) from None
    if [(part.role, part.content) for part in parsed.spec.parts] != [(role, said) for role, said in change.messages]:
        raise drafting.UnreadableDraftError("A line of a drafted message reads as the head of another message.")
    known = {one["name"] for one in draft.base.content.inputs}
    if unknown := sorted(set(parsed.variables) - known):
        raise drafting.UnreadableDraftError(f"It uses variables that the app does not send: {', '.join(unknown)[:200]}")
    before = [(part.role, part.content.strip()) for part in base.parts]
    if [(role, said.strip()) for role, said in change.messages] == before:
        raise drafting.UnreadableDraftError("It changes nothing.")
    return {"content": text, "why": change.why}


def _finish(draft: ThemeDraft, state: str, **values: Any) -> None:
    ThemeDraft.objects.filter(pk=draft.pk, state=State.RUNNING).update(
        state=state, finished_at=timezone.now(), **values
    )
