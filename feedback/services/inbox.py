"""Triage: what the team does with feedback, one item or many at once, and taking it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from evals.models import Dataset, Example
from evals.services import dataset_examples
from feedback.models import InboxItem, ItemTag, TriageAction
from feedback.queries import review
from llmops.accounts.models import User
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Membership, Project

MOST_AT_ONCE = 1_000
MAX_TAG = 60
MAX_TAGS_GIVEN = 20
EDITABLE = ("state", "assignee", "needs_label")


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do to items. What is None stays; `assignee` counts only with `assigns`, and None then means nobody."""

    state: str | None = None
    assigns: bool = False
    assignee: User | None = None
    needs_label: bool | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, Any]:
        """Column to new value."""
        found: dict[str, Any] = {"assignee_id": self.assignee.pk if self.assignee else None} if self.assigns else {}
        if self.state is not None:
            found["state"] = self.state
        if self.needs_label is not None:
            found["needs_label"] = self.needs_label
        return found


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: the action's kind, its items, and how many of them somebody had changed since."""

    kind: str
    items: int
    kept: int


@transaction.atomic
def triage(*, project: Project, items: Sequence[InboxItem], changes: Changes, by: Actor, kind: str = "") -> int:
    """Change state, assignee, the wish for a label or the team's tags; returns how many items changed.

    `kind` is the word under which it can be taken back.

    :raises Invalid: for an unknown state, a person who is not a member, a tag that is not acceptable, too many items.
    """
    _check(project, changes)
    locked = _locked(project, items)
    touched = {item.pk: _changes_of(item, changes.columns) for item in locked}
    tagged, untagged = _tag(project, locked, changes)
    entries = [
        {"item": item.pk, **touched[item.pk], "tagged": tagged.get(item.pk, []), "untagged": untagged.get(item.pk, [])}
        for item in locked
        if touched[item.pk]["after"] or item.pk in tagged or item.pk in untagged
    ]
    if entries:
        InboxItem.objects.filter(pk__in=[entry["item"] for entry in entries]).update(**changes.columns)
        _remember(project, by, kind or _kind(changes), {"v": 1, "items": entries}, len(entries))
        changed = [item for item in locked if item.pk in {entry["item"] for entry in entries}]
        _record(project, changed, changes, by)
    return len(entries)


@transaction.atomic
def undo(*, project: Project, by: Actor, now: datetime, may_write_datasets: bool) -> Undone:
    """Take back one's last action; what somebody else changed since stays as it is.

    :raises Conflict: when there is nothing to take back, or it would need a right that is gone.
    """
    action = review.last_action(project, by, now)
    if action is None or not TriageAction.objects.filter(pk=action.pk, undone_at=None).update(undone_at=now):
        raise Conflict("There is nothing to take back.", code="nothing_to_undo")
    examples = action.changes.get("examples", {})
    if examples and not may_write_datasets:
        raise Conflict("Taking this back removes examples, which your role may not.", code="nothing_to_undo")
    kept = _restore(project, action.changes.get("items", []))
    for dataset in Dataset.objects.filter(project=project, pk__in=examples).order_by("pk"):
        keys = examples[str(dataset.pk)]
        if there := list(Example.objects.filter(dataset=dataset, key__in=keys, removed_in=None).values_list("key")):
            dataset_examples.remove(dataset=dataset, uids=[key for (key,) in there], by=by)
    audit.record(
        "feedback.triage_undone", by=by, target=action, text=f"“{action.kind}” on {action.items}", items=action.items,
        kept=kept,
    )  # fmt: skip
    return Undone(action.kind, action.items, kept)


def remember_examples(
    *, project: Project, by: Actor, items: Sequence[InboxItem], dataset: Dataset, keys: Sequence[str]
) -> None:
    """Close the items of which examples were made; both can be taken back as one action. Inside a transaction."""
    columns = {"state": InboxItem.State.DONE.value}
    locked = _locked(project, items)
    entries = [{"item": item.pk, **_changes_of(item, columns), "tagged": [], "untagged": []} for item in locked]
    InboxItem.objects.filter(pk__in=[item.pk for item in locked]).update(**columns)
    changes = {"v": 1, "items": entries, "examples": {str(dataset.pk): list(keys)}}
    _remember(project, by, "example", changes, max(len(locked), len(keys)))
    changed = [item for item, entry in zip(locked, entries, strict=True) if entry["after"]]
    if changed:
        _record(project, changed, Changes(state=InboxItem.State.DONE), by)


