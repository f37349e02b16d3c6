"""promptfoo's tests: variables, what is asserted, and where each comes from."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.importers import templates
from llmops_client.importers.promptfoo import csv_asserts
from llmops_client.importers.promptfoo.context import Context, Place, is_code, name_of
from llmops_client.importers.reading import NotThere

Json = Any
MAX_CASES = 10_000
HARMLESS = frozenset({"runSerially", "disableVarExpansion", "disableDefaultAsserts", "delay"})


@dataclass(frozen=True, slots=True)
class Asserted:
    """An assertion as it is written."""

    body: Mapping[str, Json]
    place: Place


@dataclass(frozen=True, slots=True)
class Case:
    """One call of the prompt, with what must hold for its output."""

    inputs: dict[str, Json]
    asserts: tuple[Asserted, ...]
    metadata: dict[str, Json] = field(default_factory=dict)


def read(config: Mapping[str, Json], context: Context) -> list[Case]:
    """Every test of the configuration, those of scenarios included, with the defaults merged in."""
    default = _default(config.get("defaultTest"), context)
    found = [
        case for test in _tests(config.get("tests"), context, ("tests",)) for case in _cases(test, default, context)
    ]
    found += _scenarios(config.get("scenarios"), default, context)
    if not found and config.get("tests") is None and config.get("scenarios") is None and config.get("prompts"):
        found = _cases(_Test({}, context, ("prompts",)), default, context)
    if len(found) > MAX_CASES:
        context.lose(context.at("tests"), "tests", f"only the first {MAX_CASES:,} of {len(found):,}")
    return found[:MAX_CASES]


@dataclass(frozen=True, slots=True)
class _Test:
    """A test's object, and how places in it are found: `path` leads to it in the lines of `context`'s file, or `place`
    is all that is known."""

    body: Mapping[str, Json]
    context: Context
    path: tuple[str | int, ...] = ()
    place: Place | None = None

    def at(self, *steps: str | int) -> Place:
        return self.place or self.context.at(*self.path, *steps)


def _default(data: Json, context: Context) -> _Test:
    if isinstance(data, str) and data.startswith("file://") and not is_code(data):
        try:
            loaded, lines = context.loaded(data)
        except NotThere as error:
            context.lose(context.at("defaultTest"), "file of the default test", str(error))
            return _Test({}, context, ("defaultTest",))
        if isinstance(loaded, dict):
            return _Test(loaded, Context(name_of(data), lines, context.folder, context.findings))
    if data is not None and not isinstance(data, dict):
        context.lose(context.at("defaultTest"), "default test", "no object")
    return _Test(data if isinstance(data, dict) else {}, context, ("defaultTest",))


def _tests(data: Json, context: Context, path: tuple[str | int, ...]) -> Iterator[_Test]:
    if data is None:
        return
    for number, one in enumerate(data if isinstance(data, list) else [data]):
        here = (*path, number) if isinstance(data, list) else path
        if isinstance(one, str):
            yield from _named(one, context, context.at(*here))
        elif isinstance(one, dict) and isinstance(one.get("path"), str) and "vars" not in one:
            context.lose(context.at(*here), "tests made by code", one["path"])
        elif isinstance(one, dict):
            yield _Test(one, context, here)
        else:
            context.lose(context.at(*here), "test", "no object")


def _named(reference: str, context: Context, place: Place) -> Iterator[_Test]:
    name = name_of(reference)
    if "://" in name:
        context.lose(place, "tests at another place", name[:120])
        return
    if is_code(name):
        context.lose(place, "tests made by code", name)
        return
    try:
        for one in context.folder.matching(name) if "*" in name else [name]:
            yield from _of_file(one, context, place)
    except NotThere as error:
        context.lose(place, "file of tests", str(error))


def _of_file(name: str, context: Context, place: Place) -> Iterator[_Test]:
    if is_code(name):
        context.lose(place, "tests made by code", name)
        return
    text = context.folder.text(name)
    if name.endswith(".csv"):
        yield from _rows(name, text, context)
    elif name.endswith(".jsonl"):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield from _line(line, Place(name, number), context)
    elif name.endswith((".json", ".yaml", ".yml")):
        try:
            data, lines = yamls.load(text, name)
        except Problem as problem:
            raise NotThere(str(problem)) from None
        yield from _tests(data, Context(name, lines, context.folder, context.findings), ())
    else:
        context.lose(place, "file of tests", f"{name} is neither CSV, JSON, JSONL nor YAML")


def _line(line: str, place: Place, context: Context) -> Iterator[_Test]:
    try:
        body = json.loads(line)
    except ValueError as error:
        context.lose(place, "test", f"not JSON: {error}")
        return
    if isinstance(body, dict):
        yield _Test(body, context, place=place)
    else:
        context.lose(place, "test", "no object")


def _rows(name: str, text: str, context: Context) -> Iterator[_Test]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            place = Place(name, reader.line_num)
            body, problems = csv_asserts.test_of(row)
            for problem in problems:
                context.lose(place, "column of tests", problem)
            yield _Test(body, context, place=place)
    except csv.Error as error:
        context.lose(Place(name, reader.line_num), "file of tests", str(error))


def _scenarios(data: Json, default: _Test, context: Context) -> list[Case]:
    found: list[Case] = []
    for number, one in enumerate(data if isinstance(data, list) else []):
        if not isinstance(one, dict):
            context.lose(context.at("scenarios", number), "scenario", "no object")
            continue
        configs = list(_tests(one.get("config"), context, ("scenarios", number, "config")))
        for config in configs or [_Test({}, context, ("scenarios", number))]:
            for test in _tests(one.get("tests"), context, ("scenarios", number, "tests")):
                body = {**test.body, "vars": {**_vars(config, context), **_vars(test, context)}}
                both = _Test(body, test.context, test.path, test.place)
                found += _cases(both, default, context, more=tuple(_asserted(config)))
    return found


def _cases(test: _Test, default: _Test, context: Context, more: tuple[Asserted, ...] = ()) -> list[Case]:
    options = {**_object(default.body.get("options")), **_object(test.body.get("options"))}
    for one in (default, test):
        _tell(one, context)
    values = {**_vars(default, context), **_vars(test, context)}
    own = [*more, *_asserted(test)]
    asserts = own if options.get("disableDefaultAsserts") else [*_asserted(default), *own]
    metadata = {**_object(default.body.get("metadata")), **_object(test.body.get("metadata"))}
    if isinstance(test.body.get("description"), str):
        metadata["description"] = test.body["description"]
    return [Case(inputs, tuple(asserts), metadata) for inputs in _expanded(values, options, test, context)]


def _tell(test: _Test, context: Context) -> None:
    """Name what a test asks for and the platform does otherwise or not at all."""
    for name in ("threshold", "provider", "providers", "prompts", "assertScoringFunction", "storeOutputAs"):
        if test.body.get(name) is not None:
            context.lose(test.at(name), f"{name} of a test", str(test.body[name])[:80])
    options = test.body.get("options")
    if options is not None and not isinstance(options, dict):
        context.lose(test.at("options"), "options of a test", "no object")
    for name in _object(options):
        place = test.at("options", name)
        if name == "provider":
            context.note(place, "the judge's model is that of the project's connection")
        elif name not in HARMLESS:
            context.lose(place, "option of a test", name)


def _asserted(test: _Test) -> list[Asserted]:
    data = test.body.get("assert")
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        test.context.lose(test.at("assert"), "assertions", "no list of objects")
        return []
    found: list[Asserted] = []
    for number, one in enumerate(data):
        place = test.at("assert", number)
        if one.get("type") == "assert-set":
            if one.get("threshold") is not None:
                test.context.lose(place, "assert-set", "a threshold over several assertions")
                continue
            inner = one.get("assert") if isinstance(one.get("assert"), list) else []
            found += [Asserted(part, place) for part in inner if isinstance(part, dict)]
        else:
            found.append(Asserted(one, place))
    return found


def _vars(test: _Test, context: Context) -> dict[str, Json]:
    data = test.body.get("vars")
    if data is None:
        return {}
    if isinstance(data, str) and data.startswith("file://") and not is_code(data):
        try:
            data, _ = context.loaded(data)
        except NotThere as error:
            context.lose(test.at("vars"), "file of variables", str(error))
            return {}
    if not isinstance(data, dict):
        context.lose(test.at("vars"), "variables", "no object")
        return {}
    return {name: _value(value, test.at("vars", name), context) for name, value in data.items()}


def _value(value: Json, place: Place, context: Context) -> Json:
    """A variable's value; what a file holds in place of its name."""
    if not isinstance(value, str) or not value.startswith("file://"):
        return value
    if is_code(value):
        context.lose(place, "variable made by code", name_of(value))
        return ""
    try:
        if value.endswith((".yaml", ".yml", ".json")):
            return context.loaded(value)[0]
        return context.folder.text(name_of(value))
    except NotThere as error:
        context.lose(place, "file of a variable", str(error))
        return ""


def _expanded(
    values: dict[str, Json], options: Mapping[str, Json], test: _Test, context: Context
) -> Iterator[dict[str, Json]]:
    """A list means one call for each of its items, in every combination."""
    lists = {} if options.get("disableVarExpansion") else {
        name: value for name, value in values.items() if isinstance(value, list) and value
    }  # fmt: skip
    combinations = itertools.islice(itertools.product(*lists.values()), MAX_CASES + 1)
    for combination in combinations:
        yield _filled({**values, **dict(zip(lists, combination, strict=True))}, test, context)


def _filled(values: dict[str, Json], test: _Test, context: Context) -> dict[str, Json]:
    """Variables may use other variables."""
    done: dict[str, Json] = {}
    for name, value in values.items():
        text = templates.filled(value, values) if isinstance(value, str) and "{{" in value else value
        if text is None:
            context.lose(test.at("vars", name), "template in a variable", name)
        done[name] = "" if text is None else text
    return done


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
