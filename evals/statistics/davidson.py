"""Davidson's model of ties, fitted to many tables at once. The likelihood is concave: Newton's method finds its top.

A table is given as counts of its pairs, for each pair (i, j): i won, tie, j won. Fitting a thousand resamples together
costs little more than fitting ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

GRADIENT = 1e-8
ROUNDS = 200
HALVINGS = 40
ROUNDING = 1e-12
STILL = 1e-10  # a step that moves no digit that is shown
Pairs = Sequence[tuple[int, int]]
Groups = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Fits:
    """For each table: strengths, ν, the log-likelihood, and whether half wins had to be added."""

    strengths: np.ndarray
    tie: np.ndarray
    log_likelihood: np.ndarray
    shrunk: np.ndarray


def fit(counts: np.ndarray, pairs: Pairs, size: int, groups: Groups) -> Fits:
    """Strengths that add up to 0 in each of the `groups`, whose pairs must all be among `pairs`.

    `counts` is (tables, pairs, 3). Where a version of a group never loses (or never wins) nothing is strongest: half a
    win each way is added to every pair that met, and to those that did not meet where they hold a group together.
    """
    import numpy as np  # noqa: PLC0415

    held, shrunk = _supported(counts, pairs, size, groups)
    has_ties = held[:, :, 1].sum(axis=1) > 0
    if not pairs:
        zeros = np.zeros(len(counts))
        return Fits(np.zeros((len(counts), size)), zeros, zeros, shrunk)
    theta, value = _maximised(held, pairs, size, groups, has_ties)
    beta = theta[:, :size]
    for members in groups:
        beta[:, list(members)] -= beta[:, list(members)].mean(axis=1, keepdims=True)
    return Fits(beta, np.where(has_ties, np.exp(theta[:, size]), 0.0), value, shrunk)


def _supported(counts: np.ndarray, pairs: Pairs, size: int, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Counts under which a maximum exists (Ford 1957: every version reaches every other by wins or ties)."""
    import numpy as np  # noqa: PLC0415

    arrows = np.zeros((len(counts), size, size), dtype=bool)
    for place, (i, j) in enumerate(pairs):
        arrows[:, i, j] = counts[:, place, 0] + counts[:, place, 1] > 0
        arrows[:, j, i] = counts[:, place, 2] + counts[:, place, 1] > 0
    reached, met = _reached(arrows), arrows | arrows.transpose(0, 2, 1)
    linked = _reached(met)
    shrunk = np.zeros(len(counts), dtype=bool)
    apart = np.zeros((len(counts), len(pairs)), dtype=bool)
    for members in groups:
        rows = np.ix_(range(len(counts)), members, members)
        shrunk |= ~reached[rows].all(axis=(1, 2))
        inside = np.array([i in members and j in members for i, j in pairs])
        split = np.logical_not(linked[rows].all(axis=(1, 2))).reshape(-1, 1)
        apart |= split & inside[None, :]
    has_met = counts.sum(axis=2) > 0
    half = 0.5 * ((shrunk[:, None] & has_met) | (apart & ~has_met))
    held = counts.astype(float)
    held[:, :, 0] += half
    held[:, :, 2] += half
    return held, shrunk


def _reached(arrows: np.ndarray) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    found = (arrows | np.eye(arrows.shape[1], dtype=bool)).astype(np.float32)
    for _ in range(max(1, int(np.ceil(np.log2(max(arrows.shape[1], 2)))))):
        found = (found @ found > 0).astype(np.float32)
    return found > 0


def _maximised(
    counts: np.ndarray, pairs: Pairs, size: int, groups: Groups, has_ties: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np  # noqa: PLC0415

    shape = _shape(pairs, size)
    flat = shape.reshape(-1, size + 1)
    squares = np.einsum("qd,qe->qde", flat, flat).reshape(len(flat), -1)
    allowed = np.where(has_ties[:, None], 0.0, np.array([0.0, -np.inf, 0.0]))
    loose = _loose(size, groups, has_ties)
    totals = counts.sum(axis=2)
    theta = np.zeros((len(counts), size + 1))
    value = _likelihood(theta, shape, counts, allowed)
    for _ in range(ROUNDS):
        chance = np.exp(_logs(theta, shape, allowed))
        gradient = (counts - totals[:, :, None] * chance).reshape(len(counts), -1) @ flat
        if np.abs(gradient).max(initial=0.0) < GRADIENT:
            break
        mean = np.einsum("rpk,pkd->rpd", chance, shape)
        weighted = (totals[:, :, None] * chance).reshape(len(counts), -1) @ squares
        drift = mean.transpose(0, 2, 1) @ (totals[:, :, None] * mean)
        curve = weighted.reshape(-1, size + 1, size + 1) - drift + loose
        step = np.linalg.solve(curve, gradient[:, :, None])[:, :, 0]
        theta, moved, value = _stepped(theta, step, value, shape, counts, allowed)
        if moved < STILL:
            break
    return theta, value


def _stepped(
    theta: np.ndarray,
    step: np.ndarray,
    value: np.ndarray,
    shape: np.ndarray,
    counts: np.ndarray,
    allowed: np.ndarray,
) -> tuple[np.ndarray, float, np.ndarray]:
    """Each table as far along its step as its likelihood does not fall, how far the furthest went, and the values."""
    import numpy as np  # noqa: PLC0415

    for _ in range(HALVINGS):
        better = _likelihood(theta + step, shape, counts, allowed)
        falls = better < value - ROUNDING * (1 + np.abs(value))
        if not falls.any():
            break
        step[falls] /= 2
    else:
        step[falls] = 0.0
        better = np.where(falls, value, better)
    return theta + step, float(np.abs(step).max(initial=0.0)), better


def _shape(pairs: Pairs, size: int) -> np.ndarray:
    """What each outcome of each pair adds to the exponent, by parameter: the strengths, and the logarithm of ν."""
    import numpy as np  # noqa: PLC0415

    shape = np.zeros((len(pairs), 3, size + 1))
    for place, (i, j) in enumerate(pairs):
        shape[place, 0, i] = shape[place, 2, j] = 1
        shape[place, 1, [i, j]] = 0.5
        shape[place, 1, size] = 1
    return shape


def _loose(size: int, groups: Groups, has_ties: np.ndarray) -> np.ndarray:
    """Curvature for what the data leave free, where the gradient is 0: the mean of a group, versions in none, and ν
    without ties. It makes the equations solvable and moves nothing."""
    import numpy as np  # noqa: PLC0415

    free = np.zeros((size + 1, size + 1))
    inside = {member for members in groups for member in members}
    for members in groups:
        free[np.ix_(list(members), list(members))] += 1.0
    for place in set(range(size)) - inside:
        free[place, place] = 1.0
    loose = np.repeat(free[None], len(has_ties), axis=0)
    loose[~has_ties, size, size] = 1.0
    return loose


def _logs(theta: np.ndarray, shape: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    weights = np.tensordot(theta, shape, axes=([1], [2])) + allowed[:, None, :]
    top = weights.max(axis=2, keepdims=True)
    return np.asarray(weights - top - np.log(np.exp(weights - top).sum(axis=2, keepdims=True)))


def _likelihood(theta: np.ndarray, shape: np.ndarray, counts: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    logs = _logs(theta, shape, allowed)
    return np.asarray((counts * np.where(counts > 0, logs, 0.0)).sum(axis=(1, 2)))
