"""What one example holds, checked, and the hash of its content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from llmops.common import text
from llmops.common.errors import Invalid

Json = Any

PARTS = ("inputs", "expected", "contexts", "metadata", "tags", "split")
MAX_ROW = 1024 * 1024
MAX_COLUMNS = 500
MAX_NAME = 120
MAX_TAGS = 50
MAX_TAG = 60
MAX_SPLIT = 40
MAX_CONTEXTS = 500

# Sorted keys, no spaces; with whole floats as integers, equal content is equal text.
_SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """The content of an example. `inputs` fills the prompt, `expected` is one right answer or a list of them."""

    inputs: dict[str, Json] = field(default_factory=dict)
    expected: Json = None
    contexts: list[str] = field(default_factory=list)
    metadata: dict[str, Json] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    split: str = ""
    content_hash: str = field(init=False, compare=False)
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """`content_hash` is the SHA-256 of the content in one spelling, `size` that spelling's length."""
        parts = [self.inputs, self.expected, self.contexts, self.metadata, sorted(self.tags), self.split]
        spelled = _SPELLING.encode(_plain(parts))
        object.__setattr__(self, "content_hash", hashlib.sha256(spelled.encode("utf-8", "replace")).hexdigest())
        object.__setattr__(self, "size", len(spelled))


def checked(raw: Json) -> ExampleRow:
    """An example from its JSON object: `{"inputs": {...}, "expected": …, "contexts": [...], …}`.

    :raises Invalid: with an entry in `fields` for each part that is not acceptable.
    """
    if not isinstance(raw, dict):
        raise Invalid("An example must be a JSON object.", fields={"inputs": "required"})
    wrong = {
        str(name)[:60]: f"not a part of an example; the parts are {', '.join(PARTS)}" for name in raw.keys() - PARTS
    }
    for part in ("inputs", "expected", "contexts", "metadata"):
        try:
            text.storable(raw.get(part), path=part)
        except Invalid as error:
            raise Invalid(error.message, fields=error.fields or {part: error.message}) from None
    row = ExampleRow(
        inputs=_named(raw, "inputs", wrong),
        expected=raw.get("expected"),
        contexts=_texts(raw, "contexts", wrong, MAX_CONTEXTS, None),
        metadata=_named(raw, "metadata", wrong),
        tags=list(dict.fromkeys(_texts(raw, "tags", wrong, MAX_TAGS, MAX_TAG))),
        split=_split(raw, wrong),
    )
    if not wrong and not row.inputs and not row.metadata:
        wrong["inputs"] = "an example needs at least one input"
    if wrong:
        place, reason = next(iter(wrong.items()))
        raise Invalid(f"{place}: {reason}.", fields=wrong)
    if row.size > MAX_ROW:
        raise Invalid(
            f"The example is {row.size:,} characters long; the limit is {MAX_ROW:,}.", fields={"inputs": "too long"}
        )
    return row


def _named(raw: dict[str, Json], part: str, wrong: dict[str, str]) -> dict[str, Json]:
    value = raw.get(part)
    if value is None:
        return {}
    if not isinstance(value, dict):
        wrong[part] = "must be an object of names and values"
        return {}
    if len(value) > MAX_COLUMNS:
        wrong[part] = f"at most {MAX_COLUMNS} names"
    for name in value:
        if not name.strip() or len(name) > MAX_NAME:
            wrong[part] = f"a name must have 1 to {MAX_NAME} characters"
    return value


def _texts(raw: dict[str, Json], part: str, wrong: dict[str, str], most: int, length: int | None) -> list[str]:
    value = raw.get(part)
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        wrong[part] = "must be a list of texts"
        return []
    if len(value) > most:
        wrong[part] = f"at most {most} of them"
    if length is not None:
        value = [item.strip() for item in value if item.strip()]
        if any(len(item) > length for item in value):
            wrong[part] = f"each at most {length} characters"
        if any(text.problem(item) for item in value):
            wrong[part] = "contains a character that cannot be stored"
    return value


def _split(raw: dict[str, Json], wrong: dict[str, str]) -> str:
    value = raw.get("split")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value.strip()) > MAX_SPLIT or text.problem(value):
        wrong["split"] = f"must be a text of at most {MAX_SPLIT} characters"
        return ""
    return value.strip()


def _plain(value: Json) -> Json:
    """Databases keep 1.0 as 1 and −0.0 as 0, so the hash does too."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
