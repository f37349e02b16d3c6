"""Keep what a person has typed until it is saved or thrown away."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from llmops.projects.models import Project
from prompts.models import Artifact, Draft, Version


def keep(
    *,
    project: Project,
    user_id: int,
    artifact: Artifact | None,
    path: str,
    content: str,
    base: Version | None,
    now: datetime,
) -> Draft:
    """Remember the text as the person's draft of the artifact, or of a new prompt when there is none yet."""
    values = {"path": path[:255], "content": content, "base_version": base, "updated_at": now}
    try:
        with transaction.atomic():
            draft, _ = Draft.objects.update_or_create(
                project=project, user_id=user_id, artifact=artifact, defaults=values
            )
    except IntegrityError:  # two tabs made the first draft at the same moment: the later text stays
        draft = Draft.objects.get(project=project, user_id=user_id, artifact=artifact)
        Draft.objects.filter(pk=draft.pk).update(**values)
    return draft


def drop(*, project: Project, user_id: int, artifact: Artifact | None) -> None:
    """Forget the draft: it was saved, or the person said so."""
    Draft.objects.filter(project=project, user_id=user_id, artifact=artifact).delete()
