"""One run's trouble stays its own: what goes wrong while a slice works on a run never holds up the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

from evals.services import run_states

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)
SHARED_TRIES = 2  # so often the whole database is taken to be away
MOST_TRIES = 8
LONGEST_REST_S = 60.0

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Wards:
    """Each run of a slice behind a wall of its own."""

    clock: Callable[[], float] = time.monotonic
    failures: dict[int, int] = field(default_factory=dict)
    rest_until: dict[int, float] = field(default_factory=dict)

    def rests(self, run_id: int) -> bool:
        """Whether the run is left alone for now because the database failed on it again and again."""
        return self.clock() < self.rest_until.get(run_id, 0.0)

    def alone(self, run_id: int, act: Callable[[], Answer], otherwise: Answer) -> Answer:
        """Do something for one run; `otherwise` when it went wrong.

        A bug or a broken row fails the run, with the reason. An error that says that the database is away is raised
        the first times; when only this run keeps meeting it, the run rests for growing pauses, and fails at last.

        :raises OperationalError, InterfaceError: when the database seems to be away.
        """
        try:
            answer = act()
        except DATABASE_AWAY as error:
            failures = self.failures[run_id] = self.failures.get(run_id, 0) + 1
            if failures <= SHARED_TRIES:
                raise
            connections.close_all()
            if failures >= MOST_TRIES:
                run_states.give_up(run_id=run_id, error=error)
                return otherwise
            self.rest_until[run_id] = self.clock() + min(2.0 ** (failures - SHARED_TRIES), LONGEST_REST_S)
            logger.warning("runs.run_rests", extra={"run": run_id, "reason": str(error)[:200]})
            return otherwise
        except Exception as error:  # noqa: BLE001  # it is logged, and the run says it
            run_states.give_up(run_id=run_id, error=error)
            return otherwise
        self.failures.pop(run_id, None)
        return answer
