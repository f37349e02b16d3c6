"""Masking rules of a project: what they mask on arrival, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from feedback.models import Call, FeedbackEvent, MaskRule
from feedback.queries import masks as queries
from feedback.services import masks
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project

PAGE = "/p/garden/settings/masking/"
EVERYTHING = (
    "ada@example.com, +1 415 555 2671, card 4111 1111 1111 1111, "
    "DE89 3704 0044 0532 0130 00, sk-proj-abcdefghijklmnop12"
)


@pytest.fixture(autouse=True)
def _fresh_rules() -> Iterator[None]:
    queries.forget()
    yield
    queries.forget()


def stored(send: Callable[..., Any], name: str, text: str) -> tuple[str, int]:
    queries.forget()
    send("/calls", {"id": name, "output": text})
    call = Call.objects.get(client_id=name)
    return call.output, call.masked


def test_every_built_in_works_until_it_is_switched_off(project: Project, by: Actor, send: Callable[..., Any]) -> None:
    assert stored(send, "a", EVERYTHING) == ("[e-mail], [phone], card [card], [iban], [secret]", 5)
    for name in ["phone", "iban"]:
        masks.switch(project=project, name=name, is_on=False, by=by)
    kept, count = stored(send, "b", "ada@example.com +1 415 555 2671 DE89 3704 0044 0532 0130 00")
    assert (kept, count) == ("[e-mail] +1 415 555 2671 DE89 3704 0044 0532 0130 00", 1)
    masks.switch(project=project, name="phone", is_on=True, by=by)
    assert stored(send, "c", "+1 415 555 2671")[0] == "[phone]"
    assert Event.objects.filter(name="feedback.mask_switched").count() == 3


def test_a_pattern_of_the_project_is_masked_in_calls_and_feedback_and_nowhere_else(
    project: Project, other_project: Project, by: Actor, send: Callable[..., Any]
) -> None:
    masks.add(project=project, name="customer", pattern=r'K-\d{6}"', placeholder="[customer]", by=by)
    assert stored(send, "a", 'said "K-123456" and K-12') == ('said "[customer] and K-12', 1)
    send("/feedback", {"call": "a", "comment": 'I am K-654321"'})
    assert FeedbackEvent.objects.get().comment == "I am [customer]"
    assert queries.fresh(other_project.pk).own == ()
    masks.remove(project=project, name="customer", by=by)
    assert stored(send, "b", 'K-123456"') == ('K-123456"', 0)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"name": "Not good"}, "name"),
        ({"pattern": "("}, "pattern"),
        ({"pattern": "(?=a)b"}, "pattern"),
        ({"pattern": "a*"}, "pattern"),
        ({"pattern": "x" * 501}, "pattern"),
        ({"pattern": "[a-z]+"}, "placeholder"),
        ({"placeholder": "y" * 41}, "placeholder"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(project: Project, by: Actor, rule: dict[str, str], field: str) -> None:
    wanted = {"name": "mine", "pattern": r"\d{9}", "placeholder": "[mine]"} | rule
    with pytest.raises(Invalid) as refused:
        masks.add(project=project, by=by, **wanted)
    assert field in refused.value.fields


def test_names_are_taken_once_and_built_ins_stay(project: Project, by: Actor) -> None:
    masks.add(project=project, name="mine", pattern=r"\d{9}", placeholder="", by=by)
    for name in ["mine", "email"]:
        with pytest.raises(Conflict):
            masks.add(project=project, name=name, pattern=r"\d{9}", placeholder="", by=by)
    with pytest.raises(Invalid):
        masks.remove(project=project, name="email", by=by)
    assert MaskRule.objects.get().placeholder == "[mine]"


def test_the_page_lists_adds_tries_switches_and_removes(page: Client, project: Project) -> None:
    assert "best effort" in page.get(PAGE).content.decode()
    refused = page.post(PAGE, {"name": "mine", "pattern": "("})
    assert (refused.status_code, "pattern" in refused.context["form"].errors) == (400, True)
    assert page.post(PAGE, {"name": "mine", "pattern": r"K-\d+"}).status_code == 302
    tried = page.post(f"{PAGE}try/", {"text": "K-7 ada@example.com <b>"}).content.decode()
    assert "[mine] [e-mail] &lt;b&gt;" in tried
    assert page.post(f"{PAGE}mine/switch/", {}).status_code == 302
    assert not MaskRule.objects.get().is_on
    assert page.post(f"{PAGE}mine/remove/").status_code == 302
    assert not MaskRule.objects.exists()
    assert page.post(f"{PAGE}nothing/switch/", {}).status_code == 404
