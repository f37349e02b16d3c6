"""Records of Argilla as items with answers: as `records.to_json` writes them, or as its REST API sends them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feedback.labelfiles import parts
from feedback.labelfiles.argilla.records import GOLD, STANDS
from feedback.labelfiles.reading import Reading, seconds
from feedback.labelfiles.types import Asked, Decision, Given, LabeledItem, Read
from feedback.rubrics import Question
from llmops.common import text
from llmops.common.errors import DomainError

Json = Any
MOST_OURS = 2_000_000
STATUSES = {"submitted", "discarded", "draft"}


def read(
    records: Sequence[Json], questions: Sequence[Question], asked: Asked | None, people: Mapping[str, str]
) -> Read:
    """The records in their order. `people` gives names to those of whom the file only has the id.

    :raises Invalid: naming the record that is not acceptable.
    """
    return _Reading(questions, asked, people).all(records)


class _Reading(Reading):
    record = "record"

    def item(self, given: Json, place: str) -> LabeledItem:
        record = parts.object_at(given, place)
        fields = parts.object_at(record.get("fields"), place)
        key = record.get("id") or record.get("external_id")
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise parts.wrong(place, "has no id")
        ours = self._ours(record, place)
        if "snapshot" in ours:
            item = LabeledItem(str(key), parts.snapshot_at(ours["snapshot"], place), title=str(ours.get("title") or ""))
        else:
            item = LabeledItem(str(key), self._snapshot(fields, record.get("responses")))
            item.title = parts.title_of(item.snapshot["inputs"])
        item.place = place
        if record.get("vectors"):
            self.left.add("Vectors", place)
        self._take(item, record.get("responses"), ours)
        self._stands(item, record.get("suggestions"), ours)
        return item

    def _ours(self, record: Mapping[str, Json], place: str) -> dict[str, Json]:
        metadata = record.get("metadata")
        if metadata is None:
            return {}
        if not isinstance(metadata, dict):
            raise parts.wrong(place, "metadata must be an object")
        if any(name != parts.OURS for name in metadata):
            self.left.add("Metadata", place, sum(name != parts.OURS for name in metadata))
        block = metadata.get(parts.OURS)
        if not isinstance(block, str):
            return {}
        try:
            found = text.loads(block, max_bytes=MOST_OURS)
        except DomainError:
            raise parts.wrong(place, f"its metadata “{parts.OURS}” are not readable") from None
        return found if isinstance(found, dict) else {}

    def _take(self, item: LabeledItem, responses: Json, ours: Mapping[str, Json]) -> None:
        named, spent = _texts(ours.get("people")), ours.get("seconds")
        spent = spent if isinstance(spent, dict) else {}
        said: dict[str, dict[str, Json]] = {}
        status: dict[str, str] = {}
        for user, name, value, state in _responses(responses, item.place):
            who = named.get(user) or self.people.get(user) or user
            if status.setdefault(who, state) != state:
                raise parts.wrong(item.place, f"{text.shown(who)} has two statuses")
            answers = said.setdefault(who, {})
            question = self.names.question(name, item.place) if name else None
            if question is None:
                continue
            if question.key in answers:
                raise parts.wrong(item.place, f"has a second answer of {text.shown(who)} to {question.key}")
            answers[question.key] = _answer(question, value)
        for who, reason in _texts(ours.get("skips")).items():
            item.given.append(Given(who, {}, reason or "no reason", seconds(spent.get(who))))
        for who, answers in said.items():
            self._add(item, who, answers, status[who], seconds(spent.get(who)))
        order = list(named.values())  # as our export had them, whose places count
        item.given.sort(key=lambda given: order.index(given.who) if given.who in order else len(order))

    def _add(self, item: LabeledItem, who: str, answers: dict[str, Json], state: str, spent: int | None) -> None:
        if state == "draft":
            self.left.add("Drafts: answers that were not submitted", item.place)
        elif state == "discarded":
            if answers:
                self.left.add("Answers of people who discarded the record", item.place)
            if all(given.who != who for given in item.given):
                item.given.append(Given(who, {}, "discarded", spent))
        elif answers:
            item.given.append(Given(who, answers, seconds=spent))

    def _stands(self, item: LabeledItem, suggestions: Json, ours: Mapping[str, Json]) -> None:
        found: dict[str, Json] = {}
        for name, value, agent in _suggestions(suggestions, item.place):
            if agent == GOLD and ours.get("gold"):
                continue
            question = self.names.question(name, item.place) if agent == STANDS else None
            if agent != STANDS:
                self.left.add("Suggestions", item.place)
            elif question is not None:
                found[question.key] = _answer(question, value)
        if isinstance(ours.get("gold"), dict):
            item.gold = ours["gold"]
        if found:
            said = ours.get("settled")
            block = said if isinstance(said, dict) else {}
            reason = str(block.get("reason") or "") if block else None
            item.decision = Decision(found, str(block.get("by") or ""), str(block.get("method")), reason)

    def _snapshot(self, fields: dict[str, Json], responses: Json) -> dict[str, Json]:
        output = self.asked.output if self.asked else ""
        output = output or next((name for name in parts.OUTPUTS if name in fields), "")
        names = self.asked.candidates if self.asked else ()
        rest = {name: value for name, value in fields.items() if name != output and name not in names}
        found: dict[str, Json] = {"inputs": rest, "output": fields.get(output)}
        if names:
            found["candidates"] = [{"name": name, "text": fields.get(name, "")} for name in names]
        return found


def _responses(given: Json, place: str) -> Iterator[tuple[str, str, Json, str]]:
    """(person, question, value, status): by question as `to_json` writes them, or by person as REST does."""
    if isinstance(given, dict):
        for name, listed in given.items():
            for one in parts.list_at(listed, place, "responses"):
                line = parts.object_at(one, place)
                yield _user(line, place), str(name), line.get("value"), _status(line, place)
        return
    for one in parts.list_at(given, place, "responses"):
        line = parts.object_at(one, place)
        values = parts.object_at(line.get("values") or {}, place)
        if not values:
            yield _user(line, place), "", None, _status(line, place)
        for name, value in values.items():
            yield _user(line, place), str(name), parts.object_at(value, place).get("value"), _status(line, place)


def _suggestions(given: Json, place: str) -> Iterator[tuple[str, Json, str]]:
    if isinstance(given, dict):
        for name, one in given.items():
            line = parts.object_at(one, place)
            yield str(name), line.get("value"), str(line.get("agent") or "")
        return
    for one in parts.list_at(given, place, "suggestions"):
        line = parts.object_at(one, place)
        name = line.get("question_name") or line.get("question_id")
        yield str(name), line.get("value"), str(line.get("agent") or "")


def _user(line: Mapping[str, Json], place: str) -> str:
    user = line.get("user_id")
    if not isinstance(user, str) or not user.strip():
        raise parts.wrong(place, "a response does not say whose it is (user_id)")
    return user


def _status(line: Mapping[str, Json], place: str) -> str:
    status = line.get("status") or "submitted"  # to_json leaves it out
    if not isinstance(status, str) or status not in STATUSES:
        raise parts.wrong(place, f"the status of a response must be one of {', '.join(sorted(STATUSES))}")
    return status


def _answer(question: Question, value: Json) -> Json:
    if question.kind == "ranking" and isinstance(value, list):
        return [one.get("value") if isinstance(one, dict) else one for one in value]
    if question.kind == "categories" and isinstance(value, list):
        return [parts.choice_of(question, one) for one in value]
    return value if question.kind in {"scale", "text", "correction", "spans"} else parts.choice_of(question, value)


def _texts(given: Json) -> dict[str, str]:
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
