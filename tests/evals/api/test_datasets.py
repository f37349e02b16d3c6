from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

from evals.models import Example, Import
from evals.services import datasets, imports
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_uploads(tmp_path: Path, settings: Any) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"


@pytest.fixture
def mails(api: Any) -> str:
    answer = api.send("POST", "/datasets", {"slug": "mails", "name": "Mails"})
    assert answer.status_code == 201
    return "/datasets/mails"


def post_lines(api: Any, path: str, body: str | bytes, kind: str = "application/x-ndjson") -> Any:
    data = body.encode() if isinstance(body, str) else body
    return api.generic("POST", f"/api/v1{path}", data, content_type=kind)


ROW = {"inputs": {"question": "Where is it?"}, "expected": "delivery", "tags": ["late"], "split": "test"}


def test_a_dataset_is_made_filled_and_read_back(api: Any, mails: str) -> None:
    added = api.send("POST", f"{mails}/examples", [ROW, {"inputs": {"question": "Refund?"}}])
    assert added.status_code == 201
    assert (added.json()["added"], added.json()["version"]) == (2, 1)
    read = api.send("GET", f"{mails}/examples").json()["results"]
    assert [item["id"] for item in read] == added.json()["examples"]
    assert read[0] == {
        "id": added.json()["examples"][0],
        "call": None,
        "item": None,
        "contexts": [],
        "metadata": {},
        **ROW,
    }
    [listed] = api.send("GET", "/datasets").json()["results"]
    assert (listed["slug"], listed["version"], listed["examples"]) == ("mails", 1, 2)
    assert api.send("GET", mails).json()["columns"] == {"inputs": ["question"], "metadata": []}


def test_jsonl_is_taken_and_versions_stay_as_they_were(api: Any, mails: str) -> None:
    added = post_lines(api, f"{mails}/examples", json.dumps(ROW) + "\n\n" + json.dumps(ROW | {"split": "dev"})).json()
    assert added["added"] == 2
    saved = api.send("POST", f"{mails}/versions", {"message": "first"})
    assert (saved.status_code, saved.json()["version"], len(saved.json()["content_hash"])) == (201, 1, 64)
    assert api.send("POST", f"{mails}/versions").status_code == 409
    uid = added["examples"][0]
    changed = api.send("PUT", f"{mails}/examples/{uid}", {"inputs": {"question": "New"}})
    assert changed.json()["inputs"] == {"question": "New"}
    assert api.send("DELETE", f"{mails}/examples/{added['examples'][1]}").status_code == 204
    old, new = (api.send("GET", f"{mails}/examples?version={v}").json()["results"] for v in ("1", "latest"))
    assert [item["split"] for item in old] == ["test", "dev"]
    assert [item["inputs"]["question"] for item in new] == ["New"]
    assert [item["version"] for item in api.send("GET", f"{mails}/versions").json()["results"]] == [2, 1]
    assert len(api.send("GET", f"{mails}/examples?version=1&split=dev&tag=late").json()["results"]) == 1
    assert api.send("GET", f"{mails}/examples?version=9").status_code == 404
    for bad in ("x", "-1", "1e3", "9" * 30, "²"):
        assert api.send("GET", f"{mails}/examples?version={bad}").status_code == 400


def test_one_bad_row_stores_nothing_and_is_named(api: Any, mails: str) -> None:
    answer = api.send("POST", f"{mails}/examples", [ROW, {"input": {}}, {"inputs": "x", "tags": [3]}])
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "invalid_examples"
    assert set(error["fields"]) == {"[1].input", "[2].inputs", "[2].tags"}
    lines = post_lines(api, f"{mails}/examples", json.dumps(ROW) + '\n{"inputs": {"a": 1},}\n{"inputs": {"a": NaN}}\n')
    assert [name.partition(",")[0] for name in lines.json()["error"]["fields"]] == ["line 2", "line 3"]
    assert Example.objects.count() == 0
    assert api.send("POST", f"{mails}/examples", []).status_code == 400


def test_plain_rows_are_mapped_when_asked(api: Any, mails: str) -> None:
    rows = [{"question": "a", "answer": "1", "id": 7}, {"question": "b", "answer": "2"}]
    refused = api.send("POST", f"{mails}/examples", rows)
    assert "columns" in str(refused.json()["error"]["fields"])
    assert api.send("POST", f"{mails}/examples?columns=auto", rows).status_code == 201
    columns = json.dumps({"question": "inputs.q", "answer": "", "id": ""})
    assert api.send("POST", f"{mails}/examples?columns={columns}", rows).status_code == 201
    read = [
        (item["inputs"], item["expected"], item["metadata"])
        for item in api.send("GET", f"{mails}/examples").json()["results"]
    ]
    assert read == [
        ({"question": "a"}, "1", {"id": 7}),
        ({"question": "b"}, "2", {}),
        ({"q": "a"}, None, {}),
        ({"q": "b"}, None, {}),
    ]
    assert api.send("POST", f'{mails}/examples?columns={{"question":"x"}}', rows).status_code == 400


