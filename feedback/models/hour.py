"""Production by the hour and the day: what pages read instead of calls and votes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Stat(models.Model):
    """Sums of one slice of a time: prompt, version, model and environment; `slice` is a digest of the four names.

    Votes stand in the hour of their call. `latency` and `voters` are packed by `feedback.tallies` so that times add up.
    `voted` calls got a thumb from anybody; `votes` are those of known people.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    slice = models.BinaryField(max_length=16)
    path = models.CharField(max_length=300, blank=True)
    version = models.ForeignKey(
        "prompts.Version", null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False
    )
    model = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=60, blank=True)
    calls = models.IntegerField(default=0)
    errors = models.IntegerField(default=0)
    costed = models.IntegerField(default=0)
    cost_usd = models.FloatField(default=0)
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    masked = models.BigIntegerField(default=0)
    voted = models.IntegerField(default=0)
    ups = models.IntegerField(default=0)
    votes = models.IntegerField(default=0)
    anonymous_ups = models.IntegerField(default=0)
    anonymous_votes = models.IntegerField(default=0)
    latency = models.BinaryField(default=b"")
    voters = models.BinaryField(default=b"")

    class Meta:
        abstract = True


class HourStat(Stat):
    """One slice of one hour (whole hours since 1970, UTC).

    Never changed: the whole hour is computed again from the rows (`feedback.services.hours`).
    """

    hour = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "hour", "slice"], name="feedback_one_stat_per_slice"),
        ]

    def __str__(self) -> str:
        return f"{self.path or 'calls'} in hour {self.hour}"


class DayStat(Stat):
    """The sum of the hours of one day of the project's time zone: what pages read where it is there.

    `first_hour` is in, `end_hour` is not. Replaced in the transaction that replaces one of its hours
    (`feedback.services.days`), so that a row is right whenever it is there.
    """

    first_hour = models.IntegerField()
    end_hour = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "first_hour", "end_hour", "slice"], name="feedback_one_day_stat_per_slice"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path or 'calls'} from hour {self.first_hour} to {self.end_hour}"


class DirtyHour(models.Model):
    """An hour whose rows changed after `HourStat` was computed.

    Ingestion marks it before it stores; `is_derived` hours were marked by upkeep because another hour's rows belong to
    them. A mark goes when it is older than any request that may still store under it.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    hour = models.IntegerField()
    marked_at = models.DateTimeField()
    computed_at = models.DateTimeField(null=True)
    is_derived = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "hour"], name="feedback_dirty_hour_once"),
        ]

    def __str__(self) -> str:
        return f"hour {self.hour}"
