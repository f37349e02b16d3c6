"""Every address of the platform, and a project with one of everything, for tests that walk the whole fleet."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from evals import importers, metrics
from evals.models import (
    Checkup,
    CheckupFinding,
    Dataset,
    Example,
    JudgeVote,
    Proposal,
    ProposalRequest,
    Result,
    Run,
    ScheduleStart,
    Score,
    SignOff,
)
from evals.queries import runs as run_queries
from evals.services import (
    certificates,
    dataset_examples,
    datasets,
    evaluators,
    imports,
    judge_templates,
    measuring,
    run_groups,
    run_requests,
    runs,
    schedules,
)
from feedback.models import Clustering, Erasure, HumanFigure, InboxItem, QueueItem, Theme, ThemeDraft
from feedback.queries.sources import Source
from feedback.services import describing, filling, inbox, masks, queues, rubrics, seats, settling, views
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.gateway.services import connections, prices
from llmops.projects import tenancy
from llmops.projects.models import Invitation, Membership, Notification, Project
from llmops.projects.permissions import ROLES
from llmops.projects.services import api_keys, invitations, notifications
from prompts.models import Artifact, TryOut, Version
from prompts.services import drafts, labels, versions

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
PROMPTY = """---
name: Classify
model:
  id: demo-small
inputs:
  mail: {type: string}
---
system:
Name the category.
user:
{{ mail }}
"""
PROVIDER_KEY = "sk-canary-provider-0123456789abcdef"
# Rows that change while nothing changes: who is signed in, what was seen last, which answers are kept.
# What is refused is counted, by reason.
RESTLESS = {"sessions.session", "feedback.refusal"}


@dataclass(frozen=True, slots=True)
class Place:
    """One address pattern of ours: its route, its name and what it demands."""

    route: str
    name: str
    access: Any
    methods: tuple[str, ...]

    @property
    def is_api(self) -> bool:
        return self.route.startswith(("api/", "v1/"))

    @property
    def is_of_a_project(self) -> bool:
        return self.route.startswith("p/<slug:project_slug>/")

    @property
    def names(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(\w+)>", self.route)

    def path(self, values: dict[str, str]) -> str:
        """The address with its parameters filled from the world; KeyError for one that nobody fills."""
        path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[self.value(found[1])], self.route)
        return path + QUERIES.get(self.name, "").format(**values)

    def value(self, parameter: str) -> str:
        """The name of the world's value for a parameter of this route."""
        for pattern, wanted, value in FILLERS:
            if parameter == wanted and re.search(pattern, self.route):
                return value
        raise KeyError(f"{self.route}: nothing fills <{parameter}>; add a line to FILLERS in tests/fleet.py")


# Where the route, the parameter, the value of the world: the first line that fits counts.
FILLERS = [
    (r"", "project_slug", "project"),
    (r"^join/", "token", "token"),
    (r"^accounts/oidc/", "provider_id", "provider"),
    (r"settings/members/", "uid", "member"),
    (r"settings/invitations/", "uid", "invitation"),
    (r"settings/keys/", "uid", "key"),
    (r"masking/", "name", "mask rule"),
    (r"data/export/", "form", "export form"),
    (r"connections/", "uid", "connection"),
    (r"settings/connections/", "uid", "connection"),
    (r"connections/", "uid", "connection id"),
    (r"runs/-/matrices/|run-groups/", "uid", "run group"),
    (r"schedules/", "uid", "schedule"),
    (r"runs/", "uid", "run"),
    (r"runs/", "result_uid", "result"),
    (r"datasets/.*/doctor/", "uid", "checkup"),
    (r"/findings/", "uid", "finding"),
    (r"proposals/", "uid", "proposals"),
    (r"proposals/", "position", "proposal"),
    (r"^api/v1/datasets/", "uid", "example"),
    (r"datasets/", "slug", "dataset"),
    (r"datasets/", "key", "example"),
    (r"datasets/", "digest", "upload"),
    (r"imports/", "uid", "import"),
    (r"evaluators/.*(certificates|measure)", "slug", "judge"),
    (r"certificates/", "uid", "certificate"),
    (r"evaluators/", "slug", "evaluator"),
    (r"feedback/<str:ref>/triage", "ref", "item"),
    (r"feedback/", "ref", "call"),
    (r"(queues|labeling)/.*items/", "uid", "queue item"),
    (r"rubrics/", "slug", "rubric"),
    (r"(queues|labeling)/", "slug", "queue"),
    (r"score-definitions/", "uid", "definition id"),
    (r"settings/scores/", "uid", "definition"),
    (r"end-users/erasures/", "uid", "erasure"),
    (r"themes/-/sort/", "uid", "sorting"),
    (r"theme-drafts/.*/name", "draft", "name draft"),
    (r"themes/.*/name/", "draft", "name draft"),
    (r"theme-drafts/.*/evaluat", "draft", "saved draft"),
    (r"theme-drafts/", "draft", "draft"),
    (r"themes/", "theme", "theme"),
    (r"feedback/-/views/|inbox/views/", "uid", "view"),
    (r"inbox/", "uid", "item"),
    (r"prompts/-/try/", "uid", "tryout"),
    (r"examples/-/from-try-out/", "uid", "tryout"),
    (r"monitor/prompts/", "path", "prompt"),
    (r"prompts/", "path", "prompt"),
    (r"prompts/", "label", "label"),
    (r"prompts/", "number", "version"),
    (r"prompts/", "name", "label"),
]


