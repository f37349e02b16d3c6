"""Facts collected from the manuals and papers of other tools, each computed again by ours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.statistics import means, paired_tests, rates, repeats

# Facts about agreement between people and about distances of texts belong to other modules than these.
ELSEWHERE = {
    "krippendorff_alpha", "fleiss_kappa", "cohen_kappa", "randolph_free_marginal_kappa", "spearman",
    "levenshtein_distance", "damerau(osa)_distance", "edit_distance_sub_cost",
}  # fmt: skip

INTERVALS = {
    "wilson": rates.wilson,
    "clopper-pearson": rates.clopper_pearson,
    "agresti-coull": rates.agresti_coull,
    "normal(wald)": rates.wald,
}


def rate_interval(data: Any) -> list[float]:
    found = INTERVALS[data["method"]](data["successes"], data["n"])
    return [min(max(end, 0), 1) for end in (found.low, found.high)]  # some facts are clipped, ours never are


def signed_ranks(data: Any) -> list[float]:
    d = [x - y for x, y in zip(data["x"], data["y"], strict=True)]
    found = paired_tests.wilcoxon_pratt(d, exact=data["exact"], zeros="drop")
    other = len(d) * (len(d) + 1) / 2 - found.statistic
    return [min(found.statistic, other), found.p]


def paired_t(data: Any) -> list[float]:
    found = paired_tests.paired_t([x - y for x, y in zip(data["x"], data["y"], strict=True)])
    return [found.statistic, found.p]


def basic_bootstrap(data: Any) -> list[float]:
    found = means.basic_bootstrap(data["x"], seed=1, resamples=400_000)
    return [found.low, found.high]


COMPUTED: dict[str, Callable[[Any], Any]] = {
    "binomial_ci_95": rate_interval,
    "mcnemar_chi2_continuity_p": lambda data: paired_tests.mcnemar(data[0][1], data[1][0], kind="chi2").p,
    "binomial_sign_test_p": lambda data: paired_tests.mcnemar(data["k"], data["n"] - data["k"], kind="exact").p,
    "bootstrap_mean_ci_95": basic_bootstrap,
    "wilcoxon_signed_rank": signed_ranks,
    "paired_t": paired_t,
    "pass_at_k": lambda data: repeats.pass_at_k([data["n"]], [data["c"]], data["k"]).value,
}


def test_every_collected_fact_of_these_modules_is_computed_again(shared_data: Path) -> None:
    checked: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for line in (shared_data / "metrics" / "statistics_agreement_dev.jsonl").read_text().splitlines():
        fact = json.loads(line)
        name, expected = fact["statistic"], fact["expected"]
        if name not in COMPUTED:
            assert name in ELSEWHERE, f"{fact['id']}: nobody computes {name}"
            left[name] += 1
            continue
        wanted = [min(max(end, 0), 1) for end in expected] if name == "binomial_ci_95" else expected
        tolerance = {"abs": fact["tolerance"], "rel": fact.get("relative_tolerance", 1e-9)}
        assert COMPUTED[name](fact["data"]) == pytest.approx(wanted, **tolerance), fact["id"]
        checked[name] += 1
    print(f"\n{checked.total()} facts hold: {dict(checked)}; of other modules: {dict(left)}")
    assert checked.total() == 28
    assert set(checked) == set(COMPUTED)
