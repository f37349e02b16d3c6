"""What a run of so many examples will be able to tell, in sentences for people who are no statisticians."""

from __future__ import annotations

from evals.statistics import power

USUAL_RATE = 0.85
FEW_EXAMPLES = 200
DISCORDANCES = (0.1, 0.3)  # versions that differ on one answer in ten, and on three in ten
CAREFUL = (0.05, 0.2)  # the same for “no worse”, asked of versions that are meant to be alike
TELLABLE = (0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3)


def precision(examples: int, rate: float = USUAL_RATE) -> str:
    """Such as: With 100 examples a pass rate near 85 % is known to about ± 7 points.

    :raises ValueError: unless examples ≥ 1.
    """
    if examples < 1:
        raise ValueError("no examples")
    half = power.half_width_at(rate, examples)
    known = f"± {_points(half)}"
    return f"With {_examples(examples)} a pass rate near {rate:.0%} is known to about {known}.".replace("%", " %")


def unseen(examples: int) -> str:
    """What “nothing failed” would still allow.

    :raises ValueError: unless examples ≥ 1.
    """
    if examples < 1:
        raise ValueError("no examples")
    most = min(3 / examples, 1.0) * 100
    shown = f"{most:.2g} in 100" if most >= 1 else f"{most * 10:.2g} in 1,000"
    return f"If nothing fails in {_examples(examples)}, up to {shown} may still fail."


def tellable(examples: int) -> str:
    """The smallest change that so many examples usually show, for versions that differ little and much."""
    little, much = (_smallest(examples, discordance) for discordance in DISCORDANCES)
    if much is None:
        return "That is too few to see any change between two versions but the crudest."
    often = f"of {_points(much)} if they differ on three in ten"
    if little is None:
        return f"Between two versions it shows only a large change: {often}."
    return f"Enough to see a change of {_points(little)} if two versions differ on one answer in ten, {often}."


def change(difference: float) -> str:
    """Such as: To see a change of 5 points you need about 310 to 940 examples.

    :raises ValueError: unless 0 < difference ≤ 0.1.
    """
    few, many = (power.two_digits(power.paired_rate(one, difference).n) for one in DISCORDANCES)
    return f"To see a change of {_points(difference)} you need about {few:,} to {many:,} examples."


def no_worse(margin: float) -> str:
    """Such as: To show no worse by 5 points you need about 160 to 630 examples.

    :raises ValueError: unless the margin is positive.
    """
    few, many = (power.two_digits(power.no_worse(one, margin).n) for one in CAREFUL)
    return f"To show no worse by {_points(margin)} you need about {few:,} to {many:,} examples."


def of_run(examples: int, repeats: int = 1) -> tuple[str, ...]:
    """The sentences for a run as it is being chosen."""
    lines = [precision(examples), tellable(examples), unseen(examples)]
    if repeats > 1 and examples < FEW_EXAMPLES:
        lines.append(
            "Repeats tell you how reliable the version is; new examples tell you how good it is. "
            f"Below {FEW_EXAMPLES} examples, buy examples first."
        )
    elif repeats > 1:
        lines.append("Repeats tell you how reliable the version is; they do not count as more examples.")
    return tuple(lines)


def _smallest(examples: int, discordance: float) -> float | None:
    for difference in TELLABLE:
        if difference <= discordance and power.paired_rate(discordance, difference).n <= examples:
            return difference
    return None


def _points(difference: float) -> str:
    points = difference * 100
    shown = f"{points:.0f}" if points >= 1.5 or points == 1 else f"{points:.1f}"
    return f"{shown} point" if shown == "1" else f"{shown} points"


def _examples(count: int) -> str:
    return f"{count:,} example" if count == 1 else f"{count:,} examples"
