"""Parse a template and check every node against the whitelist.

Jinja2's parser is safe on bounded input; its compiler is not (constant folding, deep nesting), so nothing is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import get_lexer
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.rendering.problems import TemplateProblem, column_of

MAX_SOURCE = 64 * 1024
MAX_BRACKETS = 20
MAX_BLOCKS = 8
MAX_LOOPS = 2
MAX_TAGS = 5_000
MAX_NESTING = 60

FILTERS = ("default", "join", "length", "lower", "tojson", "trim", "upper")
TESTS = ("defined", "undefined", "none")
LOOP_ATTRIBUTES = ("index", "index0", "first", "last", "length")

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.If, nodes.For,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Const, nodes.CondExpr, nodes.Filter, nodes.Test,
    nodes.List, nodes.Tuple, nodes.Include,
)  # fmt: skip
_WORDS = {
    nodes.Call: "function calls",
    nodes.Assign: "“set”",
    nodes.AssignBlock: "“set”",
    nodes.Macro: "macros",
    nodes.CallBlock: "“call”",
    nodes.Import: "imports",
    nodes.FromImport: "imports",
    nodes.Extends: "“extends”",
    nodes.Block: "blocks",
    nodes.FilterBlock: "filter blocks",
    nodes.With: "“with”",
    nodes.Slice: "slices",
    nodes.Dict: "dictionaries",
    nodes.Concat: "“~”",
    nodes.BinExpr: "arithmetic",
    nodes.Neg: "arithmetic",
    nodes.Pos: "arithmetic",
}

# Never used to compile or render: it gives Jinja2's lexer and parser their settings.
_environment = ImmutableSandboxedEnvironment(keep_trailing_newline=True, extensions=())


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template. `variables` are the inputs that it uses, in order of appearance; `required` those that
    have no default and are not asked for by `is defined`; `includes` the paths of other prompts, and `bound` those that
    are known already."""

    source: str
    tree: nodes.Template
    variables: tuple[str, ...]
    required: tuple[str, ...]
    includes: tuple[str, ...]
    bound: Mapping[str, Template] = field(default_factory=dict)

    def with_includes(self, templates: Mapping[str, Template]) -> Template:
        """The same template whose includes mean these; each of them brings its own."""
        return replace(self, bound=dict(templates))


