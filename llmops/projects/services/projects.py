"""Create and change projects."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Membership, Project
from llmops.projects.models.project import SLUG_PATTERN, SLUG_RULE
from llmops.projects.signals import project_created

EDITABLE = frozenset({"name", "timezone", "retention_days", "mask_personal_data"})
MOST_RETENTION_DAYS = 36_500


@transaction.atomic
def create(*, slug: str, name: str, admin: User, by: Actor) -> Project:
    """A new project with its first admin.

    :raises Invalid: when the slug is not acceptable.
    :raises Conflict: when the slug is taken.
    """
    if not SLUG_PATTERN.fullmatch(slug):
        raise Invalid("The slug is not acceptable.", fields={"slug": SLUG_RULE})
    name = people.checked_name(name)
    try:
        with transaction.atomic():
            project = Project.objects.create(slug=slug, name=name or slug)
    except IntegrityError:
        raise Conflict(f"There is a project “{slug}” already.", fields={"slug": "taken"}) from None
    Membership.objects.create(project=project, user=admin, role=Membership.Role.ADMIN)
    audit.record("project.created", by=by, target=project, project_id=project.pk, slug=slug)
    project_created.send(sender=Project, project=project)
    return project


@transaction.atomic
def edit(*, project: Project, by: Actor, **changes: object) -> Project:
    """Change the fields named in EDITABLE.

    :raises TypeError: for any other field.
    :raises Invalid: when a value is not acceptable.
    """
    if unknown := changes.keys() - EDITABLE:
        raise TypeError(f"not editable: {sorted(unknown)}")
    changes = {name: _checked(name, value) for name, value in changes.items()}
    changes = {name: value for name, value in changes.items() if getattr(project, name) != value}
    if not changes:
        return project
    before = {name: getattr(project, name) for name in changes}
    for name, value in changes.items():
        setattr(project, name, value)
    project.save(update_fields=list(changes))
    audit.record("project.edited", by=by, target=project, project_id=project.pk, before=before, after=dict(changes))
    return project


def _checked(name: str, value: object) -> object:
    if name == "name":
        if not (value := people.checked_name(str(value))):
            raise Invalid("A project needs a name.", fields={"name": "is empty"})
    elif name == "timezone":
        people.checked_timezone(str(value))
    elif name == "retention_days" and not (isinstance(value, int) and 1 <= value <= MOST_RETENTION_DAYS):
        raise Invalid("Calls are kept for 1 to 36,500 days.", fields={"retention_days": "from 1 to 36,500"})
    elif name == "mask_personal_data" and not isinstance(value, bool):
        raise Invalid("Masking is on or off.", fields={"mask_personal_data": "on or off"})
    return value


@transaction.atomic
def delete(*, project: Project, by: Actor, now: datetime) -> None:
    """Make the project disappear at once; upkeep removes its rows later, in batches."""
    project.deleted_at = now
    project.save(update_fields=["deleted_at"])
    audit.record("project.deleted", by=by, target=project, project_id=project.pk)
