"""Shapes of the input of the evaluation pages. Rules live in the services, which every face shares."""

from evals.forms.datasets import (
    ActOnFinding,
    AskForRows,
    ColumnMapping,
    ExampleForm,
    NewCheckup,
    NewDataset,
    SaveVersion,
    Upload,
)
from evals.forms.evaluators import (
    JudgeForm,
    JudgeModels,
    MeasureJudge,
    NewEvaluator,
    Parameters,
    TemplateForm,
    TryEvaluator,
)
from evals.forms.fields import take_errors
from evals.forms.runs import Margin, NewMatrix, NewRun, ScheduleForm
from evals.queries.output_diffs import as_text

__all__ = [
    "ActOnFinding",
    "AskForRows",
    "ColumnMapping",
    "ExampleForm",
    "JudgeForm",
    "JudgeModels",
    "Margin",
    "MeasureJudge",
    "NewCheckup",
    "NewDataset",
    "NewEvaluator",
    "NewMatrix",
    "NewRun",
    "Parameters",
    "SaveVersion",
    "ScheduleForm",
    "TemplateForm",
    "TryEvaluator",
    "Upload",
    "as_text",
    "take_errors",
]