def parse(source: str) -> Template:
    """Parse and check a template.

    :raises TemplateProblem: with line and column, for anything outside the whitelist or over a limit.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateProblem(f"the template has {len(source):,} characters; the limit is {MAX_SOURCE:,}.")
    _check_nesting(source)
    try:
        tree = _environment.parse(source)
    except TemplateSyntaxError as error:
        line = error.lineno or 1
        raise TemplateProblem(
            _sentence(error.message or "syntax error"), line=line, column=_syntax_column(source, error)
        ) from None
    except (RecursionError, ValueError, OverflowError):
        raise TemplateProblem("the template is nested too deeply or holds a number that is too long.") from None
    check = _Check(source)
    check.node(tree, depth=0, loops=0, bound=frozenset())
    return Template(source, tree, tuple(check.variables), tuple(check.required()), tuple(check.includes))


def _check_nesting(source: str) -> None:
    """Bound brackets, blocks and tags on the token stream, before the parser recurses."""
    brackets = blocks = tags = 0
    line, previous = 1, ""
    try:
        for line, kind, value in get_lexer(_environment).tokeniter(source, None):
            if kind == "operator":
                brackets += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(value, 0)
            elif kind.endswith("_begin"):
                brackets, tags = 0, tags + 1
            elif kind == "name" and previous == "block_begin":
                blocks += 1 if value in {"if", "for"} else -1 if value in {"endif", "endfor"} else 0
            previous = previous if kind == "whitespace" else kind
            if brackets > MAX_BRACKETS or blocks > MAX_BLOCKS:
                raise TemplateProblem(
                    f"nested too deeply: at most {MAX_BRACKETS} brackets and {MAX_BLOCKS} blocks.",
                    line=line, column=column_of(source, line, ""),
                )  # fmt: skip
            if tags > MAX_TAGS:
                raise TemplateProblem(f"more than {MAX_TAGS:,} tags.", line=line, column=column_of(source, line, ""))
    except TemplateSyntaxError as error:
        raise TemplateProblem(
            _sentence(error.message or "syntax error"), line=error.lineno or line, column=_syntax_column(source, error)
        ) from None


class _Check:
    """One walk over the tree: refuses what is not allowed and collects names."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.variables: dict[str, bool] = {}
        self.includes: dict[str, None] = {}

    def required(self) -> Iterator[str]:
        return (name for name, needed in self.variables.items() if needed)

    def node(self, node: nodes.Node, *, depth: int, loops: int, bound: frozenset[str], optional: bool = False) -> None:
        if depth > MAX_NESTING:
            self.refuse(node, "nested too deeply.")
        if not isinstance(node, _ALLOWED):
            self.refuse_kind(node)
        below: dict[str, Any] = {"depth": depth + 1, "loops": loops, "bound": bound}
        match node:
            case nodes.Name(name=name):
                self.name(node, name, bound, optional)
            case nodes.For():
                self.loop(node, depth, loops, bound)
            case nodes.If():
                self.branch(node, depth, loops, bound)
            case nodes.Test(name=name):
                if name not in TESTS:
                    self.refuse(
                        node, f"the test “is {name}” is not available.", name, f"There are: {', '.join(TESTS)}."
                    )
                self.node(node.node, **below, optional=True)
            case nodes.Filter(name=name):
                self.filter(node, name, below)
            case nodes.Getattr(attr=attr):
                if isinstance(node.node, nodes.Name) and node.node.name == "loop" and "loop" in bound:
                    if attr not in LOOP_ATTRIBUTES:
                        self.refuse(
                            node, f"there is no loop.{attr}.", attr, f"There are: {', '.join(LOOP_ATTRIBUTES)}."
                        )
                elif attr.startswith("_"):
                    self.refuse(node, "names that start with an underscore cannot be read.", attr)
                self.node(node.node, **below, optional=optional)
            case nodes.Getitem():
                self.node(node.node, **below, optional=optional)
                self.node(node.arg, **below)
            case nodes.Include():
                self.include(node)
            case _:
                for child in node.iter_child_nodes():
                    self.node(child, **below)

    def name(self, node: nodes.Node, name: str, bound: frozenset[str], optional: bool) -> None:
        if name.startswith("_"):
            self.refuse(node, "names that start with an underscore cannot be read.", name)
        if name not in bound:
            self.variables[name] = self.variables.get(name, False) or not optional

    def branch(self, node: nodes.If, depth: int, loops: int, bound: frozenset[str]) -> None:
        """`elif` is a list, not nesting, however long."""
        for part in [node, *node.elif_]:
            self.node(part.test, depth=depth + 1, loops=loops, bound=bound)
            for child in part.body:
                self.node(child, depth=depth + 1, loops=loops, bound=bound)
        for child in node.else_:
            self.node(child, depth=depth + 1, loops=loops, bound=bound)

    def loop(self, node: nodes.For, depth: int, loops: int, bound: frozenset[str]) -> None:
        if loops >= MAX_LOOPS:
            self.refuse(node, f"loops can be nested {MAX_LOOPS} deep.", "for")
        if node.recursive or node.test is not None:
            self.refuse(node, "recursive and filtered loops are not available.", "for")
        if not isinstance(node.iter, nodes.Name | nodes.Getattr | nodes.Getitem):
            self.refuse(node, "a loop goes over an input.", "for", "Write {% for item in items %}.")
        names = [node.target] if isinstance(node.target, nodes.Name) else []
        if not names:
            self.refuse(node, "a loop has one variable.", "for", "Write {% for item in items %}.")
        self.node(node.iter, depth=depth + 1, loops=loops, bound=bound)
        inner = bound | {names[0].name, "loop"}
        for child in node.body:
            self.node(child, depth=depth + 1, loops=loops + 1, bound=inner)
        for child in node.else_:
            self.node(child, depth=depth + 1, loops=loops, bound=bound)

    def filter(self, node: nodes.Filter, name: str, below: dict[str, Any]) -> None:
        if name not in FILTERS or node.node is None:
            self.refuse(node, f"the filter “{name}” is not available.", name, f"There are: {', '.join(FILTERS)}.")
        most = {"default": 2, "join": 1}.get(name, 0)
        if node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) > most:
            self.refuse(node, f"“{name}” takes at most {most} plain arguments.", name)
        assert node.node is not None
        self.node(node.node, **below, optional=name == "default")
        for argument in node.args:
            self.node(argument, **below)

    def include(self, node: nodes.Include) -> None:
        path = node.template.value if isinstance(node.template, nodes.Const) else None
        if not isinstance(path, str) or node.ignore_missing:
            self.refuse(node, "include names one prompt.", "include", 'Write {% include "folder/name" %}.')
        self.includes[str(path)] = None

    def refuse_kind(self, node: nodes.Node) -> None:
        for kind, words in _WORDS.items():
            if isinstance(node, kind):
                word = node.node.name if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) else ""
                self.refuse(node, f"{words} cannot be used in prompts.", word)
        self.refuse(node, f"{type(node).__name__.lower()} cannot be used in prompts.")

    def refuse(self, node: nodes.Node, message: str, word: str = "", hint: str = "") -> None:
        line = node.lineno or 1
        raise TemplateProblem(message, line=line, column=column_of(self.source, line, word), hint=hint)


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".") + "."


def _syntax_column(source: str, error: TemplateSyntaxError) -> int:
    quoted = re.search(r"'([^']+)'", error.message or "")
    return column_of(source, error.lineno or 1, quoted.group(1) if quoted else "")
