"""What the values of an evaluator are: their range, which end is good, and how people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

SHARE, MONEY = "%", "$"
POINTS = 100.0
DIGITS = 3
NOTHING = 1e-12  # what is nearer to zero is written as zero


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a drawing begins and ends, and what stands there."""

    start: float
    end: float
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of an evaluator's values; an end that is infinite means that there is none.

    `unit` is how a value is read: “%” where 1 means 100 %, “$” before the number, a word such as “ms” behind it, and
    nothing for plain numbers.
    """

    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    unit: str = SHARE

    @property
    def worst(self) -> float | None:
        """The value of a failed output; None where values have no worst end."""
        worst = self.low if self.higher_is_better else self.high
        return worst if math.isfinite(worst) else None

    @property
    def is_bounded(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def in_points(self) -> bool:
        """Whether differences are said in points: of 100 of the range, or of a share without an upper end."""
        return self.is_bounded or self.unit == SHARE

    @property
    def per_unit(self) -> float:
        """What a difference of 1 is said as: points where there are points, else the metric's own unit."""
        if self.is_bounded:
            return POINTS / (self.high - self.low)
        return POINTS if self.unit == SHARE else 1.0

    def shown(self, value: float | None) -> str:
        """A value with its unit: 61.7 %, 31.2, 1,230 ms, $0.0042; “none” without one."""
        return "none" if value is None else self.with_unit(self.number(value))

    def score(self, value: float) -> str:
        """A single score: as `shown`, but 0 to 1 stays 0 to 1, for one verdict is no rate, and counts are whole."""
        if self.unit == SHARE and self.is_bounded:
            return f"{value:.3g}"
        is_count = self.unit not in (SHARE, MONEY) and not self.is_bounded and value == round(value)
        return self.with_unit(f"{value:,.0f}") if is_count else self.shown(value)

    def interval(self, low: float | None, high: float | None) -> str:
        """28.1 to 34.0, in the unit of the value that it stands beside; empty without one."""
        if low is None or high is None:
            return ""
        return " to ".join(self._with_sign(self.number(end)) for end in (low, high))

    def difference(self, value: float | None) -> str:
        """+1.2 in points, or +120 ms in the metric's own unit; “none” without one."""
        return "none" if value is None else self.with_unit(self._signed(value), points="")

    def differences(self, low: float, high: float) -> str:
        return " to ".join(self._with_sign(self._signed(end)) for end in (low, high))

    def number(self, value: float) -> str:
        """The value without its unit."""
        if self.unit == SHARE:
            return f"{value * POINTS:.1f}"
        return f"{value:.1f}" if self.is_bounded and self.high - self.low >= POINTS else significant(value)

    def with_unit(self, number: str, *, points: str = " %") -> str:
        """A written number with the unit; `points` stands behind shares."""
        if self.unit == SHARE:
            return f"{number}{points}"
        if self.unit == MONEY:
            return self._with_sign(number)
        return f"{number} {self.unit}".rstrip()

    def axis(self, values: Iterable[float | None] = ()) -> Axis:
        """From end to end of the range; without ends around zero and what is to be drawn, up to a round number."""
        if self.is_bounded:
            start, end = self.low, self.high
        else:
            known = [value for value in values if value is not None]
            start, end = 0.0 - _round_up(-min([0.0, *known])), _round_up(max([0.0, *known]))
        if start == end:
            end = start + 1.0
        return Axis(start, end, _short(self, start, with_unit=False), _short(self, end, with_unit=True))

    def _signed(self, difference: float) -> str:
        """A difference in points or units, with its sign."""
        units = difference * self.per_unit
        if self.in_points:
            return f"{units:+.1f}"
        number = significant(abs(units))
        return number if number == "0" else f"{'-' if units < 0 else '+'}{number}"

    def _with_sign(self, number: str) -> str:
        """The currency between a number and its sign."""
        if self.unit != MONEY:
            return number
        sign = number[:1] if number[:1] in "+-" else ""
        return f"{sign}{MONEY}{number.removeprefix(sign)}"


def significant(value: float) -> str:
    """Three digits that tell, never an exponent, thousands apart: 1,230 and 12.3 and 0.00123."""
    if abs(value) < NOTHING:
        return "0"
    places = max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …; zero stays."""
    if value < NOTHING:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if value <= step * power * (1 + 1e-9))


def _short(scale: Scale, value: float, *, with_unit: bool) -> str:
    number = f"{value * POINTS:g}" if scale.unit == SHARE else significant(value) if value % 1 else f"{value:,.0f}"
    return scale.with_unit(number) if with_unit else number
