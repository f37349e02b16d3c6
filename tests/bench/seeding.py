"""A month of traffic by COPY, in a process of its own: `python -m tests.bench.seeding traffic SLUG CALLS`.

Two versions, two models and two environments; one call in twenty has a vote, one vote in four a thumbs-down with words.
`copy SLUG CALLS` only times the calls.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from feedback.services import calls, events, hours  # noqa: E402
from llmops.common import ids  # noqa: E402
from llmops.projects.models import Membership, Project  # noqa: E402
from prompts.models import Version  # noqa: E402
from tests.bench.load import ANSWER, QUESTION  # noqa: E402

DAYS = 30
PEOPLE = 5_000
Row = tuple[Any, ...]


AT_ONCE = 20_000  # a statement of the product's connection may take only so long


def copy(table: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    left = iter(rows)
    # Taken before the COPY begins: a query of the rows' own would wait for it for ever.
    while part := list(islice(left, AT_ONCE)):
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as target:
            for row in part:
                target.write_row(row)


def call_rows(project: Project, count: int, name: str, now: datetime) -> Iterator[Row]:
    dice = random.Random(count)
    versions = list(Version.objects.filter(project=project).order_by("id").values_list("pk", flat=True)[:2]) or [None]
    inputs, output = json.dumps({"question": QUESTION}), json.dumps(ANSWER)
    for number in range(count):
        at = now - timedelta(seconds=dice.randrange(DAYS * 86_400))
        latency = round(dice.lognormvariate(6.5, 0.5))
        yield (
            ids.uuid7(), project.pk, f"{name}-{number}", at, at, hours.hour_of(at), versions[number % len(versions)],
            "support/reply", "", "production", f"chat-{number // 3}", f"{number % PEOPLE:032x}",
            ("production", "staging")[number // 2 % 2], ("small-4.1", "large-4.1")[number // 4 % 2], inputs, output,
            None, None, None, "|mail|", latency, calls.latency_bucket(latency), 210, 96, 0.00041,
            "timeout" if number % 97 == 0 else "", False, 0,
        )  # fmt: skip


def voted(count: int) -> Iterator[tuple[int, int]]:
    """Which calls got a vote, and which."""
    for number in range(0, count, 20):
        yield number, -1 if number % 80 == 0 else 1


def vote_rows(project: Project, count: int, name: str, now: datetime) -> Iterator[Row]:
    for number, value in voted(count):
        voter = f"u:{number * 7919 % PEOPLE * 997 % 65_536:04x}{number % PEOPLE:028x}"
        yield project.pk, f"{name}-{number}", voter, "thumbs", "", value, ids.uuid7(), now, hours.hour_of(now)


def event_rows(project: Project, count: int, name: str, now: datetime) -> Iterator[Row]:
    for number, value in voted(count):
        at = now - timedelta(seconds=number % (DAYS * 86_400))
        said = "Why do I get tracking?" if value < 0 else ""
        yield (
            ids.uuid7(), project.pk, f"{name}-f{number}", f"{name}-{number}", "", "", f"u:{number % PEOPLE:032x}",
            "end_user", "thumbs", "", value, "", said, None, "", None, None, at, False, 0,
        )  # fmt: skip


def item_rows(project: Project, count: int, name: str, now: datetime) -> Iterator[Row]:
    for number, value in voted(count):
        at = now - timedelta(seconds=number % (DAYS * 86_400))
        state, said = ("open", "Why do I get tracking?") if value < 0 else ("done", "")
        moment = int(at.timestamp() * 1_000_000)
        yield ids.uuid7(), project.pk, f"{name}-{number}", state, value, None, said, False, 1, at, at, moment


def traffic(project: Project, count: int) -> dict[str, Any]:
    now = timezone.now()
    name = f"seed-{project.slug}"
    copy("feedback_call", calls.COLUMNS, call_rows(project, count, name, now))
    copy("feedback_vote", events.VOTE_COLUMNS, vote_rows(project, count, name, now))
    copy("feedback_feedbackevent", events.COLUMNS, event_rows(project, count, name, now))
    copy("feedback_inboxitem", events.ITEM_COLUMNS, item_rows(project, count, name, now))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
    began = time.perf_counter()
    rebuilt = hours.rebuild(project=project, now=now)
    return {"hours": rebuilt, "rebuild_s": time.perf_counter() - began, "cookie": cookie(project)}


def cookie(project: Project) -> str:
    """A session of the project's admin."""
    user = Membership.objects.filter(project=project, role="admin").select_related("user").earliest("id").user
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def main(what: str, slug: str, count: int) -> dict[str, Any]:
    project = Project.objects.get(slug=slug)
    if what == "traffic":
        return traffic(project, count)
    began = time.perf_counter()
    copy("feedback_call", calls.COLUMNS, call_rows(project, count, f"copy-{time.time_ns():x}", datetime.now(UTC)))
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
