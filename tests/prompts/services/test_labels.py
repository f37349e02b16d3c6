"""Labels move under rules, and every move is remembered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connections

from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from llmops.common.models import RowIsImmutable
from llmops.projects.models import Project
from prompts import checks, queries
from prompts.models import Deployment, Label, Version
from prompts.services import labels, versions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def saved(project: Project, by: Actor, turn: int, path: str = "greet") -> Version:
    return versions.save(
        project=project, path=path, content=f"system:\n{turn}\n", message="", by=by, now=NOW
    ).version  # fmt: skip


@pytest.fixture
def three(project: Project, by: Actor) -> list[Version]:
    return [saved(project, by, turn) for turn in (1, 2, 3)]


def move(to: Version, by: Actor, name: str = "production", *, may_release: bool = True, **more: object) -> Deployment:
    return labels.move(artifact=to.artifact, name=name, to=to, by=by, now=NOW, may_release=may_release, **more)  # type: ignore[arg-type]


def holder(version: Version, name: str = "production") -> int:
    return queries.version_in(version.artifact, label=name).numbered.number


def test_a_move_creates_the_label_and_is_remembered_with_its_reason(three: list[Version], by: Actor) -> None:
    move(three[0], by)
    deployment = move(three[2], by, reason="Better on hard mails")
    assert holder(three[0]) == 3
    assert (deployment.from_version, deployment.to_version, deployment.reason) == (
        three[0], three[2], "Better on hard mails",
    )  # fmt: skip
    assert Event.objects.filter(name="prompt.label_moved").count() == 2
    with pytest.raises(RowIsImmutable):
        deployment.save()


def test_production_is_protected_from_birth_and_other_labels_are_free(three: list[Version], by: Actor) -> None:
    with pytest.raises(Forbidden) as refused:
        move(three[0], by, may_release=False)
    assert refused.value.fields == {"permission": "label:release"}
    move(three[0], by, "staging", may_release=False)
    assert holder(three[0], "staging") == 1
    labels.protect(artifact=three[0].artifact, name="staging", protected=True, by=by)
    with pytest.raises(Forbidden):
        move(three[1], by, "staging", may_release=False)


def test_a_move_from_what_the_person_did_not_see_is_refused(three: list[Version], by: Actor) -> None:
    move(three[0], by)
    move(three[1], by, expected=1)
    with pytest.raises(Conflict, match="was moved by ada"):
        move(three[2], by, expected=1)
    with pytest.raises(Conflict, match="already"):
        move(three[1], by)
    assert (holder(three[0]), Deployment.objects.count()) == (2, 2)


def test_rolling_back_returns_to_where_the_label_was(three: list[Version], by: Actor) -> None:
    move(three[0], by)
    with pytest.raises(Conflict, match="never"):
        labels.roll_back(artifact=three[0].artifact, name="production", by=by, now=NOW, may_release=True)
    move(three[2], by)
    labels.roll_back(artifact=three[0].artifact, name="production", by=by, now=NOW, may_release=True)
    assert holder(three[0]) == 1


@pytest.mark.parametrize("name", ["latest", "", "Production", "a b", "-x", "x" * 61, "ä", "a\0"])
def test_names_that_cannot_be_labels_are_refused(three: list[Version], by: Actor, name: str) -> None:
    with pytest.raises(Invalid):
        move(three[0], by, name)
    assert not Label.objects.exists()


def test_a_label_stays_within_its_prompt(project: Project, three: list[Version], by: Actor) -> None:
    other = saved(project, by, 9, "other")
    with pytest.raises(Invalid, match="another prompt"):
        labels.move(artifact=other.artifact, name="production", to=three[0], by=by, now=NOW, may_release=True)
    with pytest.raises(NotFound):
        queries.label_in(other.artifact, "production")


@pytest.fixture
def _no_check_stays() -> Iterator[None]:
    before = list(checks._checks)
    yield
    checks._checks[:] = before


@pytest.mark.usefixtures("_no_check_stays")
def test_a_check_of_an_app_above_closes_the_gate_in_its_own_words(three: list[Version], by: Actor) -> None:
    checks.register(lambda name, version: ["Accuracy fell by 4 %."] if name == "production" else [])
    with pytest.raises(labels.GateClosed, match="Accuracy fell"):
        move(three[0], by)
    move(three[0], by, "staging")
    assert not Label.objects.filter(name="production").exists()


@pytest.mark.django_db(transaction=True)
def test_many_movers_leave_one_holder_and_a_history_without_gaps(project: Project, by: Actor) -> None:
    rows = [saved(project, by, turn) for turn in range(4)]
    move(rows[0], by)

    def mover(person: int) -> int:
        done = 0
        try:
            for turn in range(10):
                try:
                    move(rows[(person + turn) % 4], by)
                except DomainError:
                    continue
                done += 1
            return done
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        moved = sum(pool.map(mover, range(6)))
    history = list(Deployment.objects.order_by("id"))
    assert len(history) == moved + 1
    assert all(after.from_version_id == before.to_version_id for before, after in itertools.pairwise(history))
    assert Label.objects.get().version_id == history[-1].to_version_id
