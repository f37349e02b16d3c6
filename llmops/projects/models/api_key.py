"""Keys of the REST API and of git."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from llmops.common.models import WithUid
from llmops.projects.models.project import Project


class ApiKey(WithUid):
    """Only the SHA-256 of the key is kept: it has 190 random bits, so a slow hash would add nothing.

    `prefix` is what people see of it. An empty `scopes` means the kind's default; `origins` is for publishable keys.
    """

    class Kind(models.TextChoices):
        PERSONAL = "personal"
        SECRET = "secret"  # noqa: S105 (the name of a kind)
        PUBLISHABLE = "publishable"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    kind = models.CharField(max_length=12, choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = models.JSONField(default=list, blank=True)
    origins = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_on = models.DateField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "-id"], name="projects_api_key_recent")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind="personal", user__isnull=False)
                | models.Q(kind__in=["secret", "publishable"], user__isnull=True),
                name="projects_personal_key_has_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
