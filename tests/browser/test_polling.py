"""Parts of pages that ask for themselves again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from evals.models import Run
from evals.services import run_groups, run_requests
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.actors import SYSTEM
from llmops.demo import seed
from tests.browser.conftest import Watched
from tests.running import finish_runs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


def test_what_was_opened_on_a_matrix_stays_open_while_it_goes_on(watched: Callable[..., Watched]) -> None:
    demo = seed.plant(password="a long password", now=timezone.now())
    wanted = run_requests.Wanted(dataset=demo.dataset, evaluators=[seed.EVALUATOR], version=demo.baseline)
    axes = run_groups.Axes(versions=[demo.baseline, demo.candidate], parameters=[{}, {"temperature": 1}])
    group = run_groups.start(project=demo.project, wanted=wanted, axes=axes, by=SYSTEM)
    finish_runs()
    Run.objects.filter(pk=group.runs.earliest("id").pk).update(state=Run.State.RUNNING, summary=None)
    browser = watched(User.objects.get(email=seed.EMAIL))
    page = browser.page
    page.goto(f"/p/{demo.project.slug}/runs/-/matrices/{ids.public('grp', group.uid)}/")
    page.locator("#matrix details summary").nth(1).click()
    page.evaluate("document.getElementById('matrix').dataset.before = 'yes'")
    page.wait_for_selector("#matrix:not([data-before])")
    assert page.locator("#matrix details").evaluate_all("all => all.map((one) => one.open)") == [False, True]
    assert page.locator("#matrix .chart-plot .main-svg").count() > 0  # drawn again
    assert browser.wrong() == []
