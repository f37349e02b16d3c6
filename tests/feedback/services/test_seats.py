from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from feedback.models import Annotation, Queue, QueueItem, Seat, Settled
from feedback.queries import queues as queries
from feedback.services import filling, queue_settings, seats, settling
from llmops.accounts.models import User
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project
from tests.feedback import labeling
from tests.feedback.labeling import NOW, answer

LATER = NOW + timedelta(minutes=21)


def take(queue: Queue, user: User, now: Any = NOW) -> QueueItem | None:
    seat = seats.reserve(queue=queue, user_id=user.pk, now=now)
    return seat.item if seat else None


def test_a_person_keeps_their_item_until_it_is_answered(project: Project, by: Actor) -> None:
    queue, [ann] = labeling.queue(project, by), labeling.people(project, 1)
    first, second = labeling.fill(queue, by, 2)
    assert take(queue, ann) == take(queue, ann) == first
    answer(first, ann)
    assert take(queue, ann) == second
    answer(second, ann)
    assert take(queue, ann) is None


def test_an_item_is_answered_by_as_many_as_it_needs_and_nobody_twice(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by, annotators_per_item=2)
    ann, bob, cid = labeling.people(project, 3)
    [item] = labeling.fill(queue, by, 1)
    assert take(queue, ann) == take(queue, bob) == item
    assert take(queue, cid) is None
    answer(item, ann)
    with pytest.raises(Conflict) as again:
        answer(item, ann, "fail")
    assert again.value.code == "answered_already"
    with pytest.raises(Conflict) as full:
        answer(item, cid)
    assert full.value.code == "place_taken"
    answer(item, bob)
    item.refresh_from_db()
    assert (item.state, item.settled.method, item.settled.by) == ("settled", "unanimous", "the platform")


def test_the_database_refuses_a_third_place_and_a_second_one_of_the_same_person(project: Project, by: Actor) -> None:
    queue, [ann, bob] = labeling.queue(project, by, annotators_per_item=1), labeling.people(project, 2)
    [item] = labeling.fill(queue, by, 1)
    row = {"project": project, "item": item, "of": 1, "reserved_at": NOW, "expires_at": LATER}
    Seat.objects.create(user=ann, slot=1, **row)
    for broken in [{"user": bob, "slot": 1}, {"user": ann, "slot": 1}, {"user": bob, "slot": 2}, {"user": bob}]:
        with pytest.raises(IntegrityError), transaction.atomic():
            Seat.objects.create(**row | broken)


def test_who_goes_away_gives_the_place_back_and_may_still_answer_while_it_is_free(project: Project, by: Actor) -> None:
    queue, [ann, bob] = labeling.queue(project, by, annotators_per_item=1), labeling.people(project, 2)
    first, second = labeling.fill(queue, by, 2)
    assert take(queue, ann) == first
    assert take(queue, bob) == second
    assert take(queue, bob, LATER) == first
    with pytest.raises(Conflict):
        seats.submit(item=first, user_id=ann.pk, answers={"good": "pass"}, now=LATER)
    seats.submit(item=second, user_id=ann.pk, answers={"good": "pass"}, now=LATER)
    assert Annotation.objects.get().seat.user == ann


def test_the_same_answer_sent_twice_is_kept_once(project: Project, by: Actor) -> None:
    queue, [ann] = labeling.queue(project, by), labeling.people(project, 1)
    [item] = labeling.fill(queue, by, 1)
    assert answer(item, ann) == answer(item, ann)
    assert Annotation.objects.count() == 1


def test_a_skipped_item_goes_to_somebody_else_and_not_back(project: Project, by: Actor) -> None:
    queue, [ann, bob] = labeling.queue(project, by, annotators_per_item=1), labeling.people(project, 2)
    [item] = labeling.fill(queue, by, 1)
    take(queue, ann)
    seats.skip(item=item, user_id=ann.pk, reason="I do not know Latin", now=NOW)
    assert take(queue, ann) is None
    assert take(queue, bob) == item
    assert Annotation.objects.get().skipped_reason == "I do not know Latin"
    with pytest.raises(Conflict):
        seats.skip(item=item, user_id=ann.pk, reason="", now=NOW)


