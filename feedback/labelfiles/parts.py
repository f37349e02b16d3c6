"""What all formats of other tools share: an item as texts to show, names of questions as keys, places in a file."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from feedback.labelfiles.types import LeftOuts
from feedback.rubrics import Question
from feedback.rubrics.answers import output_text, text_of
from llmops.common.errors import Invalid

Json = Any
OURS = "llmops"  # names the part of a file that only we read: what the tool itself has no place for
OUTPUTS = ("output", "response", "answer", "completion")  # what the text to judge is called where nothing says it
NOBODY = "the platform"
SNAPSHOT = {"inputs", "output", "contexts", "expected", "origin", "candidates"}
LONGEST_TITLE = 200
LONGEST_KEY = 40


def texts(snapshot: Mapping[str, Json]) -> dict[str, str]:
    """The parts of an item as people read them; a part that it lacks is empty."""
    inputs = snapshot.get("inputs")
    pairs = inputs if isinstance(inputs, dict) else {"input": inputs}
    named = [words(value) if len(pairs) == 1 else f"{name}: {words(value)}" for name, value in pairs.items()]
    return {
        "inputs": "\n\n".join(named),
        "output": output_text(snapshot),
        "contexts": "\n\n".join(words(one) for one in snapshot.get("contexts") or []),
        "expected": words(snapshot.get("expected")),
    }


def words(value: Json) -> str:
    return value if isinstance(value, str) else text_of(value)


def candidates(snapshot: Mapping[str, Json]) -> list[tuple[str, str]]:
    """What a pair or a ranking chooses from: names and texts."""
    return [(str(one["name"]), words(one.get("text"))) for one in snapshot.get("candidates") or []]


def title_of(inputs: Mapping[str, Json]) -> str:
    found = next((value for value in inputs.values() if isinstance(value, str) and value.strip()), "")
    return " ".join(found.split())[:LONGEST_TITLE]


def key_of(name: str, taken: Collection[str] = ()) -> str:
    """A question's name in another tool as a key of ours, unlike those that are taken."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    key = (plain if plain[:1].isalpha() else f"q_{plain}").strip("_")[:LONGEST_KEY]
    tried, number = key, 2
    while tried in taken:
        tried, number = f"{key[: LONGEST_KEY - 4]}_{number}", number + 1
    return tried


class Names:
    """Which question of the rubric a name in the file means; what the rubric does not ask is left out and told."""

    def __init__(self, questions: Sequence[Question], keys: Mapping[str, str], left: LeftOuts) -> None:
        self._questions = {question.key: question for question in questions}
        self._keys, self._left = keys, left

    def question(self, name: str, place: str) -> Question | None:
        for key in (name, self._keys.get(name, ""), key_of(name)):
            if key in self._questions:
                return self._questions[key]
        self._left.add(f"Answers to “{name[:60]}”, which the rubric does not ask", place)
        return None


def choice_of(question: Question, said: Json) -> Json:
    """The value that a choice's words mean; what is no choice stays, and is refused when the answers are checked."""
    if not isinstance(said, str) or said in question.values:
        return said
    by_words = {choice.text.casefold(): choice.value for choice in question.options}
    return by_words.get(said.casefold(), by_words.get(said.strip().casefold(), said))


def object_at(value: Json, place: str) -> dict[str, Json]:
    """:raises Invalid: at the place, when the value is no object."""
    if not isinstance(value, dict):
        raise wrong(place, "must be an object")
    return value


def snapshot_at(value: Json, place: str) -> dict[str, Json]:
    """An item as our own export wrote it.

    :raises Invalid: at the place, for what no page could show.
    """
    given = object_at(value, place)
    listed = given.get("candidates") or []
    is_whole = (
        given.keys() <= SNAPSHOT
        and isinstance(given.get("contexts") or [], list)
        and isinstance(given.get("origin") or {}, dict)
        and isinstance(listed, list)
        and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in listed)
    )
    if not is_whole:
        raise wrong(place, f"its part “{OURS}” is not as it was exported")
    return given


def list_at(value: Json, place: str, what: str) -> list[Json]:
    """:raises Invalid: at the place, when the value is no list; nothing is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(place, f"{what} must be a list")
    return value


def wrong(place: str, reason: str) -> Invalid:
    return Invalid(f"{place.capitalize()}: {reason}.", fields={place: reason})
