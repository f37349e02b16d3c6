"""Addresses of the API of datasets, evaluators and runs."""

from __future__ import annotations

from django.urls import path

from evals.api import (
    boards,
    certificates,
    comparisons,
    datasets,
    doctor,
    evaluators,
    proposals,
    reports,
    run_groups,
    runs,
    schedules,
)

urlpatterns = [
    path("datasets", datasets.DatasetList.as_view(), name="api-datasets"),
    path("datasets/<slug:slug>", datasets.DatasetDetail.as_view(), name="api-dataset"),
    path("datasets/<slug:slug>/versions", datasets.Versions.as_view(), name="api-dataset-versions"),
    path("datasets/<slug:slug>/examples", datasets.Examples.as_view(), name="api-examples"),
    path("datasets/<slug:slug>/examples/<str:uid>", datasets.ExampleDetail.as_view(), name="api-example"),
    path("datasets/<slug:slug>/examples/<str:uid>/erase", datasets.ExampleErase.as_view(), name="api-example-erase"),
    path("datasets/<slug:slug>/imports", datasets.Imports.as_view(), name="api-dataset-imports"),
    path("datasets/<slug:slug>/doctor", doctor.Doctor.as_view(), name="api-dataset-doctor"),
    path("datasets/<slug:slug>/doctor/findings", doctor.Findings.as_view(), name="api-dataset-findings"),
    path("datasets/<slug:slug>/proposals", proposals.Proposals.as_view(), name="api-dataset-proposals"),
    path("proposals/<str:uid>", proposals.ProposalDetail.as_view(), name="api-proposals"),
    path("proposals/<str:uid>/rows/<int:position>", proposals.ProposalRow.as_view(), name="api-proposal-row"),
    path("imports/<str:uid>", datasets.ImportDetail.as_view(), name="api-import"),
    path("evaluators", evaluators.EvaluatorList.as_view(), name="api-evaluators"),
    path("evaluators/<slug:slug>", evaluators.EvaluatorDetail.as_view(), name="api-evaluator"),
    path("evaluators/<slug:slug>/versions", evaluators.EvaluatorVersions.as_view(), name="api-evaluator-versions"),
    path(
        "evaluators/<slug:slug>/certificates", certificates.CertificateList.as_view(), name="api-evaluator-certificates"
    ),
    path("judge-templates", evaluators.JudgeTemplateList.as_view(), name="api-judge-templates"),
    path("metrics", evaluators.MetricList.as_view(), name="api-metrics"),
    path("runs", runs.RunList.as_view(), name="api-runs"),
    path("runs/board", boards.RunBoard.as_view(), name="api-run-board"),
    path("runs/compare", comparisons.RunCompare.as_view(), name="api-run-compare"),
    path("runs/pairs", comparisons.RunPairs.as_view(), name="api-run-pairs"),
    path("run-groups", run_groups.RunGroupList.as_view(), name="api-run-groups"),
    path("run-groups/<str:uid>", run_groups.RunGroupDetail.as_view(), name="api-run-group"),
    path("run-groups/<str:uid>/cancel", run_groups.RunGroupCancel.as_view(), name="api-run-group-cancel"),
    path("runs/<str:uid>", runs.RunDetail.as_view(), name="api-run"),
    path("runs/<str:uid>/results", runs.RunResults.as_view(), name="api-run-results"),
    path("runs/<str:uid>/slices", reports.RunSlices.as_view(), name="api-run-slices"),
    path("runs/<str:uid>/report", reports.RunReport.as_view(), name="api-run-report"),
    path("runs/<str:uid>/judge-again", runs.RunJudgeAgain.as_view(), name="api-run-judge-again"),
    path("runs/<str:uid>/sign-off", schedules.RunSignOff.as_view(), name="api-run-sign-off"),
    path("schedules", schedules.ScheduleList.as_view(), name="api-schedules"),
    path("schedules/<str:uid>", schedules.ScheduleDetail.as_view(), name="api-schedule"),
    path("runs/<str:uid>/cancel", runs.RunCancel.as_view(), name="api-run-cancel"),
]
