"""Do people agree: percent, Fleiss' kappa, Krippendorff's alpha, Dawid–Skene, and what more labels would bring.

Pure: lists in, frozen dataclasses out; numpy is imported where it is used. Cohen's kappa and Gwet's AC1 are those of
`evals.statistics.agreement`. Intervals resample items with all their answers (1,999 times, percentile); below ten items
there is none.
"""

from feedback.agreement.dawid_skene import Estimated, estimate
from feedback.agreement.fleiss import fleiss, randolph
from feedback.agreement.krippendorff import alpha, words
from feedback.agreement.percent import cohen, counted, pairs, percent
from feedback.agreement.worth import Worth, worth

__all__ = [
    "Estimated",
    "Worth",
    "alpha",
    "cohen",
    "counted",
    "estimate",
    "fleiss",
    "pairs",
    "percent",
    "randolph",
    "words",
    "worth",
]
