"""The settings pages as people use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.models import ApiKey, Invitation, Membership, Project
from llmops.projects.permissions import ROLES
from llmops.projects.services import api_keys, invitations

Browser = Callable[[User], Client]


def test_general_settings_are_saved(page: Client, project: Project) -> None:
    form = {"name": "Herbs", "timezone": "Europe/Berlin", "retention_days": "30"}
    response = page.post("/p/garden/settings/general/", form, follow=True)
    project.refresh_from_db()
    assert (project.name, project.timezone, project.retention_days) == ("Herbs", "Europe/Berlin", 30)
    assert project.mask_personal_data is False
    assert "Saved." in response.content.decode()


def test_a_wrong_value_is_explained_at_its_field(page: Client, project: Project) -> None:
    form = {"name": "", "timezone": "Mars/Olympus", "retention_days": "9" * 5000}
    response = page.post("/p/garden/settings/general/", form)
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {"name", "timezone", "retention_days"}
    project.refresh_from_db()
    assert project.name == "Garden shop"


def test_a_project_is_deleted_only_by_its_typed_address(page: Client, project: Project) -> None:
    assert page.post("/p/garden/settings/delete/", {"confirm": "Garden shop"}).status_code == 400
    assert page.get("/p/garden/").status_code == 200
    assert page.post("/p/garden/settings/delete/", {"confirm": "garden"}).url == "/"  # type: ignore[attr-defined]
    assert page.get("/p/garden/").status_code == 404


@pytest.mark.parametrize(
    ("role", "first"), [("admin", "general"), ("editor", "members"), ("viewer", "members"), ("labeler", "keys")]
)
def test_settings_open_at_the_first_page_of_the_role(
    member: Callable[[str], User], client_of: Browser, role: str, first: str
) -> None:
    browser = client_of(member(role))
    response = browser.get("/p/garden/settings/", follow=True)
    assert response.redirect_chain == [(f"/p/garden/settings/{first}/", 302)]
    assert response.status_code == 200


def test_an_invitation_shows_its_link_once(page: Client, project: Project) -> None:
    response = page.post("/p/garden/settings/members/invite/", {"email": "bob@example.com", "role": "editor"})
    links = set(re.findall(rf"{settings.LLMOPS_BASE_URL}/join/iv-\w+/", response.content.decode()))
    assert len(links) == 1
    assert response["Cache-Control"] == "no-store"
    assert links.pop() in mail.outbox[0].body
    again = page.get("/p/garden/settings/members/").content.decode()
    assert "bob@example.com" in again
    assert "/join/" not in again


def test_roles_are_changed_and_members_removed(page: Client, project: Project, member: Callable[[str], User]) -> None:
    viewer = member("viewer")
    page.post(f"/p/garden/settings/members/{viewer.uid}/role/", {"role": "editor"})
    assert Membership.objects.get(user=viewer).role == "editor"
    page.post(f"/p/garden/settings/members/{viewer.uid}/remove/")
    assert not Membership.objects.filter(user=viewer).exists()


def test_the_last_admin_is_told_why_they_cannot_leave(page: Client, project: Project) -> None:
    response = page.post("/p/garden/settings/members/leave/")
    assert response.status_code == 409
    assert "make somebody else admin first" in response.content.decode()


def test_a_member_leaves(client_of: Browser, member: Callable[[str], User]) -> None:
    browser = client_of(member("viewer"))
    assert browser.post("/p/garden/settings/members/leave/").status_code == 302
    assert browser.get("/p/garden/").status_code == 404


def test_a_new_key_is_shown_once_and_works(page: Client, project: Project) -> None:
    form = {"name": "checkout", "kind": "secret", "scopes": ["prompt:read"], "days": "90"}
    response = page.post("/p/garden/settings/keys/", form)
    text = re.search(r"sk-[A-Za-z0-9]{32}", response.content.decode())
    assert text is not None
    assert keys.grant_for(text.group()).permissions == {"prompt:read"}
    assert response["Cache-Control"] == "no-store"
    key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert abs(key.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    assert text.group() not in page.get("/p/garden/settings/keys/").content.decode()


def test_a_publishable_key_keeps_its_origins(page: Client, project: Project) -> None:
    form = {"name": "shop", "kind": "publishable", "origins": "https://shop.example\nhttps://m.shop.example/"}
    assert "pk-" in page.post("/p/garden/settings/keys/", form).content.decode()
    assert ApiKey.objects.get().origins == ["https://shop.example", "https://m.shop.example"]
    refused = page.post("/p/garden/settings/keys/", form | {"origins": "https://*.example"})
    assert "is not an origin" in refused.content.decode()
    assert ApiKey.objects.count() == 1


def test_members_make_and_revoke_only_their_own_keys(
    client_of: Browser, member: Callable[[str], User], project: Project, by: Actor
) -> None:
    server = api_keys.issue(project=project, kind="secret", name="the server's", by=by).key
    viewer = member("viewer")
    browser = client_of(viewer)
    browser.post("/p/garden/settings/keys/", {"name": "git", "kind": "personal"})
    refused = browser.post("/p/garden/settings/keys/", {"name": "x", "kind": "secret"})
    assert refused.status_code == 400
    own = ApiKey.objects.get(user=viewer)
    shown = browser.get("/p/garden/settings/keys/").content.decode()
    assert own.prefix in shown
    assert server.prefix not in shown
    assert browser.post(f"/p/garden/settings/keys/{server.uid}/revoke/").status_code == 403
    assert browser.post(f"/p/garden/settings/keys/{own.uid}/revoke/").status_code == 302
    own.refresh_from_db()
    server.refresh_from_db()
    assert (own.revoked_at is None, server.revoked_at is None) == (False, True)


def test_the_trail_is_filtered_and_paged(page: Client, project: Project, by: Actor) -> None:
    for number in range(60):
        api_keys.issue(project=project, kind="secret", name=f"key {number}", by=by)
    first = page.get("/p/garden/settings/audit/?area=key")
    lines = first.context["page"].lines
    assert (len(lines), lines[0].words) == (50, f"issued the key key 59 ({lines[0].words.rpartition('(')[2]}")
    older = page.get("/p/garden/settings/audit/?" + first.context["older"])
    assert len(older.context["page"].lines) == 10
    assert older.context["page"].older is None
    assert not page.get("/p/garden/settings/audit/?actor=nobody").context["page"].lines
    assert len(page.get("/p/garden/settings/audit/?target=key 59").context["page"].lines) == 1


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=" + "9" * 30, "actor=" + "x" * 101, "before=१"])
def test_a_bad_filter_of_the_trail_is_refused(page: Client, project: Project, query: str) -> None:
    assert page.get("/p/garden/settings/audit/?" + query).status_code == 400


@pytest.mark.parametrize("people", [1, 3])
@pytest.mark.parametrize("tab", ["members", "keys", "audit"])
def test_the_number_of_queries_does_not_grow(
    page: Client,
    project: Project,
    by: Actor,
    member: Callable[[str], User],
    django_assert_max_num_queries: Callable[[int], object],
    people: int,
    tab: str,
) -> None:
    for role in list(ROLES)[:people]:
        member(role)
        api_keys.issue(project=project, kind="secret", name=role, by=by)
        invitations.create(project=project, email=f"{role}@else.example", role=role, by=by, now=timezone.now())
    with django_assert_max_num_queries(10):  # type: ignore[attr-defined]
        assert page.get(f"/p/garden/settings/{tab}/").status_code == 200


def test_projects_are_made_listed_and_opened(page: Client, project: Project, admin: User) -> None:
    assert page.get("/").url == "/p/garden/"  # type: ignore[attr-defined]
    taken = page.post("/projects/new/", {"name": "Another", "slug": "garden"})
    assert taken.context["form"].errors["slug"]
    made = page.post("/projects/new/", {"name": "Herbs", "slug": "herbs"})
    assert made.url == "/p/herbs/"  # type: ignore[attr-defined]
    listed = page.get("/").content.decode()
    assert "Garden shop" in listed
    assert "Herbs" in listed


def test_a_profile_is_changed(page: Client, project: Project, admin: User) -> None:
    page.post("/profile/", {"name": "Ada  L", "timezone": "Asia/Tokyo"})
    admin.refresh_from_db()
    assert (admin.name, admin.timezone) == ("Ada L", "Asia/Tokyo")
    assert page.post("/profile/", {"name": "Ada", "timezone": "x"}).status_code == 400


def test_a_newcomer_joins_by_the_link_and_is_signed_in(project: Project, by: Actor, client: Client) -> None:
    issued = invitations.create(project=project, email="bob@example.com", role="editor", by=by, now=timezone.now())
    path = issued.link.removeprefix(settings.LLMOPS_BASE_URL)
    for _ in range(3):  # mail scanners look first
        assert "bob@example.com" in client.get(path).content.decode()
    assert Invitation.objects.get().accepted_at is None
    assert client.post(path, {"name": "Bob", "password": "short"}).status_code == 400
    response = client.post(path, {"name": "Bob", "password": "a long enough phrase"}, follow=True)
    assert response.redirect_chain == [("/p/garden/", 302)]
    assert response.context["user"].email == "bob@example.com"
    used = client.get(path)
    assert used.status_code == 404
    assert "Ask for a new one" in used.content.decode()


def test_a_known_person_signs_in_first(
    project: Project, by: Actor, other_project: Project, client: Client, client_of: Browser
) -> None:
    issued = invitations.create(project=project, email="eve@example.com", role="editor", by=by, now=timezone.now())
    path = issued.link.removeprefix(settings.LLMOPS_BASE_URL)
    assert "Sign in to join" in client.get(path).content.decode()
    assert client.post(path, {"name": "E", "password": "a long enough phrase"}).url.startswith("/accounts/login/")  # type: ignore[attr-defined]
    eve = User.objects.get(email="eve@example.com")
    assert client_of(eve).post(path).url == "/p/garden/"  # type: ignore[attr-defined]


def test_somebody_else_cannot_use_the_link(project: Project, by: Actor, page: Client) -> None:
    issued = invitations.create(project=project, email="bob@example.com", role="admin", by=by, now=timezone.now())
    path = issued.link.removeprefix(settings.LLMOPS_BASE_URL)
    assert "You are signed in as ada@example.com" in page.get(path).content.decode()
    assert page.post(path).status_code == 403
    assert Invitation.objects.get().accepted_at is None
