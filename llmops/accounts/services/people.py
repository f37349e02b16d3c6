"""Change what a person is known by."""

from __future__ import annotations

from zoneinfo import available_timezones

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from llmops.accounts.models import User
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid

NAME_LENGTH = 120


def checked_email(email: str) -> str:
    """The address in the form in which it is stored.

    :raises Invalid: when it is not an address.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise Invalid("This is not an e-mail address.", fields={"email": "write it like ada@example.com"}) from None
    if len(email) > 254:
        raise Invalid("This address is too long.", fields={"email": "at most 254 characters"})
    return email


def checked_name(name: str) -> str:
    """:raises Invalid: when the name cannot be stored."""
    name = " ".join(name.split())
    reason = text.problem(name) or (f"is longer than {NAME_LENGTH} characters" if len(name) > NAME_LENGTH else None)
    if reason:
        raise Invalid(f"The name {reason}.", fields={"name": reason})
    return name


def checked_timezone(name: str) -> str:
    """:raises Invalid: when it is not a name of the IANA database."""
    if name not in available_timezones():
        raise Invalid("This time zone is not known.", fields={"timezone": "write it like Europe/Berlin"})
    return name


@transaction.atomic
def create(*, email: str, name: str, password: str | None, by: Actor | None = None) -> User:
    """A new person; without a password the first sign-in is by “Forgot your password?” or OIDC.

    `by` is None when people make the account themselves, through an invitation.

    :raises Invalid: when the address, the name or the password is not acceptable.
    :raises Conflict: when the address has an account already.
    """
    user = User(email=checked_email(email), name=checked_name(name))
    if password is not None:
        try:
            password_validation.validate_password(password, user)
        except ValidationError as error:
            reason = " ".join(error.messages)
            raise Invalid("The password is not good enough.", fields={"password": reason}) from None
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise Conflict("This address has an account already.", fields={"email": "sign in with it"}) from None
    author = by or Actor(kind="user", id=user.pk, text=user.email, user_id=user.pk)
    audit.record("person.created", by=author, target=user, text=user.email)
    return user


@transaction.atomic
def edit(*, user: User, name: str, timezone: str, by: Actor) -> User:
    """Change the person's own name and time zone.

    :raises Invalid: when one is not acceptable.
    """
    user.name = checked_name(name)
    user.timezone = checked_timezone(timezone)
    user.save(update_fields=["name", "timezone"])
    audit.record("person.edited", by=by, target=user, text=user.email)
    return user


@transaction.atomic
def set_active(*, user: User, active: bool, by: Actor) -> None:
    """Let a person in or keep them out, everywhere: sessions and personal keys stop at once."""
    user.is_active = active
    user.save(update_fields=["is_active"])
    audit.record("person.enabled" if active else "person.disabled", by=by, target=user, text=user.email)
