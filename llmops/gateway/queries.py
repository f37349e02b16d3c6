"""Reads about connections, prices and attempts."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from llmops.common.errors import NotFound
from llmops.gateway.models import Attempt, Connection, Price
from llmops.gateway.pricing import Rates
from llmops.projects.models import Project


def connections_in(project: Project) -> QuerySet[Connection]:
    """The connections that can be used, the default one first."""
    return (
        Connection.objects.filter(project=project, archived_at=None)
        .select_related("project")
        .order_by("-is_default", "name", "id")
    )


def names_in(project: Project) -> list[str]:
    """The names of the connections that can be used, the default one first."""
    return list(connections_in(project).values_list("name", flat=True))


def connection_in(project: Project, name: str = "") -> Connection:
    """The connection of this name, or the default one.

    :raises NotFound: when there is none.
    """
    found = connections_in(project)
    connection = found.filter(name__iexact=name).first() if name else found.filter(is_default=True).first()
    if connection is None:
        raise NotFound(
            f"There is no connection “{name[:60]}”." if name else "The project has no default connection.",
            fields={"connection": "add one in the project's settings"},
        )
    return connection


def connection_by_uid(project: Project, uid: UUID) -> Connection:
    """The connection with this outside id.

    :raises NotFound: when there is none, or it is archived.
    """
    connection = connections_in(project).filter(uid=uid).first()
    if connection is None:
        raise NotFound("There is no such connection here.")
    return connection


def prices_in(project: Project) -> list[Price]:
    """The project's own price of each model that holds now, by model."""
    valid = Price.objects.filter(project=project, valid_from__lte=timezone.now()).order_by("valid_from", "id")
    newest = {price.model: price for price in valid}
    return [newest[model] for model in sorted(newest)]


def price_overrides(project_id: int) -> dict[str, Rates]:
    """The project's own price of each model, the newest that holds now."""
    prices = Price.objects.filter(project_id=project_id, valid_from__lte=timezone.now()).order_by("valid_from", "id")
    return {
        price.model: Rates(price.in_per_million, price.out_per_million, price.cached_per_million) for price in prices
    }


def attempts_of(project: Project, owner_uid: UUID) -> QuerySet[Attempt]:
    """Every attempt that was made for a run or a try-out, in order."""
    return Attempt.objects.filter(project=project, owner_uid=owner_uid).order_by("id")