# Pages whose ids stand in the query string.
QUERIES = {
    "evals:run-compare": "?a={run}&b={run}",
    "api-run-compare": "?a={run}&b={run}",
    "evals:run-pairs": "?run={run}&run={other_run}",
    "api-run-pairs": "?run={run}&run={other_run}",
}


def places() -> list[Place]:
    """Ours: allauth's own pages guard themselves and are listed in llmops.common.access_check."""
    return [place for place in _places(get_resolver(), "", "") if not place.route.startswith("accounts/")]


def _places(resolver: URLResolver, prefix: str, space: str) -> Iterator[Place]:
    for item in resolver.url_patterns:
        route = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from _places(item, route, f"{space}{item.namespace}:" if item.namespace else space)
        else:
            yield Place(route, f"{space}{item.name}", *_declared(item))


def _declared(pattern: URLPattern) -> tuple[Any, tuple[str, ...]]:
    view: Any = pattern.callback
    if hasattr(view, "declared_access"):
        return view.declared_access, ("GET", "POST")
    permissions = getattr(getattr(view, "cls", None), "permissions", None)
    return permissions, tuple(permissions or ())


@dataclass(slots=True)
class World:
    """A project with one of everything; `values` fills addresses, `secrets` must never be shown."""

    project: Project
    values: dict[str, str]
    secrets: dict[str, str]
    people: dict[str, User]


def build(project: Project, by: Actor) -> World:
    """One of everything in `project`."""
    values, secrets = {"project": project.slug, "provider": "oidc"}, {}
    people = _people(project)
    issued = invitations.create(project=project, email=f"new@{project.slug}.example", role="viewer", by=by, now=NOW)
    secrets["invitation"] = values["token"] = issued.link.rstrip("/").rpartition("/")[2]
    Invitation.objects.filter(project=project).update(expires_at=datetime(2126, 1, 1, tzinfo=UTC))
    values["invitation"] = str(issued.invitation.uid)
    values["member"] = str(people["viewer"].uid)
    for kind in ["secret", "publishable", "personal"]:
        user = people["admin"] if kind == "personal" else None
        key = api_keys.issue(project=project, kind=kind, user=user, name=f"{kind} key", by=by)
        secrets[kind], values["key"] = key.text, str(key.key.uid)
    _gateway(project, by, values)
    secrets["provider key"] = PROVIDER_KEY
    _prompts(project, by, values, people["editor"])
    _evals(project, by, values)
    _feedback(secrets["secret"], values)
    _labeling(project, by, values, people)
    values |= _themes(project, by)
    masks.add(project=project, name="customer-number", pattern=r"K-\d{6}", placeholder="[customer]", by=by)
    values |= {"mask rule": "customer-number", "export form": "jsonl"}
    _review(project, by, values)
    notifications.notify(
        project=project, users=[person.pk for person in people.values()], kind="run_finished", text="A run ended",
        url=f"/p/{project.slug}/", now=NOW,
    )  # fmt: skip
    values["notification"] = str(Notification.objects.filter(project=project).latest("id").pk)
    return World(project, values, secrets, people)


