"""Providers' keys at rest."""

from __future__ import annotations

import uuid

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from llmops.common.errors import Unavailable
from llmops.gateway import crypto

PROJECT, OTHER = uuid.uuid4(), uuid.uuid4()


def test_a_sealed_key_opens_in_its_project_alone() -> None:
    sealed = crypto.seal("sk-secret", project=PROJECT)
    assert "sk-secret" not in sealed
    assert crypto.unseal(sealed, project=PROJECT) == "sk-secret"
    with pytest.raises(Unavailable):
        crypto.unseal(sealed, project=OTHER)


def test_keys_are_rotated_without_a_gap(settings: Settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.LLMOPS_SEALING_KEYS = [old]
    sealed = crypto.seal("sk-secret", project=PROJECT)
    settings.LLMOPS_SEALING_KEYS = [new, old]
    assert crypto.unseal(sealed, project=PROJECT) == "sk-secret"
    again = crypto.resealed(sealed)
    settings.LLMOPS_SEALING_KEYS = [new]
    assert crypto.unseal(again, project=PROJECT) == "sk-secret"
    with pytest.raises(Unavailable):
        crypto.unseal(sealed, project=PROJECT)


def test_what_was_tampered_with_does_not_open() -> None:
    sealed = crypto.seal("sk-secret", project=PROJECT)
    with pytest.raises(Unavailable):
        crypto.unseal(sealed[:-4] + "AAA=", project=PROJECT)
