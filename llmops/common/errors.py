"""Errors that a person or a client can cause; pages and the API each translate them once.

No Django here: pure modules of every app raise these too.
"""

from __future__ import annotations

from collections.abc import Mapping


class DomainError(Exception):
    """What was asked cannot be done, for a reason the asker can understand.

    `code` is for machines, `message` for people, `fields` maps an input's name to what is wrong with it.
    """

    code = "invalid"
    status = 400

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.code = code or self.code


class Invalid(DomainError):
    """The input is not acceptable; `fields` says which part."""


class Forbidden(DomainError):
    """A member asked for something that the role does not allow."""

    code = "forbidden"
    status = 403


class NotFound(DomainError):
    """No such thing here: absent and not yours look the same."""

    code = "not_found"
    status = 404


class Conflict(DomainError):
    """Somebody else was quicker; nothing was overwritten."""

    code = "conflict"
    status = 409


class TooLarge(DomainError):
    """Over a limit that the message names."""

    code = "too_large"
    status = 413


class Unavailable(DomainError):
    """Something this needs is away for now; try again."""

    code = "unavailable"
    status = 503
