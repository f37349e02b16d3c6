"""Whatever is typed, pasted or sent: an answer that says what is wrong, never a crash, and JSON that stays JSON.

Forms are read from the pages themselves, operations from the OpenAPI schema: a new page or endpoint is covered the day
it appears.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from llmops.common.actors import Actor
from llmops.projects.models import Project
from tests import fleet
from tests.conftest import ApiClient
from tests.fleet import World
from tests.forms import Form, forms_of, page_paths, posted_forms
from tests.operations import address, body_schema, sample, schema, unsafe_operations

NUL, HALF = "a\0b", "a\ud800b"
DEEP = "[" * 5_000 + "]" * 5_000
# One line for each kind of trouble; for fields that want text and those that do not.
NAUGHTY = [
    NUL,
    "\ufeff bom",
    "\u202eright to left\u2066",
    "x" * 9_000,
    "𝕳" * 300,
    "9" * 4_301,
    "-1",
    "0",
    "1e999",
    "NaN",
    "Infinity",
    str(2**63),
    str(-(2**63) - 1),
    "9999-12-31T23:59:59+25:00",
    "0001-01-01",
    "../../../../etc/passwd",
    "%00",
    "file:///etc/passwd",
    "{{ 7*7 }}{% for a in b %}",
    "{% " * 200,
    "((((((((((" * 50,
    "(a+)+$",
    "'; DROP TABLE x; --",
    "<script>alert(1)</script>",
    "\r\nSet-Cookie: a=b",
    DEEP,
    '{"a": "\\u0000"}',
    '{"a": "\\ud800"}',
    '{"a": 1, "a": 2}',
    '{"v": 1e999}',
    "[" + "9" * 5_000 + "]",
    "null",
    "[]",
    '{"__proto__": {"x": 1}}',
    "---\n!!python/object/apply:os.system [id]\n---\n",
    "&a [*a]",
    "- " * 3_000,
    "a: &a [*a,*a]",
    "",
    " ",
    "\t\n",
]
ALONE = [NUL, "9" * 4_301, DEEP]
VALUES: list[Any] = [
    NUL,
    HALF,
    "x" * 9_000,
    "",
    " ",
    10**50,
    -1,
    0,
    2**63,
    1.5e308,
    True,
    None,
    [],
    {},
    [[]],
    {"a": NUL},
    {HALF: 1},
    [HALF],
    {"__proto__": {"a": 1}},
    {"$ref": "#/"},
    {"password__startswith": "a"},
    ["x"] * 300,
    "9" * 4_301,
    "1e999",
    "../..",
    "{{ a.__class__ }}",
    [[1, [2, [3]]]],
    "\u202e",
    "\U0001f4a9" * 100,
]
RAW = [
    b"",
    b" ",
    b"{",
    b"[",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b'"\xc0\xaf"',
    b"null",
    b"1",
    b'"text"',
    b"[]",
    b"[[]]",
    b"{}",
    b'{"batch": {}}',
    b'{"batch": []}',
    b'{"batch": [1, null, "x", [], {}]}',
    b'{"batch": [[[[[]]]]]}',
    b"NaN",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b"9" * 5_000,
    b'{"a": ' + b"9" * 5_000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"a": 1, "a": 2}',
    b'{"a": "\\u0000"}',
    b'{"\\u0000": 1}',
    b'{"\\ud800": 1}',
    b'{"a": "\\ud800"}',
    b"\xef\xbb\xbf{}",
    b"{}{}",
    b"{'a': 1}",
]
WHOLE_SUITE = {"/api/v1/calls", "/api/v1/feedback", "/api/v1/runs"}
QUERIES = ["\0", "9" * 4_301, "-1", "x" * 9_000, "٣", "[]", "a__b", "1e999", "../x", "'", "\u202e", "NaN"]
NAMES = [
    "q",
    "cursor",
    "page",
    "before",
    "limit",
    "version",
    "label",
    "commit",
    "sort",
    "order",
    "ordering",
    "tag",
    "split",
    "state",
    "filter",
    "name",
    "days",
    "hours",
    "from",
    "to",
    "project_id",
    "project__name",
    "password__startswith",
    "id__gt",
    "format",
    "kind",
    "with",
    "left",
    "right",
]


@pytest.fixture
def browser(world: World) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(world.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


@pytest.fixture
def api(world: World) -> ApiClient:
    client = ApiClient(world.secrets["secret"])
    client.raise_request_exception = False
    return client


class Crashes:
    """Sends inside a transaction that is rolled back, and remembers what crashed or answered broken JSON."""

    def __init__(self) -> None:
        self.sent = 0
        self.found: dict[str, str] = {}

    def check(self, what: str, send: Any, *args: Any, **options: Any) -> Any:
        with transaction.atomic():
            response = send(*args, **options)
            content = b"".join(response) if response.streaming else response.content
            transaction.set_rollback(True)
        self.sent += 1
        if response.status_code >= 500 and response.status_code != 503:
            self.found.setdefault(what, f"{response.status_code}")
        elif response.get("Content-Type", "").startswith("application/json") and content:
            try:
                json.loads(content.decode(), parse_constant=_no_constant)
            except ValueError as error:
                self.found.setdefault(what, f"not JSON: {error}")
        return response


def _no_constant(name: str) -> None:
    raise ValueError(name)


# --- pages


def hostile_forms(form: Form) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field alone with the worst texts, all of them at once with each, then none."""
    names = [name for name in form.fields if name != "csrfmiddlewaretoken"]
    for name in names:
        for text in ALONE:
            yield f"{name}={text[:20]!r}", form.fields | {name: text}
    for text in NAUGHTY:
        yield f"every field={text[:20]!r}", dict.fromkeys(names, text)
    yield "twice", {name: [NUL, "1"] for name in names}
    yield "nothing", {}


