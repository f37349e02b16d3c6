"""A project's own prices, where the public list is wrong or silent."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from llmops.audit import services as audit
from llmops.common import text as intake
from llmops.common.actors import Actor
from llmops.common.errors import Invalid, NotFound
from llmops.gateway.models import Price
from llmops.projects.models import Project

MOST_PER_MILLION = Decimal(1_000_000)


@transaction.atomic
def put(
    *,
    project: Project,
    model: str,
    in_per_million: Decimal,
    out_per_million: Decimal,
    by: Actor,
    now: datetime,
    cached_per_million: Decimal | None = None,
) -> Price:
    """US dollars per million tokens from now on; what was paid before keeps its price.

    :raises Invalid: naming the field.
    """
    model = model.strip()
    if not model or len(model) > 200 or intake.problem(model):
        raise Invalid("The model's name is not acceptable.", fields={"model": "1 to 200 characters"})
    rates = {"in_per_million": in_per_million, "out_per_million": out_per_million}
    if cached_per_million is not None:
        rates["cached_per_million"] = cached_per_million
    wrong = [name for name, rate in rates.items() if not (rate.is_finite() and 0 <= rate <= MOST_PER_MILLION)]
    if wrong:
        raise Invalid("The price is not acceptable.", fields=dict.fromkeys(wrong, f"0 to {MOST_PER_MILLION:,}"))
    price = Price.objects.create(project=project, model=model, valid_from=now, **rates)
    audit.record("price.set", by=by, target=price, rates={name: str(rate) for name, rate in rates.items()})
    return price


@transaction.atomic
def remove(*, project: Project, model: str, by: Actor) -> None:
    """Go back to the public list for this model.

    :raises NotFound: when the project has no price of its own for it.
    """
    prices = Price.objects.filter(project=project, model=model)
    newest = prices.order_by("-valid_from", "-id").first()
    if newest is None:
        raise NotFound("The project has no price of its own for this model.")
    audit.record("price.removed", by=by, target=newest)
    prices.delete()
