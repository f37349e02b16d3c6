from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from feedback.models import InboxItem, Queue, QueueItem, RubricVersion, Seat, Settled
from feedback.services import daily, filling, queue_settings, rubrics, seats
from feedback.services.queue_settings import StaleSettings
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project
from tests.feedback import labeling
from tests.feedback.labeling import GOOD, NOW, WHY, answer

LATER = NOW + timedelta(days=8)


def edit(queue: Queue, by: Actor, **changes: Any) -> Queue:
    return queue_settings.edit(queue=queue, by=by, now=NOW, **changes)


def slots(item: QueueItem) -> list[int | None]:
    return list(Seat.objects.filter(item=item).order_by("slot").values_list("slot", flat=True))


def test_more_people_for_each_item_open_what_waits_and_leave_what_is_settled(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by, annotators_per_item=2)
    ann, bob, cid = labeling.people(project, 3)
    disputed, settled, _ = labeling.fill(queue, by, 3)
    for item, said in ((disputed, "fail"), (settled, "pass")):
        answer(item, ann)
        answer(item, bob, said)
    queue = edit(queue, by, annotators_per_item=3)
    assert list(QueueItem.objects.order_by("id").values_list("state", "seats")) == [
        ("open", 3), ("settled", 2), ("open", 3),
    ]  # fmt: skip
    taken = seats.reserve(queue=queue, user_id=cid.pk, now=NOW)
    assert taken is not None
    assert taken.item == disputed
    answer(disputed, cid)
    assert QueueItem.objects.get(pk=disputed.pk).state == "done"
    event = Event.objects.get(name="queue.edited")
    assert event.data["changes"] == {"annotators_per_item": [2, 3]}
    assert event.data["items"] == {"reopened": 1, "finished": 0, "settled": 0}


def test_fewer_people_for_each_item_finish_and_settle_what_has_enough_answers(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by, annotators_per_item=3)
    ann, bob, cid = labeling.people(project, 3)
    agreed, disputed, begun = labeling.fill(queue, by, 3)
    for item, said in ((agreed, "pass"), (disputed, "fail")):
        answer(item, ann)
        answer(item, bob, said)
    seats.sit(item=agreed, user_id=cid.pk, now=NOW, until=LATER)
    answer(begun, ann)
    edit(queue, by, annotators_per_item=2)
    assert list(QueueItem.objects.order_by("id").values_list("state", "seats")) == [
        ("settled", 2), ("done", 2), ("open", 2),
    ]  # fmt: skip
    assert Settled.objects.get().item == agreed
    assert not Seat.objects.filter(user=cid).exists()


def test_fewer_people_give_up_the_newest_reservations_and_no_item_gets_too_many_answers(
    project: Project, by: Actor
) -> None:
    queue = labeling.queue(project, by, annotators_per_item=4)
    ann, bob, cid, dan, eve = labeling.people(project, 5)
    [item] = labeling.fill(queue, by, 1)
    for minutes, person in enumerate((ann, bob, cid)):
        seats.sit(item=item, user_id=person.pk, now=NOW + timedelta(minutes=minutes), until=LATER)
    seats.skip(item=item, user_id=ann.pk, reason="", now=NOW)
    answer(item, dan)
    Seat.objects.filter(user=dan).update(slot=4)
    queue = edit(queue, by, annotators_per_item=2)
    item.refresh_from_db()
    assert sorted(filter(None, slots(item))) == [1, 2]
    assert set(Seat.objects.exclude(slot=None).values_list("user", flat=True)) == {bob.pk, dan.pk}
    assert seats.sit(item=item, user_id=eve.pk, now=NOW, until=LATER) is None
    with pytest.raises(Conflict):
        answer(item, cid)
    answer(item, bob)
    assert QueueItem.objects.get().state == "settled"


def test_gold_keeps_its_places(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by)
    [gold] = labeling.fill(queue, by, 1, gold={"good": "pass"})
    edit(queue, by, annotators_per_item=1)
    assert QueueItem.objects.get(pk=gold.pk).seats == gold.seats > 1


def test_a_mask_applies_to_what_nobody_has_answered(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by)
    [ann] = labeling.people(project, 1)
    seen, unseen = labeling.fill(queue, by, 2)
    said = {"inputs": {"q": "Mail ada@example.com", "name": "Ada"}, "output": "Done"}
    QueueItem.objects.update(snapshot=said, title="Mail ada@example.com")
    answer(seen, ann)
    queue = edit(queue, by, mask=True)
    assert QueueItem.objects.get(pk=seen.pk).snapshot == said
    masked = QueueItem.objects.get(pk=unseen.pk)
    assert masked.snapshot["inputs"]["q"] == masked.title == "Mail [e-mail]"
    edit(queue, by, hidden=["name"])
    hidden = QueueItem.objects.get(pk=unseen.pk)
    assert (hidden.snapshot["inputs"], hidden.title) == ({"q": "Mail [e-mail]"}, "")


