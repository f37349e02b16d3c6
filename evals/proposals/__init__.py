"""Rows that a model proposes: what it is asked, and how its answer is read. Pure code."""

from evals.proposals.answers import UnreadableAnswerError, read
from evals.proposals.requests import MOST_WANTED, Asked, HardRow, Sample, Shape, request, shape_of

__all__ = [
    "MOST_WANTED",
    "Asked",
    "HardRow",
    "Sample",
    "Shape",
    "UnreadableAnswerError",
    "read",
    "request",
    "shape_of",
]
