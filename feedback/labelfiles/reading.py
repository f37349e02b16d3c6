"""How a file of any other tool is read: one record after the other, each once, and told what is left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from feedback.labelfiles import parts
from feedback.labelfiles.types import Asked, LabeledItem, LeftOuts, Read
from feedback.rubrics import Question

Json = Any


class Reading(ABC):
    """One file that is being read. `people` gives names to those of whom the file only has a number."""

    record: ClassVar[str]  # what the tool calls one

    def __init__(self, questions: Sequence[Question], asked: Asked | None, people: Mapping[str, str]) -> None:
        self.left = LeftOuts(asked.left_out if asked else ())
        self.asked, self.people = asked, people
        self.names = parts.Names(questions, asked.keys if asked else {}, self.left)

    def all(self, records: Sequence[Json]) -> Read:
        """The items in their order.

        :raises Invalid: naming the record that is not acceptable, or is there twice.
        """
        found: dict[str, LabeledItem] = {}
        for number, one in enumerate(records, start=1):
            item = self.item(one, f"{self.record} {number}")
            if item.key in found:
                raise parts.wrong(item.place, f"is {found[item.key].place} once more")
            found[item.key] = item
        return Read(list(found.values()), self.left.listed())

    @abstractmethod
    def item(self, given: Json, place: str) -> LabeledItem:
        """The item of one record, which stands at `place`. :raises Invalid: naming the place."""


def seconds(spent: Json) -> int | None:
    """A time that somebody needed, where it is one: whole seconds below eleven days."""
    return round(spent) if isinstance(spent, int | float) and 0 <= spent < 10**6 else None
