"""A project's own price of a model, where the public list is wrong or silent."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from llmops.projects.models import Project


class Price(models.Model):
    """US dollars per million tokens, from `valid_from` on."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prices")
    model = models.CharField(max_length=200)
    in_per_million = models.DecimalField(max_digits=14, decimal_places=6)
    out_per_million = models.DecimalField(max_digits=14, decimal_places=6)
    cached_per_million = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    valid_from = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "model", "valid_from"], name="gateway_price_unique"),
        ]

    def __str__(self) -> str:
        return self.model