def test_taking_back_reopens_the_item_and_the_trail_keeps_the_answer(project: Project, by: Actor) -> None:
    queue, [ann] = labeling.queue(project, by, annotators_per_item=1), labeling.people(project, 1)
    item, other = labeling.fill(queue, by, 2)
    answer(item, ann, "fail")
    assert Settled.objects.count() == 1
    assert seats.undo(queue=queue, user_id=ann.pk, by=by, now=NOW).item == item
    item.refresh_from_db()
    assert (item.state, Settled.objects.count(), take(queue, ann)) == ("open", 0, item)
    assert Event.objects.get(name="annotation.undone").data["answers"] == {"good": "fail"}
    seats.skip(item=item, user_id=ann.pk, reason="", now=NOW)
    assert seats.undo(queue=queue, user_id=ann.pk, by=by, now=NOW).item == item
    answer(item, ann)
    settling.settle(item=item, answers={"good": "fail"}, by=by, now=NOW, reason="It is not.")
    with pytest.raises(Conflict):
        seats.undo(queue=queue, user_id=ann.pk, by=by, now=NOW)
    assert take(queue, ann) == other


def test_disagreement_waits_for_a_person_whose_decision_is_a_row_of_its_own(project: Project, by: Actor) -> None:
    queue, [ann, bob] = labeling.queue(project, by), labeling.people(project, 2)
    [item] = labeling.fill(queue, by, 1)
    answer(item, ann, "pass")
    answer(item, bob, "fail")
    item.refresh_from_db()
    assert (item.state, Settled.objects.count()) == ("done", 0)
    with pytest.raises(Invalid):
        settling.settle(item=item, answers={"good": "perhaps"}, by=by, now=NOW)
    settling.settle(item=item, answers={"good": "fail"}, by=by, now=NOW, reason="Ann missed the date.")
    settling.settle(item=item, answers={"good": "pass"}, by=by, now=NOW, reason="No, she was right.")
    kept = Settled.objects.get()
    assert (kept.answers, kept.method, kept.by_user_id) == ({"good": "pass"}, "adjudicated", by.user_id)
    assert Event.objects.filter(name="queue.item_settled").latest("id").data["before"] == {"good": "fail"}
    assert sorted(Annotation.objects.values_list("answers__good", flat=True)) == ["fail", "pass"]


def test_what_teaches_most_comes_first_and_gold_is_mixed_in(project: Project, by: Actor) -> None:
    queue, [ann] = labeling.queue(project, by, gold_every=2), labeling.people(project, 1)
    plain = labeling.fill(queue, by, 4)
    QueueItem.objects.filter(pk=plain[2].pk).update(priority=0.9)
    filling.make_gold(item=plain[3], answers={"good": "pass"}, by=by)
    order = []
    while (item := take(queue, ann)) is not None:
        order.append(plain.index(item))
        answer(item, ann)
    assert order == [2, 0, 3, 1]
    assert queries.progress(queue).items == 3


def test_a_paused_queue_gives_out_nothing(project: Project, by: Actor) -> None:
    queue, [ann] = labeling.queue(project, by), labeling.people(project, 1)
    labeling.fill(queue, by, 1)
    queue = queue_settings.edit(queue=queue, by=by, now=NOW, state="paused")
    with pytest.raises(Conflict):
        take(queue, ann)


@pytest.mark.django_db(transaction=True)
def test_no_item_is_given_out_twice_when_all_ask_at_once(project: Project, by: Actor) -> None:
    """Two threads, ten people each, half of whom vanish; then everybody comes back when the reservations ran out."""
    queue = labeling.queue(project, by, annotators_per_item=2)
    labeling.fill(queue, by, 12)
    everybody = labeling.people(project, 20)
    barrier = threading.Barrier(2)
    problems: list[Exception] = []

    def work(group: list[User]) -> None:
        try:
            barrier.wait()
            for place, user in enumerate(group):
                item = take(queue, user)
                if item is not None and place % 2:
                    answer(item, user)
        except Exception as problem:  # noqa: BLE001 (told to the test)
            problems.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(everybody[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    live = Counter(Seat.objects.filter(slot__isnull=False).values_list("item", flat=True))
    assert max(live.values()) <= 2
    assert sum(live.values()) == 20
    for user in everybody:
        while (item := take(queue, user, LATER)) is not None:
            seats.submit(item=item, user_id=user.pk, answers={"good": "pass"}, now=LATER)
    given = Counter(Annotation.objects.values_list("seat__item", flat=True))
    assert given == dict.fromkeys(given, 2)
    assert (len(given), QueueItem.objects.filter(state="settled").count()) == (12, 12)
    print(f"\n{connection.vendor}: 24 answers of 20 people in 2 threads, double 0, lost 0")
