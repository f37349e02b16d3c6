from __future__ import annotations

from typing import Any

import pytest

from llmops.gateway.services import connections
from llmops.projects.services import api_keys

pytestmark = pytest.mark.django_db

EXACT = {"metric": "exact_match", "params": {"normalizer": "number"}}


def test_an_evaluator_is_made_and_gets_versions(api: Any) -> None:
    made = api.send("POST", "/evaluators", {"slug": "right-number", "spec": EXACT})
    assert made.status_code == 201
    assert (made.json()["version"], made.json()["spec"]) == (1, {"v": 1, **EXACT})
    second = api.send("POST", "/evaluators/right-number/versions", {"spec": {"metric": "numeric"}})
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert api.send("GET", "/evaluators/right-number").json()["spec"]["metric"] == "numeric"
    [listed] = api.send("GET", "/evaluators").json()["results"]
    assert (listed["slug"], listed["version"]) == ("right-number", 2)
    assert api.send("GET", "/evaluators/none").status_code == 404


def test_what_is_wrong_is_named(api: Any) -> None:
    answer = api.send("POST", "/evaluators", {"slug": "x", "spec": {"metric": "regex", "params": {"pattern": "(?=a)"}}})
    assert answer.status_code == 400
    assert "params.pattern" in answer.json()["error"]["fields"]
    for spec in (None, [], "exact_match", {"metric": "none"}, {"judge": {}}, {"judge": {"prompt": "nowhere"}}):
        assert api.send("POST", "/evaluators", {"slug": "x", "spec": spec}).status_code == 400


def test_the_same_configuration_under_another_name_is_a_conflict(api: Any) -> None:
    api.send("POST", "/evaluators", {"slug": "one", "spec": EXACT})
    assert api.send("POST", "/evaluators", {"slug": "one", "spec": {"metric": "numeric"}}).status_code == 409
    answer = api.send("POST", "/evaluators", {"slug": "two", "spec": EXACT})
    assert answer.status_code == 409
    assert "one" in answer.json()["error"]["message"]
    assert len(api.send("GET", "/evaluators").json()["results"]) == 1


def test_the_metrics_describe_themselves(api: Any) -> None:
    listed = {item["name"]: item for item in api.send("GET", "/metrics").json()["results"]}
    assert {"exact_match", "token_f1", "json_schema"} <= set(listed)
    normalizer = next(item for item in listed["exact_match"]["params"] if item["name"] == "normalizer")
    assert normalizer["choices"] == ["none", "casefold", "squad", "number", "choice"]


@pytest.mark.parametrize("name", ["tone", "pairwise"])
def test_a_template_becomes_a_judge_by_one_call_as_by_the_page(api: Any, project: Any, name: str) -> None:
    connections.ensure_demo(project=project)
    settings = {"model": "demo-small", "panel": [{"model": "demo-large"}]}
    if name == "pairwise":
        settings["baseline"] = {"column": "expected"}
    body = {"slug": "mine", "description": "Ours", "template": name, "settings": settings}
    made = api.send("POST", "/evaluators", body)
    assert made.status_code == 201, made.content
    shown = made.json()
    [template] = [one for one in api.send("GET", "/judge-templates").json()["results"] if one["name"] == name]
    assert (shown["name"], shown["description"]) == (template["title"], "Ours")
    assert shown["spec"]["judge"]["prompt"] == f"judges/{name}"
    assert shown["spec"]["scale"]["kind"] == template["scale"]["kind"]
    assert shown["spec"]["panel"] == [{"connection": "", "model": "demo-large"}]
    assert shown["spec"].get("baseline") == settings.get("baseline")
    assert f"judges/{name}" in api.send("GET", "/prompts").content.decode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"template": "nothing"}, "template"),
        ({"template": "tone", "spec": {"metric": "exact_match"}}, "spec"),
        ({}, "spec"),
        ({"spec": {"metric": "exact_match"}, "settings": {"model": "x"}}, "settings"),
        ({"template": "tone", "settings": {"scale": {"kind": "score"}}}, "scale"),
        ({"template": "tone", "settings": {"model": 7}}, "model"),
        ({"template": "pairwise"}, "baseline"),
        ({"template": "tone", "settings": "demo"}, "settings"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_by_field_and_leaves_nothing(
    api: Any, body: dict[str, Any], field: str
) -> None:
    answer = api.send("POST", "/evaluators", {"slug": "mine", **body})
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["error"]["fields"]
    assert api.send("GET", "/evaluators").json()["results"] == []
    assert api.send("GET", "/prompts").json()["results"] == []


def test_a_key_that_may_not_write_prompts_makes_no_judge_from_a_template(project: Any, by: Any, api_with: Any) -> None:
    scopes = ["evaluator:write", "evaluator:read"]
    narrow = api_with(api_keys.issue(project=project, kind="secret", name="narrow", scopes=scopes, by=by).text)
    answer = narrow.send("POST", "/evaluators", {"slug": "mine", "template": "tone"})
    assert (answer.status_code, answer.json()["error"]["fields"]) == (403, {"scope": "prompt:write"})
    assert narrow.send("POST", "/evaluators", {"slug": "exact", "spec": {"metric": "exact_match"}}).status_code == 201