def _people(project: Project) -> dict[str, User]:
    people = {}
    for role in ROLES:
        people[role] = User.objects.create_user(f"{role}@{project.slug}.example", None, name=role.title())
        Membership.objects.create(project=project, user=people[role], role=role)
    return people


def _gateway(project: Project, by: Actor, values: dict[str, str]) -> None:
    connections.ensure_demo(project=project)
    connection = connections.create(project=project, name="Main account", kind="openai", key=PROVIDER_KEY, by=by)
    prices.put(
        project=project, model="model-1", in_per_million=Decimal("1.5"), out_per_million=Decimal(6), by=by, now=NOW
    )
    values |= {"connection": str(connection.uid), "connection id": ids.public("con", connection.uid)}


def _prompts(project: Project, by: Actor, values: dict[str, str], writer: User) -> None:
    for number in range(2):
        saved = versions.save(
            project=project, path="mail/classify", content=PROMPTY + f"\nTake {number}.", message="Try", by=by, now=NOW
        )
    version = saved.version
    for name in ["production", "staging"]:
        labels.move(artifact=version.artifact, name=name, to=version, by=by, now=NOW, may_release=True)
    drafts.keep(
        project=project, user_id=writer.pk, artifact=version.artifact, path=version.artifact.path,
        content=PROMPTY + "\nMore.", base=version, now=NOW,
    )  # fmt: skip
    tried = TryOut.objects.create(project=project, by_user_id=by.user_id, text=PROMPTY, inputs={"mail": "Hello"})
    values |= {
        "prompt": "mail/classify",
        "label": "production",
        "version": "2",
        "tryout": ids.public("try", tried.uid),
    }


def _evals(project: Project, by: Actor, values: dict[str, str]) -> None:
    dataset = datasets.create(project=project, slug="mails", by=by)
    rows = [
        importers.checked({"inputs": {"mail": f"Mail {n}"}, "expected": "billing", "metadata": {"out": "billing"}})
        for n in range(3)
    ]
    added = dataset_examples.add(dataset=dataset, rows=rows, by=by)
    datasets.seal(dataset=dataset, by=by, now=NOW)
    upload = imports.upload(project=project, chunks=[b"mail,expected\nHello,other\n"], name="mails.csv")
    started = imports.start(dataset=dataset, digest=upload.digest, name="mails.csv", by=by)
    evaluators.create(project=project, slug="exact", spec={"metric": "exact_match"}, by=by)
    wanted = run_requests.Wanted(dataset=dataset, evaluators=["exact"], recorded="out")
    run = runs.start(project=project, wanted=wanted, by=by, now=NOW)
    example = Example.objects.filter(dataset=dataset).earliest("id")
    result = Result.objects.create(project=project, run=run, example=example, example_key=example.key, output="billing")
    version = Version.objects.filter(artifact__project=project, artifact__path=values["prompt"]).latest("id")
    matrix = run_requests.Wanted(dataset=dataset, evaluators=["exact"], version=version)
    group = run_groups.start(project=project, wanted=matrix, axes=run_groups.Axes(), by=by, now=NOW)
    values |= _examined(project, dataset, added.uids)
    planned = schedules.Planned(
        name="Nightly", cron="0 3 * * *", on_change=["dataset"],
        wanted={"dataset": "mails", "recorded": "out", "evaluators": ["exact"]},
    )  # fmt: skip
    schedule = schedules.create(project=project, planned=planned, by=by, now=NOW, enabled=False)
    ScheduleStart.objects.create(project=project, schedule=schedule, slot="2026-03-04T03:00:00Z", cause="due", run=run)
    SignOff.objects.create(project=project, run=run, schedule=schedule, person_id=by.user_id)
    values |= {
        "schedule": ids.public("sch", schedule.uid),
        "run group": ids.public("grp", group.uid),
        "other_run": ids.public("run", group.runs.earliest("id").uid),
        "dataset": "mails",
        "example": added.uids[0],
        "upload": upload.digest,
        "import": ids.public("imp", started.uid),
        "evaluator": "exact",
        "run": ids.public("run", run.uid),
        "result": ids.public("res", result.uid),
    }
    _judge(project, by, dataset, values)
    values["measured run"] = ids.public("run", _measured(project, by).uid)


