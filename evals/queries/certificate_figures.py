"""The figures of a certificate: made once from labelled rows, kept as JSON, and read again when a run is corrected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from evals import judges
from evals.statistics import Estimate, Interval, agreement, means, numeric_judges, prediction
from evals.statistics import judges as statistics

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled result: people's class and the judge's, None where its answer could not be read.

    `human` and `judge` are the same as numbers between 0 and 1, for scales that have them. Rows of one `group` are not
    independent; None where no row has one.
    """

    label: str
    verdict: str | None
    result_id: int
    human: float | None = None
    judge: float | None = None
    group: str | None = None


def of(rows: Sequence[Row], found: agreement.Confusion, scale: judges.Scale, seed: int, *, group: str = "") -> Figures:
    """Agreement with its intervals, over groups where rows have one; `group` is the column that names them."""
    grouped = _tables(rows, found.classes)
    weights = "quadratic" if scale.kind == "score" else "identity"
    kappa = agreement.kappa(found.table, weights, seed, no_verdict=found.no_verdict, groups=grouped)
    square = [[*row, lost] for row, lost in zip(found.table, found.no_verdict, strict=True)]
    square.append([0] * (len(found.classes) + 1))
    named: dict[str, Estimate | None] = {
        "agreement": _share([row.label == row.verdict for row in rows], rows),
        "kappa": kappa,
        "ac1": agreement.gwet_ac1(agreement.pair_counts(square), len(found.classes), seed),
        "mcc": Estimate(found.mcc, agreement.mcc_interval(found, seed, groups=grouped), found.n),
        "tpr": found.tpr,
        "tnr": found.tnr,
    }
    if grouped is not None and len(found.classes) == 2:
        for name, label in zip(("tpr", "tnr"), found.classes, strict=True):
            of_class = [row for row in rows if row.label == label]
            named[name] = _share([row.label == row.verdict for row in of_class], of_class)
    figures: Figures = {name: as_json(one) for name, one in named.items() if one is not None}
    figures |= {"v": 1, "weights": weights, "largest_class": max(found.labels) / found.n}
    if grouped is not None:
        figures["groups"] = {"column": group, "n": len(grouped)}
    return figures | (_numbers(rows, seed) if scale.is_numeric else {})


def decided(
    found: agreement.Confusion,
    figures: Mapping[str, Any],
    *,
    measured_at: datetime | None = None,
    now: datetime | None = None,
) -> statistics.Certificate:
    """Whether a certificate with these figures may be built upon, at its measurement and later."""
    groups = figures.get("groups")
    return statistics.certificate(
        found,
        kappa=_estimate(figures["kappa"]),
        groups=groups["n"] if groups else None,
        measured_at=measured_at,
        now=now,
    )


def labelled_of(figures: Mapping[str, Any]) -> prediction.Labelled | None:
    """The sums of people's and the judge's numbers; None where the certificate has none."""
    kept = figures.get("numbers")
    if kept is None:
        return None
    human, judge = (prediction.Moments(**kept[side]) for side in ("human", "judge"))
    return prediction.Labelled(human, judge, kept["covariance"], kept["units"], kept["deff"])


def as_json(one: Estimate) -> Figures:
    interval = one.interval
    limits = {"low": interval.low, "high": interval.high} if interval else {"low": None, "high": None}
    return {"value": one.value, **limits, "n": one.n, "method": one.method, "notes": list(one.notes)}


def _estimate(stored: Mapping[str, Any]) -> Estimate:
    low, high = stored["low"], stored["high"]
    return Estimate(stored["value"], None if low is None else Interval(low, high, 0.95, ""), stored["n"])


def _tables(rows: Sequence[Row], classes: Sequence[str]) -> list[agreement.Confusion] | None:
    """The table of each group; None where rows have none."""
    by_group: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.group is None:
            return None
        by_group[row.group].append(row)
    return [
        agreement.confusion([row.label for row in part], [row.verdict for row in part], classes)
        for part in by_group.values()
    ]


def _groups(rows: Sequence[Row]) -> list[str] | None:
    return None if any(row.group is None for row in rows) else [str(row.group) for row in rows]


def _share(right: Sequence[bool], rows: Sequence[Row]) -> Estimate:
    """Wilson, or effective Wilson over groups."""
    if not rows:
        return Estimate(None, None, 0, method="Wilson", notes=("no labels",))
    return means.bounded_mean([float(one) for one in right], clusters=_groups(rows))


def _numbers(rows: Sequence[Row], seed: int) -> Figures:
    """How a judge's numbers go with people's; without two readable answers there is nothing to say."""
    readable = [row for row in rows if row.judge is not None and row.human is not None]
    if len(readable) < 2:
        return {}
    y, f = [float(row.human or 0) for row in readable], [float(row.judge or 0) for row in readable]
    groups = _groups(readable)
    found = prediction.labelled(y, f, groups)
    return {
        "correlation": as_json(numeric_judges.correlation(y, f, groups=groups, seed=seed)),
        "bias": as_json(numeric_judges.bias(y, f, groups=groups)),
        "error": as_json(numeric_judges.error(y, f, groups=groups)),
        "numbers": asdict(found),
    }
