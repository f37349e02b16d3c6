"""Who does something: a person, an API key, or the platform itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["user", "key", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Passed as `by=` to every write, and kept in the audit trail as text.

    `user_id` is set for people, also when they act through a personal key.
    """

    kind: ActorKind
    id: int | None
    text: str
    user_id: int | None = None
    request_id: str = ""


SYSTEM = Actor(kind="system", id=None, text="the platform")
