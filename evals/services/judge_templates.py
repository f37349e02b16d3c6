"""A judge from a ready rubric: the rubric becomes a prompt of the project, the judge an evaluator that pins it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from evals.judges.catalogue import TEMPLATES, Template
from evals.models import EvaluatorVersion
from evals.services import evaluators
from llmops.common.actors import Actor
from llmops.common.errors import Invalid, NotFound
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import Version
from prompts.services import versions

FOLDER = "judges"
MOST_NAMES = 100
# The rubric and the scale are the template's own.
SETTINGS = frozenset({"connection", "model", "panel", "baseline", "counterfactual"})


@transaction.atomic
def create(
    *,
    project: Project,
    template: str,
    slug: str,
    by: Actor,
    now: datetime,
    name: str = "",
    description: str = "",
    settings: Mapping[str, Any] | None = None,
) -> EvaluatorVersion:
    """A named judge with the template's rubric and scale; `settings` are SETTINGS alone.

    :raises Invalid: when there is no such template, or the settings do not fit, naming each.
    :raises Conflict: when the slug is taken.
    """
    if template not in TEMPLATES:
        raise Invalid("There is no such template.", fields={"template": f"one of {', '.join(TEMPLATES)}"})
    if unknown := {str(key)[:60]: "not known" for key in (settings or {}).keys() - SETTINGS}:
        raise Invalid(f"The settings of a template are {', '.join(sorted(SETTINGS))}.", fields=unknown)
    chosen = TEMPLATES[template]
    rubric = plant(project=project, template=chosen, by=by, now=now)
    spec = {
        **(settings or {}),
        "judge": {"prompt": rubric.artifact.path, "version": rubric.numbered.number},
        "scale": dict(chosen.scale),
    }
    return evaluators.create(
        project=project, slug=slug, name=name or chosen.title, description=description, spec=spec, by=by
    )


def plant(*, project: Project, template: Template, by: Actor, now: datetime) -> Version:
    """The template's text as a prompt: the one that is there if nobody changed it, else a new one beside it."""
    for number in range(1, MOST_NAMES):
        path = f"{FOLDER}/{template.name}" + (f"-{number}" if number > 1 else "")
        try:
            latest = prompt_queries.version_in(prompt_queries.artifact_in(project, path), label=prompt_queries.LATEST)
        except NotFound:
            return versions.save(
                project=project, path=path, content=template.content, message=f"From the template {template.name}",
                by=by, now=now, base_version=0,
            ).version  # fmt: skip
        if latest.content.text == template.content:
            return latest
    raise Invalid(f"There are {MOST_NAMES} prompts from this template already.", fields={"template": "used too often"})
