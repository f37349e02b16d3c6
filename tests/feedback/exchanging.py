"""A queue with every kind of question, and files of other tools, hand-written in their documented forms."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from feedback.models import Annotation, Queue, QueueItem, Settled
from feedback.queries import labeled
from feedback.queries.sources import Source
from feedback.services import filling, queue_exports, seats, settling
from llmops.common.actors import Actor
from llmops.projects.models import Project
from tests.feedback import labeling
from tests.feedback.labeling import NOW

QUESTIONS: list[dict[str, Any]] = [
    {"key": "good", "kind": "pass_fail", "text": "Is it right?", "guidelines": "Pass what you\nwould send."},
    {"key": "tone", "kind": "category", "text": "Tone <&>?", "choices": [{"value": "kind", "text": "Kind"}, "cold"]},
    {
        "key": "faults",
        "kind": "categories",
        "text": "Faults?",
        "choices": ["long", "vague", "wrong"],
        "required": False,
    },
    {"key": "stars", "kind": "scale", "text": "How good?", "low": 1, "high": 5},
    {"key": "heat", "kind": "scale", "text": "How warm?", "low": -3, "high": 3, "required": False},
    {"key": "why", "kind": "text", "text": "Why?"},
    {"key": "marks", "kind": "spans", "text": "What is wrong?", "choices": ["bad", "odd"]},
    {"key": "better", "kind": "correction", "text": "What would be right?"},
    {"key": "pair", "kind": "pairwise", "text": "Which?", "required": False},
    {"key": "order", "kind": "ranking", "text": "In which order?", "required": False},
]
SNAPSHOT = {
    "inputs": {"question": "Where \U0001f3ed is it?", "n": 3},
    "output": "In \U0001f600 Paris, I think.",
    "contexts": ["Paris is in France.", {"page": 2}],
    "origin": {"model": "m-1"},
    "candidates": [{"name": "a", "text": "In Paris."}, {"name": "b", "text": "In Rome."}],
}
FULL = {
    "good": "fail", "tone": "kind", "faults": ["vague", "long"], "stars": 4, "heat": -2, "why": "Two lines\nof “why”",
    "marks": [{"start": 3, "end": 4, "label": "odd"}, {"start": 5, "end": 10, "label": "bad"}], "better": "In Paris.",
    "pair": "tie", "order": ["b", "a"],
}  # fmt: skip
SHORT = {"good": "pass", "tone": "cold", "stars": 5, "pair": "a"}


def queue(project: Project, by: Actor, **wanted: Any) -> Queue:
    """Five items: settled by a person, agreed, half done, skipped, and gold."""
    made = labeling.queue(project, by, questions=QUESTIONS, **wanted)
    found = [Source("import", UUID(int=n + 1), f"Item {n}", SNAPSHOT) for n in range(5)]
    filling.add(queue=made, found=found, by=by, how="test")
    items = list(QueueItem.objects.filter(queue=made).select_related("queue__rubric_version").order_by("pk"))
    ann, bob = labeling.people(project, 2)
    for person, answers in ((ann, FULL), (bob, SHORT)):
        seats.submit(item=items[0], user_id=person.pk, answers=answers, now=NOW, seconds=12)
    settling.settle(item=items[0], answers=FULL | {"pair": "b"}, by=by, now=NOW, reason="Ann is right.")
    for person in (ann, bob):
        seats.submit(item=items[1], user_id=person.pk, answers=SHORT, now=NOW)
    seats.submit(item=items[2], user_id=ann.pk, answers=SHORT, now=NOW)
    seats.sit(item=items[3], user_id=bob.pk, now=NOW, until=NOW.replace(year=2999))
    seats.skip(item=items[3], user_id=bob.pk, reason="Latin", now=NOW)
    filling.make_gold(item=items[4], answers=SHORT, by=by)
    return made


def exported(queue: Queue, form: str) -> bytes:
    return b"".join(queue_exports.FORMS[form].chunks(queue))


def content(queue: Queue) -> list[Any]:
    """Everything that an exchange must keep, without ids."""
    return [(one.title, one.snapshot, one.gold, one.decision, list(one.given)) for one in labeled.items(queue)]


def states(queue: Queue) -> list[str]:
    return list(QueueItem.objects.filter(queue=queue).order_by("pk").values_list("state", flat=True))


def rows() -> tuple[int, int, int]:
    return QueueItem.objects.count(), Annotation.objects.count(), Settled.objects.count()


LABEL_STUDIO_CONFIG = """
<View>
  <Header value="What does the reply say?"/>
  <Text name="reply" value="$text"/>
  <View>
    <Header value="How does it sound?"/>
    <Choices name="Sentiment" toName="reply" choice="single" required="true">
      <Choice value="Positive"/><Choice value="Negative" alias="neg"/>
    </Choices>
  </View>
  <Labels name="label" toName="reply"><Label value="Fact" background="red"/><Label value="Opinion"/></Labels>
  <Rating name="stars" toName="reply" maxRating="4"/>
  <TextArea name="note" toName="reply"/>
  <RectangleLabels name="box" toName="reply"><Label value="Car"/></RectangleLabels>
