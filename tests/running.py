"""Do the work of runs in a test's own process, and the demo project after such work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from django.db import connections
from django.utils import timezone

from evals.models import Dataset, Example, Result
from evals.services import checkups, examining, run_groups, run_requests, work
from llmops.common import ids
from llmops.common.actors import SYSTEM
from llmops.demo import seed
from tests import fleet


def finish_runs() -> None:
    """Work until nothing is due, in a thread of its own: a browser test has an event loop in its thread already."""
    with ThreadPoolExecutor(1) as worker:
        worker.submit(_all_of_it).result()


def _all_of_it() -> None:
    try:
        while work.run_slice():
            pass
        work.reconcile()
    finally:
        connections.close_all()


def demo_world() -> fleet.World:
    """The demo project after its main job, and in it everything that an address of the platform can name.

    The test needs a database whose rows other threads see (transactional_db).
    """
    demo = seed.plant(password="a long password", now=timezone.now())
    seed.release(demo, now=timezone.now())
    seed.send_traffic(demo, now=timezone.now())
    first, second = seed.start_runs(demo)
    wanted = run_requests.Wanted(dataset=demo.dataset, evaluators=[seed.EVALUATOR], version=demo.baseline)
    axes = run_groups.Axes(versions=[demo.baseline, demo.candidate], parameters=[{}, {"temperature": 1}])
    matrix = run_groups.start(project=demo.project, wanted=wanted, axes=axes, by=SYSTEM)
    finish_runs()
    world = fleet.build(demo.project, SYSTEM)
    world.values |= {"dataset": seed.DATASET, "prompt": seed.PATH, "version": "2", "evaluator": seed.EVALUATOR}
    world.values |= {"run": ids.public("run", first.uid), "other_run": ids.public("run", second.uid)}
    world.values["example"] = str(Example.objects.filter(dataset__slug=seed.DATASET).earliest("pk").uid)
    world.values["result"] = ids.public("res", Result.objects.filter(run=first).earliest("pk").uid)
    world.values["run group"] = ids.public("grp", matrix.uid)
    look = checkups.start(dataset=Dataset.objects.get(project=demo.project, slug=seed.DATASET), by=SYSTEM)
    examining.work(checkup_id=look.pk)
    world.values |= {"checkup": ids.public("chk", look.uid)}
    return world