@pytest.mark.slow
def test_no_form_crashes(world: World, browser: Client) -> None:
    crashes, count = Crashes(), 0
    for action, form in posted_forms(browser, world):
        count += 1
        for what, data in hostile_forms(form):
            files = {name: fleet.file() for name in form.files}
            crashes.check(f"{action} {what}", browser.post, action, data | files)
    assert crashes.found == {}
    assert count >= 30, "the forms were not found"
    assert crashes.sent > 500


def test_no_unsafe_page_crashes_on_what_no_form_sends(world: World, browser: Client) -> None:
    crashes = Crashes()
    for place, path in page_paths(world):
        for body, kind in [
            (b"", "application/x-www-form-urlencoded"),
            (b"a=%00&b=%ED%A0%80&c=%C0%AF&%00=1", "application/x-www-form-urlencoded"),
            (b"&".join(b"a%d=1" % number for number in range(2_000)), "application/x-www-form-urlencoded"),
            (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
            (b"", "multipart/form-data"),
            (b"{}", "application/json"),
            (b"\xff", "text/plain; charset=utf-99"),
        ]:
            crashes.check(f"{place.route} {kind} {body[:20]!r}", browser.generic, "POST", path, body, content_type=kind)
    assert crashes.found == {}


def test_no_file_crashes_an_upload(world: World, browser: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    contents = [
        b"",
        b"\0",
        b"\xff\xfe\x00",
        b'a,b\n"unclosed',
        b"a" * 200_000,
        b"," * 20_000,
        b'{"a": ',
        b"[" * 50_000,
        b'{"a": "\\u0000"}\n{"b": "\\ud800"}\n',
        b"PK\x03\x04" + b"\0" * 100,
        b"a\r\nb\rc\nd",
        b'[{"inputs": {"x": 1e999}}]',
        b"\xef\xbb\xbfmail,expected\nx,y\n",
        b"=cmd|' /C calc'!A0,x\n1,2\n",
    ]
    crashes, uploads = Crashes(), 0
    for _, path in page_paths(world):
        for form in forms_of(browser, path):
            for name in form.files:
                uploads += 1
                for content in contents:
                    for file_name in ["x.csv", "x.jsonl", "x.json", "../../x", "a\0b.csv", "x" * 300 + ".csv", ""]:
                        file = SimpleUploadedFile(file_name or "x", content)
                        file.name = file_name or "x"
                        what = f"{form.action or path} {file_name[:10]!r} {content[:20]!r}"
                        answer = crashes.check(what, browser.post, form.action or path, form.fields | {name: file})
                        if answer.status_code == 302:
                            crashes.check(what + " preview", browser.get, answer["Location"])
    assert crashes.found == {}
    assert uploads >= 1


def test_no_query_string_crashes_a_page(world: World, browser: Client) -> None:
    """Names of the pages' own filters and links, of what a client may guess, and look-ups of the ORM."""
    crashes = Crashes()
    for place, path in page_paths(world):
        own = {name for form in forms_of(browser, path) if form.method == "get" for name in form.fields}
        for text in QUERIES:
            for name in sorted(own) if text in QUERIES[:3] else []:
                crashes.check(f"{place.route} {name}={text[:10]!r}", browser.get, f"{path}?{urlencode({name: text})}")
            many = urlencode(dict.fromkeys(NAMES, text))
            crashes.check(f"{place.route} many={text[:10]!r}", browser.get, f"{path}?{many}")
        for raw in ["%", "&&=&%00=1&a=%ED%A0%80&a[]=1&a=1&a=2&=&%FF%FE"]:
            crashes.check(f"{place.route} ?{raw}", browser.get, f"{path}?{raw}")
    assert crashes.found == {}


def test_no_id_in_a_path_crashes(world: World, browser: Client, api: ApiClient) -> None:
    crashes = Crashes()
    hostile = [
        "%00",
        "%ED%A0%80",
        "x" * 2_000,
        "-1",
        "9" * 30,
        "9" * 4_500,
        "..%2f..%2fetc",
        "%2e%2e",
        "%25",
        "'",
        "null",
        "0" * 32,
        "run_" + "f" * 32,
        "%0d%0aX:1",
    ]
    for place in fleet.places():
        for parameter in set(place.names) - {"project_slug"}:
            value = place.value(parameter)
            for text in hostile:
                path = place.path(world.values | {value: text})
                for method in ["get", "post"]:
                    client = api if place.is_api else browser
                    crashes.check(f"{method} {place.route} {parameter}={text[:12]}", getattr(client, method), path)
    assert crashes.found == {}


# --- the API


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    shape = body_schema(operation)
    whole = sample(shape)
    names = list(shape.get("properties", {})) or ["name", "content", "inputs", "examples", "batch"]
    base = whole if isinstance(whole, dict) else {}
    for name in names:
        for value in VALUES:
            changed = base | {name: value}
            yield f"{name}={value!r:.30}", changed
            if "batch" in names:
                yield f"{name}={value!r:.30} in a batch", {"batch": [changed]}
        yield f"only {name}", {name: base.get(name)}
        yield f"without {name}", {key: value for key, value in base.items() if key != name}
    nested: Any = NUL
    for _ in range(60):
        nested = {"a": nested}
    yield "deep", base | dict.fromkeys(names, nested)
    yield "list", [base]


def test_no_body_crashes_an_operation(world: World, api: ApiClient) -> None:
    crashes = Crashes()
    for path, method, operation in unsafe_operations():
        where = address(path, world)
        for what, body in bodies(operation):
            data = json.dumps(body)  # half pairs travel as \\ud800, like a careless client sends them
            crashes.check(
                f"{method} {path} {what}", api.generic, method.upper(), where, data, content_type="application/json"
            )
    assert crashes.found == {}
    assert crashes.sent > 500


def test_no_bytes_crash_an_operation(world: World, api: ApiClient) -> None:
    crashes = Crashes()
    for path, method, _ in unsafe_operations():
        where = address(path, world)
        for raw in RAW:
            for kind in ["application/json", "application/x-ndjson"]:
                crashes.check(
                    f"{method} {path} {kind} {raw[:20]!r}", api.generic, method.upper(), where, raw, content_type=kind
                )
        for coding in ["gzip", "deflate", "gzip, gzip", "identity", "br", "x" * 100]:
            crashes.check(
                f"{method} {path} {coding}",
                api.generic,
                method.upper(),
                where,
                b"\x1f\x8b\x08garbage",
                content_type="application/json",
                headers={"Content-Encoding": coding},
            )
    assert crashes.found == {}


def test_no_operation_accepts_a_key_that_is_there_twice(world: World, api: ApiClient) -> None:
    """Which of two roles, addresses or secrets counts must not depend on who reads the body."""
    crashes, statuses = Crashes(), {}
    for path, method, operation in unsafe_operations():
        body = sample(body_schema(operation))
        if method.lower() == "delete" or not isinstance(body, dict) or not body:
            continue
        whole = json.dumps(body)[:-1]
        for name, value in body.items():
            raw = f"{whole}, {json.dumps(name)}: {json.dumps(value)}}}"
            answer = crashes.check(
                f"{path} {name}", api.generic, method.upper(), address(path, world), raw, "application/json"
            )
            statuses[f"{method} {path} {name}"] = answer.status_code
    accepted = {what: status for what, status in statuses.items() if status < 400}
    operations = {what.rpartition(" ")[0] for what in statuses}
    print(f"\n{len(statuses)} bodies with a key twice on {len(operations)} operations, accepted {len(accepted)}")
    assert len(operations) > 20
    assert crashes.found == {}
    assert accepted == {}


def test_the_parsing_suite_as_bodies(world: World, api: ApiClient, shared_data: Path) -> None:
    """318 bodies on every operation: never a crash, and what must be refused is refused."""
    cases = [
        json.loads(line) for line in (shared_data / "adversarial" / "json_parsing_suite.jsonl").read_text().splitlines()
    ]
    crashes, accepted = Crashes(), []
    for path, method, _ in unsafe_operations():
        if method.lower() == "delete":  # has no body to refuse
            continue
        where = address(path, world)
        # Operations inside the framework share one parser: the whole suite on three, a tenth on the rest.
        for case in cases[:: 1 if path in WHOLE_SUITE else 10]:
            raw = b'[{"":' * 50_000 if case["bytes_b64"] is None else base64.b64decode(case["bytes_b64"])
            response = crashes.check(
                f"{method} {path} {case['file']}",
                api.generic,
                method.upper(),
                where,
                raw,
                content_type="application/json",
            )
            # An import takes any file and reports what cannot be read; the others have no body to read.
            reads_json = not path.endswith(
                ("/imports", "/cancel", "/test", "/archive", "/default", "/sort", "/majority")
            )
            if case["file"].startswith("n_") and raw and response.status_code < 300 and reads_json:
                accepted.append((path, case["file"]))
    assert crashes.found == {}
    assert accepted == []


def test_naughty_strings_come_back_as_they_were_sent_or_are_refused(
    world: World, api: ApiClient, shared_data: Path
) -> None:
    lines = (shared_data / "adversarial" / "naughty_strings.jsonl").read_text().strip().split("\n")
    strings = [json.loads(line)["s"] for line in lines]
    calls = [
        {"id": f"naughty-{number}", "inputs": {"text": text}, "output": text} for number, text in enumerate(strings)
    ]
    crashes = Crashes()
    response = crashes.check("calls", api.post, "/api/v1/calls", {"batch": calls}, content_type="application/json")
    assert crashes.found == {}
    assert {result["status"] for result in response.json()["results"]} == {201}


@pytest.mark.slow
def test_naughty_strings_in_every_field_of_every_form(world: World, browser: Client, shared_data: Path) -> None:
    lines = (shared_data / "adversarial" / "naughty_strings.jsonl").read_text().strip().split("\n")
    strings = [json.loads(line)["s"] for line in lines]
    crashes = Crashes()
    for action, form in posted_forms(browser, world):
        names = [name for name in form.fields if name != "csrfmiddlewaretoken"]
        for text in strings[::24] if names else []:
            crashes.check(f"{action} {text[:20]!r}", browser.post, action, dict.fromkeys(names, text))
    assert crashes.found == {}


def test_no_query_string_crashes_an_operation(world: World, api: ApiClient) -> None:
    crashes = Crashes()
    for place in fleet.places():
        if not place.is_api:
            continue
        path = place.path(world.values)
        documented = {
            parameter["name"]
            for operations in schema()["paths"].values()
            for operation in operations.values()
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "query"
        }
        for text in QUERIES:
            crashes.check(f"{place.route} {text[:10]!r}", api.get, f"{path}?{urlencode(dict.fromkeys(NAMES, text))}")
            for name in sorted(documented) if text in QUERIES[:3] else []:
                crashes.check(f"{place.route} {name}={text[:10]!r}", api.get, f"{path}?{urlencode({name: text})}")
    assert crashes.found == {}


def test_headers_do_not_crash(world: World, api: ApiClient, browser: Client) -> None:
    crashes = Crashes()
    values = [
        "",
        "x" * 8_000,
        "\xff\xfe",
        "a, b, c",
        '"',
        'W/"',
        "*",
        "bytes=0-",
        "0",
        "Sat, 99 Foo 2026 25:61:61 GMT",
        "gzip;q=NaN",
        "text/html;q=9e999",
    ]
    names = [
        "If-None-Match",
        "If-Modified-Since",
        "Accept",
        "Accept-Language",
        "Accept-Encoding",
        "Range",
        "Cookie",
        "Authorization",
        "Idempotency-Key",
        "Origin",
        "HX-Request",
        "HX-Target",
        "HX-Current-URL",
        "X-Request-Id",
        "Content-Type",
        "Content-Encoding",
        "Referer",
    ]
    for client, path in [
        (browser, "/p/garden/"),
        (browser, "/p/garden/datasets/"),
        (api, "/api/v1/prompts"),
        (api, "/api/v1/prompts/mail/classify"),
    ]:
        for name in names:
            for value in values:
                crashes.check(f"{path} {name}: {value[:20]!r}", client.get, path, headers={name: value})
    assert crashes.found == {}


def test_one_tenants_strange_keys_change_nothing_for_the_next(
    world: World, api: ApiClient, other_project: Project, by: Actor
) -> None:
    """`__proto__`, `constructor`, `__class__` and friends are data: the next request answers as before."""
    from llmops.projects.services import api_keys

    theirs = ApiClient(api_keys.issue(project=other_project, kind="secret", name="theirs", by=by).text)
    before = theirs.get("/api/v1/prompts").content
    strange = {
        name: {"polluted": True}
        for name in ["__proto__", "constructor", "__class__", "__init__", "lc", "$ref", "password__startswith"]
    }
    for path, method, _ in unsafe_operations():
        api.generic(method.upper(), address(path, world), json.dumps(strange), content_type="application/json")
    assert theirs.get("/api/v1/prompts").content == before
    assert not hasattr(object, "polluted")


def test_a_body_over_the_limit_is_refused(world: World, api: ApiClient, settings: Any) -> None:
    settings.MAX_JSON_BYTES = 10_000
    body = json.dumps({"content": "x" * 20_000})
    for path, method, _ in unsafe_operations():
        if method.lower() == "delete":  # has no body to refuse
            continue
        status = api.generic(method.upper(), address(path, world), body, content_type="application/json").status_code
        assert status in {413, 403, 405, 202, 200, 204, 409, 400}, (path, status)
        if parse_qsl(urlsplit(path).query):
            pytest.fail("paths of the schema carry no query")