</View>
"""
LABEL_STUDIO_TASKS: list[dict[str, Any]] = [
    {
        "id": 11,
        "data": {"text": "It is big \U0001f600 and red.", "customer": "K"},
        "annotations": [
            {
                "id": 1, "completed_by": {"id": 7, "email": "ann@example.com", "first_name": "Ann"},
                "was_cancelled": False, "ground_truth": False, "lead_time": 4.3,
                "result": [
                    {"id": "x", "from_name": "Sentiment", "to_name": "reply", "type": "choices",
                     "value": {"choices": ["neg"]}},
                    {"id": "y", "from_name": "label", "to_name": "reply", "type": "labels",
                     "value": {"start": 17, "end": 20, "text": "red", "labels": ["Fact"]}},
                    {"id": "z", "from_name": "stars", "to_name": "reply", "type": "rating", "value": {"rating": 3}},
                    {"id": "v", "from_name": "note", "to_name": "reply", "type": "textarea",
                     "value": {"text": ["one", "two"]}},
                    {"id": "w", "from_name": "box", "to_name": "reply", "type": "rectanglelabels",
                     "value": {"x": 1, "rectanglelabels": ["Car"]}},
                    {"from_id": "x", "to_id": "y", "type": "relation", "direction": "right"},
                ],
            },
            {"id": 2, "completed_by": 8, "was_cancelled": True, "ground_truth": False, "result": []},
            {"id": 3, "completed_by": 9, "was_cancelled": False, "ground_truth": True, "result": [
                {"from_name": "Sentiment", "to_name": "reply", "type": "choices", "value": {"choices": ["Positive"]}},
            ]},
        ],
        "predictions": [{"result": []}],
    },
    {"id": 12, "data": {"text": "Small.", "customer": "L"}, "annotations": []},
]  # fmt: skip

ARGILLA_SETTINGS: dict[str, Any] = {
    "guidelines": "Read twice.",
    "allow_extra_metadata": False,
    "fields": [{"name": "prompt", "title": "Prompt", "settings": {"type": "text"}}],
    "questions": [
        {"name": "label", "title": "Which?", "description": "One.", "required": True, "settings": {
            "type": "label_selection", "options": [
                {"value": "yes", "text": "Yes"}, {"value": "no", "text": None}], "visible_options": None}},
        {"name": "kinds", "title": "Kinds", "required": False, "settings": {
            "type": "multi_label_selection", "options": [{"value": "x", "text": "X"}, {"value": "y", "text": "Y"}]}},
        {"name": "rating", "title": "Rating", "required": False, "settings": {
            "type": "rating", "options": [{"value": 0}, {"value": 1}, {"value": 2}]}},
        {"name": "spans", "title": "Spans", "required": False, "settings": {
            "type": "span", "field": "response", "options": [{"value": "EV", "text": "Event"}]}},
        {"name": "order", "title": "Order", "required": False, "settings": {
            "type": "ranking", "options": [{"value": "reply-1", "text": "1"}, {"value": "reply-2", "text": "2"}]}},
        {"name": "say", "title": "Say", "required": False, "settings": {"type": "text", "use_markdown": True}},
        {"name": "boxes", "title": "Boxes", "settings": {"type": "image_annotation", "field": "img", "options": []}},
    ],
    "vectors": [],
    "metadata": [],
}  # fmt: skip
ANN, BOB, EVE = [f"9f0d5a3e-0000-4000-8000-00000000000{n}" for n in (1, 2, 3)]
FIELDS = {"prompt": "Where?", "response": "The party", "reply-1": "Here", "reply-2": "There"}
ARGILLA_RECORDS: list[dict[str, Any]] = [
    {
        "id": "r1", "fields": FIELDS, "metadata": {"page": 3}, "vectors": {"v": [0.1]}, "_server_id": None,
        "suggestions": {"label": {"value": "no", "score": 0.7, "agent": "gpt"}},
        "responses": {
            "label": [{"value": "yes", "user_id": ANN}, {"value": "no", "user_id": BOB}],
            "kinds": [{"value": ["y", "x"], "user_id": ANN}],
            "rating": [{"value": 0, "user_id": ANN}],
            "spans": [{"value": [{"label": "EV", "start": 4, "end": 9}], "user_id": ANN}],
            "order": [{"value": ["reply-2", "reply-1"], "user_id": ANN}],
            "say": [{"value": "Fine", "user_id": ANN}],
        },
    },
    {
        "id": "r2", "fields": FIELDS | {"prompt": "Who?"},
        "responses": [
            {"user_id": ANN, "status": "submitted", "values": {
                "label": {"value": "yes"},
                "order": {"value": [{"value": "reply-1", "rank": 1}, {"value": "reply-2", "rank": 2}]}}},
            {"user_id": BOB, "status": "discarded", "values": {}},
            {"user_id": EVE, "status": "draft", "values": {"label": {"value": "no"}}},
        ],
    },
]  # fmt: skip
