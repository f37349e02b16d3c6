"""Labels by the REST API: list, protect, remove."""

from __future__ import annotations

from typing import Any

from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from tests.prompts.api.test_prompts import save


def test_the_labels_of_a_prompt_are_listed_with_the_protected_first(api: Any) -> None:
    save(api)
    for name in ["alpha", "production"]:
        assert api.send("PUT", f"/prompts/mail/greet/labels/{name}", {"version": 1}).status_code == 200
    found = api.send("GET", "/prompts/mail/greet/labels").json()["results"]
    assert [(label["name"], label["version"], label["protected"]) for label in found] == [
        ("production", 1, True), ("alpha", 1, False),
    ]  # fmt: skip
    assert set(found[0]) == {"name", "version", "protected", "moved_at", "moved_by"}
    assert api.send("GET", "/prompts/mail/nothing/labels").status_code == 404


def test_a_protected_label_is_neither_moved_nor_removed_without_the_permission_to_release(
    api: Any, api_with: Any, project: Project, by: Actor
) -> None:
    save(api)
    api.send("PUT", "/prompts/mail/greet/labels/beta", {"version": 1})
    answer = api.send("PATCH", "/prompts/mail/greet/labels/beta", {"protected": True})
    assert (answer.status_code, answer.json()["protected"]) == (200, True)
    scopes = ["prompt:read", "label:move"]
    mover = api_with(api_keys.issue(project=project, kind="secret", name="mover", scopes=scopes, by=by).text)
    assert mover.send("PATCH", "/prompts/mail/greet/labels/beta", {"protected": False}).status_code == 403
    assert mover.send("PUT", "/prompts/mail/greet/labels/beta", {"version": 1}).status_code == 403
    assert mover.send("DELETE", "/prompts/mail/greet/labels/beta").status_code == 403
    assert api.send("DELETE", "/prompts/mail/greet/labels/beta").status_code == 204
    assert api.send("DELETE", "/prompts/mail/greet/labels/beta").status_code == 404
    assert api.send("GET", "/prompts/mail/greet?label=beta").status_code == 404


def test_what_is_no_boolean_protects_nothing(api: Any) -> None:
    save(api)
    api.send("PUT", "/prompts/mail/greet/labels/beta", {"version": 1})
    for body in [{}, {"protected": "maybe"}, {"protected": None}]:
        answer = api.send("PATCH", "/prompts/mail/greet/labels/beta", body)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["protected"])