def _measured(project: Project, by: Actor) -> Run:
    """A finished run with figures over the whole: corpus scores, error rates, classes; and a metric without a range."""
    moods = [("angry", "angry"), ("angry", "calm"), ("calm", "calm"), ("calm", "calm"), ("happy", "happy and calm")]
    dataset = datasets.create(project=project, slug="moods", by=by)
    rows = [
        importers.checked({"inputs": {"mail": f"Mail {n}"}, "expected": mood, "metadata": {"out": out}})
        for n, (mood, out) in enumerate(moods * 2)
    ]
    dataset_examples.add(dataset=dataset, rows=rows, by=by)
    specs: list[Any] = [{"metric": name} for name in ("exact_match", "bleu", "wer", "length")]
    wanted = run_requests.Wanted(dataset=dataset, evaluators=specs, recorded="out")
    run = runs.start(project=project, wanted=wanted, by=by, now=NOW)
    lines = run_queries.evaluators_of(run)
    for example in Example.objects.filter(dataset=dataset):
        result = Result.objects.create(
            project=project, run=run, example=example, example_key=example.key, output=example.metadata["out"]
        )
        for line in lines:
            version = line.evaluator_version
            found = metrics.score(version.spec, result.output, example.expected)
            assert isinstance(found, metrics.Score)
            Score.objects.create(
                project=project, run=run, result=result, evaluator_version=version, state="scored", value=found.value,
                passed=found.passed, reason=found.reason,
            )  # fmt: skip
    summary = run_queries.computed_summary(run).as_json()
    Run.objects.filter(pk=run.pk).update(
        state=Run.State.DONE, is_planned=True, started_at=NOW, finished_at=NOW, summary=summary
    )
    measuring.work(run_id=run.pk)
    return run


def _judge(project: Project, by: Actor, dataset: Dataset, values: dict[str, str]) -> None:
    """A judge with a certificate, from a run that is written as if a worker had finished it."""
    version = judge_templates.create(
        project=project, template="tone", slug="polite-judge", settings={"model": "demo-small"}, by=by, now=NOW
    )
    run = runs.start(
        project=project,
        wanted=run_requests.Wanted(dataset=dataset, evaluators=["polite-judge"], recorded="out"),
        by=by,
        now=NOW,
    )
    example = Example.objects.filter(dataset=dataset).earliest("id")
    result = Result.objects.create(project=project, run=run, example=example, example_key=example.key, output="billing")
    Score.objects.create(
        project=project, run=run, result=result, evaluator_version=version, state="scored", value=1.0, passed=True,
        category="pass", reason="It is friendly.", model_asked="demo-small", model_answered="demo-small",
    )  # fmt: skip
    JudgeVote.objects.create(
        project=project, run=run, result=result, evaluator_version=version, part=0, state="scored", value=1.0,
        category="pass", reason="It is friendly.", model_asked="demo-small", model_answered="demo-small",
    )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE, is_planned=True, started_at=NOW, finished_at=NOW)
    run.refresh_from_db()
    assert version.evaluator is not None
    made = certificates.measure(
        evaluator=version.evaluator, run=run, column="expected", positive="billing", by=by, now=NOW
    )
    values |= {"judge": "polite-judge", "certificate": ids.public("cert", made.uid)}
    _compared(project, by, dataset)


def _compared(project: Project, by: Actor, dataset: Dataset) -> None:
    """Verdicts of a pairwise judge, for the board."""
    version = judge_templates.create(
        project=project, template="pairwise", slug="better-judge", by=by, now=NOW,
        settings={"model": "demo-small", "baseline": {"column": "expected"}},
    )  # fmt: skip
    wanted = run_requests.Wanted(dataset=dataset, evaluators=["better-judge"], recorded="out")
    run = runs.start(project=project, wanted=wanted, by=by, now=NOW)
    for example, value in zip(Example.objects.filter(dataset=dataset).order_by("id"), (1.0, 0.5, 0.0), strict=True):
        result = Result.objects.create(
            project=project, run=run, example=example, example_key=example.key, output="billing"
        )
        Score.objects.create(
            project=project, run=run, result=result, evaluator_version=version, state="scored", value=value,
            reason="It is.", model_asked="demo-small", model_answered="demo-small",
        )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE, is_planned=True, started_at=NOW, finished_at=NOW)


