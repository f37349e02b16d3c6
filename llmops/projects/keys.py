"""From a key's text to what it may do: the API's and git's half of the one door.

The answer is kept in the process for at most a second, so a revoked key or a changed role is refused everywhere
within that second while a busy client costs no query per request.
"""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q
from django.utils import timezone

from llmops.common.actors import Actor
from llmops.common.errors import DomainError, Forbidden
from llmops.projects.models import ApiKey, Membership, Project
from llmops.projects.permissions import PUBLISHABLE_SCOPES, SECRET_SCOPES, Permission
from llmops.projects.services.api_keys import digest

CACHE_SECONDS = 1.0
CACHE_SIZE = 4096


class KeyRefused(DomainError):
    """Missing, unknown, expired and revoked keys look the same."""

    code = "unauthorized"
    status = 401


@dataclass(frozen=True, slots=True)
class Grant:
    """What the bearer of a key may do, and where."""

    project: Project
    actor: Actor
    kind: str
    permissions: frozenset[Permission]
    origins: tuple[str, ...]
    key_id: int
    expires_at: datetime | None

    def require(self, permission: Permission) -> None:
        """:raises Forbidden: naming the missing permission."""
        if permission not in self.permissions:
            raise Forbidden(f"This key does not have the scope {permission}.", fields={"scope": permission})


_cache: dict[bytes, tuple[float, Grant]] = {}
_signers: dict[str, tuple[float, bytes]] = {}
_lock = threading.Lock()


def grant_for_header(header: str | None) -> Grant:
    """The grant of an `Authorization: Bearer …` header.

    :raises KeyRefused: when there is none, or the key is not good.
    """
    scheme, _, text = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise KeyRefused("Send the header “Authorization: Bearer <key>”.")
    return grant_for(text.strip())


def grant_for_any_header(header: str | None) -> Grant:
    """As `grant_for_header`; the secret key may also be the password of basic authentication, as tracing libraries
    send it with a publishable key for the name. The secret alone decides.

    :raises KeyRefused: when there is none, or the key is not good.
    """
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return grant_for_header(header)
    try:
        _, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        password = ""
    if not password:
        raise KeyRefused("Send your secret key as the password, or “Authorization: Bearer <key>”.")
    return grant_for(password)


def grant_for(text: str) -> Grant:
    """The grant of a key's text; see `grant_for_header`."""
    try:
        name = digest(text)
    except UnicodeEncodeError:
        raise KeyRefused("The key is not known here.") from None
    return grant_of_digest(name)


def grant_of_digest(name: bytes) -> Grant:
    """The grant of the key with this SHA-256; see `grant_for_header`."""
    now = time.monotonic()
    if (kept := _cache.get(name)) is not None and kept[0] > now:
        grant = kept[1]
        if grant.expires_at is not None and grant.expires_at <= timezone.now():
            raise KeyRefused("The key is not known here, or no longer good.")
        return grant
    grant = _read(name)
    with _lock:
        if len(_cache) >= CACHE_SIZE:
            _cache.clear()
        _cache[name] = (now + CACHE_SECONDS, grant)
    return grant


@dataclass(frozen=True, slots=True)
class Signer:
    """A good secret key with which tokens were signed: what it may do, and the SHA-256 of its text."""

    grant: Grant
    digest: bytes


def signer_of(prefix: str) -> Signer:
    """The secret key that begins so; also kept for at most a second.

    :raises KeyRefused: when there is no such key, or it is no longer good.
    """
    if (kept := _signers.get(prefix)) is not None and kept[0] > time.monotonic():
        return Signer(grant_of_digest(kept[1]), kept[1])
    secret = ApiKey.objects.filter(prefix=prefix, kind=ApiKey.Kind.SECRET).values_list("digest", flat=True).first()
    if secret is None:
        raise KeyRefused("The key is not known here, or no longer good.")
    found = bytes(secret)
    with _lock:
        if len(_signers) >= CACHE_SIZE:
            _signers.clear()
        _signers[prefix] = (time.monotonic() + CACHE_SECONDS, found)
    return Signer(grant_of_digest(found), found)


def digest_of(grant: Grant) -> tuple[str, bytes]:
    """The prefix and the digest of the key behind a grant, to sign with.

    :raises Forbidden: unless it is a secret key.
    """
    if grant.kind != ApiKey.Kind.SECRET:
        raise Forbidden("Only a secret key signs.", fields={"key": "must be a secret key"})
    prefix, found = ApiKey.objects.values_list("prefix", "digest").get(pk=grant.key_id)
    return prefix, bytes(found)


def forget() -> None:
    """Empty this process's cache (tests, and the process that revokes)."""
    with _lock:
        _cache.clear()
        _signers.clear()


def _read(name: bytes) -> Grant:
    now = timezone.now()
    key = (
        ApiKey.objects.select_related("project", "user")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), digest=name, revoked_at=None, project__deleted_at=None)
        .first()
    )
    if key is None:
        raise KeyRefused("The key is not known here, or no longer good.")
    permissions = _permissions(key)
    _touch(key, now.date())
    return Grant(
        project=key.project,
        actor=Actor(kind="key", id=key.pk, text=_actor_text(key), user_id=key.user_id),
        kind=key.kind,
        permissions=permissions,
        origins=tuple(key.origins),
        key_id=key.pk,
        expires_at=key.expires_at,
    )


def _actor_text(key: ApiKey) -> str:
    return f"{key.user} with key {key.prefix}…" if key.user else f"key {key.name}"


def _permissions(key: ApiKey) -> frozenset[Permission]:
    if key.kind == ApiKey.Kind.PERSONAL:
        membership = Membership.objects.filter(project_id=key.project_id, user=key.user, user__is_active=True).first()
        if membership is None:
            raise KeyRefused("The key is not known here, or no longer good.")
        most = membership.permissions
    else:
        most = SECRET_SCOPES if key.kind == ApiKey.Kind.SECRET else PUBLISHABLE_SCOPES
    # A scope that this version no longer knows grants nothing.
    return frozenset(scope for scope in most if scope in key.scopes) if key.scopes else most


def _touch(key: ApiKey, today: date) -> None:
    if key.last_used_on != today:
        ApiKey.objects.filter(pk=key.pk).update(last_used_on=today)
