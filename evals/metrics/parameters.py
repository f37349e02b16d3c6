"""Read a metric's parameters from JSON into its dataclass, with an error for each field."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from llmops.common.errors import Invalid

ParamsT = TypeVar("ParamsT")
MAX_TEXT = 20_000
MAX_ITEMS = 200

_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "maxLength": MAX_TEXT},
    "number": {"type": "number"},
    "whole number": {"type": "integer"},
    "yes or no": {"type": "boolean"},
    "object": {"type": "object"},
    "texts": {"type": "array", "items": {"type": "string", "maxLength": MAX_TEXT}, "maxItems": MAX_ITEMS},
}


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter as forms and documentation show it."""

    name: str
    kind: str
    default: Any
    meaning: str
    choices: tuple[str, ...]


def fields_of(params: type[Any]) -> tuple[Field, ...]:
    """The parameters of a metric, in order."""
    hints = typing.get_type_hints(params)
    return tuple(
        Field(
            name=field.name,
            kind=_kind(hints[field.name])[0],
            default=_default(field),
            meaning=field.metadata.get("meaning", ""),
            choices=field.metadata.get("choices", ()),
        )
        for field in dataclasses.fields(params)
    )


def schema_of(params: type[Any]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the parameters, such as other tools build forms from."""
    hints = typing.get_type_hints(params)
    properties: dict[str, Any] = {}
    for field in fields_of(params):
        one: dict[str, Any] = dict(_SCHEMAS[field.kind])
        if _kind(hints[field.name])[1]:
            one["type"] = [one["type"], "null"]
        if field.choices:
            one["enum"] = list(field.choices)
        properties[field.name] = {"description": field.meaning, **one, "default": field.default}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def read(params: type[ParamsT], raw: Any) -> ParamsT:
    """The dataclass with the given values.

    :raises Invalid: with one entry in `fields` (`params.<name>`) for each value that is not acceptable.
    """
    if not isinstance(raw, dict):
        raise Invalid("The parameters must be a JSON object.", fields={"params": "must be an object"})
    known = {field.name: field for field in fields_of(params)}
    wrong = {
        f"params.{name[:60]}": f"not a parameter; this metric knows {', '.join(known) or 'none'}"
        for name in raw
        if name not in known
    }
    values: dict[str, Any] = {}
    hints = typing.get_type_hints(params)
    for name in known.keys() & raw.keys():
        try:
            values[name] = _checked(raw[name], hints[name], known[name].choices)
        except ValueError as error:
            wrong[f"params.{name}"] = str(error)
    if wrong:
        raise Invalid("The parameters are not acceptable.", fields=wrong)
    return params(**values)


def given(params: Any) -> dict[str, Any]:
    """The parameters that differ from their defaults: equal settings give equal JSON."""
    return {
        field.name: value
        for field in dataclasses.fields(params)
        if (value := getattr(params, field.name)) != _default(field)
    }


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _kind(hint: Any) -> tuple[str, bool]:
    """Name of the type, and whether null is allowed."""
    if isinstance(hint, types.UnionType):
        plain = [part for part in typing.get_args(hint) if part is not types.NoneType]
        return _kind(plain[0])[0], True
    if typing.get_origin(hint) is list:
        return "texts", False
    return {str: "text", float: "number", int: "whole number", bool: "yes or no", dict: "object"}[
        typing.get_origin(hint) or hint
    ], False


def _checked(value: Any, hint: Any, choices: tuple[str, ...]) -> Any:
    kind, nullable = _kind(hint)
    if value is None and nullable:
        return None
    if kind == "text":
        return _text(value, choices)
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise ValueError("must be a number")
        return float(value)
    if kind == "whole number":
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")
        return value
    if kind == "yes or no":
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value
    if kind == "object":
        if not isinstance(value, dict):
            raise ValueError("must be a JSON object")
        return value
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise ValueError(f"must be a list of at most {MAX_ITEMS} texts")
    return [_text(item, ()) for item in value]


def _text(value: Any, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if len(value) > MAX_TEXT:
        raise ValueError(f"must be at most {MAX_TEXT:,} characters")
    if choices and value not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
