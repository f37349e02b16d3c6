"""What a key may do, and how quickly it stops."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from llmops.accounts.models import User
from llmops.audit.models import Event
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import Forbidden, Invalid
from llmops.projects import keys
from llmops.projects.models import ApiKey, Membership, Project
from llmops.projects.permissions import PUBLISHABLE_SCOPES, ROLES, SECRET_SCOPES, Permission
from llmops.projects.services import api_keys, memberships


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the cache's clock forward."""
    real = keys.time.monotonic
    shift = 0.0

    def forward(seconds: float) -> None:
        nonlocal shift
        shift += seconds

    monkeypatch.setattr(keys.time, "monotonic", lambda: real() + shift)
    return forward


def issue(project: Project, by: Actor, kind: str = "secret", **values: object) -> api_keys.IssuedKey:
    return api_keys.issue(project=project, kind=kind, name="tests", by=by, **values)  # type: ignore[arg-type]


def test_only_the_digest_is_kept_and_the_text_has_enough_entropy(project: Project, by: Actor) -> None:
    issued = issue(project, by)
    mark, _, secret = issued.text.partition("-")
    assert (mark, len(secret), set(secret) <= set(api_keys.ALPHABET)) == ("sk", 32, True)
    row = ApiKey.objects.values().get()
    assert secret not in str(row)
    assert bytes(row["digest"]) == api_keys.digest(issued.text)
    assert issued.text not in str(list(Event.objects.values()))


@pytest.mark.parametrize(("kind", "permissions"), [("secret", SECRET_SCOPES), ("publishable", PUBLISHABLE_SCOPES)])
def test_a_kind_has_its_permissions(project: Project, by: Actor, kind: str, permissions: frozenset[Permission]) -> None:
    assert keys.grant_for(issue(project, by, kind).text).permissions == permissions


def test_no_server_key_manages_people_keys_or_settings() -> None:
    manages = {permission for permission in Permission if permission.endswith(":manage")}
    assert not (SECRET_SCOPES & (manages | {Permission.KEY_OWN, Permission.AUDIT_READ, Permission.DATA_ERASE}))


def test_scopes_narrow_and_never_widen(project: Project, by: Actor) -> None:
    grant = keys.grant_for(issue(project, by, scopes=["prompt:read"]).text)
    assert grant.permissions == {Permission.PROMPT_READ}
    with pytest.raises(Forbidden) as caught:
        grant.require(Permission.RUN_START)
    assert caught.value.fields == {"scope": "run:start"}
    for kind, scope in [("secret", "key:manage"), ("publishable", "prompt:read"), ("secret", "no:such")]:
        with pytest.raises(Invalid):
            issue(project, by, kind, scopes=[scope])


def test_a_scope_that_is_no_longer_known_grants_nothing(project: Project, by: Actor) -> None:
    issued = issue(project, by, scopes=["prompt:read"])
    ApiKey.objects.update(scopes=["prompt:read", "prompt:teleport"])
    assert keys.grant_for(issued.text).permissions == {Permission.PROMPT_READ}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer \udcff", "Bearer sk-\0"]
)
def test_a_bad_header_is_refused(db: None, header: str | None) -> None:
    with pytest.raises(keys.KeyRefused):
        keys.grant_for_header(header)


def test_a_revoked_key_is_refused_within_a_second(project: Project, by: Actor, clock: Callable[[float], None]) -> None:
    issued = issue(project, by)
    keys.grant_for(issued.text)
    api_keys.revoke(key=issued.key, by=by, now=timezone.now())
    clock(keys.CACHE_SECONDS)
    with pytest.raises(keys.KeyRefused):
        keys.grant_for(issued.text)
    assert keys.CACHE_SECONDS <= 1


