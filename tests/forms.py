"""The forms of the platform's own pages, read from the HTML: a new page is covered the day it appears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.test import Client
from django.urls import resolve

from tests import fleet
from tests.fleet import Place, World


@dataclass(slots=True)
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


class Forms(HTMLParser):
    """The forms of a page, with what would be sent without touching them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.by_id: dict[str, Form] = {}
        self.open: Form | None = None
        self.select: tuple[Form, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form(values)
        elif tag in {"input", "textarea", "select", "button"} and "name" in values:
            self._control(tag, values)
        elif tag == "option" and self.select:
            form, name = self.select
            if "selected" in values or not form.fields[name]:
                form.fields[name] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = None
        elif tag == "form":
            self.open = None

    def _form(self, values: dict[str, str]) -> None:
        self.open = Form(values.get("action", ""), values.get("method", "get").lower())
        self.forms.append(self.open)
        if "id" in values:
            self.by_id[values["id"]] = self.open

    def _control(self, tag: str, values: dict[str, str]) -> None:
        form, name = self.by_id.get(values.get("form", "")) or self.open, values["name"]
        if form is None:
            return
        if values.get("type") == "file":
            form.files.append(name)
        else:
            form.fields.setdefault(name, values.get("value", ""))
        self.select = (form, name) if tag == "select" else None


def forms_of(browser: Client, path: str) -> list[Form]:
    response = browser.get(path)
    if response.status_code != 200 or not response["Content-Type"].startswith("text/html"):
        return []
    parser = Forms()
    parser.feed(response.content.decode(errors="replace"))
    return parser.forms


def page_paths(world: World) -> list[tuple[Place, str]]:
    return [
        (place, place.path(world.values))
        for place in fleet.places()
        if not place.is_api and not place.route.startswith(("git/", "healthz", "readyz"))
    ]


def posted_forms(browser: Client, world: World) -> Iterator[tuple[str, Form]]:
    """Every form that is sent with POST, and where to: one of each, though a list has it in every row."""
    seen = set()
    for _, path in page_paths(world):
        for form in forms_of(browser, path):
            action = urljoin(path, form.action)
            kind = (resolve(urlsplit(action).path).route, tuple(sorted(form.fields)))
            if form.method == "post" and kind not in seen and not action.startswith("/accounts/logout"):
                seen.add(kind)
                yield action, form
