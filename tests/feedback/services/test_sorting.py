"""Sorting complaints into themes, turn by turn, and what people did to the themes in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback.models import Clustering, InboxItem, Theme
from feedback.queries import themes as queries
from feedback.services import clusterings, sorting, themes
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project
from tests.feedback.complaining import LATE, REFUND, complain, members, sort, theme_of

pytestmark = pytest.mark.django_db


def refs(*items: InboxItem) -> list[str]:
    return [ids.public("item", item.uid) for item in items]


@pytest.fixture
def sorted_themes(project: Project, by: Actor) -> tuple[Theme, Theme]:
    """A theme of late parcels and one of refunds."""
    complain(project, LATE, prefix="late")
    complain(project, REFUND, prefix="refund")
    sort(project, by)
    return theme_of(project, LATE[0]), theme_of(project, REFUND[0])


def test_alike_complaints_make_a_theme_named_by_its_top_terms(
    project: Project, sorted_themes: tuple[Theme, Theme]
) -> None:
    late, refund = sorted_themes
    assert late != refund
    found = members(project)
    assert found[late.name] <= set(LATE)
    assert found[refund.name] <= set(REFUND)
    assert sum(len(texts) for texts in found.values()) >= 10
    assert {"late", "parcel"} <= set(late.terms)
    assert late.named_by == "terms"
    assert {"refund", "paid"} <= set(refund.slug.split("-"))
    turn = Clustering.objects.get()
    assert (turn.state, turn.vectoriser, turn.born) == ("finished", "tf-idf", 2)
    assert turn.done == turn.total >= 12
    assert turn.assigned == sum(len(texts) for texts in found.values())


def test_new_complaints_join_the_old_themes_and_names_and_members_stay(
    project: Project, by: Actor, sorted_themes: tuple[Theme, Theme]
) -> None:
    before = members(project)
    complain(project, ["my parcel is late by a week", "the parcel came late"], prefix="new", at=timezone.now())
    sort(project, by)
    after = members(project)
    assert {name: texts & set(LATE + REFUND) for name, texts in after.items()} == before
    assert theme_of(project, "the parcel came late") == sorted_themes[0]
    assert Clustering.objects.latest("id").since_us == Clustering.objects.earliest("id").until_us


def test_a_name_by_hand_survives_the_next_sorting(
    project: Project, by: Actor, sorted_themes: tuple[Theme, Theme]
) -> None:
    themes.rename(theme=sorted_themes[0], name="  Slow   delivery ", by=by)
    complain(project, LATE, prefix="again", at=timezone.now())
    sort(project, by)
    theme = Theme.objects.get(pk=sorted_themes[0].pk)
    assert (theme.name, theme.named_by, theme.slug) == ("Slow delivery", "hand", sorted_themes[0].slug)
    assert "late" in theme.terms


def test_what_would_join_a_merged_theme_joins_the_one_that_took_it_in(
    project: Project, by: Actor, sorted_themes: tuple[Theme, Theme]
) -> None:
    late, refund = sorted_themes
    themes.merge(theme=late, into=refund, by=by)
    complain(project, ["the parcel came late", "my parcel is late by a week"], prefix="new", at=timezone.now())
    sort(project, by)
    [row] = queries.rows(project, now=timezone.now())
    assert row.theme == refund
    assert row.size == InboxItem.objects.filter(theme__isnull=False).count() >= 12
    assert queries.theme_in(project, queries.ref(late)) == refund  # old links stay good


def test_merges_stay_one_step_deep_and_never_go_in_a_circle(
    project: Project, by: Actor, other_project: Project, sorted_themes: tuple[Theme, Theme]
) -> None:
    late, refund = sorted_themes
    third = Theme.objects.create(project=project, slug="third", name="Third")
    themes.merge(theme=late, into=refund, by=by)
    themes.merge(theme=refund, into=third, by=by)
    assert set(Theme.objects.filter(merged_into=third)) == {late, refund}
    with pytest.raises(Conflict):
        themes.merge(theme=third, into=late, by=by)
    with pytest.raises(Invalid):
        themes.merge(theme=third, into=third, by=by)
    foreign = Theme.objects.create(project=other_project, slug="third", name="Third")
    with pytest.raises(Invalid):
        themes.merge(theme=third, into=foreign, by=by)


def test_a_split_stays_and_draws_what_is_nearer_to_it(project: Project, by: Actor) -> None:
    damaged = [
        "the parcel box was broken and wet", "parcel box broken", "the box of my parcel was broken",
        "broken parcel box again", "box broken, parcel wet",
    ]  # fmt: skip
    theme = Theme.objects.create(project=project, slug="parcel", name="Parcel")
    complain(project, LATE, prefix="late", theme=theme)
    items = complain(project, damaged, prefix="broken", theme=theme)
    made = themes.split_off(theme=theme, refs=refs(*items[:3]), name="Broken boxes", by=by)
    assert (made.split_from_id, made.named_by, made.pulls) == (theme.pk, "hand", True)
    sort(project, by)
    found = members(project)
    assert found["Broken boxes"] == set(damaged)
    assert found["Parcel"] == set(LATE)
    made.refresh_from_db()
    assert made.pulls is False


def test_what_a_person_took_out_is_never_put_back(
    project: Project, by: Actor, sorted_themes: tuple[Theme, Theme]
) -> None:
    item = InboxItem.objects.filter(theme=sorted_themes[0]).earliest("id")
    assert themes.take_out(theme=sorted_themes[0], refs=refs(item), by=by) == 1
    InboxItem.objects.filter(pk=item.pk).update(feedback_us=int(timezone.now().timestamp() * 1_000_000))
    sort(project, by)
    item.refresh_from_db()
    assert item.theme is None


def test_a_split_needs_some_but_not_all_of_the_complaints(
    project: Project, by: Actor, sorted_themes: tuple[Theme, Theme]
) -> None:
    late, refund = sorted_themes
    stranger = InboxItem.objects.filter(theme=refund).earliest("id")
    for chosen in ([], refs(stranger), refs(*InboxItem.objects.filter(theme=late))):
        with pytest.raises(Invalid) as problem:
            themes.split_off(theme=late, refs=chosen, name="", by=by)
        assert "items" in problem.value.fields


def test_who_changes_their_mind_complains_no_more(
    project: Project, by: Actor, sorted_themes: tuple[Theme, Theme]
) -> None:
    item = InboxItem.objects.filter(theme=sorted_themes[0]).earliest("id")
    before = queries.row(sorted_themes[0], now=timezone.now()).size
    InboxItem.objects.filter(pk=item.pk).update(thumbs=1)
    assert queries.row(sorted_themes[0], now=timezone.now()).size == before - 1
    sort(project, by)
    item.refresh_from_db()
    assert item.theme is None


def test_praise_and_ignored_complaints_are_not_sorted(project: Project, by: Actor) -> None:
    complain(project, LATE, prefix="praise", thumbs=1)
    complain(project, LATE, prefix="ignored", state="ignored")
    with pytest.raises(Invalid):
        clusterings.start(project=project, by=by)
    complain(project, LATE, prefix="corrected", thumbs=None, has_correction=True)
    sort(project, by)
    assert InboxItem.objects.filter(theme__isnull=False).count() >= 3
    assert not InboxItem.objects.filter(theme__isnull=False).exclude(thumbs=None).exists()


def test_a_turn_reads_in_batches_and_writes_by_theme(
    project: Project, by: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements grow with the batches, not with the complaints; nothing holds the whole table."""
    monkeypatch.setattr(sorting, "BATCH", 100)
    monkeypatch.setattr(sorting, "POOL", 60)
    complain(project, [f"the parcel is late by {n} days" for n in range(520)], prefix="late")
    with CaptureQueriesContext(connection) as ran:
        sort(project, by)
    assert Theme.objects.count() == 1
    assert InboxItem.objects.filter(theme__isnull=False).count() == 520
    assert len(ran) < 90
    assert max(query["sql"].count(",") for query in ran.captured_queries) < 1_000