def version(queue: Queue, by: Actor, *questions: dict[str, Any]) -> RubricVersion:
    return rubrics.save(rubric=queue.rubric_version.rubric, questions=list(questions), by=by)


@pytest.mark.parametrize(
    ("questions", "lost"),
    [
        ([GOOD, WHY, {"key": "new", "kind": "text", "text": "What else?"}], ""),
        ([{**GOOD, "text": "Better words?"}, WHY], ""),
        ([GOOD], "“why” is not there"),
        ([{**GOOD, "kind": "text"}, WHY], "of another kind"),
    ],
)
def test_a_queue_moves_to_a_version_of_its_rubric_that_goes_with_the_answers(
    project: Project, by: Actor, questions: list[dict[str, Any]], lost: str
) -> None:
    queue = labeling.queue(project, by)
    [ann] = labeling.people(project, 1)
    [item] = labeling.fill(queue, by, 1)
    to = version(queue, by, *questions)
    edit(queue, by, rubric_version=to)  # nobody has answered: anything goes
    edit(queue, by, rubric_version=queue.rubric_version)
    answer(item, ann)
    if not lost:
        assert edit(queue, by, rubric_version=to).rubric_version == to
        return
    with pytest.raises(Invalid, match=lost) as refused:
        edit(queue, by, rubric_version=to)
    assert list(refused.value.fields) == ["rubric_version"]


@pytest.mark.parametrize(
    ("old", "new", "is_lost"),
    [
        ({"kind": "category", "choices": ["a"]}, {"kind": "category", "choices": ["b", "a"]}, False),
        ({"kind": "category", "choices": ["a", "b"]}, {"kind": "category", "choices": ["b"]}, True),
        ({"kind": "scale", "low": 1, "high": 5}, {"kind": "scale", "low": 1, "high": 7}, True),
    ],
)
def test_choices_may_be_added_and_a_scale_stays(old: Any, new: Any, is_lost: bool) -> None:
    from feedback import rubrics as kinds

    before, after = (kinds.parse([{"key": "k", "text": "?", **one}]) for one in (old, new))
    assert bool(kinds.lost_between(before, after)) is is_lost


def test_the_version_of_another_rubric_is_refused(project: Project, by: Actor) -> None:
    queue, other = labeling.queue(project, by), labeling.queue(project, by, slug="other")
    with pytest.raises(Invalid, match="keeps its rubric"):
        edit(queue, by, rubric_version=other.rubric_version)


def test_two_people_do_not_overwrite_each_other(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by)
    [ann] = labeling.people(project, 1)
    edit(queue, by, base_edits=0, name="First", hold_minutes=30)
    with pytest.raises(StaleSettings) as stale:
        edit(queue, by, base_edits=0, name="Second", hold_minutes=30, settle_by="majority", labelers=[ann.email])
    assert stale.value.fields == {
        "name": "is “First” now",
        "settle_by": "is “When all agree; a person settles the rest” now",
        "labelers": "is nobody now",
    }
    assert stale.value.edits == 1
    assert Queue.objects.get().name == "First"
    edit(queue, by, base_edits=0, name="First")  # the same change twice is no conflict
    edit(queue, by, base_edits=1, labelers=[ann.email])
    assert Queue.objects.get().edits == 2
    assert edit(queue, by, labelers=[ann.email]).edits == 2


def test_items_come_in_the_order_of_the_queue(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by, annotators_per_item=1)
    people = labeling.people(project, 3)
    first, _, last = labeling.fill(queue, by, 3)
    QueueItem.objects.filter(pk=last.pk).update(priority=0.5)
    QueueItem.objects.exclude(pk=last.pk).update(priority=0.1)
    taken = []
    for person, order in zip(people, ("oldest", "priority", "newest"), strict=True):
        queue = edit(queue, by, order=order)
        seat = seats.reserve(queue=queue, user_id=person.pk, now=NOW)
        assert seat is not None
        taken.append(seat.item)
    assert taken[:2] == [first, last]


def test_a_queue_fills_itself_from_where_it_says_while_it_is_open(project: Project, by: Actor, send: Any) -> None:
    queue = edit(labeling.queue(project, by), by, fills_from=["needs_label", "complaints"])
    send("/calls", {"id": "c1", "output": "one"}, {"id": "c2", "output": "two"})
    send("/feedback", {"call": "c1", "thumbs": "down"}, {"call": "c2", "thumbs": "up"})
    daily.run(now=NOW)
    daily.run(now=NOW)
    assert QueueItem.objects.get().snapshot["output"] == "one"
    InboxItem.objects.filter(call_client_id="c2").update(needs_label=True)
    edit(queue, by, state="paused")
    daily.run(now=NOW)
    assert QueueItem.objects.count() == 1
    edit(queue, by, state="open")
    daily.run(now=NOW)
    assert QueueItem.objects.count() == 2
    with pytest.raises(Invalid) as refused:
        edit(queue, by, fills_from=["run"])
    assert list(refused.value.fields) == ["fills_from"]
    assert filling.by_way(queue=queue, way="complaints", most=10, by=by) == 0
