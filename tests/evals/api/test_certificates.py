from __future__ import annotations

from typing import Any

import pytest

from evals.judges.catalogue import TEMPLATES
from evals.models import Evaluator
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project
from tests.evals.conftest import LABELLED, judged_run

pytestmark = pytest.mark.django_db


def test_a_certificate_is_measured_and_listed(api: Any, project: Project, by: Actor, tone: Evaluator) -> None:
    assert api.send("GET", "/evaluators/tone/certificates").json()["results"] == []
    run = judged_run(project, by, LABELLED, "labelled")
    uid = ids.public("run", run.uid)
    made = api.send("POST", "/evaluators/tone/certificates", {"run": uid, "column": "human"})
    assert made.status_code == 201, made.content
    body = made.json()
    assert (body["n"], body["usable"], body["model"], body["run"]) == (150, True, "demo-small", uid)
    assert body["table"] == [[88, 7], [12, 43]]
    assert body["figures"]["kappa"]["value"] == pytest.approx(0.721951, abs=1e-6)
    assert api.send("GET", "/evaluators/tone/certificates").json()["results"] == [body]
    scores = api.send("GET", f"/runs/{uid}").json()["scores"]["tone"]
    assert scores["corrected"]["certificate"] == body["id"]
    assert scores["corrected"]["mean"] != scores["mean"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [({}, "run"), ({"run": "run_1", "column": "human"}, "run"), ({"run": "…", "column": ""}, "column")],
)
def test_a_certificate_that_cannot_be_measured_names_the_field(
    api: Any, tone: Evaluator, sent: dict[str, Any], field: str
) -> None:
    answer = api.send("POST", "/evaluators/tone/certificates", sent)
    assert answer.status_code == 400
    assert field in answer.content.decode()


def test_every_template_is_listed_with_its_text(api: Any, project: Project) -> None:
    found = api.send("GET", "/judge-templates").json()["results"]
    assert [one["name"] for one in found] == list(TEMPLATES)
    assert all(one["content"].startswith("---\n") for one in found)


HOSTILE: list[Any] = [None, 3, True, [], {}, "", "x" * 5_000, "run_" + "f" * 32, "é\u202e", [[[]]], {"run": {}}]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_makes_no_sense_is_refused_and_never_crashes(api: Any, tone: Evaluator, value: Any) -> None:
    bodies = [
        ("/evaluators/tone/certificates", {"run": value, "column": "human"}),
        ("/evaluators/tone/certificates", {"run": "run_" + "f" * 32, "column": value}),
        ("/evaluators", {"slug": "new", "spec": {"judge": {"prompt": "judges/tone"}, "panel": [value]}}),
        ("/evaluators", {"slug": "new", "spec": {"judge": {"prompt": "judges/tone"}, "scale": {"kind": "pairwise"},
                                                 "baseline": value}}),
        ("/runs", {"dataset": "none", "regrades": value or "x", "evaluators": ["tone"]}),
    ]  # fmt: skip
    for path, body in bodies:
        answer = api.send("POST", path, body)
        assert 400 <= answer.status_code < 500, (path, body, answer.content)
        assert answer.json()["error"]["fields"] or answer.json()["error"]["message"]