def test_two_starts_are_one_turn_and_a_cancelled_turn_writes_no_more(project: Project, by: Actor) -> None:
    complain(project, LATE)
    turn = clusterings.start(project=project, by=by)
    assert clusterings.start(project=project, by=by) == turn
    clusterings.cancel(of=turn, by=by, now=timezone.now())
    sorting.work(clustering_id=turn.pk)
    turn.refresh_from_db()
    assert (turn.state, Theme.objects.count()) == ("cancelled", 0)


def test_a_worker_that_was_taken_for_dead_bears_no_themes(project: Project, by: Actor) -> None:
    complain(project, LATE)
    turn = clusterings.start(project=project, by=by)
    mine = sorting._claim(turn.pk)
    assert mine is not None
    Clustering.objects.filter(pk=turn.pk).update(fence=mine.fence + 1)
    with pytest.raises(sorting._NotOursError):
        sorting._Turn(mine, sorting.TfIdf()).go()
    assert Theme.objects.count() == 0


def test_a_turn_that_keeps_killing_its_worker_is_given_up(project: Project, by: Actor) -> None:
    complain(project, LATE)
    turn = clusterings.start(project=project, by=by)
    long_ago = timezone.now() - timedelta(hours=1)
    Clustering.objects.filter(pk=turn.pk).update(attempts=3, lease_until=long_ago, state="running")
    assert clusterings.continue_stalled(now=timezone.now()) == 1
    sorting.work(clustering_id=turn.pk)
    turn.refresh_from_db()
    assert turn.state == "failed"
    assert "3 times" in turn.error


def test_new_complaints_are_sorted_every_hour_and_nothing_new_starts_nothing(project: Project, by: Actor) -> None:
    now = timezone.now()
    assert clusterings.start_due(now=now) == 0
    complain(project, LATE)
    assert clusterings.start_due(now=now) == 1
    assert clusterings.start_due(now=now) == 0  # under way
    sorting.work(clustering_id=Clustering.objects.get().pk)
    assert clusterings.start_due(now=now + timedelta(hours=2)) == 0  # nothing new
    complain(project, REFUND, prefix="r", at=now)
    assert clusterings.start_due(now=now + timedelta(minutes=10)) == 0  # too soon
    assert clusterings.start_due(now=now + timedelta(hours=2)) == 1
