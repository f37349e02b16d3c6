"""No answer of one test's project reaches the next."""

from __future__ import annotations

import pytest

from prompts.services import answers


@pytest.fixture(autouse=True)
def _no_cached_answers() -> None:
    answers.forget()
