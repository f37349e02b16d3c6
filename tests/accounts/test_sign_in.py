"""Signing in and out: sessions end when they should, guessing is slow, and nothing tells who has an account."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client

from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.common.actors import SYSTEM
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _fresh_limits() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def sign_in(client: Client, email: str = "ada@example.com", password: str = PASSWORD, query: str = "") -> int:
    return client.post(f"/accounts/login/{query}", {"login": email, "password": password}).status_code


def is_in(client: Client) -> bool:
    return client.get("/projects/").status_code == 200


def test_a_person_signs_in_by_address_in_any_case(project: Project, client: Client) -> None:
    assert sign_in(client, "ADA@Example.COM") == 302
    assert is_in(client)


def test_a_session_gets_a_new_id_at_sign_in(project: Project, client: Client) -> None:
    session = client.session
    session["seen"] = "before"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    sign_in(client)
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != session.session_key
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    assert not is_in(stolen)


def copy_of(client: Client) -> Client:
    other = Client()
    other.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return other


def test_a_session_is_dead_after_sign_out(project: Project, client: Client) -> None:
    sign_in(client)
    stolen = copy_of(client)
    assert is_in(stolen)
    assert is_in(client)
    client.get("/accounts/logout/")
    assert is_in(client)  # looking at the page is not signing out
    client.post("/accounts/logout/")
    assert not is_in(client)
    assert not is_in(stolen)


def test_every_session_is_dead_after_a_new_password(project: Project, admin: User, client: Client) -> None:
    sign_in(client)
    elsewhere = Client()
    sign_in(elsewhere)
    form = {"oldpassword": PASSWORD, "password1": "another long phrase", "password2": "another long phrase"}
    assert client.post("/accounts/password/change/", form).status_code == 302
    assert not is_in(elsewhere)
    admin.refresh_from_db()
    assert admin.check_password("another long phrase")


def test_a_person_who_is_shut_out_is_out_at_once_and_stays_out(project: Project, admin: User, client: Client) -> None:
    sign_in(client)
    people.set_active(user=admin, active=False, by=SYSTEM)
    assert not is_in(client)
    sign_in(client)
    assert not is_in(client)
    people.set_active(user=admin, active=True, by=SYSTEM)
    assert is_in(client)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "https:evil.example",
        "javascript:alert(1)", "///evil.example", "http:///evil.example", "/%09/evil.example", "\t//evil.example",
        "https://127.0.0.1@evil.example/", "https://testserver.evil.example/", "/..//evil.example", "data:text/html,x",
    ],
)  # fmt: skip
def test_sign_in_goes_on_only_to_this_site(project: Project, client: Client, target: str) -> None:
    response = client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD, "next": target})
    assert response.status_code == 302
    went = response["Location"]
    assert went.startswith("/")
    assert not went.startswith(("//", "/\\"))
    # A browser resolves dots and drops control characters before it looks at the host.
    assert not re.match(r"^/+[\\/]", re.sub(r"[\t\r\n]", "", went))


def test_guessing_one_account_is_stopped_and_its_owner_gets_in_by_mail(project: Project, admin: User) -> None:
    answers = []
    for number in range(30):
        guesser = Client(REMOTE_ADDR=f"198.51.100.{number}")
        sign_in(guesser, password=f"guess {number}")
        answers.append(is_in(guesser))
        sign_in(guesser, password=PASSWORD) if number > 10 else None
        answers.append(is_in(guesser))
    assert not any(answers)
    owner = Client(REMOTE_ADDR="203.0.113.5")
    owner.post("/accounts/password/reset/", {"email": "ada@example.com"})
    (message,) = mail.outbox
    link = re.search(r"/accounts/password/reset/key/\S+", message.body)
    assert link is not None
    form = owner.get(link.group(), follow=True)
    choice = {"password1": "another long phrase", "password2": "another long phrase"}
    owner.post(form.request["PATH_INFO"], choice)
    sign_in(owner, password="another long phrase")
    assert is_in(owner)


def test_one_address_cannot_try_many_accounts(project: Project, client: Client) -> None:
    answers = [sign_in(client, email=f"person{number}@example.com", password="x") for number in range(40)]
    assert 429 in answers or b"Too many" in client.post(
        "/accounts/login/", {"login": "new@example.com", "password": "x"}
    ).content  # fmt: skip
    sign_in(client)
    assert not is_in(client)


def test_a_reset_link_works_once_and_looking_at_it_costs_nothing(project: Project, client: Client) -> None:
    client.post("/accounts/password/reset/", {"email": "ada@example.com"})
    link = re.search(r"/accounts/password/reset/key/\S+", mail.outbox[0].body)
    assert link is not None
    for _ in range(3):  # a mail scanner
        assert Client().get(link.group(), follow=True).status_code == 200
    choice = {"password1": "another long phrase", "password2": "another long phrase"}
    client.post(client.get(link.group(), follow=True).request["PATH_INFO"], choice)
    assert sign_in(Client(), password="another long phrase") == 302
    late = Client()
    late.post(late.get(link.group(), follow=True).request["PATH_INFO"], choice | {"password1": "x y z 123 456 789"})
    assert sign_in(Client(), password="another long phrase") == 302


def test_sign_in_and_reset_do_not_tell_who_has_an_account(project: Project) -> None:
    def text(path: str, form: dict[str, str]) -> tuple[int, str, str]:
        response = Client().post(path, form)
        body = re.sub(r"[\w.]+@example\.com", "ADDRESS", response.content.decode())
        body = re.sub(r'value="[A-Za-z0-9]{64}"|"X-CSRFToken": "\w+"|X-CSRFToken&quot;: &quot;\w+', "", body)
        return response.status_code, response.get("Location", ""), re.sub(r"[0-9a-f]{32}", "", body)

    for path, known, unknown in [
        ("/accounts/login/", {"login": "ada@example.com", "password": "x"}, {"login": "bob@example.com", "password": "x"}),  # noqa: E501
        ("/accounts/password/reset/", {"email": "ada@example.com"}, {"email": "bob@example.com"}),
        ("/accounts/signup/", {"email": "ada@example.com"}, {"email": "bob@example.com"}),
    ]:  # fmt: skip
        assert text(path, known) == text(path, unknown)


def test_sign_up_is_closed(client: Client, db: None) -> None:
    form = {"email": "bob@example.com", "password1": "a long enough phrase", "password2": "a long enough phrase"}
    client.post("/accounts/signup/", form)
    assert not User.objects.exists()


def test_passwords_are_kept_with_argon2id() -> None:
    from llmops import settings as product

    assert product.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")
    from django.contrib.auth.hashers import Argon2PasswordHasher

    assert Argon2PasswordHasher().encode("x", "saltsaltsalt").startswith("argon2$argon2id$")


@pytest.mark.parametrize("password", ["short", "password123", "ada@example.com", "1234567890"])
def test_weak_passwords_are_refused(db: None, password: str) -> None:
    with pytest.raises(Invalid):
        people.create(email="ada@example.com", name="Ada", password=password)


def test_an_address_is_one_account_in_any_case(admin: User) -> None:
    with pytest.raises(Conflict):
        people.create(email="ADA@example.com", name="Imposter", password="a long enough phrase")


def test_there_are_no_flags_that_skip_memberships() -> None:
    fields = {field.name for field in User._meta.get_fields()}
    assert fields.isdisjoint({"is_staff", "is_superuser", "user_permissions", "groups", "is_admin"})
