"""The demo project: a garden shop that sorts its mail, with two versions of a prompt and two weeks of traffic."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.db import transaction

from evals.importers.rows import ExampleRow
from evals.models import Dataset, Run
from evals.services import dataset_examples, datasets, evaluators, run_requests, runs
from feedback.services import calls, events, hours
from llmops.accounts.models import User
from llmops.common.actors import SYSTEM
from llmops.gateway.providers.demo import answer
from llmops.gateway.services import connections
from llmops.gateway.types import CompletionRequest, Message
from llmops.projects.models import Project
from llmops.projects.services import projects
from prompts.models import Artifact, Version
from prompts.services import execution, labels, versions

SLUG = "demo"
EMAIL = "demo@example.com"
PATH = "support/classify-mail"
DATASET = "support-mails"
EVALUATOR = "category-match"
JUDGE = "judge/same-meaning"
DAYS = 14
CALLS_A_DAY = 36

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Demo:
    """The project and what its main job compares."""

    project: Project
    baseline: Version
    candidate: Version
    dataset: Dataset


@dataclass(frozen=True, slots=True)
class Mail:
    text: str
    category: str
    tags: tuple[str, ...]


def seeded() -> Project | None:
    """The demo project, if it is there."""
    return Project.objects.live().filter(slug=SLUG).first()


@transaction.atomic
def plant(*, password: str, now: datetime) -> Demo:
    """Make the demo project with everything but its runs. The person is EMAIL with `password`."""
    user = User.objects.filter(email=EMAIL).first() or User.objects.create_user(EMAIL, password, name="Demo")
    project = projects.create(slug=SLUG, name="Garden shop", admin=user, by=SYSTEM)
    connections.ensure_demo(project=project)
    first, second = _versions(project, now)
    _save(project, JUDGE, "same_meaning.prompty", "Judge whether an answer means the same", now)
    dataset = datasets.create(
        project=project, slug=DATASET, name="Support mails", by=SYSTEM,
        description="Sixty mails of customers and the category that a person gave them.",
    )  # fmt: skip
    rows = [
        ExampleRow(inputs={"mail": mail.text}, expected=mail.category, tags=list(mail.tags), split="test")
        for mail in mails()
    ]
    dataset_examples.add(dataset=dataset, rows=rows, by=SYSTEM, source_kind="import")
    datasets.seal(dataset=dataset, by=SYSTEM, now=now, message="Sixty mails of the last quarter")
    evaluators.create(
        project=project, slug=EVALUATOR, name="Category match", by=SYSTEM,
        description="The answer is the expected category, whatever its case.",
        spec={"metric": "exact_match", "params": {"normalizer": "casefold"}},
    )  # fmt: skip
    evaluators.create(
        project=project, slug="same-meaning", name="Same meaning", by=SYSTEM,
        description="A judge: does the answer mean the expected category?",
        spec={"judge": {"prompt": JUDGE}, "scale": {"kind": "pass_fail"}},
    )  # fmt: skip
    return Demo(project, first, second, dataset)


def start_runs(demo: Demo) -> tuple[Run, Run]:
    """The main job: both versions on the same examples, by the real worker."""

    def start(version: Version) -> Run:
        wanted = run_requests.Wanted(dataset=demo.dataset, evaluators=[EVALUATOR, "same-meaning"], version=version)
        return runs.start(project=demo.project, wanted=wanted, by=SYSTEM)

    return start(demo.baseline), start(demo.candidate)


def compared(project: Project) -> tuple[Run, Run] | None:
    """The first two finished runs, baseline first, of an earlier start."""
    done = list(Run.objects.filter(project=project, state=Run.State.DONE).order_by("id")[:2])
    return (done[0], done[1]) if len(done) == 2 else None


def release(demo: Demo, *, now: datetime) -> None:
    """The first version has been live for two weeks; five days ago the second one took over."""
    artifact = demo.candidate.artifact
    for version, days in ((demo.baseline, DAYS), (demo.candidate, 5)):
        labels.move(
            artifact=artifact, name="production", to=version, by=SYSTEM, now=now - timedelta(days=days),
            may_release=True, reason="First release" if version == demo.baseline else "Better on category match",
        )  # fmt: skip
    labels.move(artifact=artifact, name="staging", to=demo.candidate, by=SYSTEM, now=now, may_release=True)


def send_traffic(demo: Demo, *, now: datetime) -> None:
    """Two weeks of logged calls and what users thought of them, from a fixed seed."""
    dice = random.Random(20)  # noqa: S311 (no secret)
    compiled = {version: execution.compiled(version) for version in (demo.baseline, demo.candidate)}
    numbers = {demo.baseline: 1, demo.candidate: 2}
    for day in range(DAYS, -1, -1):
        moment = now - timedelta(days=day, hours=1)
        version = demo.candidate if day < 5 else demo.baseline
        new_calls, new_events = [], []
        for number in range(CALLS_A_DAY - dice.randrange(12)):
            mail = dice.choice(mails())
            messages = compiled[version].messages({"mail": mail.text})
            text = answer(CompletionRequest("demo-1", tuple(Message(one.role, one.content) for one in messages)))
            name = f"demo-{day}-{number}"
            latency = round(dice.lognormvariate(6.3, 0.45))
            new_calls.append(
                calls.NewCall(
                    body=name.encode(), client_id=name, prompt=PATH, version=numbers[version], label="production",
                    session=f"session-{day}-{number // 3}", end_user=f"customer-{dice.randrange(60)}",
                    environment="production", model="demo-1", inputs={"mail": mail.text}, output=text,
                    tags=("mail",), latency_ms=latency, tokens_in=90, tokens_out=4, cost_usd=0.00012,
                    started_at=moment - timedelta(minutes=dice.randrange(600)),
                )
            )  # fmt: skip
            right = text.lower() == mail.category
            if dice.random() < (0.35 if right else 0.5):
                new_events += _feedback(name, mail, up=right or dice.random() < 0.15)
        calls.record(project=demo.project, calls=new_calls, now=moment)
        events.record(project=demo.project, events=new_events, key_id=None, now=moment)
    hours.rebuild(project=demo.project, now=now)


def _feedback(call: str, mail: Mail, *, up: bool) -> list[events.NewEvent]:
    thumb = events.NewEvent(body=b"1", call=call, kind="thumbs", client_id=f"{call}-t", value=1.0 if up else -1.0)
    if up:
        return [thumb]
    comment = f"This is about {mail.category}."
    said = events.NewEvent(body=b"2", call=call, kind="comment", client_id=f"{call}-c", comment=comment)
    mended = events.NewEvent(body=b"3", call=call, kind="correction", client_id=f"{call}-m", correction=mail.category)
    return [thumb, said, mended]


def demo_of(project: Project) -> Demo:
    """The planted rows of an earlier start."""
    artifact = Artifact.objects.get(project=project, path=PATH)
    found = list(Version.objects.filter(artifact=artifact).select_related("artifact").order_by("id")[:2])
    return Demo(project, found[0], found[1], Dataset.objects.get(project=project, slug=DATASET))


@cache
def mails() -> tuple[Mail, ...]:
    """The sixty mails, with their categories."""
    lines = (DATA / "support_mails.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return tuple(Mail(row["mail"], row["category"], tuple(row["tags"])) for row in rows)


def _versions(project: Project, now: datetime) -> tuple[Version, Version]:
    past = now - timedelta(days=DAYS)
    first = _save(project, PATH, "classify_mail_1.prompty", "Say what a mail is about", past)
    later = now - timedelta(days=6)
    return first, _save(project, PATH, "classify_mail_2.prompty", "Name the categories to choose from", later)


def _save(project: Project, path: str, file: str, message: str, now: datetime) -> Version:
    content = (DATA / file).read_text(encoding="utf-8")
    return versions.save(project=project, path=path, content=content, message=message, by=SYSTEM, now=now).version