def _examined(project: Project, dataset: Dataset, uids: list[str]) -> dict[str, str]:
    """A finished look of the doctor with a finding, and rows that a model proposed."""
    look = Checkup.objects.create(
        project=project, dataset=dataset, version_number=1, threshold=0.8, last_runs=5, rows=3, done=6, total=6,
        state=Checkup.State.FINISHED, counts={"duplicate": 1}, finished_at=NOW,
    )  # fmt: skip
    members = [
        {"key": str(ids.parse("ex", uid)), "number": n, "split": "test"} for n, uid in enumerate(uids[:2], start=1)
    ]
    found = CheckupFinding.objects.create(
        project=project, checkup=look, kind="duplicate", rank=1, members=members, size=2, strength=1.0, note="equal",
    )  # fmt: skip
    asked = ProposalRequest.objects.create(
        project=project, dataset=dataset, source="description", description="Angry mails", wanted=1, model="demo-1",
        connection_name="Demo", state=ProposalRequest.State.DONE, finished_at=NOW,
    )  # fmt: skip
    content = {"inputs": {"mail": "Never again"}, "expected": "complaint", "tags": ["angry"], "split": "dev"}
    Proposal.objects.create(project=project, request=asked, position=1, content=content)
    return {
        "checkup": ids.public("chk", look.uid),
        "finding": ids.public("fnd", found.uid),
        "proposals": ids.public("ask", asked.uid),
        "proposal": "1",
    }


def _feedback(key: str, values: dict[str, str]) -> None:
    client = Client(headers={"Authorization": f"Bearer {key}"})
    call = {"id": "call-1", "inputs": {"mail": "Hello"}, "output": "billing", "prompt": "mail/classify"}
    stored = client.post("/api/v1/calls", json.dumps(call), content_type="application/json")
    assert stored.status_code == 201, stored.content
    thumb = {"id": "feedback-1", "call": "call-1", "thumbs": "down", "correction": "other"}
    kept = client.post("/api/v1/feedback", json.dumps(thumb), content_type="application/json")
    assert kept.status_code == 201, kept.content
    values["call"] = stored.json()["uid"]
    defined = client.post(
        "/api/v1/score-definitions", json.dumps({"name": "politeness", "kind": "number"}),
        content_type="application/json",
    )  # fmt: skip
    assert defined.status_code == 201, defined.content
    values["definition id"] = defined.json()["id"]
    values["definition"] = str(ids.parse("def", defined.json()["id"]))
    refused = client.post("/api/v1/calls", json.dumps({"tags": "no list"}), content_type="application/json")
    assert refused.status_code == 400, refused.content


def _labeling(project: Project, by: Actor, values: dict[str, str], people: dict[str, User]) -> None:
    """A queue that names everybody who may label, with an item that two people answered differently."""
    asked = [
        {"key": "good", "kind": "pass_fail", "text": "Is the answer right?", "guidelines": "Look it up."},
        {"key": "why", "kind": "text", "text": "Why?"},
    ]
    version = rubrics.create(project=project, slug="answers", questions=asked, by=by)
    named = [people[role].email for role in ("labeler", "editor", "releaser", "admin")]
    queue = queues.create(
        project=project, rubric_version=version, wanted=queues.Wanted(slug="daily", labelers=named), by=by
    )
    filling.by_hand(queue=queue, names=["call-1"], by=by)
    item = QueueItem.objects.select_related("queue__rubric_version").get(queue=queue)
    for role, good in {"editor": "pass", "releaser": "fail"}.items():
        seats.submit(item=item, user_id=people[role].pk, answers={"good": good}, now=NOW)
    filling.add(
        queue=queue, by=by, how="hand",
        found=[Source("import", item.uid, "Next", {"inputs": {"mail": "Next"}, "output": "other"})],
    )  # fmt: skip
    filling.add(
        queue=queue, by=by, how="hand",
        found=[Source("import", queue.uid, "Settled", {"inputs": {"mail": "Old"}, "output": "other"})],
    )  # fmt: skip
    settling.settle(
        item=QueueItem.objects.get(source_uid=queue.uid),
        answers={"good": "fail"},
        by=by,
        now=NOW,
        reason="It is wrong.",
    )
    HumanFigure.objects.create(
        project=project, queue=queue, question="good", n=1, value=0.0, method="Wilson", updated_at=NOW
    )
    values |= {"rubric": "answers", "queue": "daily", "queue item": ids.public("qi", item.uid)}


