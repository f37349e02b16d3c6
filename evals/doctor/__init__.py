"""The dataset doctor: duplicates, conflicts, leaks, odd rows, and what past runs say about rows.

Pure code. numpy is imported by `examination`, `minhash`, `shingles` and `prompts`, which only workers import.
"""

from evals.doctor.types import TEST_SPLIT, TRAINING_SPLITS, Finding, Kind, Member, Row

__all__ = ["TEST_SPLIT", "TRAINING_SPLITS", "Finding", "Kind", "Member", "Row"]
