"""Git's addresses as any client may ask them: who gets in, and hostile bodies."""

from __future__ import annotations

import base64
import gzip
import io
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.models import Membership, Project
from llmops.projects.services import api_keys
from prompts.git import packs, pktline
from prompts.git.packs import Raw
from prompts.models import GitObject, GitRef, VersionNumber
from prompts.services import versions
from tests.prompts.pushes import NOW, body, committed, pack_of

BASE = "/git/garden.git"
TEXT = b"system:\nBe brief.\n"


class GitClient(Client):
    """Sends requests with an address and a key."""

    def __init__(self, name: str, key: str) -> None:
        token = base64.b64encode(f"{name}:{key}".encode()).decode()
        super().__init__(headers={"Authorization": f"Basic {token}"}, raise_request_exception=True)

    def refs(self, service: str = "git-upload-pack", **headers: str) -> Any:
        return self.get(f"{BASE}/info/refs?service={service}", headers={"Git-Protocol": "version=2", **headers})

    def command(self, data: bytes, service: str = "git-upload-pack", **headers: str) -> Any:
        kind = f"application/x-{service}-request"
        return self.post(f"{BASE}/{service}", data, content_type=kind, headers=headers)

    def said(self, data: bytes, service: str = "git-upload-pack", **headers: str) -> bytes:
        answer = self.command(data, service, **headers)
        assert answer.status_code == 200, answer.content
        return answer.getvalue()


@pytest.fixture
def ada(project: Project, admin: User, by: Actor) -> GitClient:
    return GitClient(admin.email, key_of(project, admin, by))


def key_of(project: Project, user: User | None, by: Actor, kind: str = "personal") -> str:
    return api_keys.issue(project=project, kind=kind, name="git", user=user, by=by).text


def fetch(*arguments: str) -> bytes:
    lines = b"".join(pktline.line(word + "\n") for word in arguments)
    return pktline.line("command=fetch\n") + b"0001" + lines + b"0000"


def test_only_the_personal_key_of_a_member_with_its_address_gets_in(
    project: Project, other_project: Project, admin: User, by: Actor
) -> None:
    eve = User.objects.get(email="eve@example.com")
    personal = key_of(project, admin, by)
    assert GitClient("ADA@example.com", personal).refs().status_code == 200
    for name, key in [
        (admin.email, key_of(project, None, by, "secret")),
        (admin.email, key_of(project, None, by, "publishable")),
        (eve.email, personal),
        ("", personal),
        (admin.email, personal + "x"),
        (admin.email, "ä\udc80".encode(errors="surrogateescape").decode("latin-1")),
    ]:
        refused = GitClient(name, key).refs()
        assert (refused.status_code, refused["WWW-Authenticate"][:5]) == (401, "Basic")
    assert Client().get(f"{BASE}/info/refs?service=git-upload-pack").status_code == 401
    assert Client(headers={"Authorization": "Basic ###"}).get(f"{BASE}/info/refs").status_code == 401
    assert GitClient(eve.email, key_of(other_project, eve, by)).refs().status_code == 404


def test_a_revoked_key_and_a_removed_member_are_out_within_the_next_request(
    project: Project, member: Callable[[str], User], by: Actor
) -> None:
    editor = member("editor")
    issued = api_keys.issue(project=project, kind="personal", name="git", user=editor, by=by)
    client = GitClient(editor.email, issued.text)
    assert client.refs("git-receive-pack").status_code == 200
    Membership.objects.filter(user=editor).update(role="viewer")
    keys.forget()
    assert client.refs("git-receive-pack").status_code == 403
    api_keys.revoke(key=issued.key, by=by, now=timezone.now())
    keys.forget()
    assert client.refs().status_code == 401


def test_nothing_else_of_a_repository_is_served(ada: GitClient) -> None:
    for path in ("/HEAD", "/objects/info/packs", "/config", "/../garden.git/info/refs", "/info/refs/x", ""):
        assert ada.get(BASE + path).status_code == 404
    assert ada.get(f"{BASE}/info/refs").status_code == 403
    assert ada.get(f"{BASE}/info/refs?service=git-upload-archive").status_code == 403
    assert ada.get(f"{BASE}/git-upload-pack").status_code == 405
    assert ada.post(f"{BASE}/info/refs").status_code == 405


def test_an_old_client_is_told_what_it_needs(ada: GitClient) -> None:
    answer = ada.get(f"{BASE}/info/refs?service=git-upload-pack")
    assert answer.status_code == 400
    assert b"version 2" in answer.content