def _themes(project: Project, by: Actor) -> dict[str, str]:
    """A theme with a complaint, another one to merge it into, a finished sorting, and what a model drafted."""
    theme = Theme.objects.create(project=project, slug="wrong-category", name="Wrong, category", terms=["wrong"])
    Theme.objects.create(project=project, slug="too-slow", name="Too slow", terms=["slow"])
    InboxItem.objects.filter(project=project).update(theme=theme)
    sorting = Clustering.objects.create(
        project=project, state=Clustering.State.FINISHED, done=1, total=1, assigned=1, vectoriser="tf-idf",
        finished_at=NOW,
    )  # fmt: skip
    erasure = Erasure.objects.create(
        project=project, person="0" * 32, state=Erasure.State.FINISHED, finished_at=NOW, by=by.text
    )
    artifact = Artifact.objects.get(project=project, path="mail/classify")
    base = Version.objects.filter(artifact=artifact).latest("id")
    done = {"project": project, "theme": theme, "model": "demo-1", "connection_name": "Demo", "state": "done"}
    name = ThemeDraft.objects.create(kind="name", content="Wrong category", finished_at=NOW, **done)
    draft = ThemeDraft.objects.create(
        kind="prompt", content=PROMPTY + "\nMind the parcel.", why="It was missing.", artifact=artifact, base=base,
        finished_at=NOW, by=by.text, **done,
    )  # fmt: skip
    saved = ThemeDraft.objects.create(
        kind="prompt", content=PROMPTY, artifact=artifact, base=base, decision="accepted", version=base, by=by.text,
        dataset=Dataset.objects.get(project=project, slug="mails"), finished_at=NOW,
        baseline=Run.objects.filter(project=project).earliest("id"),
        candidate=Run.objects.filter(project=project).latest("id"), **done,
    )  # fmt: skip
    return {
        "theme": ids.public("theme", theme.uid),
        "sorting": ids.public("sort", sorting.uid),
        "erasure": ids.public("erase", erasure.uid),
        "name draft": ids.public("draft", name.uid),
        "draft": ids.public("draft", draft.uid),
        "saved draft": ids.public("draft", saved.uid),
    }


def _review(project: Project, by: Actor, values: dict[str, str]) -> None:
    """A view and a triaged item, which stays open."""
    describing.run(now=NOW)
    item = InboxItem.objects.filter(project=project).latest("id")
    values["item"] = ids.public("item", item.uid)
    view = views.save(project=project, name="Angry mails", query={"verdict": "down"}, is_shared=True, by=by)
    values["view"] = ids.public("view", view.uid)
    inbox.triage(project=project, items=[item], changes=inbox.Changes(add_tags=("angry",)), by=by)


def rows() -> dict[str, str]:
    """A hash of every table's content, for “nothing changed”."""
    found = {}
    for model in apps.get_models():
        if model._meta.label_lower not in RESTLESS and not model._meta.proxy:
            found[model._meta.label_lower] = _hash_of(model)
    return found


def _hash_of(model: type[models.Model]) -> str:
    fields = [
        field.attname for field in model._meta.concrete_fields if field.attname not in {"last_login", "last_used_on"}
    ]
    digest = hashlib.sha256()
    for row in model._base_manager.order_by("pk").values_list(*fields):
        digest.update(repr([bytes(value) if isinstance(value, memoryview) else value for value in row]).encode())
    return digest.hexdigest()


def tenant_rows(project: Project) -> dict[str, int]:
    return {table.model._meta.label_lower: table.rows(project).count() for table in tenancy.tables()}


def file() -> SimpleUploadedFile:
    return SimpleUploadedFile("mails.csv", b"mail,expected\nHello,other\n", "text/csv")
