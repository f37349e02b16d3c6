"""Scripts planted in every field of every form and operation run nowhere, even with the content policy off.

The policy would stop most scripts; here escaping alone has to. What hides in markup until somebody moves the mouse is
found in the document: an element, a handler or a script address that the templates did not write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from playwright.sync_api import Browser, Dialog, Page, Request

from evals.models import Example, Result
from feedback.models import Call
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.services import labels, versions
from tests import fleet
from tests.conftest import ApiClient
from tests.fleet import World
from tests.forms import Form, forms_of, page_paths, posted_forms
from tests.operations import address, body_schema, sample, unsafe_operations
from tests.running import finish_runs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("scripts")]

# Ways out of an attribute, an element of text and a script, and an element that no template of ours writes.
CANARY = "<xss-canary onclick=alert(1)>"
ESCAPES = [
    f"\"'>{CANARY}", f"</textarea></title></style>{CANARY}", f"</script>{CANARY}", f"-->{CANARY}",
    f"<a href=javascript:alert(1)>x</a>{CANARY}", f"[x](javascript:alert(1)){CANARY}",
    f'<img data-hx-get=/ hx-trigger=load hx-on::load="alert(1)">{CANARY}',
]  # fmt: skip
PER_ROW = 60

INTRUDERS = """() => {
  const addresses = new Set(["href", "src", "action", "formaction", "xlink:href", "data", "srcdoc"]);
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    if (element.localName === "xss-canary") found.push("an element of ours: " + element.parentElement.outerHTML);
    for (const {name, value} of element.attributes) {
      const runs = /^(on|hx-on|data-hx-on)/i.test(name);
      const leads = addresses.has(name) && /^\\s*(javascript|vbscript|data:text)/i.test(value);
      if (runs || leads || name === "srcdoc") found.push(`${element.localName} ${name}=${value}`);
    }
  }
  return [...found.map((text) => text.slice(0, 300)), ...(window.__ran || [])];
}"""
LISTEN = """
window.__ran = [];
for (const name of ["alert", "prompt", "confirm", "print"]) {
  window[name] = (text) => window.__ran.push(name + " " + text);
}
"""


@dataclass
class Victim:
    """A signed-in browser without the content policy, and what ran or got into its documents."""

    page: Page
    origin: str
    seen: int = 0
    shown: int = 0  # pages where a planted text can be read as text
    found: dict[str, list[str]] = field(default_factory=dict)

    def visit(self, address: str) -> None:
        self.page.goto(address, wait_until="load")
        self._look(address)

    def read(self, what: str, html: bytes) -> None:
        """Show an answer that a form got, as if it stood on our own site."""
        self.page.unroute_all()
        self.page.route(f"{self.origin}/reflected", lambda route: route.fulfill(body=html, content_type="text/html"))
        self.page.goto("/reflected", wait_until="load")
        self._look(what)

    def _look(self, what: str) -> None:
        self.seen += 1
        self.shown += "alert(" in str(self.page.evaluate("document.body.innerText"))
        if found := self.page.evaluate(INTRUDERS):
            self.found.setdefault(what, found)

    def complain(self, text: str) -> None:
        self.found.setdefault(self.page.url, []).append(text)


@pytest.fixture
def victim(chromium: Browser, live_server: Any, world: World) -> Iterator[Victim]:
    context = chromium.new_context(base_url=live_server.url, bypass_csp=True)
    context.add_init_script(LISTEN)
    cookie = signed_in(world).cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    victim = Victim(context.new_page(), live_server.url)

    def dialog(shown: Dialog) -> None:
        victim.complain(f"a dialog: {shown.message}")
        shown.dismiss()

    def request(sent: Request) -> None:
        if not sent.url.startswith((live_server.url, "data:", "blob:", "about:")):
            victim.complain(f"a foreign request: {sent.url}")

    victim.page.on("dialog", dialog)
    victim.page.on("request", request)
    yield victim
    context.close()


@pytest.fixture
def payloads(shared_data: Path) -> list[str]:
    lines = (shared_data / "adversarial" / "xss_payloads_dev.jsonl").read_text().split("\n")
    return [json.loads(line)["s"] for line in lines if line] + ESCAPES


@pytest.fixture
def world(transactional_db: None, project: Project, by: Actor) -> World:
    return fleet.build(project, by)


def signed_in(world: World) -> Client:
    client = Client()
    client.force_login(world.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def is_shown(client: Client, path: str) -> bool:
    """Whether a browser shows what it gets there: a page, and neither a file nor a bare refusal."""
    answer = client.get(path, follow=True)
    return answer.get("Content-Type", "").startswith("text/html") and answer.content != b""


def test_the_watch_itself_sees_what_runs_and_what_waits(victim: Victim) -> None:
    for html in [b"<img src=x onerror=alert(1)>", b"<script>alert(1)</script>", CANARY.encode(),
                 b"<a href=' javascript:alert(1)'>x</a>", b"<iframe srcdoc=x></iframe>"]:  # fmt: skip
        victim.read(html.decode(), b"<!doctype html><p>" + html)
    assert len(victim.found) == victim.seen == 5


def test_what_a_form_sends_back_runs_nowhere(world: World, victim: Victim, payloads: list[str]) -> None:
    """Every field of every form, alone: the answer with the errors shows the text and nothing more."""
    client, supply, escapes = signed_in(world), cycle(payloads), cycle(ESCAPES)
    for action, form in posted_forms(client, world):
        for name in [name for name in form.fields if name != "csrfmiddlewaretoken"]:
            for text in [next(supply) + CANARY, next(escapes)]:
                if html := answer_to(client, action, form, {name: text}):
                    victim.read(f"{action} {name}={text}", html)
    assert victim.found == {}
    assert victim.seen > 100, "hardly any form answered with a page"


def answer_to(client: Client, action: str, form: Form, planted: dict[str, str]) -> bytes:
    """The page that the form gets, or nothing where the text does not stand in it; what it changed is taken back."""
    with transaction.atomic():
        answer = client.post(action, form.fields | planted | {name: fleet.file() for name in form.files})
        transaction.set_rollback(True)
    is_page = answer.get("Content-Type", "").startswith("text/html")
    return answer.content if is_page and b"xss-canary" in answer.content else b""


def test_what_an_address_asks_for_runs_nowhere(world: World, victim: Victim, payloads: list[str]) -> None:
    """Every filter of every page, and addresses that are not there."""
    client, supply = signed_in(world), cycle(payloads)
    for _, path in page_paths(world):
        own = {name for form in forms_of(client, path) if form.method == "get" for name in form.fields}
        if is_shown(client, path):
            asked = {name: next(supply) + CANARY for name in sorted(own | {"q", "cursor", "sort"})}
            victim.visit(f"{path}?{urlencode(asked)}")
    for text in payloads[::40]:
        victim.visit(f"/p/{world.project.slug}/prompts/{urlencode({text: CANARY})}/")
    assert victim.found == {}
    assert victim.seen > 60


def test_what_is_stored_runs_nowhere(world: World, victim: Victim, payloads: list[str], by: Actor) -> None:
    """All the payloads in every text of every kind of row, then every page that shows such a row."""
    api = ApiClient(world.secrets["secret"])
    rows = [payloads[start : start + PER_ROW] for start in range(0, len(payloads), PER_ROW)]
    plant_by_operations(api, world, payloads)
    plant_names(world, payloads)
    plant_prompt(world, payloads, by)
    plant_examples(api, rows)
    plant_calls(api, rows)
    api.send("POST", f"/runs/{world.values['run']}/cancel")  # its result was written by hand, not by the engine
    run = plant_run(api, payloads)
    world.values |= {"prompt": "mail/hostile", "dataset": "hostile", "run": run}
    for page in pages_of(world, run):
        victim.visit(page)
    assert victim.found == {}
    assert victim.shown > 3 * len(rows)


def plant_by_operations(api: ApiClient, world: World, payloads: list[str]) -> None:
    """Every text of every operation's body, alone."""
    supply = cycle(payloads)
    for path, method, operation in unsafe_operations():
        if method == "delete":
            continue
        shape, where = body_schema(operation), address(path, world)
        whole = sample(shape)
        for name in shape.get("properties", {}):
            for value in [next(supply), {next(supply): next(supply)}, [next(supply)]]:
                answer = api.generic(method.upper(), where, json.dumps(whole | {name: value}), "application/json")
                assert answer.status_code < 500


