"""What scores can and cannot tell: estimates with intervals, paired comparisons, tests and the words for them.

Pure functions: numbers in, frozen dataclasses out, each with its method and source. numpy and scipy are imported where
they are used, so that web processes which only format an interval never load them. docs/metrics.md says which method
answers which question.
"""

from evals.statistics.types import Comparison, Estimate, Interval, Test, Verdict

__all__ = ["Comparison", "Estimate", "Interval", "Test", "Verdict"]
