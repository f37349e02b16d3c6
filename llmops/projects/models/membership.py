"""A person's role in a project."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from llmops.projects.models.project import Project
from llmops.projects.permissions import ROLES, Permission


class Membership(models.Model):
    class Role(models.TextChoices):
        VIEWER = "viewer"
        LABELER = "labeler"
        EDITOR = "editor"
        RELEASER = "releaser"
        ADMIN = "admin"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "user"], name="projects_one_membership_per_person"),
            models.CheckConstraint(
                condition=models.Q(role__in=["viewer", "labeler", "editor", "releaser", "admin"]),
                name="projects_membership_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

    @property
    def permissions(self) -> frozenset[Permission]:
        return ROLES[self.role]
