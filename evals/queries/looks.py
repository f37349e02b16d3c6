"""How often a prompt has been run against the test split of a dataset: each look that guides a change wears it out.

Choosing the best of k equally good versions by the same rows shows an advantage that is not there: on average the
expected largest of k standard normal numbers, in standard errors of the score (0.56 for 2, 1.16 for 5, 1.54 for 10;
Harter, *Expected Values of Normal Order Statistics*, Biometrika 48, 1961). The warning comes after five looks, in every
project: from there the advantage of chance alone is well over one standard error.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from evals.doctor import TEST_SPLIT
from evals.models import Dataset, DatasetVersion, Run
from evals.queries import runs as run_queries
from prompts.models import Artifact

WARN_AFTER = 5


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a test split: the `number`-th of its prompt. `is_next` when the run is not finished or not started."""

    number: int
    rows: int
    dataset: str
    prompt: str
    is_next: bool = False

    @property
    def is_too_many(self) -> bool:
        return self.number > WARN_AFTER

    @property
    def sentence(self) -> str:
        verb = "This would be" if self.is_next else "This is"
        return f"{verb} the {ordinal(self.number)} look of {self.prompt} at the test split of {self.dataset}."


def rows_seen(version: DatasetVersion, split: str = "") -> int:
    """How many rows of the test split (`test` in any case) a run over `split` of the version looks at."""
    if split and split.casefold() != TEST_SPLIT:
        return 0
    return run_queries.rows_of(version, split).filter(split__iexact=TEST_SPLIT).count()


def looks_of(artifact: Artifact, dataset: Dataset) -> QuerySet[Run]:
    """The prompt's finished runs that looked at rows of the dataset's test split, whatever version of either."""
    return Run.objects.filter(
        target__artifact=artifact, dataset_version__dataset=dataset, state=Run.State.DONE, test_rows__gt=0
    )


def look_of(run: Run) -> Look | None:
    """Which look a run is (or would be, while it is not done); None when it sees no test rows or has no prompt."""
    if run.target is None or not run.test_rows:
        return None
    artifact, dataset = run.target.artifact, run.dataset_version.dataset
    before = looks_of(artifact, dataset)
    is_done = run.state == Run.State.DONE
    number = (before.filter(pk__lt=run.pk) if is_done else before).count() + 1
    return Look(number, run.test_rows, dataset.slug, artifact.path, is_next=not is_done)


def next_look(artifact: Artifact, version: DatasetVersion, split: str = "") -> Look | None:
    """Which look a run that is started now would be; None when it would see no test rows."""
    rows = rows_seen(version, split)
    if not rows:
        return None
    count = looks_of(artifact, version.dataset).count()
    return Look(count + 1, rows, version.dataset.slug, artifact.path, is_next=True)


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    last = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{last}"
