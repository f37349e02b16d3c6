"""The prompts' REST API, as a client with a key sees it."""

from __future__ import annotations

from typing import Any

from django.test import Client

from llmops.projects.models import Project

TEXT = (
    "---\nname: greet\nmodel:\n  id: demo-1\n  options:\n    temperature: 0\n---\n"
    "system:\nBe brief.\n\nuser:\nGreet {{ name }}.\n"
)


def save(api: Any, text: str = TEXT, **more: object) -> Any:
    return api.send("POST", "/prompts/mail/greet/versions", {"content": text, "message": "Try", **more})


def test_a_saved_prompt_is_fetched_by_its_label_with_every_field(api: Any) -> None:
    assert save(api).status_code == 201
    moved = api.send("PUT", "/prompts/mail/greet/labels/production", {"version": 1})
    assert moved.status_code == 200, moved.json()
    answer = api.send("GET", "/prompts/mail/greet")
    body = answer.json()
    assert answer.status_code == 200
    assert {key: body[key] for key in ("name", "kind", "version", "labels", "model", "parameters", "message")} == {
        "name": "mail/greet",
        "kind": "prompt",
        "version": 1,
        "labels": ["production"],
        "model": "demo-1",
        "parameters": {"temperature": 0},
        "message": "Try",
    }
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Greet {{ name }}."},
    ]
    assert len(body["commit"]) == len(body["blob"]) == 40
    assert body["inputs"] == [{"name": "name", "kind": "string"}]
    assert set(body) == {
        "name", "kind", "version", "commit", "blob", "labels", "messages", "model", "parameters", "inputs", "outputs",
        "created_at", "message",
    }  # fmt: skip


def test_an_unchanged_prompt_answers_304(api: Any) -> None:
    save(api)
    first = api.send("GET", "/prompts/mail/greet?version=1")
    again = api.send("GET", "/prompts/mail/greet?version=1", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_stale_save_answers_409_with_the_others_version(api: Any) -> None:
    save(api)
    save(api, TEXT + "Two.\n", base_version=1)
    refused = save(api, TEXT + "Three.\n", base_version=1)
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "stale_base"
    assert refused.json()["current"]["version"] == 2


def test_a_broken_file_answers_400_with_line_and_column(api: Any) -> None:
    refused = save(api, "system:\n{{ name }\n")
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("Line 2, column")


def test_render_gives_the_messages_and_names_a_missing_input(api: Any) -> None:
    save(api)
    good = api.send("POST", "/prompts/mail/greet/render", {"inputs": {"name": "Ada {{ x }}"}, "version": 1})
    assert good.json()["messages"][1] == {"role": "user", "content": "Greet Ada {{ x }}."}
    bad = api.send("POST", "/prompts/mail/greet/render", {"inputs": {}, "version": 1})
    assert bad.status_code == 400
    assert "name" in bad.json()["error"]["message"]


def test_what_does_not_exist_is_404_and_what_is_no_number_400(api: Any, project: Project) -> None:
    assert api.send("GET", "/prompts/nothing").status_code == 404
    save(api)
    assert api.send("GET", "/prompts/mail/greet").status_code == 404  # no production label yet
    assert api.send("GET", "/prompts/mail/greet?version=abc").status_code == 400
    assert api.send("GET", "/prompts/mail/greet?version=99999").status_code == 404
    assert api.send("GET", "/prompts/mail/greet?commit=zz").status_code == 400


def test_without_a_key_the_answer_is_401(client: Client, project: Project) -> None:
    assert client.get("/api/v1/prompts/mail/greet").status_code == 401
    assert client.get("/api/v1/prompts").status_code == 401


def test_the_list_pages_by_cursor(api: Any) -> None:
    for name in "abc":
        api.send("POST", f"/prompts/{name}/versions", {"content": TEXT})
    first = api.send("GET", "/prompts?limit=2").json()
    assert [item["name"] for item in first["results"]] == ["a", "b"]
    rest = api.get(first["next"]).json()
    assert [item["name"] for item in rest["results"]] == ["c"]


def test_the_schema_describes_the_plain_fetch(client: Client) -> None:
    schema = client.get("/api/schema/?format=json")
    assert schema.status_code == 200
    assert "get" in schema.json()["paths"]["/api/v1/prompts/{path}"]
    assert schema.json()["openapi"].startswith("3.1")
