"""Tasks of Label Studio's JSON as items with answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feedback.labelfiles import parts
from feedback.labelfiles.label_studio.config import TIE
from feedback.labelfiles.label_studio.tasks import SIDES
from feedback.labelfiles.reading import Reading, seconds
from feedback.labelfiles.types import Asked, Decision, Given, LabeledItem, Read
from feedback.rubrics import Question
from feedback.rubrics.answers import output_text
from llmops.common import text

Json = Any
SIDE_OF = {side: name for name, side in SIDES.items()}
SHORT = {"annotation_id", "annotator", "lead_time"}  # what a task of the form JSON-MIN has beside its data


def read(tasks: Sequence[Json], questions: Sequence[Question], asked: Asked | None, people: Mapping[str, str]) -> Read:
    """The tasks in their order. `people` gives names to those whom the file only numbers.

    :raises Invalid: naming the task that is not acceptable.
    """
    return _Reading(questions, asked, people).all(tasks)


class _Reading(Reading):
    record = "task"

    def item(self, given: Json, place: str) -> LabeledItem:
        task = parts.object_at(given, place)
        if task.keys() >= SHORT:
            raise parts.wrong(place, "is of the short form JSON-MIN; export it as JSON")
        data = parts.object_at(task.get("data"), place) if task.keys() & {"data", "annotations"} else task
        ours = data.get(parts.OURS)
        annotations = [
            parts.object_at(one, place) for one in parts.list_at(task.get("annotations"), place, "annotations")
        ]
        for name in ("predictions", "drafts"):
            if count := len(parts.list_at(task.get(name), place, name)):
                self.left.add(name.capitalize(), place, count)
        if isinstance(ours, dict) and "snapshot" in ours:
            snapshot = parts.snapshot_at(ours["snapshot"], place)
            item = LabeledItem(str(ours.get("item") or _key(task, data)), snapshot, title=str(ours.get("title") or ""))
        else:
            ours = {}
            item = LabeledItem(_key(task, data), self._snapshot(data, annotations))
            item.title = parts.title_of(item.snapshot["inputs"])
        item.place = place
        for one in annotations:
            self._take(item, one, ours)
        return item

    def _take(self, item: LabeledItem, annotation: dict[str, Json], ours: Mapping[str, Json]) -> None:
        who = self._who(annotation.get("completed_by"), item.place)
        skips = ours.get("skips")
        if annotation.get("was_cancelled") is True:
            if annotation.get("result"):
                self.left.add("Answers of people who skipped the item", item.place)
            reason = skips.get(who) if isinstance(skips, dict) else None
            self._add(item, Given(who, {}, str(reason or "no reason"), seconds(annotation.get("lead_time"))))
            return
        answers = self._answers(item, annotation)
        if not answers:
            self.left.add("Annotations without an answer to a question of the rubric", item.place)
        elif annotation.get("ground_truth") is not True:
            self._add(item, Given(who, answers, seconds=seconds(annotation.get("lead_time"))))
        elif ours.get("gold") is True and item.gold is None:
            item.gold = answers
        elif item.decision is not None:
            self.left.add("Second ground truths of a task", item.place)
        elif isinstance(ours.get("settled"), dict):
            said = ours["settled"]
            item.decision = Decision(answers, who, str(said.get("method")), str(said.get("reason") or ""))
        else:  # there, a person's own answer is marked as the truth
            self._add(item, Given(who, answers, seconds=seconds(annotation.get("lead_time"))))
            item.decision = Decision(answers, who)

    def _add(self, item: LabeledItem, given: Given) -> None:
        if any(there.who == given.who for there in item.given):
            raise parts.wrong(item.place, f"has a second annotation of {text.shown(given.who)}")
        item.given.append(given)

    def _answers(self, item: LabeledItem, annotation: dict[str, Json]) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for one in parts.list_at(annotation.get("result"), item.place, "result"):
            line = parts.object_at(one, item.place)
            name, value = line.get("from_name"), line.get("value")
            if not isinstance(name, str) or not isinstance(value, dict):
                self.left.add(f"Results of the type “{str(line.get('type'))[:40]}”", item.place)
                continue
            question = self._question(name, value, item.place)
            if question is None:
                continue
            if question.kind == "spans":
                found.setdefault(question.key, []).extend(_spans(value, item))
            elif "start" in value:
                self.left.add(f"Answers to “{name[:60]}” about a part of the text", item.place)
            elif question.key in found:
                raise parts.wrong(item.place, f"answers {question.key} twice")
            else:
                found[question.key] = _answer(question, value, item.place)
        return found

    def _question(self, name: str, value: Mapping[str, Json], place: str) -> Question | None:
        if name.endswith(TIE) and value.get("choices") == ["tie"]:
            return self.names.question(name.removesuffix(TIE), place)
        return self.names.question(name, place)

    def _who(self, given: Json, place: str) -> str:
        name = ""
        if isinstance(given, dict):
            whole = " ".join(str(given.get(part) or "") for part in ("first_name", "last_name")).strip()
            name = str(given.get("email") or "") or whole or str(given.get("id") or "")
        elif isinstance(given, str | int) and not isinstance(given, bool):
            name = str(given)
        if not name.strip():
            raise parts.wrong(place, "an annotation does not say who completed it (completed_by)")
        return self.people.get(name, name if not name.isdigit() else f"user {name}")

    def _snapshot(self, data: dict[str, Json], annotations: Sequence[dict[str, Json]]) -> dict[str, Json]:
        output, compared = self._output(data, annotations), self.asked.candidates if self.asked else ()
        rest = {name: value for name, value in data.items() if name != output and name not in compared}
        found: dict[str, Json] = {"inputs": rest, "output": data.get(output)}
        if listed := _candidates(data, compared):
            found["candidates"] = listed
        return found

    def _output(self, data: Mapping[str, Json], annotations: Sequence[dict[str, Json]]) -> str:
        """The name of the text that was judged: what the spans lie in, or what it is usually called."""
        if self.asked and self.asked.output:
            return self.asked.output
        marked = [line.get("to_name") for one in annotations for line in _marks(one)]
        return next((name for name in (*marked, *parts.OUTPUTS) if isinstance(name, str) and name in data), "")


def _marks(annotation: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    result = annotation.get("result")
    lines = result if isinstance(result, list) else []
    return (line for line in lines if isinstance(line, dict) and line.get("type") == "labels")


def _candidates(data: Mapping[str, Json], compared: Sequence[str]) -> list[dict[str, Json]]:
    if len(compared) == 2:
        return [{"name": name, "text": data.get(part)} for name, part in zip("ab", compared, strict=True)]
    listed = data.get(compared[0]) if compared else None
    return [
        {"name": str(one.get("id")), "text": str(one.get("body") or one.get("title") or "")}
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    ]


def _answer(question: Question, value: Mapping[str, Json], place: str) -> Json:
    """The answer as the rubric takes it; whether it is acceptable is checked with all answers of the item."""
    said = next(
        (value[name] for name in ("choices", "rating", "number", "text", "selected", "ranker") if name in value), None
    )
    if said is None:
        raise parts.wrong(place, f"the answer to {question.key} is of a type that its question has not")
    if question.kind == "categories":
        return [parts.choice_of(question, one) for one in said] if isinstance(said, list) else said
    if question.kind == "ranking":  # older versions write the list alone
        return next(iter(said.values())) if isinstance(said, dict) and len(said) == 1 else said
    if question.kind in {"text", "correction"}:
        return "\n".join(map(str, said)) if isinstance(said, list) else said
    one = said[0] if isinstance(said, list) and len(said) == 1 else said
    if question.kind == "pairwise":
        return SIDE_OF.get(one, one) if isinstance(one, str) else one
    return one if question.kind == "scale" else parts.choice_of(question, one)


def _spans(value: Mapping[str, Json], item: LabeledItem) -> list[Json]:
    labels = value.get("labels")
    ends = value.get("start"), value.get("end")
    if not isinstance(labels, list) or not all(type(end) is int for end in ends):
        raise parts.wrong(item.place, "a span needs start, end and labels")
    start, end = _matching(output_text(item.snapshot), ends[0], ends[1], value.get("text"))  # type: ignore[arg-type]
    return [{"start": start, "end": end, "label": label} for label in labels]


def _matching(marked: str, start: int, end: int, said: Json) -> tuple[int, int]:
    """Ends in characters. Older versions count what JavaScript does: two for a character beyond the first 65,536."""
    if not isinstance(said, str) or marked[start:end] == said or marked.isascii():
        return start, end
    units = marked.encode("utf-16-le")
    try:
        first, upto = units[: 2 * start].decode("utf-16-le"), units[: 2 * end].decode("utf-16-le")
    except UnicodeDecodeError:
        return start, end
    return (len(first), len(upto)) if upto[len(first) :] == said else (start, end)


def _key(task: Mapping[str, Json], data: Mapping[str, Json]) -> str:
    """The task's number, or the mark of its content: what comes in twice is the same item."""
    if isinstance(task.get("id"), int | str) and "data" in task:
        return str(task["id"])
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]
