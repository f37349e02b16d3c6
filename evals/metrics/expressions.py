"""A small language that combines the scores of named parts; it is parsed here and never run as code.

    grounded and (0.7 * correct + 0.3 * style) >= 0.6

Numbers, names, `+ - * /`, `< <= > >= == !=`, `and or not`, `min(…) max(…) mean(…)` and parentheses. A name is the
part's value; beside `and`, `or` and `not` it is the part's verdict.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evals.metrics.types import Score

MAX_LENGTH = 500
MAX_DEPTH = 20
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_TOKEN = re.compile(r"\s*(?:([0-9]{1,15}(?:\.[0-9]{1,15})?)|([A-Za-z_][A-Za-z0-9_]*)|(<=|>=|==|!=|[-+*/<>(),]))")
WORDS = ("and", "or", "not", "min", "max", "mean")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_JOIN: dict[str, Callable[[list[float]], float]] = {
    "min": min,
    "max": max,
    "mean": lambda values: math.fsum(values) / len(values),
}

Value = float | bool | Score
Node = Callable[[Mapping[str, Score]], Value]


class NotAnExpression(ValueError):
    """The text does not follow the grammar; the message says where."""


class NoValue(ValueError):
    """The expression has no value for these scores, as with a division by zero."""


@dataclass(frozen=True, slots=True)
class Expression:
    """`of` computes it: a truth, a number, or a part's score as it is."""

    of: Node
    names: frozenset[str]


def parsed(text: str) -> Expression:
    """:raises NotAnExpression: with the place of what does not fit."""
    if len(text) > MAX_LENGTH:
        raise NotAnExpression(f"must be at most {MAX_LENGTH} characters")
    reader = _Reader(text)
    node = reader.disjunction(0)
    if reader.place < len(reader.tokens):
        raise NotAnExpression(f"unexpected “{reader.peek()}”")
    return Expression(node, frozenset(reader.names))


def number(value: Value) -> float:
    return value.value if isinstance(value, Score) else float(value)


def truth(value: Value) -> bool:
    """:raises NoValue: for a number, which is neither true nor false."""
    if isinstance(value, Score):
        if value.passed is None:
            raise NoValue("a part neither passes nor fails: compare it with a number, or give it a threshold")
        return value.passed
    if isinstance(value, bool):
        return value
    raise NoValue("a number is neither true nor false: compare it with another one")


class _Reader:
    """Recursive descent; each level of parentheses and signs counts as depth."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.place = 0
        self.names: set[str] = set()

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """The next token if it is one of these, else nothing."""
        token = self.peek()
        if token not in wanted or not token:
            return ""
        self.place += 1
        return token

    def need(self, token: str) -> None:
        if not self.take(token):
            raise NotAnExpression(f"“{token}” is missing{f' before “{self.peek()}”' if self.peek() else ' at the end'}")

    def disjunction(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise NotAnExpression(f"more than {MAX_DEPTH} levels")
        node = self.conjunction(depth)
        while self.take("or"):
            node = _either(node, self.conjunction(depth))
        return node

    def conjunction(self, depth: int) -> Node:
        node = self.negation(depth)
        while self.take("and"):
            node = _both(node, self.negation(depth))
        return node

    def negation(self, depth: int) -> Node:
        if not self.take("not"):
            return self.comparison(depth)
        if depth > MAX_DEPTH:
            raise NotAnExpression(f"more than {MAX_DEPTH} levels")
        inner = self.negation(depth + 1)
        return lambda scores: not truth(inner(scores))

    def comparison(self, depth: int) -> Node:
        left = self.sum(depth)
        sign = self.take(*_COMPARE)
        return _compared(sign, left, self.sum(depth)) if sign else left

    def sum(self, depth: int) -> Node:
        node = self.product(depth)
        while sign := self.take("+", "-"):
            node = _calculated(operator.add if sign == "+" else operator.sub, node, self.product(depth))
        return node

    def product(self, depth: int) -> Node:
        node = self.signed(depth)
        while sign := self.take("*", "/"):
            node = _calculated(operator.mul if sign == "*" else operator.truediv, node, self.signed(depth))
        return node

    def signed(self, depth: int) -> Node:
        if not self.take("-"):
            return self.atom(depth)
        if depth > MAX_DEPTH:
            raise NotAnExpression(f"more than {MAX_DEPTH} levels")
        inner = self.signed(depth + 1)
        return lambda scores: -number(inner(scores))

    def atom(self, depth: int) -> Node:
        if self.take("("):
            node = self.disjunction(depth + 1)
            self.need(")")
            return node
        if name := self.take(*_JOIN):
            return self.function(name, depth)
        token = self.peek()
        if not token or token in WORDS or not (token[0].isalnum() or token[0] == "_"):
            raise NotAnExpression(f"a number or a name is missing{f' before “{token}”' if token else ' at the end'}")
        self.place += 1
        if token[0].isdigit():
            constant = float(token)
            return lambda scores: constant
        self.names.add(token)
        return lambda scores: scores[token]

    def function(self, name: str, depth: int) -> Node:
        self.need("(")
        nodes = [self.disjunction(depth + 1)]
        while self.take(","):
            nodes.append(self.disjunction(depth + 1))
        self.need(")")
        join = _JOIN[name]
        return lambda scores: join([number(node(scores)) for node in nodes])


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None:
            raise NotAnExpression(f"“{text[place:].strip()[:10]}” at character {place + 1} is not understood")
        tokens.append(found.group(1) or found.group(2) or found.group(3))
        place = found.end()
    return tokens


def _either(left: Node, right: Node) -> Node:
    return lambda scores: truth(left(scores)) | truth(right(scores))


def _both(left: Node, right: Node) -> Node:
    return lambda scores: truth(left(scores)) & truth(right(scores))


def _compared(sign: str, left: Node, right: Node) -> Node:
    compare = _COMPARE[sign]
    return lambda scores: compare(number(left(scores)), number(right(scores)))


def _calculated(operation: Callable[[float, float], float], left: Node, right: Node) -> Node:
    def calculate(scores: Mapping[str, Score]) -> float:
        try:
            return float(operation(number(left(scores)), number(right(scores))))
        except ZeroDivisionError:
            raise NoValue("a division by zero") from None

    return calculate
