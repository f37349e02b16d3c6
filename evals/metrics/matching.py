"""Metrics that compare or search text: right or wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evals.metrics import patterns, texts
from evals.metrics.types import Json, Metric, Outcome, Scorer, Unscored, param, shown, verdict
from llmops.common.errors import Invalid

NOTHING_EXPECTED = Unscored("the example has no expected value")
TOO_MUCH_WORK = Unscored("the pattern takes too much work on so long an output")


@dataclass(frozen=True, slots=True)
class ExactMatch:
    value: str | None = param(None, "the answer; without it, the example's expected value")
    extract: str | None = param(None, "pattern (re2); its last match's first group is compared instead of the output")
    normalizer: str = param("none", "how both sides are made comparable", choices=tuple(texts.NORMALIZERS))
    ignore: list[str] = field(
        default_factory=list, metadata={"meaning": "patterns (re2); what they match is taken out of both sides first"}
    )
    ignore_case: bool = param(False, "upper and lower case are equal")
    ignore_punctuation: bool = param(False, "ASCII punctuation does not count")


def exact_match(params: ExactMatch) -> Scorer:
    normal = normalizer(params)
    extract = extractor(params.extract)

    def score(output: str, expected: Json) -> Outcome:
        wanted = texts.candidates(expected) if params.value is None else [params.value]
        if not wanted:
            return NOTHING_EXPECTED
        answer = extract(output)
        if isinstance(answer, Unscored):
            return answer
        if answer is None:
            return verdict(False, "", f"nothing in the output matches {params.extract}")
        equal = normal(answer) in {normal(item) for item in wanted}
        return verdict(equal, f"{shown(answer)} is expected", f"{shown(answer)} is not {_either(wanted)}")

    return score


def normalizer(params: ExactMatch) -> Callable[[str], str]:
    """The normaliser after what is ignored."""
    named = texts.NORMALIZERS[params.normalizer]
    ignored = [patterns.compiled(pattern, "params.ignore") for pattern in params.ignore]
    if not ignored and not params.ignore_case and not params.ignore_punctuation:
        return named

    def normal(text: str) -> str:
        for pattern in ignored:
            text = patterns.without(pattern, text)
        text = text.casefold() if params.ignore_case else text
        return named(texts.without_punctuation(text) if params.ignore_punctuation else text)

    return normal


def extractor(pattern: str | None) -> Callable[[str], str | Unscored | None]:
    """The part of an output that is compared: all of it, or the last match's group (None when nothing matches).

    :raises Invalid: for a pattern that re2 refuses.
    """
    if not pattern:
        return lambda output: output
    compiled = patterns.compiled(pattern, "params.extract")

    def extract(output: str) -> str | Unscored | None:
        try:
            return patterns.last_group(compiled, output)
        except patterns.TooMuchWork:
            return TOO_MUCH_WORK

    return extract


@dataclass(frozen=True, slots=True)
class OneText:
    value: str | None = param(None, "the text to look for; without it, the example's expected value")


@dataclass(frozen=True, slots=True)
class ManyTexts:
    values: list[str] = field(
        default_factory=list, metadata={"meaning": "the texts to look for; without them, the example's expected values"}
    )
    line: str | None = param(
        None, "the texts in one line instead, with commas between; double quotes hold one together"
    )


@dataclass(frozen=True, slots=True)
class Edge:
    value: str | None = param(None, "the text; without it, the example's expected value")
    ignore_case: bool = param(False, "upper and lower case are equal")
    ignore_space: bool = param(True, "spaces and line ends around the output do not count")


def contains(*, fold: bool) -> Callable[[Any], Scorer]:
    """The text, or any one of several expected texts, is somewhere in the output."""

    def build(params: OneText) -> Scorer:
        return _search([params.value] if params.value is not None else None, fold=fold, every=False)

    return build


def contains_some(*, fold: bool, every: bool) -> Callable[[Any], Scorer]:
    """Any (or every) one of the texts is somewhere in the output."""

    def build(params: ManyTexts) -> Scorer:
        values = params.values if params.line is None else texts.comma_separated(params.line)
        return _search(values or None, fold=fold, every=every)

    return build


def _search(values: list[str] | None, *, fold: bool, every: bool) -> Scorer:
    def score(output: str, expected: Json) -> Outcome:
        wanted = values if values is not None else texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        place = output.casefold() if fold else output
        missing = [item for item in wanted if (item.casefold() if fold else item) not in place]
        passed = not missing if every else len(missing) < len(wanted)
        return verdict(passed, "found in the output", f"the output does not contain {_either(missing)}")

    return score


def edge(*, end: bool) -> Callable[[Any], Scorer]:
    """The output starts (or ends) with the text."""

    def build(params: Edge) -> Scorer:
        def score(output: str, expected: Json) -> Outcome:
            wanted = [params.value] if params.value is not None else texts.candidates(expected)
            if not wanted:
                return NOTHING_EXPECTED
            text = output.strip() if params.ignore_space else output
            if params.ignore_case:
                text = text.casefold()
            sides = tuple(item.casefold() if params.ignore_case else item for item in wanted)
            passed = text.endswith(sides) if end else text.startswith(sides)
            where = "end" if end else "start"
            return verdict(passed, f"the {where} is right", f"the output does not {where} with {_either(wanted)}")

        return score

    return build


@dataclass(frozen=True, slots=True)
class Regex:
    pattern: str = param("", "pattern (re2) that must match somewhere in the output")
    ignore_case: bool = param(False, "upper and lower case are equal")


def regex(params: Regex) -> Scorer:
    if not params.pattern:
        raise Invalid("The pattern is missing.", fields={"params.pattern": "required"})
    compiled = patterns.compiled(params.pattern, "params.pattern", ignore_case=params.ignore_case)

    def score(output: str, expected: Json) -> Outcome:
        return verdict(
            patterns.found(compiled, output), "the pattern matches", f"nothing in the output matches {params.pattern}"
        )

    return score


def _either(items: list[str]) -> str:
    named = " or ".join(shown(item, 60) for item in items[:3])
    return f"{named} or {len(items) - 3} more" if len(items) > 3 else named


METRICS = (
    Metric("exact_match", "the answer is the expected one", ExactMatch, exact_match),
    Metric("contains", "the output holds the text", OneText, contains(fold=False)),
    Metric("icontains", "the output holds the text, in any case", OneText, contains(fold=True)),
    Metric("contains_any", "the output holds one of the texts", ManyTexts, contains_some(fold=False, every=False)),
    Metric(
        "icontains_any",
        "the output holds one of the texts, in any case",
        ManyTexts,
        contains_some(fold=True, every=False),
    ),
    Metric("contains_all", "the output holds all of the texts", ManyTexts, contains_some(fold=False, every=True)),
    Metric(
        "icontains_all",
        "the output holds all of the texts, in any case",
        ManyTexts,
        contains_some(fold=True, every=True),
    ),
    Metric("starts_with", "the output starts with the text", Edge, edge(end=False)),
    Metric("ends_with", "the output ends with the text", Edge, edge(end=True)),
    Metric("regex", "the pattern matches somewhere in the output", Regex, regex),
)