def plant_names(world: World, payloads: list[str]) -> None:
    """Names that people choose, by the forms of the pages, and by the one who signs in."""
    client, supply = signed_in(world), cycle(payloads)
    base = f"/p/{world.project.slug}"
    sent = [
        (f"{base}/settings/general/", {"name": next(supply)}),
        (f"{base}/settings/keys/", {"kind": "secret", "name": next(supply)}),
        ("/profile/", {"name": next(supply), "timezone": "UTC"}),
        (f"{base}/evaluators/{world.values['evaluator']}/change/", {"params.extract": CANARY}),
    ]
    for action, planted in sent:
        form = next(form for form in forms_of(client, action) if planted.keys() <= form.fields.keys())
        answer = client.post(form.action or action, form.fields | planted)
        assert answer.status_code in {200, 302}, (action, answer.content[:500])
    User.objects.filter(pk=world.people["editor"].pk).update(name=CANARY)


def plant_prompt(world: World, payloads: list[str], by: Actor) -> None:
    """Two versions that differ in every line; what would be a template's tag is no payload of HTML."""
    plain = [
        text for text in payloads if "{{" not in text and "{%" not in text and "{#" not in text and "\n" not in text
    ]
    for half in (plain[::2], plain[1::2]):
        head = json.dumps({"name": half[0], "description": half[1], "model": {"id": half[2]}, "inputs": {"mail": {}}})
        body = "\n".join(f"- {text}" for text in half)
        content = f"---\n{head}\n---\nsystem:\n{body}\nuser:\n{{{{ mail }}}}\n"
        saved = versions.save(
            project=world.project, path="mail/hostile", content=content, message=half[3], by=by, now=fleet.NOW
        )
        labels.move(
            artifact=saved.version.artifact, name="production", to=saved.version, by=by, now=fleet.NOW,
            may_release=True, reason=half[4],
        )  # fmt: skip


