"""Rows that are written once refuse every ordinary way of changing them."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import transaction

from llmops.audit import services as audit
from llmops.audit.models import Event
from llmops.common.actors import SYSTEM
from llmops.common.models import Immutable, ImmutableQuerySet, RowIsImmutable
from llmops.projects.models import Project

IMMUTABLE = [model for model in apps.get_models() if issubclass(model, Immutable)]


@pytest.fixture
def event(project: Project) -> Event:
    with transaction.atomic():
        audit.record("project.edited", by=SYSTEM, target=project, project_id=project.pk)
    return Event.objects.get(name="project.edited")


def test_an_immutable_row_refuses_save_and_delete(event: Event) -> None:
    event.name = "nothing.happened"
    with pytest.raises(RowIsImmutable):
        event.save()
    with pytest.raises(RowIsImmutable):
        event.delete()
    event.refresh_from_db()
    assert event.name == "project.edited"


def test_immutable_rows_refuse_bulk_changes(event: Event) -> None:
    with pytest.raises(RowIsImmutable):
        Event.objects.filter(pk=event.pk).update(name="x")
    with pytest.raises(RowIsImmutable):
        Event.objects.all().delete()
    with pytest.raises(RowIsImmutable):
        Event.objects.update(name="x")
    with pytest.raises(RowIsImmutable):
        Event.objects.filter(pk=event.pk).order_by("id").update(name="x")
    assert Event.objects.filter(pk=event.pk, name="project.edited").exists()


def test_upkeep_has_declared_doors(event: Event) -> None:
    assert Event.objects.filter(pk=event.pk).rewrite(actor_text="") == 1
    assert Event.objects.filter(pk=event.pk).purge() == 1


@pytest.mark.parametrize("model", IMMUTABLE, ids=lambda model: model._meta.label)
def test_every_immutable_model_keeps_the_manager_that_refuses(model: type[Immutable]) -> None:
    assert issubclass(type(model._default_manager.all()), ImmutableQuerySet)
