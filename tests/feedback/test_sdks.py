"""Other people's libraries, unchanged, in a process of their own, over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from feedback.models import Call, FeedbackEvent, InboxItem, LooseSpan, Refusal, ScoreDefinition, Vote
from llmops.common.actors import Actor
from llmops.gateway.types import Span, spans_of
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from prompts.services import versions
from tests.fake_provider import USAGE_IN, USAGE_OUT, FakeProvider
from tests.fleet import NOW, PROMPTY

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def secret(project: Project, by: Actor) -> str:
    return api_keys.issue(project=project, kind="secret", name="app", by=by).text


def run(*arguments: str, complaint: str = "") -> Any:
    """What the application printed; its libraries complain of nothing but `complaint`.

    Its environment holds nothing that would send it elsewhere.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "LANGFUSE"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.feedback.sdk_apps", *arguments],
        cwd=ROOT, env=kept, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if "rror" in line or "ailed" in line]
    assert [complaint in line for line in complaints] == [True] * bool(complaint), done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def spans_by_name(call: Call) -> dict[str, Span]:
    return {span.name: span for span in spans_of(call.trace)}


def test_scores_and_spans_of_the_langfuse_sdk_arrive(live_server: Any, secret: str, project: Project) -> None:
    told = "scores. Rejected scores are not retried. Errors: value must be a text of 1 to 200 characters."
    trace = run("langfuse", live_server.url, secret, complaint=told)["trace"]
    call = Call.objects.get(project=project)
    assert (call.client_id, call.environment, call.model, call.error) == (trace, "staging", "small-4.1", "")
    assert (call.inputs, call.output) == ({"question": "Where is it?"}, "On its way.")
    assert (call.tokens_in, call.tokens_out, call.cost_usd) == (12, 3, 0.5)
    assert call.contexts == ["Parcels take two days."]
    assert not LooseSpan.objects.exists()
    spans = spans_by_name(call)
    assert {name: span.kind for name, span in spans.items()} == {
        "reply": "chain", "search": "retrieval", "model": "llm",
    }  # fmt: skip
    kept = {
        (event.name, event.value, event.category, event.span, event.call_client_id == trace)
        for event in FeedbackEvent.objects.all()
    }
    assert kept == {
        ("grounded", 1.0, "", spans["model"].id, True),
        ("user-feedback", 0.0, "", "", True),
        ("tone", None, "friendly", "", True),
        ("solved", 1.0, "", "", False),  # on a session that has no call yet
        ("quality", 0.25, "", "", True),
        ("quality", 0.75, "", "", True),
    }
    assert Vote.objects.get(name="quality").value == 0.75, "the same score id is a changed mind"
    assert InboxItem.objects.get().excerpt == "I wanted a date", "words of a person wait for somebody"
    kinds = dict(ScoreDefinition.objects.values_list("name", "kind"))
    assert kinds == {
        "grounded": "boolean", "user-feedback": "number", "tone": "category", "solved": "number", "quality": "number",
    }  # fmt: skip
    refused = Refusal.objects.get()
    assert (refused.entry, refused.reason, refused.field, refused.count) == ("scores", "invalid", "value", 1)


def test_real_spans_of_the_openai_instrumentation_arrive(
    live_server: Any, secret: str, project: Project, by: Actor
) -> None:
    versions.save(project=project, path="support/reply", content=PROMPTY, message="First", by=by, now=NOW)
    with FakeProvider() as fake:
        fake.script = ["none", "500"]
        traces = run("openai", live_server.url, secret, fake.openai_url)
    good, failed = (Call.objects.get(client_id=traces[name]) for name in ("good", "failed"))
    assert good.version is not None
    assert (good.artifact_path, good.version.numbered.number, good.session) == ("support/reply", 1, "chat-9")
    assert (good.environment, good.model) == ("staging", "small-4.1")
    assert (good.tokens_in, good.tokens_out) == (USAGE_IN, USAGE_OUT)
    assert good.inputs == {"messages": [{"role": "user", "content": "Where is it?"}]}
    assert good.output == "echo: Where is it?"
    assert [span.kind for span in spans_of(good.trace)] == ["span", "llm"]
    assert "500" in failed.error
    assert failed.output is None
