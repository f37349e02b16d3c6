"""Whether two runs gave the same outputs to the byte: then nothing can have become worse, whatever n is."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from evals.models import Result, Run


def outputs_are_identical(baseline: Run, candidate: Run) -> bool:
    """Every result of each run has its equal in the other: the same row of the dataset, repeat, text and tool calls.

    A failed output equals nothing. The texts are compared by the database and never read.
    """
    ours, theirs = Result.objects.filter(run=baseline), Result.objects.filter(run=candidate)
    equal = Result.objects.filter(
        run=candidate,
        example_key=OuterRef("example_key"),
        example_id=OuterRef("example_id"),
        repeat=OuterRef("repeat"),
        output=OuterRef("output"),
        error_code="",
    )
    size = ours.count()
    if not size or size != theirs.count() or ours.filter(Exists(equal), error_code="").count() != size:
        return False
    return _tool_calls(ours) == _tool_calls(theirs)


def _tool_calls(results: QuerySet[Result]) -> dict[tuple[int, int], object]:
    """Few outputs have any; JSON is compared here, because databases differ in what equal JSON is."""
    found = results.exclude(parts=[]).values_list("example_id", "repeat", "parts")
    return {(example, repeat): parts for example, repeat, parts in found}