def _check(project: Project, changes: Changes) -> None:
    wrong = {}
    if changes.state is not None and changes.state not in InboxItem.State.values:
        wrong["state"] = "open, done or ignored"
    assignee = changes.assignee
    if assignee and not Membership.objects.filter(project=project, user=assignee).exists():
        wrong["assignee"] = "not a member"
    tags = [*changes.add_tags, *changes.remove_tags]
    for tag in tags:
        if not tag.strip() or len(tag) > MAX_TAG or "|" in tag or text.problem(tag):
            wrong["tag"] = f"at most {MAX_TAG} characters, without “|”"
    if len(tags) > MAX_TAGS_GIVEN:
        wrong["tag"] = f"at most {MAX_TAGS_GIVEN} at once"
    if wrong:
        raise Invalid("This is not acceptable.", fields=wrong)


def _locked(project: Project, items: Sequence[InboxItem]) -> list[InboxItem]:
    if len(items) > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE:,} items at once.", fields={"items": f"at most {MOST_AT_ONCE:,}"})
    rows = InboxItem.objects.filter(project=project, pk__in=[item.pk for item in items])
    return list(rows.select_for_update().order_by("pk"))


def _changes_of(item: InboxItem, columns: dict[str, Any]) -> dict[str, dict[str, Any]]:
    changed = {name: value for name, value in columns.items() if getattr(item, name) != value}
    return {"before": {name: getattr(item, name) for name in changed}, "after": changed}


def _tag(
    project: Project, items: Sequence[InboxItem], changes: Changes
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Add and remove the team's tags; what changed, by item."""
    pks = [item.pk for item in items]
    wanted = [tag.strip() for tag in changes.add_tags]
    has: set[tuple[int, str]] = set()
    if wanted:
        has = set(ItemTag.objects.filter(item__in=pks, tag__in=wanted).values_list("item_id", "tag"))
    new = [(pk, tag) for pk in pks for tag in dict.fromkeys(wanted) if (pk, tag) not in has]
    _insert_tags(project, new)
    old: list[tuple[int, str]] = []
    if changes.remove_tags:
        given = ItemTag.objects.filter(item__in=pks, tag__in=changes.remove_tags, source=ItemTag.Source.TEAM)
        old = list(given.values_list("item_id", "tag"))
        given.delete()
    return _grouped(new), _grouped(old)


def _insert_tags(project: Project, pairs: Iterable[tuple[int, str]]) -> None:
    rows = [ItemTag(project=project, item_id=pk, tag=tag, source=ItemTag.Source.TEAM) for pk, tag in pairs]
    ItemTag.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def _grouped(pairs: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for pk, tag in pairs:
        found.setdefault(pk, []).append(tag)
    return found


def _restore(project: Project, entries: list[dict[str, Any]]) -> int:
    """Put back every value that is still the one that the action set; returns how many items had another by then."""
    kept: set[int] = set()
    groups: dict[tuple[str, Any, Any], list[int]] = {}
    for entry in entries:
        for name, value in entry["after"].items():
            groups.setdefault((name, value, entry["before"][name]), []).append(entry["item"])
    for (name, after, before), pks in groups.items():
        rows = InboxItem.objects.filter(Q(**{name: after}), project=project, pk__in=pks)
        still = set(rows.values_list("pk", flat=True))
        rows.update(**{name: before})
        kept |= set(pks) - still
    for entry in entries:
        if entry["tagged"]:
            ItemTag.objects.filter(
                project=project, item=entry["item"], tag__in=entry["tagged"], source=ItemTag.Source.TEAM
            ).delete()
    _insert_tags(project, [(entry["item"], tag) for entry in entries for tag in entry["untagged"]])
    return len(kept)


def _kind(changes: Changes) -> str:
    if changes.needs_label:
        return "needs_label"
    if changes.state is not None:
        return changes.state
    return "assign" if changes.assigns else "tag"


def _remember(project: Project, by: Actor, kind: str, changes: dict[str, Any], items: int) -> None:
    TriageAction.objects.create(project=project, owner=review.owner_of(by), kind=kind, items=items, changes=changes)


def _record(project: Project, items: Sequence[InboxItem], changes: Changes, by: Actor) -> None:
    """One line of the audit trail for one item by name, or for many by number."""
    said: dict[str, Any] = {name: str(getattr(changes, name) or "") for name in _named(changes)}
    for name in ("add_tags", "remove_tags"):
        if tags := getattr(changes, name):
            said[name] = list(tags)
    if len(items) == 1:
        audit.record("feedback.item_triaged", by=by, target=items[0], **said)
    else:
        audit.record("feedback.items_triaged", by=by, target=project, project_id=project.pk, items=len(items), **said)


def _named(changes: Changes) -> list[str]:
    given = {
        "state": changes.state is not None, "assignee": changes.assigns, "needs_label": changes.needs_label is not None,
    }  # fmt: skip
    return [name for name in EDITABLE if given[name]]
