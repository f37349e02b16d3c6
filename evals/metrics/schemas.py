"""JSON Schema that hostile schemas cannot bend: nothing is fetched, patterns are re2, and the work is counted."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import jsonschema
from jsonschema import validators
from referencing import Registry
from referencing.exceptions import Unresolvable

from evals.metrics import patterns
from llmops.common.errors import Invalid

MAX_BYTES = 64 * 1024
MAX_DEPTH = 40
MAX_STEPS = 50_000

MAX_MOMENT = 60
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[-+][0-9]{2}:[0-9]{2})"
)
_steps: ContextVar[int] = ContextVar("steps of the check that is running")


class TooMuchWork(Exception):
    """The schema asks for more steps than MAX_STEPS on this value, or for endless ones."""


def compiled(
    schema: dict[str, Any], field: str = "params.schema", *, formats: bool = False
) -> Callable[[Any], str | None]:
    """A function from a value to what is wrong with it first, or None; `format` only says something with `formats`.

    :raises Invalid: for a schema that is too large, no schema, or refers to other documents.
    """
    validator_class = _dialect(schema, field)
    _check_size(schema, field)
    _check_parts(schema, field, 0)
    try:
        validator_class.check_schema(schema)
    except jsonschema.SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        raise Invalid("This is no JSON Schema.", fields={field: f"{error.message[:200]} at /{place}"}) from None
    validator = validator_class(schema, registry=Registry(), format_checker=FORMATS if formats else None)

    def check(value: Any) -> str | None:
        token = _steps.set(0)
        try:
            error = next(iter(validator.iter_errors(value)), None)
        except RecursionError:
            raise TooMuchWork from None
        except Unresolvable as missing:
            return f"the schema refers to {str(missing.ref)[:80]}, which it does not hold"
        finally:
            _steps.reset(token)
        if error is None:
            return None
        place = "/".join(str(part) for part in error.absolute_path)
        return f"{error.message[:200]} at /{place[:100]}"

    try:
        check(None)
    except TooMuchWork:
        raise Invalid("The schema refers to itself without end.", fields={field: "an endless `$ref`"}) from None
    return check


def _dialect(schema: dict[str, Any], field: str) -> Any:
    named = schema.get("$schema", "")
    if named in {"", "https://json-schema.org/draft/2020-12/schema"}:
        return DRAFT_2020_12
    if isinstance(named, str) and named.rstrip("#") == "http://json-schema.org/draft-07/schema":
        return DRAFT_7
    raise Invalid("The dialect is not known.", fields={field: "`$schema` must be draft-07 or 2020-12"})


def _check_size(schema: dict[str, Any], field: str) -> None:
    try:
        size = len(json.dumps(schema))
    except (RecursionError, ValueError):
        size = MAX_BYTES + 1
    if size > MAX_BYTES:
        raise Invalid("The schema is too large.", fields={field: f"must be at most {MAX_BYTES:,} bytes of plain JSON"})


def _check_parts(part: Any, field: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Invalid("The schema is nested too deeply.", fields={field: f"at most {MAX_DEPTH} levels"})
    if isinstance(part, list):
        for item in part:
            _check_parts(item, field, depth + 1)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in {"$ref", "$dynamicRef"} and isinstance(value, str) and not value.startswith("#"):
            raise Invalid("The schema refers to another document.", fields={field: f"`{key}` must start with #"})
        if key == "pattern" and isinstance(value, str):
            patterns.compiled(value, field)
        if key == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                patterns.compiled(pattern, field)
        _check_parts(value, field, depth + 1)


def _counted(keyword: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(keyword)
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        done = _steps.get(0) + 1
        if done > MAX_STEPS:
            raise TooMuchWork
        _steps.set(done)
        yield from keyword(validator, value, instance, schema) or ()

    return check


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not patterns.found(patterns.compiled(pattern, "schema"), instance):
        yield jsonschema.ValidationError(f"{instance[:60]!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, properties: dict[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in properties.items():
        compiled_pattern = patterns.compiled(pattern, "schema")
        for key, value in instance.items():
            if patterns.found(compiled_pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    named = schema.get("properties", {})
    compiled_patterns = [patterns.compiled(pattern, "schema") for pattern in schema.get("patternProperties", {})]
    for key, value in instance.items():
        if key in named or any(patterns.found(pattern, key) for pattern in compiled_patterns):
            continue
        if rule is False:
            yield jsonschema.ValidationError(f"{key[:60]!r} is not allowed")
        elif isinstance(rule, dict):
            yield from validator.descend(value, rule, path=key)


def _unique_items(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[Any]:
    if unique and validator.is_type(instance, "array"):
        seen = {json.dumps(_comparable(item), sort_keys=True) for item in instance}
        if len(seen) < len(instance):
            yield jsonschema.ValidationError("an item is there twice")


def _comparable(value: Any) -> Any:
    """JSON in which equal numbers are written alike."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    return value


def _is_moment(value: object) -> bool:
    """RFC 3339: a date, T, a time and an offset."""
    if not isinstance(value, str):
        return True
    if len(value) > MAX_MOMENT or not _MOMENT.fullmatch(value):
        return False
    datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    return True


def _formats() -> jsonschema.FormatChecker:
    """The formats that can be checked in linear time, without further libraries."""
    checker = jsonschema.FormatChecker(formats=("date", "email", "ipv4", "ipv6", "uuid"))
    checker.checkers = dict(checker.checkers)
    checker.checks("date-time", raises=ValueError)(_is_moment)
    return checker


def _bounded(base: Any) -> Any:
    """The dialect with our keywords in place of those that use `re` or compare each item with each other."""
    ours = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    keywords = {name: _counted(ours.get(name, keyword)) for name, keyword in base.VALIDATORS.items()}
    return validators.extend(base, validators=keywords)  # type: ignore[no-untyped-call]


DRAFT_2020_12 = _bounded(jsonschema.Draft202012Validator)
DRAFT_7 = _bounded(jsonschema.Draft7Validator)
FORMATS = _formats()
