"""The shape of feedback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from feedback.dialects import mlflow
from feedback.forms import named
from feedback.forms.fields import MAX_TEXT, Reader
from feedback.models import FeedbackEvent
from feedback.queries.definitions import Definition
from feedback.services.events import SIGNS, NewEvent

ALIASES = {"client_id": "id", "call_id": "call", "span_id": "span", "user": "end_user"}
KNOWN = frozenset(
    {
        "id", "call", "span", "kind", "name", "value", "thumbs", "score", "number", "category", "comment", "text",
        "correction", "tags", "end_user", "session", "source", "metadata",
    }
)  # fmt: skip
# Other words for the same kinds.
SAME_KIND = {"number": "score", "text": "comment"}
KINDS = frozenset(FeedbackEvent.Kind.values)
SOURCES = frozenset(FeedbackEvent.Source.values)
UP, DOWN = 1.0, -1.0
THUMBS: dict[Any, float] = {"up": UP, "down": DOWN, 1: UP, 0: DOWN, -1: DOWN}  # true and false are 1 and 0 here
LONGEST_CATEGORY = 200

Definitions = Callable[[], Mapping[str, Definition]]


def reader(definitions: Definitions) -> Callable[[dict[str, Any], bytes, bool], tuple[NewEvent, tuple[str, ...]]]:
    """Reads feedback; what names a score is checked against the project's definitions, asked for only then."""

    def read(item: dict[str, Any], body: bytes, repaired: bool) -> tuple[NewEvent, tuple[str, ...]]:
        """The feedback, and warnings about what was not understood.

        Either `kind` and `value`, or the shorthand: `{"call": …, "thumbs": "down", "correction": …}`.

        :raises Invalid: naming every field that is not acceptable.
        """
        if "assessment" in item:
            item = mlflow.feedback_of(item)
        fields = Reader(item, ALIASES)
        event = _event(fields, definitions, body, repaired)
        fields.demand_good()
        return event, fields.unknown(KNOWN)

    return read


def _event(reader: Reader, definitions: Definitions, body: bytes, repaired: bool) -> NewEvent:
    call, session, span = reader.identifier("call"), reader.identifier("session"), reader.text("span", 64)
    comment = reader.text("comment", MAX_TEXT) or reader.text("text", MAX_TEXT)
    correction, tags, name = reader.get("correction"), reader.tags(), reader.text("name", 100)
    definition = named.definition(reader, definitions(), name) if name else None
    if name and definition is None:
        reader.demand_good()  # nothing else can be judged under a name that says nothing
    raw = reader.get("value")
    if definition is not None:
        kind, value, category, comment = named.value(reader, definition, raw, comment)
    else:
        kind = _kind(reader, comment, correction, tags)
        value, category = _value(reader, kind, raw), _category(reader, kind, raw)
    if kind == "comment" and isinstance(raw, str):
        comment = comment or reader.text("value", MAX_TEXT)
    if kind == "correction" and correction is None:
        correction = raw
    _demand_subject(reader, call, session, span)
    if definition is None:
        _demand_content(reader, kind, comment, correction, tags)
    return NewEvent(
        body=body,
        call=call,
        kind=kind,
        client_id=reader.identifier("id"),
        span=span,
        name=definition.name if definition else "",
        source=_source(reader),
        value=value,
        category=category,
        comment=comment,
        correction=correction,
        tags=tags,
        end_user=reader.identifier("end_user"),
        session=session,
        metadata=reader.get("metadata"),
        repaired=repaired,
    )


def _demand_subject(reader: Reader, call: str, session: str, span: str) -> None:
    if call or {"call", "session"} & reader.problems.keys():
        return
    if span:
        reader.problems["call"] = "is missing: the id of the call that the span is part of"
    elif not session or "call" in reader.item:
        reader.problems["call"] = "is missing: the id of the call that this is about, or a session"


def _kind(reader: Reader, comment: str, correction: Any, tags: tuple[str, ...]) -> str:
    kind, item = reader.get("kind"), reader.item
    if kind is None:
        kind = (
            "thumbs" if item.get("thumbs") is not None
            else "score" if item.get("score") is not None or item.get("number") is not None
            else "category" if item.get("category") is not None
            else "correction" if correction is not None
            else "comment" if comment
            else "tags" if tags
            else None
        )  # fmt: skip
    kind = SAME_KIND.get(kind, kind) if isinstance(kind, str) else kind
    if not isinstance(kind, str) or kind not in KINDS:
        reader.problems["kind"] = f"must be one of {', '.join(FeedbackEvent.Kind.values)}, number or text"
        return ""
    return kind


def _value(reader: Reader, kind: str, raw: Any) -> float | None:
    thumbs, score, number = reader.get("thumbs"), reader.get("score"), reader.get("number")
    if kind == "thumbs":
        return _thumbs(reader, raw if thumbs is None else thumbs)
    if kind == "score":
        given = score if score is not None else number if number is not None else raw
        return _score(reader, given)
    if kind in SIGNS and raw is not None:  # how often, or after how many seconds
        return _score(reader, raw, "value")
    return None


def _category(reader: Reader, kind: str, raw: Any) -> str:
    if kind != "category":
        return ""
    if "category" not in reader.item and isinstance(raw, str):
        return reader.text("value", LONGEST_CATEGORY)
    return reader.text("category", LONGEST_CATEGORY)


def _source(reader: Reader) -> str:
    source = reader.text("source", 20) or FeedbackEvent.Source.PERSON.value
    if source not in SOURCES and "source" not in reader.problems:
        reader.problems["source"] = f"must be one of {', '.join(sorted(SOURCES))}"
    return source


def _thumbs(reader: Reader, value: Any) -> float | None:
    found = THUMBS.get(value.strip().lower() if isinstance(value, str) else value) if _is_plain(value) else None
    if found is None:
        reader.problems["thumbs"] = "must be “up” or “down”"
    return found


def _score(reader: Reader, value: Any, name: str = "score") -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        reader.problems[name] = "must be a number"
        return None
    return float(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _demand_content(reader: Reader, kind: str, comment: str, correction: Any, tags: tuple[str, ...]) -> None:
    empty = (
        (kind == "comment" and not comment)
        or (kind == "correction" and correction is None)
        or (kind == "tags" and not tags)
        or (kind == "category" and not (reader.item.get("category") or reader.item.get("value")))
    )
    if empty and kind not in reader.problems:
        reader.problems[kind] = "is empty"
