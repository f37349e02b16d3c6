"""How keys look in the API's schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

NAME = "KeyAuthentication"


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]
    """`Authorization: Bearer sk-…`."""

    target_class = "llmops.projects.authentication.KeyAuthentication"
    name = NAME

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key of the project, from its settings."}
