"""Change what a project masks before storage."""

from __future__ import annotations

import re

from django.db import IntegrityError, transaction

from evals.metrics import patterns
from feedback import redaction
from feedback.models import MaskRule
from feedback.queries import masks as queries
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid, NotFound
from llmops.projects.models import Project

MOST_RULES = 50
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


@transaction.atomic
def add(*, project: Project, name: str, pattern: str, placeholder: str, by: Actor) -> MaskRule:
    """A rule of the project's own.

    :raises Invalid: naming the field that is not acceptable.
    :raises Conflict: when the name is taken, by a built-in or by another rule.
    """
    if not NAME.fullmatch(name):
        raise Invalid("The name is not acceptable.", fields={"name": "1 to 60 lower-case letters, digits and hyphens"})
    if name in redaction.BUILT_INS:
        raise Conflict("A built-in rule has this name.", fields={"name": "taken"})
    if MaskRule.objects.filter(project=project).count() >= MOST_RULES + len(redaction.BUILT_INS):
        raise Invalid(f"A project may have {MOST_RULES} rules of its own.", fields={"name": "too many rules"})
    placeholder = placeholder or f"[{name}]"
    demand_pattern(pattern, placeholder)
    try:
        with transaction.atomic():
            rule = MaskRule.objects.create(project=project, name=name, pattern=pattern, placeholder=placeholder)
    except IntegrityError:
        raise Conflict("Another rule has this name.", fields={"name": "taken"}) from None
    audit.record("feedback.mask_added", by=by, target=rule, pattern=pattern)
    transaction.on_commit(queries.forget)
    return rule


@transaction.atomic
def switch(*, project: Project, name: str, is_on: bool, by: Actor) -> MaskRule:
    """Switch a rule on or off.

    :raises NotFound: when the project has no such rule.
    """
    before = queries.rule_in(project, name)
    rule, _ = MaskRule.objects.update_or_create(project=project, name=name, defaults={"is_on": is_on})
    if before.is_on != is_on:
        audit.record("feedback.mask_switched", by=by, target=rule, is_on=is_on)
        transaction.on_commit(queries.forget)
    return rule


@transaction.atomic
def remove(*, project: Project, name: str, by: Actor) -> None:
    """Remove a rule of the project's own.

    :raises NotFound: when the project has none with this name.
    :raises Invalid: for a built-in, which can only be switched off.
    """
    if name in redaction.BUILT_INS:
        raise Invalid("A built-in rule can be switched off, not removed.", fields={"name": "is built in"})
    rule = MaskRule.objects.filter(project=project, name=name).first()
    if rule is None:
        raise NotFound("There is no such masking rule here.")
    audit.record("feedback.mask_removed", by=by, target=rule, pattern=rule.pattern)
    transaction.on_commit(queries.forget)
    rule.delete()


def demand_pattern(pattern: str, placeholder: str) -> None:
    """:raises Invalid: for a pattern that re2 does not take, that matches nothing at all, or its own placeholder."""
    if not pattern or len(pattern) > 500:
        raise Invalid("A pattern has 1 to 500 characters.", fields={"pattern": "1 to 500 characters"})
    if len(placeholder) > 40:
        raise Invalid("A placeholder has at most 40 characters.", fields={"placeholder": "at most 40 characters"})
    found = patterns.compiled(pattern, "pattern")
    if found.search(""):
        raise Invalid("The pattern matches the empty text.", fields={"pattern": "matches the empty text"})
    if found.search(placeholder):
        raise Invalid(
            "The pattern matches its own placeholder.", fields={"placeholder": "must not match the pattern itself"}
        )
