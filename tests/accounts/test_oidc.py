"""Single sign-on against a real OpenID Connect provider on this machine: who gets in, who does not."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from jwt.algorithms import RSAAlgorithm

from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.common.actors import SYSTEM, Actor
from llmops.projects.models import Membership, Project
from llmops.projects.services import invitations
from llmops.settings import oidc_providers

CLIENT_ID = "llmops"
CLIENT_SECRET = "a/secret@with:signs"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider(ThreadingHTTPServer):
    """Authorization code flow with PKCE; whoever asks is `claims`."""

    claims: dict[str, Any]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}/realm"
        self.challenges: dict[str, str] = {}

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, **self.claims}
        return jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "1"})


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, body: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        url, issuer = urlsplit(self.path), self.server.issuer
        if url.path == "/realm/.well-known/openid-configuration":
            names = ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"]
            self.answer({"issuer": issuer} | {name: f"{issuer}/{name}" for name in names})
        elif url.path == "/realm/authorization_endpoint":
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
            assert asked["code_challenge_method"] == "S256"
            self.server.challenges["the-code"] = asked["code_challenge"]
            self.send_response(302)
            back = urlencode({"code": "the-code", "state": asked["state"]})
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif url.path == "/realm/userinfo_endpoint":
            assert self.headers["Authorization"] == "Bearer the-token"
            self.answer(self.server.claims)
        elif url.path == "/realm/jwks_uri":
            self.answer({"keys": [json.loads(RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "1"}]})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        verifier = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        right = (
            form["code"] == ["the-code"]
            and self.server.challenges.pop("the-code", "") == challenge
            and form["client_secret"] == [CLIENT_SECRET]
        )
        if right:
            self.answer({"access_token": "the-token", "token_type": "Bearer", "id_token": self.server.id_token()})
        else:
            self.answer({"error": "invalid_grant"}, 400)


@pytest.fixture
def provider(settings: Any, db: None) -> Iterator[Provider]:
    cache.clear()
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    line = server.issuer.replace("://", f"://{CLIENT_ID}:{quote(CLIENT_SECRET, safe='')}@")
    settings.SOCIALACCOUNT_PROVIDERS = oidc_providers(line)
    settings.LLMOPS_OIDC_ENABLED = True
    server.claims = {"sub": "u-1", "email": "Ada@Example.com", "email_verified": True, "name": "Ada Lovelace"}
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def sign_in(client: Client, path: str = "/accounts/oidc/oidc/login/") -> Any:
    """Walk there and back as a browser does; the answer of our callback."""
    leave = client.post(path)
    assert leave.status_code == 302, leave.content[:300]
    url = urlsplit(leave["Location"])
    connection = HTTPConnection(url.netloc, timeout=5)
    connection.request("GET", f"{url.path}?{url.query}")
    back = urlsplit(connection.getresponse().headers["Location"])
    connection.close()
    return client.get(f"{back.path}?{back.query}")


def who(client: Client) -> str | None:
    response = client.get("/projects/")
    return response.context["user"].email if response.status_code == 200 else None


def test_somebody_with_an_account_gets_in(provider: Provider, project: Project, client: Client) -> None:
    assert sign_in(client).status_code == 302
    assert who(client) == "ada@example.com"
    assert User.objects.count() == 1


def test_the_second_time_the_provider_may_know_another_address(
    provider: Provider, project: Project, client: Client
) -> None:
    sign_in(client)
    provider.claims["email"] = "ada@new.example"
    again = Client()
    sign_in(again)
    assert who(again) == "ada@example.com"


def test_an_unknown_person_is_refused_and_leaves_no_account(provider: Provider, client: Client) -> None:
    sign_in(client)
    assert who(client) is None
    assert not User.objects.exists()


def test_a_person_who_is_shut_out_stays_out(provider: Provider, project: Project, admin: User, client: Client) -> None:
    sign_in(Client())
    people.set_active(user=admin, active=False, by=SYSTEM)
    sign_in(client)
    assert who(client) is None


@pytest.mark.parametrize("verified", [False, None, "false", 0])
def test_an_address_that_the_provider_did_not_verify_opens_nothing(
    provider: Provider, project: Project, client: Client, verified: object
) -> None:
    provider.claims["email_verified"] = verified
    sign_in(client)
    assert who(client) is None
    assert User.objects.count() == 1


def invite(project: Project, by: Actor, email: str = "bob@example.com") -> str:
    issued = invitations.create(project=project, email=email, role="editor", by=by, now=timezone.now())
    return urlsplit(issued.link).path


def test_an_invited_person_gets_an_account_by_single_sign_on(
    provider: Provider, project: Project, by: Actor, client: Client
) -> None:
    path = invite(project, by)
    provider.claims |= {"sub": "u-2", "email": "Bob@Example.com", "name": "Bob"}
    went = client.post(path, {"oidc": "1"})["Location"]
    assert sign_in(client, went)["Location"] == path
    assert who(client) == "bob@example.com"
    client.post(path)
    bob = User.objects.get(email="bob@example.com")
    assert (bob.name, bob.has_usable_password(), Membership.objects.get(user=bob).role) == ("Bob", False, "editor")


def test_an_invitation_opens_an_account_for_its_own_address_alone(
    provider: Provider, project: Project, by: Actor, client: Client
) -> None:
    path = invite(project, by)
    provider.claims |= {"sub": "u-3", "email": "mallory@example.com"}
    sign_in(client, client.post(path, {"oidc": "1"})["Location"])
    provider.claims |= {"sub": "u-4", "email": "bob@example.com", "email_verified": False}
    sign_in(client, client.post(path, {"oidc": "1"})["Location"])
    assert who(client) is None
    assert set(User.objects.values_list("email", flat=True)) == {"ada@example.com"}


def test_looking_at_the_way_in_starts_nothing(provider: Provider, client: Client) -> None:
    assert client.get("/accounts/oidc/oidc/login/").status_code == 200


def test_a_forged_or_repeated_answer_is_refused(provider: Provider, project: Project, client: Client) -> None:
    client.get("/accounts/oidc/oidc/login/callback/?code=the-code&state=forged")
    assert who(client) is None
    leave = client.post("/accounts/oidc/oidc/login/")
    asked = parse_qs(urlsplit(leave["Location"]).query)
    victim = Client()
    victim.get(f"/accounts/oidc/oidc/login/callback/?code=the-code&state={asked['state'][0]}")
    assert who(victim) is None


def test_a_token_for_somebody_else_is_refused(
    provider: Provider, project: Project, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.claims["aud"] = "another-client"
    sign_in(client)
    assert who(client) is None
    provider.claims |= {"aud": CLIENT_ID, "iss": "https://elsewhere.example"}
    sign_in(client)
    assert who(client) is None


def test_a_provider_that_is_away_is_no_error_of_ours(provider: Provider, client: Client) -> None:
    provider.shutdown()
    provider.server_close()
    assert client.post("/accounts/oidc/oidc/login/").status_code == 503


@pytest.mark.parametrize("line", ["nonsense", "https://issuer.example", "https://id@issuer.example", "ftp://a:b@c"])
def test_a_wrong_setting_stops_the_start_with_its_form(line: str) -> None:
    with pytest.raises(SystemExit, match="LLMOPS_OIDC must look like"):
        oidc_providers(line)


def test_without_the_setting_there_is_no_provider(db: None, client: Client) -> None:
    assert oidc_providers(None) == {}
    assert client.get("/accounts/oidc/oidc/login/").status_code == 404