def plant_examples(api: ApiClient, rows: list[list[str]]) -> None:
    made = api.send("POST", "/datasets", {"slug": "hostile", "name": rows[0][0], "description": rows[0][1]})
    assert made.status_code == 201, made.content
    examples = [
        {
            "inputs": {"mail": "\n".join(row), **{f"text {place}": text for place, text in enumerate(row)}},
            "expected": row[0], "metadata": {"out": row[1], row[2][:60]: row[3]}, "contexts": row[:3],
        }
        for row in rows
    ]  # fmt: skip
    added = api.send("POST", "/datasets/hostile/examples", examples)
    assert added.status_code == 201, added.content


def plant_calls(api: ApiClient, rows: list[list[str]]) -> None:
    calls = [
        {
            "id": f"hostile-{place}", "prompt": "mail/hostile", "label": "production", "output": "\n".join(row),
            "inputs": dict(zip(row, row, strict=True)), "metadata": {row[0]: row}, "model": row[1][:100],
            "session": row[2][:100], "end_user": row[3][:100], "environment": row[4][:50], "error": row[5],
            "contexts": row[:2],
        }
        for place, row in enumerate(rows)
    ]  # fmt: skip
    feedback = [
        {"id": f"hostile-f-{place}", "call": f"hostile-{place}", "thumbs": "down", "comment": row[0] + CANARY,
         "correction": row[1] + CANARY, "end_user": row[2][:100]}
        for place, row in enumerate(rows)
    ]  # fmt: skip
    for path, batch in [("/calls", calls), ("/feedback", feedback)]:
        answer = api.send("POST", path, {"batch": batch})
        refused = [result for result in answer.json()["results"] if result["status"] != 201]
        assert refused == []


def plant_run(api: ApiClient, payloads: list[str]) -> str:
    """Outputs, expected answers, reasons and names of evaluators, scored by the real engine."""
    contains = {"metric": "contains", "params": {"value": payloads[0]}}
    made = api.send("POST", "/evaluators", {"slug": "hostile", "name": payloads[1], "spec": contains})
    assert made.status_code == 201, made.content
    evaluators = ["hostile", {"metric": "exact_match"}, {"metric": "json_valid"}]
    started = api.send("POST", "/runs", {"dataset": "hostile", "recorded": "out", "evaluators": evaluators})
    assert started.status_code == 202, started.content
    asked = api.send(
        "POST", "/runs",
        {"dataset": "hostile", "prompt": "mail/hostile", "version": 2, "evaluators": evaluators, "connection": "demo"},
    )  # fmt: skip
    assert asked.status_code == 202, asked.content
    finish_runs()
    return str(asked.json()["id"])


def pages_of(world: World, run: str) -> Iterator[str]:
    """Every page of the platform, then one for each hostile row."""
    client, base = signed_in(world), f"/p/{world.project.slug}"
    world.values["result"] = ids.public("res", Result.objects.filter(run__uid=run.split("_")[1]).earliest("pk").uid)
    for place, path in page_paths(world):
        if is_shown(client, path) and not place.name.startswith("evals:run-compare"):
            yield path
    uids = [ids.public("run", uid) for uid in Result.objects.values_list("run__uid", flat=True).distinct()]
    yield f"{base}/runs/-/compare/?a={uids[-1]}&b={run}"
    yield f"{base}/prompts/mail/hostile/-/compare/?left=1&right=2"
    yield f"{base}/evaluators/hostile/"
    hostile = Example.objects.filter(dataset__slug="hostile")
    for key in hostile.values_list("key", flat=True):
        yield f"{base}/datasets/hostile/examples/{key.hex}/"
    for call in Call.objects.filter(project=world.project):
        yield f"{base}/feedback/{ids.public('call', call.uid)}/"
    for result in Result.objects.filter(example__in=hostile).select_related("run"):
        yield f"{base}/runs/{ids.public('run', result.run.uid)}/results/{ids.public('res', result.uid)}/"