def test_a_push_from_a_shallow_clone_in_gzip_makes_a_version(ada: GitClient, project: Project) -> None:
    new, objects = committed({"prompts/greet.prompty": TEXT}, None)
    sent = body(old=None, new=new, pack=pack_of(objects), shallow="1" * 40)
    answer = ada.said(gzip.compress(sent), "git-receive-pack", **{"Content-Encoding": "gzip"})
    assert b"ok refs/heads/main" in answer
    assert b"greet: version 1" in answer
    assert VersionNumber.objects.count() == 1


def test_a_chunked_body_without_a_length_is_read_to_its_end(ada: GitClient, project: Project) -> None:
    new, objects = committed({"prompts/greet.prompty": TEXT}, None)
    sent = io.BytesIO(body(old=None, new=new, pack=pack_of(objects)))
    chunked = {"wsgi.input": sent, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = ada.post(f"{BASE}/git-receive-pack", b"", content_type="application/x-git-receive-pack-request", **chunked)
    assert b"ok refs/heads/main" in answer.getvalue()


def test_the_probe_before_a_large_push_is_answered_with_nothing(ada: GitClient) -> None:
    assert ada.said(b"0000", "git-receive-pack") == b""


def test_a_commit_that_is_no_tip_any_more_can_still_be_fetched(ada: GitClient, project: Project, by: Actor) -> None:
    first = versions.save(project=project, path="greet", content="system:\n1\n", message="", by=by, now=NOW)
    versions.save(project=project, path="greet", content="system:\n2\n", message="", by=by, now=NOW)
    assert b"PACK" in ada.said(fetch(f"want {first.version.commit.hex}", "done"))


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"x", b"0000", b"zzzz", b"0003", b"fffe" + b"x" * 10, b"0005", b"+0x5a",
        pktline.line("command=wipe") + b"0000",
        fetch(), fetch("done"), fetch("want x", "done"), fetch(f"want {'1' * 40}", "done"), fetch(f"want {'ä' * 40}"),
        fetch(f"want {'1' * 40}", "deepen 0"), fetch(f"want {'1' * 40}", f"deepen {'9' * 5000}"),
        fetch(f"want {'1' * 40}", "deepen-since 5"), fetch(f"want {'1' * 40}", f"have {'zz' * 20}"),
        pktline.line("command=ls-refs") + pktline.line("object-format=sha256") + b"0000",
    ],
)  # fmt: skip
def test_what_is_not_the_protocol_is_a_400(ada: GitClient, sent: bytes) -> None:
    assert ada.command(sent).status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        b"x", b"0001", pktline.line("hello") + b"0000", pktline.line(b"\xff" * 100) + b"0000",
        pktline.line(f"{'1' * 40} {'2' * 40} ") + b"0000", pktline.line("push-cert\0x") + b"0000",
        pktline.line(f"{'1' * 40} {'2' * 40} refs/heads/x") * 60 + b"0000",
        pktline.line(f"{'1' * 40} {'2' * 40} refs/heads/x") * 2 + b"0000",
    ],
)  # fmt: skip
def test_what_is_not_a_push_is_a_400(ada: GitClient, sent: bytes) -> None:
    assert ada.command(sent, "git-receive-pack").status_code == 400


def test_bodies_that_inflate_too_far_or_lie_are_refused(ada: GitClient) -> None:
    bomb = gzip.compress(bytes(100_000_000))
    assert ada.command(bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert ada.command(b"not gzip", **{"Content-Encoding": "gzip"}).status_code == 400
    assert ada.command(gzip.compress(b"0000")[:-4], **{"Content-Encoding": "gzip"}).status_code == 400
    assert ada.command(b"0000", **{"Content-Encoding": "br"}).status_code == 400
    assert ada.command(b"x" * 9_000_000).status_code == 413


def test_random_damage_to_a_push_never_is_a_500_and_stores_nothing_broken(ada: GitClient, project: Project) -> None:
    new, objects = committed({"prompts/greet.prompty": TEXT, "b/c": b"x" * 300}, None)
    good = body(old=None, new=new, pack=pack_of(objects))
    chance = random.Random(3)
    for _ in range(150):
        sent = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            sent[chance.randrange(len(sent))] = chance.randrange(256)
        assert ada.command(bytes(sent), "git-receive-pack").status_code in {200, 400}
    # A changed letter of the ref's name makes another branch: what is stored then is whole.
    for row in GitObject.objects.all():
        assert packs.name_of(Raw(row.type, zlib.decompress(row.data))) == bytes(row.sha)
    known = {bytes(row.sha) for row in GitObject.objects.filter(type=packs.COMMIT)}
    assert {bytes(ref.sha) for ref in GitRef.objects.all()} <= known
