"""The base of every REST view that works inside the key's project."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.generics import GenericAPIView

from llmops.common.actors import Actor
from llmops.projects.keys import Grant
from llmops.projects.models import Project
from llmops.projects.permissions import Permission


class ProjectAPIView(GenericAPIView[Any]):
    """Declares `permissions = {"GET": Permission.X, …}`, one for each method; the start fails without."""

    permissions: ClassVar[dict[str, Permission]] = {}

    @property
    def grant(self) -> Grant:
        grant: Grant = self.request.auth  # type: ignore[assignment]
        return grant

    @property
    def project(self) -> Project:
        """The project that the key names."""
        return self.grant.project

    @property
    def actor(self) -> Actor:
        return self.grant.actor