def test_a_file_is_imported_in_the_background(api: Any, mails: str) -> None:
    started = post_lines(api, f"{mails}/imports?name=mails.csv", "input,expected\na,1\nb\nc,3\n", "text/csv")
    assert started.status_code == 202
    found = Import.objects.get()
    assert imports.work(import_id=found.pk)
    done = api.send("GET", f"/imports/{started.json()['id']}").json()
    assert (done["state"], done["rows_ok"], done["rows_bad"], done["progress"]) == ("finished", 2, 1, 1.0)
    assert done["problems"] == [
        {"line": 3, "column": 2, "reason": "1 values where the header names 2 columns", "excerpt": "b"}
    ]
    assert api.send("DELETE", f"/imports/{started.json()['id']}").json()["state"] == "finished"
    assert api.send("GET", "/imports/imp_nope").status_code == 404
    for body, kind in ((b"", "text/csv"), (b"PK\x03\x04", "application/zip"), (b"{}", "application/json")):
        assert post_lines(api, f"{mails}/imports?name=a.json", body, kind).status_code == 400


def test_the_real_dataset_goes_through_the_api(api: Any, mails: str, shared_data: Path) -> None:
    body = (shared_data / "datasets" / "gsm8k_test_1319.jsonl").read_bytes()
    assert post_lines(api, f"{mails}/examples?columns=auto", body).json()["added"] == 1_319


def test_strangers_and_keys_without_the_scope_are_kept_out(
    api: Any, mails: str, other_project: Project, project: Project, by: Actor, api_with: Any
) -> None:
    api.send("POST", f"{mails}/examples", [ROW])
    uid = api.send("GET", f"{mails}/examples").json()["results"][0]["id"]
    stranger = api_with(api_keys.issue(project=other_project, kind="secret", name="x", by=by).text)
    datasets.create(project=other_project, slug="other", by=by)
    for method, path in (
        ("GET", mails),
        ("PATCH", mails),
        ("DELETE", mails),
        ("GET", f"{mails}/examples"),
        ("POST", f"{mails}/examples"),
        ("GET", f"/datasets/other/examples/{uid}"),
        ("DELETE", f"/datasets/other/examples/{uid}"),
        ("POST", f"{mails}/versions"),
    ):
        assert stranger.send(method, path, {} if method != "GET" else None).status_code == 404, (method, path)
    reader = api_with(api_keys.issue(project=project, kind="secret", name="r", by=by, scopes=["dataset:read"]).text)
    assert reader.send("GET", f"{mails}/examples").status_code == 200
    assert reader.send("POST", f"{mails}/examples", [ROW]).status_code == 403


def test_hostile_bodies_get_a_clear_refusal(api: Any, mails: str, shared_data: Path) -> None:
    for line in (shared_data / "adversarial" / "json_parsing_suite.jsonl").read_text().splitlines():
        case = json.loads(line)
        body = b"[" * 100_000 if case["bytes_b64"] is None else base64.b64decode(case["bytes_b64"])
        for kind in ("application/json", "application/x-ndjson"):
            assert post_lines(api, f"{mails}/examples", body, kind).status_code in {400, 413}, case["file"]


def test_naughty_strings_come_back_as_they_went_in(api: Any, mails: str, shared_data: Path) -> None:
    sent = []
    for line in (shared_data / "adversarial" / "naughty_strings.jsonl").read_text().strip().split("\n"):
        naughty = next(value for value in json.loads(line).values() if isinstance(value, str))
        sent.append({"inputs": {"q": naughty}, "expected": naughty, "metadata": {"n": [naughty]}})
    assert api.send("POST", f"{mails}/examples", sent).status_code == 201
    read, path = [], f"{mails}/examples?limit=200"
    while path:
        page = api.send("GET", path).json()
        read += [{part: item[part] for part in ("inputs", "expected", "metadata")} for item in page["results"]]
        path = (page["next"] or "").partition("/api/v1")[2]
    assert read == sent


@pytest.mark.parametrize("field", ["slug", "name", "description"])
def test_nul_and_half_surrogates_in_names_are_400(api: Any, field: str) -> None:
    for text in ("a\x00", "\ud800"):
        assert api.send("POST", "/datasets", {"slug": "x", field: text}).status_code == 400


def test_bodies_over_the_limit_are_413(api: Any, mails: str) -> None:
    huge = b"x" * (configured.MAX_JSON_BYTES + 1)
    assert post_lines(api, f"{mails}/examples", huge).status_code == 413


def test_an_erased_example_is_blank_in_every_version_for_those_who_may(
    api: Any, api_with: Any, mails: str, project: Project, admin: User, by: Actor
) -> None:
    uid = api.send("POST", f"{mails}/examples", [{"inputs": {"q": "my name is Ada"}}]).json()["examples"][0]
    api.send("POST", f"{mails}/examples", [{"inputs": {"q": "Hello"}}])
    api.send("POST", f"{mails}/versions", {"message": "With Ada"})
    refused = api.send("POST", f"{mails}/examples/{uid}/erase")
    assert (refused.status_code, refused.json()["error"]["fields"]) == (403, {"scope": "data:erase"})
    own = api_with(api_keys.issue(project=project, kind="personal", user=admin, name="mine", by=by).text)
    assert own.send("POST", f"{mails}/examples/{uid}/erase").json() == {"rows_blanked": 1}
    assert own.send("POST", f"{mails}/examples/{uid}/erase").json() == {"rows_blanked": 0}
    shown = api.send("GET", f"{mails}/examples?version=1").content.decode()
    assert "Hello" in shown
    assert "Ada" not in shown
    assert own.send("POST", f"{mails}/examples/{'0' * 32}/erase").status_code == 404
