"""Reads about what models drafted for themes, and what the runs say about a drafted prompt."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from evals.models import Run
from evals.queries import comparisons
from evals.queries import datasets as dataset_queries
from evals.queries.comparisons import RunComparison
from feedback.models import Theme, ThemeDraft
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import Artifact, Version


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The drafted version against the live one; the comparisons are there once both runs are finished."""

    baseline: Run
    candidate: Run
    is_done: bool
    slice_rows: int
    on_slice: RunComparison | None
    on_whole: RunComparison | None

    @property
    def is_waiting(self) -> bool:
        """A run is still at work."""
        return any(run.state in Run.ACTIVE for run in (self.baseline, self.candidate))


def drafts_of(theme: Theme) -> QuerySet[ThemeDraft]:
    """Newest first."""
    cores = Theme.objects.filter(Q(pk=theme.pk) | Q(merged_into=theme), project_id=theme.project_id)
    found = ThemeDraft.objects.filter(project_id=theme.project_id, theme__in=cores.values("pk"))
    return found.select_related("artifact", "version__numbered", "base__numbered").order_by("-id")


def newest_name(theme: Theme) -> ThemeDraft | None:
    """The last question for a name."""
    return drafts_of(theme).filter(kind=ThemeDraft.Kind.NAME).first()


def draft_in(project: Project, ref: str) -> ThemeDraft:
    """:raises NotFound: when the project has no such draft."""
    found = (
        ThemeDraft.objects.filter(project=project, uid=ids.parse("draft", ref))
        .select_related(
            "project", "theme__project", "artifact", "base__content", "base__numbered", "version__numbered", "dataset",
            "baseline__dataset_version__dataset", "candidate__dataset_version__dataset",
        )
        .first()
    )  # fmt: skip
    if found is None:
        raise NotFound("There is no such draft here.")
    return found


def draft_of(theme: Theme, ref: str) -> ThemeDraft:
    """:raises NotFound: when the theme has no such draft."""
    found = drafts_of(theme).select_related("theme__project").filter(uid=ids.parse("draft", ref)).first()
    if found is None:
        raise NotFound("This theme has no such draft.")
    return found


def newest(artifact: Artifact) -> Version:
    """:raises NotFound: when the prompt has no version yet."""
    return prompt_queries.version_in(artifact, label=prompt_queries.LATEST)


def live(artifact: Artifact) -> Version | None:
    """The version that `production` names, if any."""
    label = prompt_queries.labels_of(artifact).filter(name=prompt_queries.DEFAULT_LABEL).first()
    return prompt_queries.versions_of(artifact).get(pk=label.version_id) if label else None


def evaluated(draft: ThemeDraft) -> Evaluated | None:
    """What the runs say so far; None before they were started."""
    baseline, candidate = draft.baseline, draft.candidate
    if baseline is None or candidate is None:
        return None
    version = candidate.dataset_version
    tagged = dataset_queries.examples_of(version.dataset, version.number).tagged(draft.theme.tag)
    keys = set(tagged.values_list("key", flat=True))
    if baseline.state != Run.State.DONE or candidate.state != Run.State.DONE:
        return Evaluated(baseline, candidate, False, len(keys), None, None)
    return Evaluated(
        baseline,
        candidate,
        True,
        len(keys),
        comparisons.comparison_of(baseline, candidate, within=keys) if keys else None,
        comparisons.comparison_of(baseline, candidate),
    )
