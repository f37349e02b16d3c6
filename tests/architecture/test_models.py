"""Rules that every table follows."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from llmops.projects import tenancy

OURS = [model for label in ("accounts", *tenancy.APPS) for model in apps.get_app_config(label).get_models()]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_times_are_given_or_defaulted_so_that_a_restore_keeps_them(model: type[models.Model]) -> None:
    automatic = [
        field.name
        for field in model._meta.concrete_fields
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    ]
    assert automatic == []


# Rows that pages reach only through a parent, which they name first in their own indexes.
THROUGH_A_PARENT = {
    "evals.CheckupFinding": "of a check",
    "evals.JudgeCertificate": "of an evaluator's version",
    "evals.JudgeVote": "of a result",
    "evals.DatasetVersion": "of a dataset",
    "evals.ImportProblem": "of an import",
    "evals.Proposal": "of a request for proposals",
    "evals.RunEvaluator": "of a run",
    "evals.WorkItem": "of a run; the worker claims over all projects by priority",
    "evals.Result": "of a run",
    "evals.Score": "of a result",
    "feedback.Annotation": "of a seat",
    "feedback.QueueItem": "of a queue",
    "feedback.QueuePerson": "of a queue",
    "feedback.RubricVersion": "of a rubric",
    "feedback.Seat": "of an item",
    "feedback.Settled": "of an item",
    "prompts.Commit": "of a repository",
    "prompts.GitObject": "of a repository",
    "prompts.GitPack": "of a repository",
    "evals.ScheduleStart": "of a schedule",
    "evals.SignOff": "of a run",
    "prompts.GitRef": "of a repository",
    "prompts.Version": "of an artifact",
    "prompts.VersionNumber": "of an artifact",
    "prompts.VersionPin": "of a version",
    "prompts.Label": "of an artifact",
}
# Written by ingestion and read by columns, never shown as a whole.
WITHOUT_TEXT = {"feedback.Call", "feedback.FeedbackEvent", "feedback.Seen", "feedback.Vote"}
WITHOUT_TEXT |= {"feedback.Annotation", "feedback.HumanFigure", "feedback.QueuePerson", "feedback.Seat"}
WITHOUT_TEXT |= {"feedback.Settled"}


def project_comes_first(model: type[models.Model]) -> bool:
    """In an index or a unique constraint, by name or as the first of its expressions."""
    firsts = [index.fields[0].lstrip("-") for index in model._meta.indexes if index.fields]
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            expressions = [getattr(each, "name", "") for each in constraint.expressions]
            firsts += [*constraint.fields[:1], *expressions[:1]]
    alone = [field.name for field in model._meta.concrete_fields if field.unique and field.attname == "project_id"]
    return bool({"project", "project_id"} & {*firsts, *alone})


def test_every_tenant_row_names_its_project_and_is_found_by_it() -> None:
    tables = tenancy.tables()
    assert [table.model._meta.label for table in tables if table.lookup != "project_id"] == []
    others = {table.model._meta.label for table in tables if not project_comes_first(table.model)}
    assert others == set(THROUGH_A_PARENT)


def test_every_row_of_a_parent_can_still_be_removed_by_project() -> None:
    """Removal and backup walk by project: the foreign key's own index serves them where no other does."""
    for label in THROUGH_A_PARENT:
        assert apps.get_model(label)._meta.get_field("project").db_index, label


def test_every_model_says_what_it_is() -> None:
    silent = {model._meta.label for model in OURS if model.__str__ is models.Model.__str__}
    assert silent == WITHOUT_TEXT
