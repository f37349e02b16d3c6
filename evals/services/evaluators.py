"""Create evaluators and find the version that a configuration means: the same configuration is one row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from evals import judges, metrics
from evals.models import Evaluator, EvaluatorVersion
from evals.queries import evaluators as queries
from evals.queries import runs as run_queries
from evals.services import datasets
from llmops.audit import services as audit
from llmops.common import ids, text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, DomainError, Invalid, NotFound
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import Version

MOST_OF_A_RUN = 20


@dataclass(frozen=True, slots=True)
class _Prepared:
    spec: dict[str, Any]
    spec_hash: str
    judge: Version | None
    model: str


@transaction.atomic
def create(
    *, project: Project, slug: str, spec: Any, by: Actor, name: str = "", description: str = ""
) -> EvaluatorVersion:
    """A named evaluator with its first version; an inline one of the same configuration gets the name.

    :raises Invalid: naming what is wrong with slug or configuration.
    :raises Conflict: when the slug is taken, or another evaluator is configured just so.
    """
    datasets.check_slug(slug)
    if problem := text.problem(name + description):
        raise Invalid("The input is not acceptable.", fields={"name": problem})
    if len(name) > 120 or len(description) > 20_000:
        raise Invalid("The name or the description is too long.", fields={"name": "at most 120 characters"})
    prepared = _prepared(project, spec)
    try:
        with transaction.atomic():
            evaluator = Evaluator.objects.create(
                project=project, slug=slug, name=name or slug, description=description, created_by=by.text
            )
    except IntegrityError:
        raise Conflict(f"There is an evaluator “{slug}” already.", fields={"slug": "taken"}) from None
    version = _numbered(evaluator, prepared, 1, by)
    audit.record("evaluator.created", by=by, target=evaluator, slug=slug, spec=prepared.spec)
    return version


@transaction.atomic
def save(*, evaluator: Evaluator, spec: Any, by: Actor) -> EvaluatorVersion:
    """A new version of an evaluator; the newest one when nothing changed.

    :raises Invalid: naming what is wrong with the configuration.
    :raises Conflict: when an older version or another evaluator is configured just so.
    """
    Evaluator.objects.select_for_update(no_key=True).get(pk=evaluator.pk)
    prepared = _prepared(evaluator.project, spec)
    newest = EvaluatorVersion.objects.filter(evaluator=evaluator).order_by("-number").first()
    if newest is not None and newest.spec_hash == prepared.spec_hash:
        return newest
    number = (newest.number or 0) + 1 if newest else 1
    version = _numbered(evaluator, prepared, number, by)
    audit.record("evaluator.version_saved", by=by, target=evaluator, version=version.number, spec=prepared.spec)
    return version


@transaction.atomic
def archive(*, evaluator: Evaluator, by: Actor, now: datetime) -> None:
    """Take the evaluator off the lists and free its slug; scores keep their version."""
    audit.record("evaluator.archived", by=by, target=evaluator)
    Evaluator.objects.filter(pk=evaluator.pk, archived_at=None).update(
        archived_at=now, slug=f"{evaluator.slug[:40]}-archived-{evaluator.pk}"[:60]
    )


@transaction.atomic
def ensure(*, project: Project, spec: Any, by: Actor) -> EvaluatorVersion:
    """The version with this configuration, made inline if there is none.

    :raises Invalid: naming what is wrong with it.
    """
    prepared = _prepared(project, spec)
    found = _found(project, prepared)
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return _made(project, prepared, by)
    except IntegrityError:  # made by somebody else since we looked
        return EvaluatorVersion.objects.get(project=project, spec_hash=prepared.spec_hash)


def resolve(*, project: Project, wanted: Sequence[Any], by: Actor) -> list[EvaluatorVersion]:
    """The versions that a run asks for: slugs of named evaluators, or inline configurations.

    :raises Invalid: with `evaluators[<place>]…` for each one that is not acceptable.
    """
    if not isinstance(wanted, list | tuple) or not wanted or len(wanted) > MOST_OF_A_RUN:
        raise Invalid(
            "Choose the evaluators.", fields={"evaluators": f"a list of 1 to {MOST_OF_A_RUN} slugs or configurations"}
        )
    found: dict[int, EvaluatorVersion] = {}
    wrong: dict[str, str] = {}
    for place, item in enumerate(wanted):
        try:
            version = (
                queries.newest_version(project, item)
                if isinstance(item, str)
                else ensure(project=project, spec=item, by=by)
            )
        except DomainError as error:
            at = f"evaluators[{place}]"
            wrong |= {f"{at}.{name}": reason for name, reason in error.fields.items()} or {at: error.message}
        else:
            found[version.pk] = version
    if wrong:
        raise Invalid("An evaluator is not acceptable.", fields=wrong)
    return list(found.values())


def _prepared(project: Project, spec: Any) -> _Prepared:
    if isinstance(spec, dict) and "judge" in spec:
        return _prepared_judge(project, judges.checked(spec))
    checked = metrics.checked(spec)
    return _Prepared(spec=checked, spec_hash=_hash(checked), judge=None, model="")


def _prepared_judge(project: Project, wanted: judges.JudgeSpec) -> _Prepared:
    """Pins the rubric: a label that moves later does not change what an evaluator means."""
    try:
        artifact = prompt_queries.artifact_in(project, wanted.prompt)
        version = prompt_queries.version_in(
            artifact,
            number=wanted.version,
            label=None if wanted.version else wanted.label or prompt_queries.LATEST,
        )
    except NotFound as error:
        raise Invalid(error.message, fields={"judge.prompt": error.message}) from None
    names = [one["name"] for one in version.content.inputs]
    if needed := judges.missing_variables(names, wanted.scale):
        must = " and ".join(f"{{{{ {name} }}}}" for name in needed)
        raise Invalid(
            f"The rubric never shows the {' and the '.join(needed)}.", fields={"judge.prompt": f"must use {must}"}
        )
    if unknown := judges.unknown_variables(names, wanted.scale):
        known = ", ".join(judges.variables_of(wanted.scale))
        raise Invalid(
            f"The rubric uses {', '.join(unknown)}; a judge knows {known}.",
            fields={"judge.prompt": f"only {known} can be used"},
        )
    scale = wanted.scale.as_json()
    more: dict[str, Any] = {"panel": [one.as_json() for one in wanted.panel]} if wanted.panel else {}
    if wanted.counterfactual:
        if "expected" not in names:
            message = "only for a rubric that shows {{ expected }}"
            raise Invalid(f"A false reference is {message}.", fields={"counterfactual": message})
        more["counterfactual"] = True
    if wanted.baseline is not None:
        more["baseline"] = _checked_baseline(project, wanted.baseline).as_json()
    identity = {
        "judge": version.uid.hex,
        "scale": scale,
        "connection": wanted.connection,
        "model": wanted.model,
        **more,
    }
    spec = {
        "v": 1,
        "judge": {"prompt": artifact.path, "version": version.numbered.number, "blob": version.content.blob},
        "scale": scale,
        "connection": wanted.connection,
        "model": wanted.model,
        **more,
    }
    return _Prepared(spec=spec, spec_hash=_hash(identity), judge=version, model=wanted.model)


def _checked_baseline(project: Project, wanted: judges.Baseline) -> judges.Baseline:
    """A run's id in its one spelling, after looking that there is such a run."""
    if not wanted.run:
        return wanted
    try:
        run = run_queries.run_in(project, wanted.run)
    except NotFound as error:
        raise Invalid(error.message, fields={"baseline": error.message}) from None
    return judges.Baseline(run=ids.public("run", run.uid))


