"""What a feedback token lets a browser do: react to one call as one person, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from feedback import tokens
from feedback.api import origins
from feedback.api.intake import Reader, Reading
from feedback.services import arrivals
from feedback.tokens import Claim
from llmops.common.errors import Forbidden
from llmops.projects import keys
from llmops.projects.permissions import Permission

# What an event may call these fields.
CALL_NAMES = ("call", "call_id")
PERSON_NAMES = ("end_user", "user", "session")


def granted_by(bearer: str, now: datetime) -> tuple[keys.Grant, Claim]:
    """The grant of a token, usable from the origins that the project's publishable keys list.

    :raises TokenRefused: when it, or the key that signed it, is not good.
    """
    sealed = tokens.parsed(bearer)
    try:
        signer = keys.signer_of(sealed.prefix)
    except keys.KeyRefused:
        raise tokens.TokenRefused from None
    claim = tokens.opened(sealed, key_digest=signer.digest, now=now.timestamp())
    signer.grant.require(Permission.FEEDBACK_SEND)
    grant = replace(
        signer.grant,
        kind=origins.TOKEN,
        permissions=frozenset({Permission.FEEDBACK_SEND}),
        origins=origins.listed_in(signer.grant.project.pk),
    )
    return grant, claim


def reader_for(claim: Claim, read: Reader) -> Reader:
    """The reader of events, which fills in the token's call and person."""

    def read_bound(item: dict[str, Any], body: bytes, repaired: bool) -> Reading:
        whole = bound(item, claim)
        return read(whole, arrivals.json_bytes(whole), repaired)

    return read_bound


def bound(item: dict[str, Any], claim: Claim) -> dict[str, Any]:
    """The event about the token's call, from the token's person.

    :raises Forbidden: when it names another call or person.
    """
    for names, allowed in ((CALL_NAMES, claim.call), (PERSON_NAMES, claim.end_user)):
        for name in names:
            if name in item and (name == "session" or item[name] != allowed):
                raise Forbidden(f"This token is for another {names[0]}.", fields={name: "not what the token is for"})
    rest = {name: value for name, value in item.items() if name not in CALL_NAMES + PERSON_NAMES}
    return {**rest, "call": claim.call, "end_user": claim.end_user}
