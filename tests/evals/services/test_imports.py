from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from evals import tasks
from evals.importers import ColumnMapping, ExampleAt, Place, checked
from evals.models import Dataset, Example, Import
from evals.queries import datasets as queries
from evals.services import datasets, imports
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid, NotFound, TooLarge
from llmops.projects.models import Project

pytestmark = pytest.mark.django_db

Start = Callable[..., Import]


@pytest.fixture(autouse=True)
def _own_uploads(tmp_path: Path, settings: Any) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"


@pytest.fixture
def dataset(project: Project, by: Actor) -> Dataset:
    return datasets.create(project=project, slug="mails", by=by)


@pytest.fixture
def start(dataset: Dataset, by: Actor) -> Start:
    """Uploads a body and starts to import it."""

    def make(body: bytes | str, name: str = "rows.jsonl", **options: object) -> Import:
        data = body.encode() if isinstance(body, str) else body
        stored = imports.upload(project=dataset.project, chunks=[data[:3], data[3:]], name=name)
        return imports.start(dataset=dataset, digest=stored.digest, name=name, by=by, **options)  # type: ignore[arg-type]

    return make


def jsonl(*names: str) -> str:
    return "".join(json.dumps({"input": name, "expected": name.upper()}) + "\n" for name in names)


def finish(made: Import) -> Import:
    while not imports.work(import_id=made.pk):
        pass
    made.refresh_from_db()
    return made


def inputs(dataset: Dataset) -> list[str]:
    return [example.inputs["input"] for example in queries.examples_of(dataset)]


def test_a_file_becomes_examples_and_its_bad_rows_become_problems(
    start: Start, dataset: Dataset, django_capture_on_commit_callbacks: Any
) -> None:
    made = start(jsonl("a", "b") + "{broken\n" + jsonl("c"), name="/home/ada/C:\\mails.jsonl")
    with django_capture_on_commit_callbacks(execute=True):
        finish(made)
    assert (made.state, made.rows_ok, made.rows_bad, made.file_name) == ("finished", 3, 1, "mails.jsonl")
    assert made.progress == 1.0
    assert inputs(dataset) == ["a", "b", "c"]
    [problem] = queries.problems_of(made)
    assert (problem.line, problem.column, problem.excerpt) == (3, 2, "{broken")
    assert not list(Path(settings.UPLOADS_DIR, dataset.project.uid.hex).glob("*"))
    opened = queries.open_version(dataset)
    assert opened is not None
    assert (opened.number, opened.examples, made.version_number) == (1, 3, 1)


def test_the_same_file_twice_at_once_is_one_import(start: Start, dataset: Dataset) -> None:
    first, second = start(jsonl("a", "b")), start(jsonl("a", "b"))
    assert first == second
    finish(first)
    assert inputs(dataset) == ["a", "b"]


def test_rows_that_are_there_already_are_left_out_unless_wanted(start: Start, dataset: Dataset) -> None:
    finish(start(jsonl("a", "b", "a")))
    assert inputs(dataset) == ["a", "b", "a"]
    again = finish(start(jsonl("a", "b", "a", "c")))
    assert (again.rows_ok, again.rows_known) == (1, 3)
    finish(start(jsonl("a"), skip_known=False))
    assert inputs(dataset) == ["a", "b", "a", "c", "a"]


