"""The connection pages as people use them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.gateway import queries
from llmops.gateway.models import Connection, Price
from llmops.gateway.services import connections
from llmops.projects.models import Project

PAGE = "/p/garden/settings/connections/"
KEY = "sk-very-secret-key-0123456789"


@pytest.fixture
def connection(project: Project, by: Actor) -> Connection:
    return connections.create(project=project, name="Main", kind="openai", key=KEY, model="gpt-5-mini", by=by)


def form(**values: str) -> dict[str, str]:
    return {"name": "Main", "kind": "openai", "key": KEY, "max_in_flight": "50"} | values


def test_a_connection_is_added_and_its_key_never_shown(page: Client, project: Project) -> None:
    response = page.post(PAGE + "new/", form(is_default="on"), follow=True)
    text = response.content.decode()
    assert response.status_code == 200
    assert "key …6789" in text
    assert KEY not in text
    assert queries.connection_in(project).name == "Main"
    edit = page.get(f"{PAGE}{queries.connection_in(project).uid}/").content.decode()
    assert KEY not in edit
    assert "6789" in edit


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"key": ""}, "key"),
        ({"base_url": "http://example.com"}, "base_url"),
        ({"base_url": "https://169.254.169.254/"}, "base_url"),
        ({"kind": "carrier-pigeon"}, "kind"),
        ({"name": ""}, "name"),
        ({"rpm": "9" * 30}, "rpm"),
        ({"max_in_flight": "0"}, "max_in_flight"),
        ({"name": "a\x00b"}, "name"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(page: Client, project: Project, wrong: dict[str, str], field: str) -> None:
    response = page.post(PAGE + "new/", form(**wrong))
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {field}
    assert KEY not in response.content.decode()
    assert not Connection.objects.filter(project=project, name="Main").exists()


def test_a_new_address_demands_the_key_again(page: Client, connection: Connection) -> None:
    moved = {"name": "Main", "base_url": "https://elsewhere.example/v1", "max_in_flight": "50"}
    response = page.post(f"{PAGE}{connection.uid}/", moved)
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {"key"}
    assert page.post(f"{PAGE}{connection.uid}/", moved | {"key": "sk-another-key-aaaabbbb"}).status_code == 302
    connection.refresh_from_db()
    assert (connection.base_url, connection.key_hint) == ("https://elsewhere.example/v1", "bbbb")


def test_a_test_waits_for_a_worker_and_stops_asking_when_it_is_over(page: Client, connection: Connection) -> None:
    fragment = page.post(f"{PAGE}{connection.uid}/test/", headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" in fragment
    outcome = f"{PAGE}{connection.uid}/outcome/"
    Connection.objects.update(test_outcome="Good: gpt-5-mini answered in 12 ms.", tested_at=timezone.now())
    done = page.get(outcome).content.decode()
    assert "hx-trigger" not in done
    assert "Works" in done
    Connection.objects.update(test_outcome=connections.WAITING, tested_at=timezone.now() - timedelta(minutes=2))
    lost = page.get(outcome).content.decode()
    assert "hx-trigger" not in lost
    assert "No worker took the test up" in lost


def test_the_default_moves_and_archiving_forgets_the_key(
    page: Client, project: Project, connection: Connection
) -> None:
    connections.ensure_demo(project=project)
    demo = Connection.objects.get(project=project, kind="demo")
    first = queries.connection_in(project)
    response = page.post(f"{PAGE}{first.uid}/archive/", follow=True)
    assert "default first" in response.content.decode()
    page.post(f"{PAGE}{demo.uid}/default/")
    assert queries.connection_in(project) == demo
    page.post(f"{PAGE}{connection.uid}/archive/")
    connection.refresh_from_db()
    assert (connection.sealed_key, connection.key_hint) == ("", "")
    assert page.get(f"{PAGE}{connection.uid}/").status_code == 404


def test_a_price_is_set_and_removed(page: Client, project: Project) -> None:
    body = {"price-model": "llama-9", "price-in_per_million": "0.5", "price-out_per_million": "1.5"}
    assert "llama-9" in page.post(PAGE + "prices/", body, follow=True).content.decode()
    page.post(PAGE + "prices/", body | {"price-in_per_million": "0.25"})
    assert [str(price.in_per_million) for price in queries.prices_in(project)] == ["0.250000"]
    page.post(PAGE + "prices/remove/", {"model": "llama-9"})
    assert not Price.objects.exists()
    bad = page.post(PAGE + "prices/", body | {"price-out_per_million": "-1"})
    assert bad.status_code == 400
    assert set(bad.context["price_form"].errors) == {"out_per_million"}


def test_a_viewer_reads_and_changes_nothing(
    member: Callable[[str], User], client_of: Callable[[User], Client], connection: Connection
) -> None:
    browser = client_of(member("viewer"))
    text = browser.get(PAGE).content.decode()
    assert "Main" in text
    assert "New connection" not in text
    assert browser.get(f"{PAGE}{connection.uid}/").status_code == 403
    for action in ("test", "default", "archive"):
        assert browser.post(f"{PAGE}{connection.uid}/{action}/").status_code == 403


@pytest.mark.parametrize("items", [1, 3])
def test_the_list_costs_the_same_whatever_its_length(
    page: Client, project: Project, by: Actor, items: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(items):
        connections.create(project=project, name=f"Number {number}", kind="openai", key=KEY, by=by)
    with django_assert_num_queries(6):
        page.get(PAGE)
