"""What graded metrics share: the best of several expected texts, and limits on the work."""

from __future__ import annotations

from collections.abc import Callable

from evals.metrics import texts
from evals.metrics.matching import NOTHING_EXPECTED, extractor
from evals.metrics.types import Json, Outcome, Score, Scorer, Unscored, shown

MAX_CHARACTERS = 100_000


def best_of(
    measure: Callable[[str, str], float],
    *,
    extract: str | None = None,
    lowest: bool = False,
    most: int = MAX_CHARACTERS,
    named: str = "{value:.0%} like {text}",
) -> Scorer:
    """A scorer that keeps the best value over the expected texts: the highest, or the lowest.

    :param measure: from the output and one expected text to a value.
    :param most: texts longer than so many characters are unscored.
    :param named: the reason, with `value` and `text` filled in.
    :raises Invalid: for a pattern to extract that re2 refuses.
    """
    answer_of = extractor(extract)

    def score(output: str, expected: Json) -> Outcome:
        wanted = texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        answer = answer_of(output)
        if isinstance(answer, Unscored):
            return answer
        if answer is None:
            missing = f"nothing in the output matches {extract}"
            return Unscored(missing) if lowest else Score(0.0, None, missing)
        if len(answer) > most or any(len(item) > most for item in wanted):
            return Unscored(f"a text is longer than {most:,} characters")
        values = [(measure(answer, item), item) for item in wanted]
        value, nearest = min(values) if lowest else max(values)
        return Score(value, None, named.format(value=value, text=shown(nearest)))

    return score


def with_references(measure: Callable[[str, list[str]], float], *, most: int, named: str) -> Scorer:
    """A scorer for measures that take all expected texts together, as those of machine translation do."""

    def score(output: str, expected: Json) -> Outcome:
        wanted = texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        if len(output) > most or any(len(item) > most for item in wanted):
            return Unscored(f"a text is longer than {most:,} characters")
        return Score(value := measure(output, wanted), None, named.format(value=value))

    return score
