"""Seal and open providers' keys. A sealed key opens only in the project that it was sealed for."""

from __future__ import annotations

import json
import uuid

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from llmops.common.errors import Unavailable


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.LLMOPS_SEALING_KEYS])


def seal(secret: str, *, project: uuid.UUID) -> str:
    """Ciphertext of the secret, bound to the project."""
    return _keys().encrypt(json.dumps([project.hex, secret]).encode()).decode()


def unseal(sealed: str, *, project: uuid.UUID) -> str:
    """The secret.

    :raises Unavailable: when no sealing key opens it, or it was sealed for another project.
    """
    try:
        owner, secret = json.loads(_keys().decrypt(sealed.encode()))
    except InvalidToken:
        raise Unavailable(
            "The provider key cannot be opened: the sealing key has changed. Enter the key again."
        ) from None
    if owner != project.hex:
        raise Unavailable("The provider key belongs to another project. Enter the key again.")
    return str(secret)


def resealed(sealed: str) -> str:
    """The same secret under the newest sealing key."""
    return _keys().rotate(sealed.encode()).decode()
