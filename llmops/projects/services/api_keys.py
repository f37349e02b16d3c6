"""Issue and revoke API keys."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import ApiKey, Project
from llmops.projects.permissions import PUBLISHABLE_SCOPES, SECRET_SCOPES, Permission

ALPHABET = string.ascii_letters + string.digits
MARKS = {"personal": "uk", "secret": "sk", "publishable": "pk"}
SHOWN = 10
ORIGIN = re.compile(r"(https?)://([a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\])((?::[0-9]{1,5})?)")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """The only moment at which the key's text exists."""

    key: ApiKey
    text: str


def digest(text: str) -> bytes:
    """What is stored in place of a key."""
    return hashlib.sha256(text.encode()).digest()


@transaction.atomic
def issue(
    *,
    project: Project,
    kind: str,
    name: str,
    by: Actor,
    user: User | None = None,
    scopes: Iterable[str] = (),
    origins: Iterable[str] = (),
    expires_at: datetime | None = None,
) -> IssuedKey:
    """A new key of a project; for kind `personal` it acts as `user` and needs the person's role.

    :raises Invalid: when the kind, a scope or an origin is not acceptable, or the name is empty.
    """
    if kind not in MARKS:
        raise Invalid("There is no such kind of key.", fields={"kind": f"choose from {', '.join(MARKS)}"})
    if not (name := people.checked_name(name)):
        raise Invalid("A key needs a name.", fields={"name": "is empty"})
    allowed = {"secret": SECRET_SCOPES, "publishable": PUBLISHABLE_SCOPES}.get(kind, frozenset(Permission))
    wanted = sorted(set(scopes))
    if refused := [scope for scope in wanted if scope not in allowed]:
        raise Invalid(
            f"A {kind} key cannot have the scope {', '.join(refused)}.",
            fields={"scopes": f"choose from {', '.join(sorted(allowed))}"},
        )
    text = f"{MARKS[kind]}-{''.join(secrets.choice(ALPHABET) for _ in range(32))}"
    key = ApiKey.objects.create(
        project=project,
        kind=kind,
        user=user,
        name=name,
        prefix=text[:SHOWN],
        digest=digest(text),
        scopes=wanted,
        origins=[checked_origin(origin) for origin in origins],
        expires_at=expires_at,
    )
    audit.record("key.issued", by=by, target=key, kind=kind, scopes=wanted)
    return IssuedKey(key=key, text=text)


def checked_origin(origin: str) -> str:
    """An origin as browsers send it: scheme, host, and port when it is not the default.

    :raises Invalid: for anything with a path, a wildcard or another scheme.
    """
    found = ORIGIN.fullmatch(origin.strip().lower().removesuffix("/"))
    if found is None:
        raise Invalid(
            f"{origin[:80]!r} is not an origin.", fields={"origins": "write origins like https://shop.example"}
        )
    scheme, host, port = found.groups()
    usual = {"http": ":80", "https": ":443"}[scheme]
    return f"{scheme}://{host}{'' if port == usual else port}"


@transaction.atomic
def revoke(*, key: ApiKey, by: Actor, now: datetime) -> None:
    """End a key for good; web processes notice within a second."""
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        audit.record("key.revoked", by=by, target=key)