def test_a_key_expires_even_while_it_is_cached(project: Project, by: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    end = timezone.now() + timedelta(seconds=60)
    issued = issue(project, by, expires_at=end)
    keys.grant_for(issued.text)
    monkeypatch.setattr(keys.timezone, "now", lambda: end)
    with pytest.raises(keys.KeyRefused):
        keys.grant_for(issued.text)
    keys.forget()
    with pytest.raises(keys.KeyRefused):
        keys.grant_for(issued.text)


def test_a_personal_key_follows_the_persons_role(
    project: Project, by: Actor, member: Callable[[str], User], clock: Callable[[float], None]
) -> None:
    editor = member("editor")
    issued = issue(project, by, "personal", user=editor)
    assert keys.grant_for(issued.text).permissions == ROLES["editor"]
    membership = Membership.objects.get(user=editor)
    memberships.change_role(membership=membership, role="viewer", by=by)
    clock(keys.CACHE_SECONDS)
    grant = keys.grant_for(issued.text)
    assert (grant.permissions, grant.actor.user_id) == (ROLES["viewer"], editor.pk)
    User.objects.filter(pk=editor.pk).update(is_active=False)
    clock(keys.CACHE_SECONDS)
    with pytest.raises(keys.KeyRefused):
        keys.grant_for(issued.text)


def test_a_personal_key_with_scopes_has_what_both_allow(
    project: Project, by: Actor, member: Callable[[str], User]
) -> None:
    issued = issue(project, by, "personal", user=member("viewer"), scopes=["prompt:read", "prompt:write"])
    assert keys.grant_for(issued.text).permissions == {Permission.PROMPT_READ}


def test_a_busy_key_costs_no_query_and_one_note_a_day(
    project: Project, by: Actor, django_assert_num_queries: Callable[[int], object]
) -> None:
    issued = issue(project, by)
    with django_assert_num_queries(2):  # type: ignore[attr-defined]
        keys.grant_for(issued.text)
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        keys.grant_for(issued.text)
    keys.forget()
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        keys.grant_for(issued.text)
    issued.key.refresh_from_db()
    assert issued.key.last_used_on == timezone.now().date()


def test_the_cache_is_bounded(project: Project, by: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "CACHE_SIZE", 3)
    for _ in range(8):
        keys.grant_for(issue(project, by).text)
    assert len(keys._cache) <= 3


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written: str, kept: str) -> None:
    assert api_keys.checked_origin(written) == kept


@pytest.mark.parametrize(
    "origin",
    ["", "*", "null", "https://*", "https://a.example/path", "ftp://a", "https://u@a.example", "shop.example",
     "https://a.example\0", "https://", "javascript:alert(1)", "https://a b", "https://a.example?x"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(Invalid):
        api_keys.checked_origin(origin)


def test_the_kinds_and_the_person_go_together(project: Project, by: Actor) -> None:
    with pytest.raises(Invalid):
        issue(project, by, "root")
    with pytest.raises(Invalid):
        api_keys.issue(project=project, kind="secret", name=" ", by=by)


def test_the_command_prints_the_key_alone(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("issue_key", "garden", scope=["prompt:read"])
    text = capsys.readouterr().out
    assert keys.grant_for(text.strip()).permissions == {Permission.PROMPT_READ}
    assert text.count("\n") == 1
    call_command("issue_key", "garden", publishable=True, origin=["https://shop.example"])
    grant = keys.grant_for(capsys.readouterr().out.strip())
    assert (grant.kind, grant.origins) == ("publishable", ("https://shop.example",))
    call_command("issue_key", "garden", personal="ADA@example.com")
    assert keys.grant_for(capsys.readouterr().out.strip()).kind == "personal"


@pytest.mark.parametrize(
    "options", [{"slug": "nowhere"}, {"scope": ["x"]}, {"personal": "stranger@example.com"}, {"origin": ["*"]}]
)
def test_the_command_explains_what_it_refuses(project: Project, options: dict[str, object]) -> None:
    with pytest.raises(CommandError):
        call_command("issue_key", options.pop("slug", "garden"), **options)


def test_create_project_shows_a_new_admins_password_once(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_project", "shop", admin="Bob@Example.com", name="Shop")
    text = capsys.readouterr().out
    bob = User.objects.get(email="bob@example.com")
    assert bob.check_password(text.partition("once): ")[2].strip())
    call_command("create_project", "shop-2", admin="bob@example.com")
    assert "password" not in capsys.readouterr().out
    assert Membership.objects.filter(user=bob, role="admin").count() == 2
    with pytest.raises(CommandError):
        call_command("create_project", "shop", admin="carol@example.com")
    assert not User.objects.filter(email="carol@example.com").exists()
    with pytest.raises(CommandError):
        call_command("create_project", "shop-3", admin="not an address")


def test_the_system_may_issue(project: Project) -> None:
    assert keys.grant_for(issue(project, SYSTEM).text).actor.kind == "key"