def test_a_slice_that_ends_goes_on_where_it_stopped(
    start: Start, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH_ROWS", 2)
    names = [f"n{number}" for number in range(9)]
    for name, body in {
        "a.jsonl": jsonl(*names[:5]) + "{oops\n" + jsonl(*names[5:]),
        "b.csv": "input,expected\n" + "".join(f"c{name},1\n" for name in names),
        "c.json": json.dumps([{"input": f"j{name}"} for name in names]),
    }.items():
        made = start(body, name=name)
        slices = 1
        while not imports.work(import_id=made.pk, seconds=0):
            slices += 1
        made.refresh_from_db()
        assert (made.state, made.rows_ok, slices > 3) == ("finished", 9, True)
    assert inputs(dataset) == [*names, *(f"c{name}" for name in names), *(f"j{name}" for name in names)]


def test_a_worker_that_lost_its_lease_writes_nothing(
    start: Start, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH_ROWS", 1)
    made = start(jsonl("a", "b", "c"))
    slow = imports._claim(made.pk)
    assert slow is not None
    assert imports.work(import_id=made.pk)  # somebody holds it: nothing to do
    Import.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    finish(made)
    late = [ExampleAt(checked({"inputs": {"input": "late"}}), 1, Place(9, 2))]
    assert not imports._store(slow, list(late))
    assert inputs(dataset) == ["a", "b", "c"]


def test_a_message_that_was_lost_is_made_up_for(start: Start, dataset: Dataset) -> None:
    made = start(jsonl("a"))
    now = timezone.now()
    assert imports.continue_stalled(now=now) == 0
    assert imports.continue_stalled(now=now + timedelta(seconds=30)) == 1
    imports._claim(made.pk)
    assert imports.continue_stalled(now=now + timedelta(seconds=30)) == 0
    assert imports.continue_stalled(now=now + timedelta(seconds=90)) == 1
    tasks.continue_imports()


def test_the_task_may_run_twice(start: Start, dataset: Dataset) -> None:
    made = start(jsonl("a", "b"))
    tasks.import_rows(import_id=made.pk, from_a_newer_release=True)
    tasks.import_rows(import_id=made.pk)
    tasks.import_rows(import_id=10_000)
    assert inputs(dataset) == ["a", "b"]


def test_a_file_that_kills_its_reader_every_time_is_given_up(start: Start) -> None:
    made = start(jsonl("a"))
    for _ in range(imports.MAX_CRASHES):
        assert imports._claim(made.pk) is not None
        Import.objects.update(lease_until=None)
    assert imports.work(import_id=made.pk)
    made.refresh_from_db()
    assert made.state == "failed"
    assert "line 1" in made.error


def test_cancelling_stops_between_batches_and_keeps_what_is_there(
    start: Start, dataset: Dataset, by: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH_ROWS", 1)
    made = start(jsonl("a", "b", "c"))
    assert not imports.work(import_id=made.pk, seconds=0)
    imports.cancel(of=made, by=by, now=timezone.now())
    assert imports.work(import_id=made.pk)
    made.refresh_from_db()
    assert (made.state, inputs(dataset)) == ("cancelled", ["a"])
    imports.cancel(of=made, by=by, now=timezone.now())


def test_a_version_is_not_sealed_while_an_import_writes(start: Start, dataset: Dataset, by: Actor) -> None:
    made = start(jsonl("a"))
    datasets.open_for_edits(dataset=dataset, by=by)
    with pytest.raises(Conflict) as refused:
        datasets.seal(dataset=dataset, by=by, now=timezone.now())
    assert refused.value.code == "import_running"
    finish(made)
    assert datasets.seal(dataset=dataset, by=by, now=timezone.now()).examples == 1


def test_a_file_that_vanished_ends_the_import_with_words(start: Start, dataset: Dataset) -> None:
    made = start(jsonl("a"))
    for path in Path(settings.UPLOADS_DIR, dataset.project.uid.hex).glob("*"):
        path.unlink()
    assert finish(made).state == "failed"
    assert "gone" in made.error


def test_uploads_are_refused_when_empty_too_large_or_broken(project: Project, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 10
    with pytest.raises(Invalid):
        imports.upload(project=project, chunks=[b"", b""], name="a")
    with pytest.raises(TooLarge):
        imports.upload(project=project, chunks=[b"12345", b"678901"], name="a")
    with pytest.raises(Invalid):
        imports.upload(project=project, chunks=[b"\xff\xfe\x00"], name="a")


def test_files_of_windows_editors_become_utf8(start: Start, dataset: Dataset) -> None:
    for place, encoding in enumerate(("utf-8-sig", "utf-16", "utf-32")):
        finish(start(f"input,expected\nJosé {place},1\n".encode(encoding), name="a.csv"))
    assert inputs(dataset) == ["José 0", "José 1", "José 2"]


def test_an_upload_is_found_by_its_digest_in_its_own_project_alone(
    project: Project, other_project: Project, by: Actor
) -> None:
    stored = imports.upload(project=project, chunks=[jsonl("a").encode()], name="a.jsonl")
    assert imports.preview(project=project, digest=stored.digest, name="a.jsonl").rows
    for digest in (stored.digest, "../" + stored.digest, "", "0" * 64, stored.digest.upper(), "\x00"):
        with pytest.raises(NotFound):
            imports.preview(project=other_project, digest=digest, name="a.jsonl")


def test_the_chosen_mapping_holds(start: Start, dataset: Dataset) -> None:
    finish(start("q,a\nwhy,so\n", name="a.csv", columns=ColumnMapping({"q": "inputs.question", "a": "expected"})))
    example = queries.examples_of(dataset).get()
    assert (example.inputs, example.expected) == ({"question": "why"}, "so")
    with pytest.raises(Invalid):
        start("q,a\nwhy,so\n", name="a.csv", columns=ColumnMapping({"q": "nowhere"}))


def test_forgotten_uploads_are_thrown_away(project: Project, start: Start) -> None:
    imports.upload(project=project, chunks=[b"a\n1\n"], name="a.csv")
    made = start(jsonl("a"))
    assert imports.discard_uploads(now=timezone.now()) == 0
    assert imports.discard_uploads(now=timezone.now() + timedelta(days=2)) == 1
    finish(made)
    tasks.discard_uploads()


def test_what_reports_quote_from_files_is_forgotten_after_a_month(start: Start) -> None:
    made = finish(start("{secret\n" + jsonl("a")))
    imports.discard_uploads(now=timezone.now() + timedelta(days=29))
    assert queries.problems_of(made).get().excerpt == "{secret"
    imports.discard_uploads(now=timezone.now() + timedelta(days=31))
    problem = queries.problems_of(made).get()
    assert (problem.excerpt, problem.line) == ("", 1)


WORKER = """
import sys, django
from pathlib import Path
django.setup()
from evals.services import imports
imports.work(import_id=int(sys.argv[1]), seconds=3600)  # one slice: the next would load the queue's client too
high_water = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(high_water.split()[1]) // 1024)  # getrusage would count the test process that this one was forked from
"""


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: memory is read from /proc")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # kombu's embedded broker, when the message is sent
@pytest.mark.django_db(transaction=True)
def test_100000_rows_with_one_percent_broken_survive_kills_in_bounded_memory(
    dataset: Dataset, by: Actor, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for number in range(100_000):
            row = {"input": f"question {number} " + "x" * 150, "expected": number, "metadata": {"n": number}}
            file.write("{broken\n" if number % 100 == 7 else json.dumps(row) + "\n")
    with path.open("rb") as source:
        stored = imports.upload(project=dataset.project, chunks=iter(lambda: source.read(1 << 20), b""), name=path.name)
    made = imports.start(dataset=dataset, digest=stored.digest, name=path.name, by=by)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "LLMOPS_TEST_DATA_DIR": str(Path(settings.UPLOADS_DIR).parent),
        "DATABASE_URL": os.environ.get("DATABASE_URL", "").rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
        if connection.vendor == "postgresql"
        else f"sqlite:///{connection.settings_dict['NAME']}",
    }
    started = time.monotonic()
    command = [sys.executable, "-c", WORKER, str(made.pk)]
    for _ in range(3):
        worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        time.sleep(3)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert worker.stdout is not None
        worker.stdout.close()
        Import.objects.update(lease_until=None)  # what the end of the lease does a minute later
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    made.refresh_from_db()
    assert (made.state, made.rows_ok, made.rows_bad) == ("finished", 99_000, 1_000)
    assert Example.objects.filter(dataset=dataset).count() == 99_000
    assert len(set(Example.objects.filter(dataset=dataset).values_list("content_hash", flat=True))) == 99_000
    assert [problem.line for problem in queries.problems_of(made)[:3]] == [8, 108, 208]
    peak_mb = int(done.stdout)
    assert peak_mb <= 200
    print(f"{99_000 / (time.monotonic() - started):,.0f} rows/s with three kills, peak {peak_mb} MB")
