"""Write to the audit trail."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.utils import timezone

from llmops.audit.models import Event
from llmops.common import logs
from llmops.common.actors import Actor


def record(
    name: str,
    *,
    by: Actor,
    target: models.Model,
    project_id: int | None = None,
    text: str = "",
    **data: Any,
) -> None:
    """Remember a change such as `prompt.label_moved`, inside the caller's transaction.

    `project_id` defaults to the target's own; `text` is how people know the target. `data` must be JSON and hold
    no secret.

    :raises RuntimeError: outside a transaction, because the change and its record must stand or fall together.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"audit.record({name!r}) was called outside the transaction of the change")
    Event.objects.create(
        project_id=project_id if project_id is not None else getattr(target, "project_id", None),
        at=timezone.now(),
        actor_kind=by.kind,
        actor_id=by.id,
        actor_text=by.text[:255],
        name=name,
        target_kind=target._meta.label_lower,
        target_id=str(target.pk),
        target_text=(text or str(target))[:255],
        data=data,
        request_id=by.request_id or logs.current_request_id.get(),  # a key's actor outlives one request
    )
