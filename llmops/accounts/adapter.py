"""What allauth may do here: sign-up is closed unless an invitation is at hand."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from llmops.common import text

INVITED_EMAIL = "invited_email"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Local accounts: made by invitation (llmops.projects) or by the operator."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.LLMOPS_SIGNUP_OPEN)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Sign-in through the operator's OIDC provider: for people who have an account or an invitation."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        if settings.LLMOPS_SIGNUP_OPEN:
            return True
        invited = request.session.get(INVITED_EMAIL, "").lower()
        vouched_for = {address.email.lower() for address in sociallogin.email_addresses if address.verified}
        return bool(invited) and invited in vouched_for

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        """The invitation has done its part: the session must not open a second account."""
        request.session.pop(INVITED_EMAIL, None)
        return super().save_user(request, sociallogin, form)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        """Called before anybody is looked up: keep the name, the address in lower case, and trust only what is true."""
        for address in sociallogin.email_addresses:
            # Some providers send the text "false", which is true in Python.
            address.verified = address.verified in (True, "true", "True")
        user = super().populate_user(request, sociallogin, data)
        user.email = (user.email or "").lower()
        full = data.get("name") or f"{data.get('first_name') or ''} {data.get('last_name') or ''}"
        user.name = text.repaired(" ".join(str(full).split()))[:120]
        return user
