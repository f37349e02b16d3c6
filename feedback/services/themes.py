"""What people do to themes: name, merge, split. Sorting respects all of it."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from feedback.clustering import naming
from feedback.models import InboxItem, Theme
from feedback.queries import complaints
from feedback.queries import themes as queries
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project

LONGEST_NAME = 120
MOST_SPLIT = 200


@transaction.atomic
def rename(*, theme: Theme, name: str, by: Actor, named_by: str = Theme.NamedBy.HAND) -> Theme:
    """Give the theme a name that sorting never changes. Its tag stays.

    :raises Invalid: when the name is empty, too long or cannot be stored.
    """
    name = " ".join(name.split())
    reason = text.problem(name) or ("" if 0 < len(name) <= LONGEST_NAME else f"1 to {LONGEST_NAME} characters")
    if reason:
        raise Invalid("The name is not acceptable.", fields={"name": reason})
    if (theme.name, theme.named_by) != (name, named_by):
        before, theme.name, theme.named_by = theme.name, name, named_by
        theme.save(update_fields=["name", "named_by"])
        audit.record("theme.renamed", by=by, target=theme, before=before, after=name)
    return theme


@transaction.atomic
def merge(*, theme: Theme, into: Theme, by: Actor) -> Theme:
    """Show the theme's complaints, and whatever would join it later, under `into`; returns `into`.

    :raises Invalid: when the two are one, or of different projects.
    :raises Conflict: when either was merged meanwhile.
    """
    if theme.pk == into.pk or theme.project_id != into.project_id:
        raise Invalid("Choose another theme of this project.", fields={"into": "another theme of this project"})
    held = Theme.objects.select_for_update().filter(pk__in=[theme.pk, into.pk], merged_into=None).order_by("pk")
    if len(held) != 2:
        raise Conflict("One of the themes was merged meanwhile. Look again.", code="merged")
    Theme.objects.filter(merged_into=theme).update(merged_into=into)
    Theme.objects.filter(pk=theme.pk).update(merged_into=into)
    audit.record("theme.merged", by=by, target=theme, into=into.name)
    return into


@transaction.atomic
def split_off(*, theme: Theme, refs: Collection[str], name: str, by: Actor) -> Theme:
    """Make a theme of its own of some complaints; others that are nearer to them follow in the next sorting.

    :raises Invalid: when none or all of the theme's complaints are named, or the name is not acceptable.
    """
    items = queries.example_items(theme, refs) if len(refs) <= MOST_SPLIT else []
    if not items:
        raise Invalid("Choose complaints of this theme.", fields={"items": f"1 to {MOST_SPLIT} of this theme"})
    if len(items) == complaints.members(theme).count():
        raise Invalid("These are all of its complaints: rename the theme.", fields={"items": "leave some"})
    texts = [said.text for said in complaints.said(theme.project, items)]
    terms = naming.terms(texts, naming.presence(texts))
    made = Theme.objects.create(
        project=theme.project,
        slug=naming.slug_of(terms, _taken(theme.project)),
        name=naming.name_of(terms),
        terms=terms,
        split_from_id=_core(items, theme),
        pulls=True,
    )
    InboxItem.objects.filter(pk__in=[item.pk for item in items]).update(theme=made, theme_by_hand=True)
    audit.record("theme.split", by=by, target=theme, new=made.name, items=len(items))
    return rename(theme=made, name=name, by=by) if name.strip() else made


@transaction.atomic
def take_out(*, theme: Theme, refs: Collection[str], by: Actor) -> int:
    """Take complaints out of the theme for good: sorting puts them into no other; returns how many.

    :raises Invalid: when none of them is in the theme.
    """
    items = queries.example_items(theme, refs) if len(refs) <= MOST_SPLIT else []
    if not items:
        raise Invalid("Choose complaints of this theme.", fields={"items": f"1 to {MOST_SPLIT} of this theme"})
    InboxItem.objects.filter(pk__in=[item.pk for item in items]).update(theme=None, theme_by_hand=True)
    audit.record("theme.items_removed", by=by, target=theme, items=len(items))
    return len(items)


def _taken(project: Project) -> set[str]:
    return set(Theme.objects.filter(project=project).values_list("slug", flat=True))


def _core(items: Collection[InboxItem], theme: Theme) -> int:
    """The core that most of the complaints leave: the theme itself, or one that was merged into it."""
    found = [item.theme_id for item in items if item.theme_id is not None]
    return max(set(found), key=lambda pk: (found.count(pk), -pk), default=theme.pk)
