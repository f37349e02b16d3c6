"""Render a checked template by walking its tree: every step and every character is counted.

Values of inputs are data: they are written out as they are and never read as template text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from prompts.rendering.problems import TemplateProblem, column_of
from prompts.rendering.template import Template

Json = Any
Include = Callable[[str], Template]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may cost."""

    steps: int = 200_000
    output_chars: int = 1_000_000
    include_depth: int = 8


class _Missing:
    """A value that is not there; using it is an error that names it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def render(
    template: Template, inputs: Mapping[str, Json], *, include: Include | None = None, limits: Limits | None = None
) -> str:
    """The template's text with these inputs. `include` returns the template of a path that is not bound.

    :raises TemplateProblem: when an input is missing or of the wrong shape, or a limit is reached.
    """
    return render_all([template], inputs, include=include, limits=limits)[0]


def render_all(
    templates: Iterable[Template],
    inputs: Mapping[str, Json],
    *,
    include: Include | None = None,
    limits: Limits | None = None,
) -> tuple[str, ...]:
    """The texts of several templates with the same inputs, which share the limits.

    :raises TemplateProblem: as `render` does.
    """
    walker = _Walker(include, limits or Limits())
    found: list[str] = []
    for template in templates:
        walker.template(template, dict(inputs), depth=0)
        found.append("".join(walker.parts))
        walker.parts.clear()
    return tuple(found)


class _Walker:
    def __init__(self, include: Include | None, limits: Limits) -> None:
        self.include = include
        self.limits = limits
        self.parts: list[str] = []
        self.steps = limits.steps
        self.room = limits.output_chars
        self.source = ""
        self.bound: Mapping[str, Template] = {}
        self.depth = 0

    def template(self, template: Template, scope: dict[str, Json], depth: int) -> None:
        outer = self.source, self.bound, self.depth
        self.source, self.bound, self.depth = template.source, template.bound, depth
        for node in template.tree.body:
            self.statement(node, scope)
        self.source, self.bound, self.depth = outer

    def statement(self, node: nodes.Node, scope: dict[str, Json]) -> None:
        self.step(node)
        match node:
            case nodes.Output():
                for part in node.nodes:
                    self.write(part, part.data if isinstance(part, nodes.TemplateData) else self.text(part, scope))
            case nodes.If():
                for child in self.chosen(node, scope):
                    self.statement(child, scope)
            case nodes.For():
                self.loop(node, scope)
            case nodes.Include():
                self.other(node, scope)

    def chosen(self, node: nodes.If, scope: dict[str, Json]) -> list[nodes.Node]:
        for part in [node, *node.elif_]:
            self.step(part)
            if self.value(part.test, scope):
                return part.body
        return node.else_

    def loop(self, node: nodes.For, scope: dict[str, Json]) -> None:
        items = self.value(node.iter, scope)
        if isinstance(items, dict):
            items = list(items)
        if not isinstance(items, list | str):
            self.fail(node, f"a loop needs a list; this is {_kind(items)}.", "for")
        assert isinstance(node.target, nodes.Name)
        # The scope is changed and mended rather than copied: there may be many inputs and many turns.
        names = (node.target.name, "loop")
        hidden = {name: scope[name] for name in names if name in scope}
        for index, item in enumerate(items):
            scope[node.target.name] = item
            scope["loop"] = {
                "index": index + 1, "index0": index, "first": index == 0, "last": index == len(items) - 1,
                "length": len(items),
            }  # fmt: skip
            self.step(node)
            for child in node.body:
                self.statement(child, scope)
        for name in names:
            scope.pop(name, None)
        scope.update(hidden)
        if not items:
            for child in node.else_:
                self.statement(child, scope)

    def other(self, node: nodes.Include, scope: dict[str, Json]) -> None:
        assert isinstance(node.template, nodes.Const)
        path = node.template.value
        if path not in self.bound and self.include is None:
            self.fail(node, f"“{path}” cannot be included here.", "include")
        if self.depth >= self.limits.include_depth:
            self.fail(node, f"prompts include each other more than {self.limits.include_depth} deep.", "include")
        found = self.bound.get(path)
        if found is None:
            assert self.include is not None
            found = self.include(path)
        self.template(found, scope, self.depth + 1)

    def text(self, node: nodes.Node, scope: dict[str, Json]) -> str:
        return _text(self.value(node, scope))

    def value(self, node: nodes.Node, scope: dict[str, Json]) -> Json:
        """The value of an expression; a missing one is an error."""
        found = self.maybe(node, scope)
        if isinstance(found, _Missing):
            self.fail(node, f"the input “{found.name}” is missing.", found.name.rpartition(".")[2])
        return found

    def maybe(self, node: nodes.Node, scope: dict[str, Json]) -> Json:
        """The value of an expression, or a _Missing."""
        self.step(node)
        match node:
            case nodes.Const(value=value):
                return value
            case nodes.Name(name=name):
                return scope[name] if name in scope else _Missing(name)
            case nodes.Getattr():
                return self.item(node, self.value(node.node, scope), node.attr)
            case nodes.Getitem():
                return self.item(node, self.value(node.node, scope), self.value(node.arg, scope))
            case nodes.Not():
                return not self.value(node.node, scope)
            case nodes.And():
                return self.value(node.left, scope) and self.value(node.right, scope)
            case nodes.Or():
                return self.value(node.left, scope) or self.value(node.right, scope)
            case nodes.CondExpr():
                if self.value(node.test, scope):
                    return self.value(node.expr1, scope)
                return self.value(node.expr2, scope) if node.expr2 is not None else ""
            case nodes.List() | nodes.Tuple():
                return [self.value(item, scope) for item in node.items]
            case nodes.Compare():
                return self.compare(node, scope)
            case nodes.Test():
                return self.test(node, scope)
            case nodes.Filter():
                return self.filter(node, scope)
        self.fail(node, "this cannot be rendered.")
        return None

    def item(self, node: nodes.Node, holder: Json, key: Json) -> Json:
        if isinstance(holder, dict):
            return holder[key] if isinstance(key, str) and key in holder else _Missing(str(key))
        if isinstance(holder, list | str) and isinstance(key, int) and not isinstance(key, bool):
            return holder[key] if -len(holder) <= key < len(holder) else _Missing(f"[{key}]")
        return _Missing(str(key))

    def compare(self, node: nodes.Compare, scope: dict[str, Json]) -> bool:
        left = self.value(node.expr, scope)
        for operand in node.ops:
            right = self.value(operand.expr, scope)
            self.spend(node, _weight(left) + _weight(right))
            try:
                if not _COMPARISONS[operand.op](left, right):
                    return False
            except TypeError:
                self.fail(node, f"{_kind(left)} and {_kind(right)} cannot be compared.")
            left = right
        return True

    def test(self, node: nodes.Test, scope: dict[str, Json]) -> bool:
        try:
            found = self.maybe(node.node, scope)
        except TemplateProblem:
            if node.name == "none":
                raise
            found = _Missing("")
        if node.name == "none":
            return found is None
        return isinstance(found, _Missing) == (node.name == "undefined")

    def filter(self, node: nodes.Filter, scope: dict[str, Json]) -> Json:
        assert node.node is not None
        arguments = [self.value(argument, scope) for argument in node.args]
        if node.name == "default":
            return self.default(node, scope, arguments)
        value = self.value(node.node, scope)
        self.spend(node, _weight(value))
        match node.name:
            case "join":
                if not isinstance(value, list | dict | str):
                    self.fail(node, f"“join” needs a list; this is {_kind(value)}.", "join")
                return _text(arguments[0] if arguments else "").join(map(_text, value))
            case "length":
                if not isinstance(value, list | dict | str):
                    self.fail(node, f"“length” needs a list or text; this is {_kind(value)}.", "length")
                return len(value)
            case "lower":
                return _text(value).lower()
            case "upper":
                return _text(value).upper()
            case "trim":
                return _text(value).strip()
        return json.dumps(value, ensure_ascii=False, sort_keys=False)

    def default(self, node: nodes.Filter, scope: dict[str, Json], arguments: list[Json]) -> Json:
        assert node.node is not None
        found = self.maybe(node.node, scope)
        also_empty = len(arguments) > 1 and bool(arguments[1])
        if isinstance(found, _Missing) or (also_empty and not found):
            return arguments[0] if arguments else ""
        return found

    def write(self, node: nodes.Node, text: str) -> None:
        self.room -= len(text)
        if self.room < 0:
            self.fail(node, f"the text is longer than {self.limits.output_chars:,} characters.")
        self.parts.append(text)

    def step(self, node: nodes.Node) -> None:
        self.spend(node, 1)

    def spend(self, node: nodes.Node, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            self.fail(node, f"rendering takes more than {self.limits.steps:,} steps.")

    def fail(self, node: nodes.Node, message: str, word: str = "") -> None:
        raise TemplateProblem(message, line=node.lineno, column=column_of(self.source, node.lineno, word))


_COMPARISONS: dict[str, Callable[[Json, Json], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "lteq": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gteq": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}


def _weight(value: Json) -> int:
    """What comparing or converting a value costs, in steps."""
    if isinstance(value, str):
        return len(value) // 32
    if isinstance(value, list):
        return len(value) // 16 + sum(map(_weight, value))
    if isinstance(value, dict):
        return len(value) // 16 + sum(map(_weight, value)) + sum(map(_weight, value.values()))
    return 0


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)


def _kind(value: Json) -> str:
    names = {str: "text", bool: "a yes or no", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)
