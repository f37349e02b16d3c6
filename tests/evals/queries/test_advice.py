"""Whatever makes a call fail, the run's page says what to do about it."""

from __future__ import annotations

from typing import get_args

from evals.queries.run_pages import ADVICE
from llmops.gateway.errors import Code


def test_every_way_that_a_call_can_fail_has_its_advice() -> None:
    of_the_run = {"no_output", "quarantined", "template"}
    assert set(ADVICE) == set(get_args(Code)) | of_the_run
