"""The tenant: every other row belongs to one project."""

from __future__ import annotations

import re
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.timezone import now

from llmops.common.models import WithUid

SLUG_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
SLUG_RULE = "Use 1 to 60 lower-case letters, digits and inner hyphens."
SLUG = RegexValidator(rf"\A{SLUG_PATTERN.pattern}\Z", SLUG_RULE)


class ProjectQuerySet(models.QuerySet["Project"]):
    def live(self) -> ProjectQuerySet:
        return self.filter(deleted_at=None)


class Project(WithUid):
    """One team's prompts, datasets, runs and feedback. `retention_days` is how long logged calls are kept."""

    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    timezone = models.CharField(max_length=64, default="UTC")
    retention_days = models.PositiveIntegerField(
        default=365, validators=[MinValueValidator(1), MaxValueValidator(36_500)]
    )
    mask_personal_data = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("slug"), name="projects_slug_unique_any_case")]

    def __str__(self) -> str:
        return self.name