def _numbered(evaluator: Evaluator, prepared: _Prepared, number: int, by: Actor) -> EvaluatorVersion:
    found = _found(evaluator.project, prepared)
    if found is None:
        return _made(evaluator.project, prepared, by, evaluator=evaluator, number=number)
    if found.evaluator is not None:
        other = f"version {found.number} of “{found.evaluator.slug}”"
        raise Conflict(f"This is {other} already.", code="same_evaluator", fields={"spec": f"the same as {other}"})
    EvaluatorVersion.objects.filter(pk=found.pk, evaluator=None).rewrite(evaluator=evaluator, number=number)
    return EvaluatorVersion.objects.select_related("evaluator").get(pk=found.pk)


def _found(project: Project, prepared: _Prepared) -> EvaluatorVersion | None:
    return (
        EvaluatorVersion.objects.select_related("evaluator")
        .filter(project=project, spec_hash=prepared.spec_hash)
        .first()
    )


def _made(
    project: Project, prepared: _Prepared, by: Actor, *, evaluator: Evaluator | None = None, number: int | None = None
) -> EvaluatorVersion:
    return EvaluatorVersion.objects.create(
        project=project,
        evaluator=evaluator,
        number=number,
        spec=prepared.spec,
        spec_hash=prepared.spec_hash,
        judge=prepared.judge,
        model=prepared.model,
        by=by.text,
    )


def _hash(spec: Any) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
