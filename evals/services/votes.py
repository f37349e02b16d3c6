"""Votes of judges that are asked more than once become scores when the last one is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from evals.models import JudgeVote, Result, Score
from evals.services import scoring
from evals.services.plans import JudgePlan, RunPlan


def settle(new: Sequence[JudgeVote], plans: Mapping[int, RunPlan]) -> list[Score]:
    """Unsaved scores of the results whose votes are complete with these new, stored ones.

    Inside the caller's transaction. The results are locked first, so that of two workers that store the last two votes
    at once the second one sees both.
    """
    if not new:
        return []
    touched = {(vote.result_id, vote.evaluator_version_id): vote.run_id for vote in new}
    results = sorted({vote.result_id for vote in new})
    list(Result.objects.select_for_update(no_key=True).filter(pk__in=results).order_by("pk").values_list("pk"))
    cast: dict[tuple[int, int], list[JudgeVote]] = defaultdict(list)
    for vote in JudgeVote.objects.filter(result__in=results):
        if (vote.result_id, vote.evaluator_version_id) in touched:
            cast[vote.result_id, vote.evaluator_version_id].append(vote)
    scores = []
    for (_, version_id), votes in cast.items():
        judge = plans[votes[0].run_id].judges[version_id]
        assert isinstance(judge, JudgePlan)  # nobody else votes
        if len(votes) == len(judge.parts):
            scores.append(scoring.settled(votes, judge))
    return scores
