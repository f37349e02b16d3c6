"""Base classes of rows: outside ids, and rows that never change once written."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.db import models

from llmops.common import ids

RowT = TypeVar("RowT", bound=models.Model)


class WithUid(models.Model):
    """A row that the outside knows by a time-ordered UUID, never by its primary key."""

    uid = models.UUIDField(default=ids.uuid7, unique=True, editable=False)

    class Meta:
        abstract = True


class RowIsImmutable(TypeError):
    """Code tried to change a row that is written once."""


class ImmutableQuerySet(models.QuerySet[RowT]):
    """Refuses bulk changes; upkeep uses `rewrite` and `purge` and says why at the call."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise RowIsImmutable(f"{self.model.__name__} rows are never updated")

    def delete(self) -> NoReturn:
        raise RowIsImmutable(f"{self.model.__name__} rows are never deleted")

    def rewrite(self, **kwargs: Any) -> int:
        """Blank content on erasure or close a range: the few declared exceptions."""
        return super().update(**kwargs)

    def purge(self) -> int:
        """Delete rows without loading them, for retention and project deletion."""
        return self._raw_delete(self.db)


class Immutable(models.Model):
    """A row that is inserted once; `save` again and `delete` raise."""

    objects = ImmutableQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise RowIsImmutable(f"{type(self).__name__} rows are never updated")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RowIsImmutable(f"{type(self).__name__} rows are never deleted")
