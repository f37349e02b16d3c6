"""Who may take up how much when there is more work than room."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from evals.engine.types import Lane


@dataclass(frozen=True, slots=True)
class Want:
    """A lane that could use `wanted` more, on top of the `holding` it has."""

    lane: Lane
    project: int
    priority: int
    wanted: int
    holding: int = 0


def shares(wants: Sequence[Want], room: int) -> dict[Lane, int]:
    """How much of `room` each lane gets: evenly between projects, counting what each holds already (max-min fairness);
    of a project's share its lanes of the highest priority first, and evenly between those.

    A priority orders the work of one project only. If it counted between projects, one of them could keep the others
    waiting by calling all of its work urgent.
    """
    given: dict[Lane, int] = {}
    lanes = _lanes(wants)
    loads = [(sum(want.holding for want in wants if want.project == project), project) for project in lanes]
    heapq.heapify(loads)
    for _ in range(max(room, 0)):
        if not loads:
            break
        load, project = heapq.heappop(loads)
        negative_priority, holding, place = heapq.heappop(lanes[project])
        want = wants[place]
        given[want.lane] = given.get(want.lane, 0) + 1
        if given[want.lane] < want.wanted:
            heapq.heappush(lanes[project], (negative_priority, holding + 1, place))
        if lanes[project]:
            heapq.heappush(loads, (load + 1, project))
    return given


def _lanes(wants: Sequence[Want]) -> dict[int, list[tuple[int, int, int]]]:
    """Each project's lanes that want something, as a heap: higher priority first, then the emptier one."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for place, want in enumerate(wants):
        if want.wanted > 0:
            heapq.heappush(found.setdefault(want.project, []), (-want.priority, want.holding, place))
    return found
