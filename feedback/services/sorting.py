"""Sort complaints into themes: a batch at a time, so that no table is ever in memory.

Imports numpy and scikit-learn, so only tasks import it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from feedback.clustering import grouping, naming
from feedback.clustering.vectors import TfIdf, Vectoriser
from feedback.models import Clustering, InboxItem, Theme
from feedback.queries import complaints
from feedback.queries import themes as theme_queries
from llmops.common import leased

LEASE = timedelta(minutes=3)
BEAT_S = 0.5
BATCH = 1_000
POOL = 2_000  # complaints among which new themes are looked for: memory is quadratic in it
SAMPLE = 30  # complaints that stand for a theme
ROUNDS = 5
LEAST = 3
LEAST_SHARE = 0.005  # of the pool: among many complaints three alike are chance
MOST_THEMES = 300
MOST_PULLED = 5_000
MOST_CRASHES = 3


class _NotOursError(Exception):
    """Somebody cancelled the turn, or another worker has it."""


def work(*, clustering_id: int, vectoriser: Vectoriser | None = None) -> None:
    """Take a turn; does nothing when another worker has it or it was cancelled. Safe to run twice, and to die."""
    mine = _claim(clustering_id)
    if mine is None:
        return
    try:
        _Turn(mine, vectoriser or TfIdf()).go()
    except _NotOursError:
        return


def _claim(clustering_id: int) -> Clustering | None:
    mine = leased.claim(Clustering.objects.select_related("project"), clustering_id, LEASE, done=0, total=0)
    if mine is not None and mine.attempts > MOST_CRASHES:
        _end(mine, Clustering.State.FAILED, error=f"The worker stopped {MOST_CRASHES} times while it sorted.")
        return None
    return mine


class _Turn:
    """Release what is no complaint any more, let new ones join themes, look for new themes among the rest."""

    def __init__(self, mine: Clustering, vectoriser: Vectoriser) -> None:
        self.mine = mine
        self.project = mine.project
        self.vectoriser = vectoriser
        self.beaten_at = 0.0
        newest = (
            complaints.negative(self.project).order_by("-feedback_us").values_list("feedback_us", flat=True).first()
        )
        self.until_us = newest or mine.since_us

    def go(self) -> None:
        self._release()
        fresh = self._loose().filter(feedback_us__gt=self.mine.since_us)
        self._plan("joining", fresh.count())
        for number in range(ROUNDS):
            cores = self._learn()
            if number == 0:
                self._pull(cores)
                self._join(fresh, cores, self._means(cores))
            if not self._bear():
                break
        self._describe()
        _end(
            self.mine, Clustering.State.FINISHED, done=self.mine.total, until_us=self.until_us, phase="",
            vectoriser=self.vectoriser.name, assigned=self.mine.assigned, born=self.mine.born,
        )  # fmt: skip

    def _loose(self) -> QuerySet[InboxItem]:
        """Complaints without a theme that no person took out of one."""
        return complaints.negative(self.project).filter(theme=None, theme_by_hand=False, feedback_us__lte=self.until_us)

    def _release(self) -> None:
        """Who changed their mind complains no more; what a person put into a theme stays there."""
        members = InboxItem.objects.filter(project=self.project, theme_by_hand=False).exclude(theme=None)
        no_more = members.exclude(complaints.NEGATIVE).order_by("id").values_list("pk", flat=True)
        while batch := list(no_more[:BATCH]):
            InboxItem.objects.filter(pk__in=batch).update(theme=None)
            self._beat()

    def _learn(self) -> dict[int, list[str]]:
        """Texts that stand for each theme, those that people put there first; the vectoriser sees them and the pool."""
        self._phase("learning")
        cores: dict[int, list[str]] = {}
        for pk in Theme.objects.filter(project=self.project).order_by("id").values_list("pk", flat=True):
            items = complaints.negative(self.project).filter(theme=pk)
            chosen = list(items.order_by("-theme_by_hand", "-feedback_us", "-id")[:SAMPLE])
            if found := self._texts(chosen):
                cores[pk] = found
            self._beat()
        pool = self._texts(list(self._loose().order_by("-feedback_us", "-id")[:POOL]))
        self.vectoriser.fit([text for texts in cores.values() for text in texts] + [text for text in pool if text])
        return cores

    def _means(self, cores: dict[int, list[str]]) -> Any:
        every = [text for texts in cores.values() for text in texts]
        places, start = [], 0
        for texts in cores.values():
            places.append(range(start, start + len(texts)))
            start += len(texts)
        return grouping.mean_vectors(self.vectoriser.vectors(every), places)

    def _join(self, loose: QuerySet[InboxItem], themes: Sequence[int] | dict[int, Any], means: Any) -> None:
        """Let each complaint join the theme that it is most alike, if it is enough alike."""
        pks = list(themes)
        for batch in self._batches(loose):
            best, _ = grouping.nearest(self._vectors(batch), means, alike=self.vectoriser.alike)
            joined: dict[int, list[int]] = {}
            for item, place in zip(batch, best, strict=True):
                if place >= 0:
                    joined.setdefault(pks[place], []).append(item.pk)
            self._put(joined)
            self._beat(len(batch))

    def _pull(self, cores: dict[int, list[str]]) -> None:
        """After a split: members of the old theme that are nearer to the new one follow."""
        for theme in Theme.objects.filter(project=self.project, pulls=True).exclude(split_from=None):
            old, new = theme.split_from_id, theme.pk
            if old in cores and new in cores:
                pair = {old: cores[old], new: cores[new]}
                means = self._means(pair)
                left = complaints.negative(self.project).filter(theme=old, theme_by_hand=False)
                items = list(left.order_by("-feedback_us", "-id")[:MOST_PULLED])
                for start in range(0, len(items), BATCH):
                    batch = items[start : start + BATCH]
                    best, _ = grouping.nearest(self._vectors(batch), means, alike=self.vectoriser.alike)
                    moved = [item.pk for item, place in zip(batch, best, strict=True) if place == 1]
                    InboxItem.objects.filter(pk__in=moved, theme=old, theme_by_hand=False).update(theme=new)
                    self._beat()
            Theme.objects.filter(pk=theme.pk).update(pulls=False)

    def _bear(self) -> bool:
        """Look for groups in the pool; each becomes a theme that the rest may join. False when there was none."""
        self._phase("grouping")
        pool = list(self._loose().order_by("-feedback_us", "-id")[:POOL])
        texts = self._texts(pool)
        vectors = self.vectoriser.vectors(texts)
        least = max(LEAST, round(LEAST_SHARE * len(pool)))
        found = grouping.groups(vectors, alike=self.vectoriser.alike, least=least)
        found = found[: MOST_THEMES - Theme.objects.filter(project=self.project).count()]
        self._beat()
        if not found:
            return False
        counted = naming.presence(texts)
        with transaction.atomic():
            self._hold()
            taken = set(Theme.objects.filter(project=self.project).values_list("slug", flat=True))
            born = []
            for rows in found:
                theme = _born(self.project, naming.terms([texts[row] for row in rows], counted), taken)
                taken.add(theme.slug)
                born.append(theme.pk)
                self._put({theme.pk: [pool[row].pk for row in rows]})
        self.mine.born += len(born)
        rest = self._loose()
        self._plan("joining", rest.count())
        self._join(rest, born, grouping.mean_vectors(vectors, found))
        return True

    def _describe(self) -> None:
        """Fresh top terms for every theme; names stay as they are."""
        self._phase("naming")
        texts = {}
        for theme in theme_queries.themes_in(self.project):
            items = list(complaints.members(theme).order_by("-feedback_us", "-id")[: 2 * SAMPLE])
            texts[theme.pk] = self._texts(items)
            self._beat()
        counted = naming.presence([text for found in texts.values() for text in found])
        for pk, found in texts.items():
            if found:
                Theme.objects.filter(pk=pk).update(terms=naming.terms(found, counted))

    def _batches(self, loose: QuerySet[InboxItem]) -> Iterator[list[InboxItem]]:
        last = 0
        while batch := list(loose.filter(id__gt=last).order_by("id")[:BATCH]):
            last = batch[-1].pk
            yield batch

    def _put(self, joined: dict[int, list[int]]) -> None:
        """Only what is still loose: a person may have been quicker."""
        for theme, items in joined.items():
            for start in range(0, len(items), BATCH):
                free = InboxItem.objects.filter(pk__in=items[start : start + BATCH], theme=None, theme_by_hand=False)
                self.mine.assigned += free.update(theme=theme)

    def _texts(self, items: Sequence[InboxItem]) -> list[str]:
        return [
            said.text
            for start in range(0, len(items), BATCH)
            for said in complaints.said(self.project, items[start : start + BATCH])
        ]

    def _vectors(self, items: Sequence[InboxItem]) -> Any:
        return self.vectoriser.vectors(self._texts(items))

    def _plan(self, phase: str, more: int) -> None:
        """`more` complaints will be looked at: new ones, and after themes were born all that are still without."""
        self.mine.total += more
        self._phase(phase)

    def _phase(self, phase: str) -> None:
        self.mine.phase = phase
        self.beaten_at = 0.0
        self._beat()

    def _beat(self, looked_at: int = 0) -> None:
        """Tell how far it is, twice a second.

        :raises _NotOursError: when it is no longer ours.
        """
        self.mine.done += looked_at
        if time.monotonic() - self.beaten_at < BEAT_S:
            return
        self.beaten_at = time.monotonic()
        mine = self.mine
        held = Clustering.objects.filter(pk=mine.pk, fence=mine.fence, state=Clustering.State.RUNNING).update(
            phase=mine.phase, done=mine.done, total=mine.total, assigned=mine.assigned, born=mine.born,
            lease_until=timezone.now() + LEASE,
        )  # fmt: skip
        if not held:
            raise _NotOursError

    def _hold(self) -> None:
        """Before themes are written: a worker that was taken for dead writes none."""
        ours = Clustering.objects.select_for_update().filter(pk=self.mine.pk, fence=self.mine.fence)
        if not ours.filter(state=Clustering.State.RUNNING).exists():
            raise _NotOursError


def _born(project: Any, terms: list[str], taken: set[str]) -> Theme:
    return Theme.objects.create(
        project=project, slug=naming.slug_of(terms, taken), name=naming.name_of(terms), terms=terms
    )


def _end(mine: Clustering, state: str, **values: Any) -> bool:
    ended = Clustering.objects.filter(pk=mine.pk, fence=mine.fence, state__in=Clustering.ACTIVE).update(
        state=state, finished_at=timezone.now(), lease_until=None, **values
    )
    return bool(ended)
