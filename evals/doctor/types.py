"""What the doctor reads of a dataset, and what it says about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TEST_SPLIT = "test"
TRAINING_SPLITS = frozenset({"train", "training", "dev", "development", "val", "valid", "validation"})

Json = Any


class Kind(StrEnum):
    """What can be found, the worst first."""

    CONFLICT = "conflict"
    SPLIT_LEAK = "split_leak"
    PROMPT_LEAK = "prompt_leak"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    ODD = "odd"
    DISAGREEMENT = "disagreement"
    NEVER_FAILS = "never_fails"


@dataclass(frozen=True, slots=True)
class Row:
    """An example as the doctor sees it; `number` is how pages call it."""

    key: uuid.UUID
    number: int
    inputs: Mapping[str, Json]
    expected: Json = None
    split: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A row that a finding names."""

    key: uuid.UUID
    number: int
    split: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one row or a group of rows.

    `size` counts the rows, `members` are the first of them. `strength`, 0 to 1, is a similarity or a share, by kind;
    `note` says in words what was seen.
    """

    kind: Kind
    members: tuple[Member, ...]
    size: int
    strength: float
    note: str
