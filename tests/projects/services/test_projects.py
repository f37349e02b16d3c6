"""Projects are made, changed and removed whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from llmops.accounts.models import User
from llmops.audit import services as audit
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects import keys, queries, tenancy
from llmops.projects.models import ApiKey, Invitation, Membership, Project
from llmops.projects.services import api_keys, invitations, notifications, projects, removal

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a b", "ä", "a" * 61, "a\n", "a/b", "a.b", "a\0"])
def test_a_bad_slug_is_refused(admin: User, by: Actor, slug: str) -> None:
    with pytest.raises(Invalid):
        projects.create(slug=slug, name="x", admin=admin, by=by)


def test_a_slug_is_taken_once(project: Project, admin: User, by: Actor) -> None:
    with pytest.raises(Conflict):
        projects.create(slug="garden", name="Another", admin=admin, by=by)
    assert Project.objects.count() == 1


def test_an_edit_records_only_what_changed(project: Project, by: Actor) -> None:
    projects.edit(project=project, by=by, name="Garden shop", retention_days=30, mask_personal_data=False)
    assert Event.objects.get(name="project.edited").data == {
        "before": {"retention_days": 365, "mask_personal_data": True},
        "after": {"retention_days": 30, "mask_personal_data": False},
    }
    projects.edit(project=project, by=by, retention_days=30)
    assert Event.objects.filter(name="project.edited").count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"name": "x" * 121},
        {"name": "a\0b"},
        {"timezone": "Mars/Olympus"},
        {"retention_days": 0},
        {"retention_days": 36_501},
        {"retention_days": "30"},
        {"mask_personal_data": "yes"},
    ],
)
def test_an_unacceptable_value_is_refused(project: Project, by: Actor, changes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        projects.edit(project=project, by=by, **changes)


@pytest.mark.parametrize("field", ["slug", "deleted_at", "id", "uid", "created_at"])
def test_other_fields_are_not_editable(project: Project, by: Actor, field: str) -> None:
    with pytest.raises(TypeError):
        projects.edit(project=project, by=by, **{field: "x"})


def test_a_failing_audit_undoes_the_change(project: Project, by: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the trail is full")

    monkeypatch.setattr(audit.Event.objects, "create", fail)
    with pytest.raises(RuntimeError):
        projects.edit(project=project, by=by, name="Renamed")
    with pytest.raises(RuntimeError):
        api_keys.issue(project=project, kind="secret", name="x", by=by)
    project.refresh_from_db()
    assert (project.name, ApiKey.objects.count()) == ("Garden shop", 0)


def test_a_deleted_project_is_gone_at_once(project: Project, admin: User, by: Actor) -> None:
    issued = api_keys.issue(project=project, kind="secret", name="server", by=by)
    projects.delete(project=project, by=by, now=NOW)
    assert list(queries.projects_of(admin)) == []
    with pytest.raises(keys.KeyRefused):
        keys.grant_for(issued.text)


def test_removal_takes_every_row_of_the_project_and_no_other(
    project: Project, other_project: Project, admin: User, by: Actor
) -> None:
    for each in [project, other_project]:
        api_keys.issue(project=each, kind="secret", name="server", by=by)
        Invitation.objects.create(
            project=each, email="x@example.com", role="viewer", token_digest=b"%d" % each.pk, expires_at=NOW
        )
        notifications.notify(project=each, users=[admin.pk], kind="k", text="t", url="/", now=NOW)
    kept = {table.model: table.rows(other_project).count() for table in tenancy.tables()}
    projects.delete(project=project, by=by, now=NOW)
    assert removal.remove_deleted(now=NOW + removal.GRACE) == 0
    assert removal.remove_deleted(now=NOW + removal.GRACE + timedelta(seconds=1)) > 0
    assert not Project.objects.filter(pk=project.pk).exists()
    left = {table.model for table in tenancy.tables() if table.rows(project).exists()}
    assert left == {Event}  # the trail says who deleted what
    assert {table.model: table.rows(other_project).count() for table in tenancy.tables()} == kept
    assert removal.remove_deleted(now=NOW + timedelta(days=1)) == 0


def test_removal_goes_on_where_it_stopped(project: Project, by: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "BATCH", 2)
    for number in range(7):
        api_keys.issue(project=project, kind="secret", name=f"server {number}", by=by)
    projects.delete(project=project, by=by, now=NOW)
    later = NOW + timedelta(days=1)
    for _ in range(20):
        removal.remove_deleted(now=later, batches=1)
        if not Project.objects.filter(pk=project.pk).exists():
            break
    assert not Project.objects.filter(pk=project.pk).exists()
    assert not Membership.objects.exists()


def test_a_link_to_a_removed_project_is_over(project: Project, by: Actor) -> None:
    issued = invitations.create(project=project, email="bob@example.com", role="viewer", by=by, now=NOW)
    projects.delete(project=project, by=by, now=NOW)
    removal.remove_deleted(now=NOW + timedelta(days=1))
    with pytest.raises(invitations.InvitationOver):
        invitations.find(issued.link.rstrip("/").rpartition("/")[2], now=NOW)
