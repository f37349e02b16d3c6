"""Make rubrics and change them, version by version."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from evals.services.datasets import check_slug
from feedback import rubrics
from feedback.models import Rubric, RubricVersion
from feedback.queries import rubrics as queries
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project

LONGEST = 10_000


@transaction.atomic
def create(
    *, project: Project, slug: str, questions: Any, by: Actor, name: str = "", guidelines: str = ""
) -> RubricVersion:
    """A rubric with its first version.

    :raises Invalid: naming the field or the question that is not acceptable.
    :raises Conflict: when the project has a rubric of that slug.
    """
    check_slug(slug)
    content = _content(questions, guidelines)
    try:
        with transaction.atomic():
            rubric = Rubric.objects.create(project=project, slug=slug, name=_short(name) or slug)
    except IntegrityError:
        raise Conflict(f"There is a rubric “{slug}” already.", fields={"slug": "taken"}) from None
    version = RubricVersion.objects.create(project=project, rubric=rubric, number=1, by=by.text, **content)
    audit.record("rubric.created", by=by, target=rubric, slug=slug)
    return version


def put(*, project: Project, slug: str, questions: Any, by: Actor, guidelines: str = "") -> RubricVersion:
    """The rubric of this slug with these questions: a new one, or the next version of the one that is there.

    :raises Invalid: naming the field or the question that is not acceptable.
    """
    there = queries.rubrics_in(project).filter(slug=slug.lower()).first()
    if there is None:
        return create(project=project, slug=slug, questions=questions, by=by, guidelines=guidelines)
    return save(rubric=there, questions=questions, by=by, guidelines=guidelines)


@transaction.atomic
def save(*, rubric: Rubric, questions: Any, by: Actor, guidelines: str = "") -> RubricVersion:
    """A new version; queues keep the one that they were made with. Saving what is there already changes nothing.

    :raises Invalid: naming the question that is not acceptable.
    """
    content = _content(questions, guidelines)
    locked = Rubric.objects.select_for_update(no_key=True).get(pk=rubric.pk)
    last = RubricVersion.objects.filter(rubric=locked).latest("number")
    if (last.questions, last.guidelines) == (content["questions"], content["guidelines"]):
        return last
    newest = RubricVersion.objects.filter(rubric=locked).aggregate(newest=Max("number"))["newest"]
    made = RubricVersion.objects.create(
        project_id=locked.project_id, rubric=locked, number=newest + 1, by=by.text, **content
    )
    audit.record("rubric.version_saved", by=by, target=locked, version=made.number)
    return made


def _content(questions: Any, guidelines: str) -> dict[str, Any]:
    if len(guidelines) > LONGEST or (text.problem(guidelines) is not None):
        raise Invalid("The guidelines are not acceptable.", fields={"guidelines": f"at most {LONGEST:,} characters"})
    parsed = rubrics.parse(questions)
    return {"questions": [rubrics.as_json(one) for one in parsed], "guidelines": guidelines.strip()}


def _short(name: str) -> str:
    if len(name) > 120 or text.problem(name) is not None:
        raise Invalid("The name is not acceptable.", fields={"name": "at most 120 characters"})
    return name.strip()
