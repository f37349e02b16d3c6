"""Sorting complaints into themes at growing size: seconds and peak memory, which must not grow with the complaints.

`python -m tests.bench themes`; minutes of work, so it is not part of `make bench` without a name. Each size has a fresh
process and a SQLite database of its own; with DATABASE_URL, a project of its own in that database.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django

SIZES = (10_000, 100_000)
NEW = 1_000  # complaints of the turn after
GROWTH_BAR = 1.25
AT_ONCE = 5_000
TOPICS = 40
TOPIC_WORDS = 6
NOISE = 0.3  # of the complaints are about nothing in particular
LETTERS = "aeiou", "bcdfgklmnprstvz"


def run() -> bool:
    """Print the table; True when the larger size needs at most GROWTH_BAR times the smaller's memory."""
    print(f"Sorting generated complaints into themes, then {NEW:,} more; peak resident memory of the process")
    print(
        f"{'complaints':>12}{'first turn':>12}{'a second':>10}{'next turn':>11}{'themes':>8}{'joined':>9}{'peak':>10}"
    )
    peaks: list[float] = []
    for size in SIZES:
        found = _apart(size)
        peaks.append(found["peak_mb"])
        is_held = peaks[-1] <= GROWTH_BAR * peaks[0]
        speed = size / found["first_s"]
        print(
            f"{size:>12,}{found['first_s']:>11.1f}s{found['cpu_s']:>8.1f}s{speed:>10,.0f}{found['next_s']:>10.1f}s"
            f"{found['themes']:>8}{found['joined']:>9,}{found['peak_mb']:>7.0f} MB"
            f"  {GROWTH_BAR} {'held' if is_held else 'MISSED'}",
            flush=True,
        )
    return peaks[-1] <= GROWTH_BAR * peaks[0]


def _apart(size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="llmops-themes-") as folder:
        asked = [sys.executable, "-m", "tests.bench.themes", str(size)]
        told = subprocess.run(asked, env={**os.environ, "LLMOPS_DATA_DIR": folder}, check=True, stdout=subprocess.PIPE)
    measured: dict[str, Any] = json.loads(told.stdout)
    return measured


def texts(count: int, seed: int = 7) -> Iterator[str]:
    """Complaints about some topics, the first of them the most frequent, in made-up words; some about anything."""
    dice = random.Random(seed)
    made = sorted({_word(dice) for _ in range(3_000)})
    dice.shuffle(made)
    topics = [made[n * TOPIC_WORDS : (n + 1) * TOPIC_WORDS] for n in range(TOPICS)]
    rest = made[TOPICS * TOPIC_WORDS :]
    shares = [1 / (rank + 2) for rank in range(TOPICS)]
    for _ in range(count):
        said = dice.sample(rest, 3)
        if dice.random() >= NOISE:
            said = dice.sample(dice.choices(topics, shares)[0], 4) + said[:1]
        dice.shuffle(said)
        yield " ".join(said)


def _word(dice: random.Random) -> str:
    vowels, others = LETTERS
    return "".join(dice.choice(others) + dice.choice(vowels) for _ in range(dice.randint(2, 4)))


def measure(size: int) -> dict[str, Any]:
    """Fill a project, sort it, add some and sort again."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops.settings")
    django.setup()
    from django.core.management import call_command

    from feedback.models import Clustering, Theme
    from feedback.services import clusterings, sorting
    from llmops.accounts.models import User
    from llmops.common.actors import SYSTEM
    from llmops.projects.services import projects
    from tests.bench import processes

    call_command("migrate", verbosity=0)
    name = f"themes-{size}-{time.time_ns():x}"
    person = User.objects.create_user(f"{name}@example.com", None, name="Bench")
    project = projects.create(slug=name, name="Bench", admin=person, by=SYSTEM)
    said = texts(size + NEW)
    took = []
    for count in (size, NEW):
        _complain(project, said, count)
        processes.forget_peaks(os.getpid())
        began, used = time.perf_counter(), time.process_time()
        sorting.work(clustering_id=clusterings.start(project=project, by=SYSTEM).pk)
        took.append(time.perf_counter() - began)
        if count == size:
            peak, cpu = processes.peak_mb(os.getpid()), time.process_time() - used
    joined = sum(Clustering.objects.filter(project=project).values_list("assigned", flat=True))
    themes = Theme.objects.filter(project=project).count()
    figures = {"first_s": took[0], "cpu_s": cpu, "next_s": took[1], "peak_mb": peak}
    return figures | {"themes": themes, "joined": joined}


def _complain(project: Any, said: Iterator[str], count: int) -> None:
    """Calls with a thumbs-down each, as ingestion leaves them."""
    from django.utils import timezone

    from feedback.models import FeedbackEvent, InboxItem

    for start in range(0, count, AT_ONCE):
        at = timezone.now()
        rows = [
            (f"{at.timestamp():.6f}-{place}", next(said), at + timedelta(microseconds=place))
            for place in range(min(AT_ONCE, count - start))
        ]
        FeedbackEvent.objects.bulk_create(
            FeedbackEvent(
                project=project, client_id=name, call_client_id=name, kind="thumbs", value=-1, comment=text,
                received_at=at,
            )
            for name, text, at in rows
        )  # fmt: skip
        InboxItem.objects.bulk_create(
            InboxItem(
                project=project, call_client_id=name, excerpt=text, first_at=at, feedback_at=at, thumbs=-1,
                feedback_us=int(at.timestamp() * 1_000_000),
            )
            for name, text, at in rows
        )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
