"""Judges: a model that scores an output by a rubric, where the rubric is itself a prompt under version control.

`checked` reads the configuration, `material` fences what is judged, `request` makes the messages and the schema of the
answer, `verdict` reads the answer, `settled` joins several answers about one output, `label_of` and `number_of` read
people's labels. Nothing in a judged text can become a verdict: it is fenced as data, and a verdict is only what stands
in the one field of an answer that fits the schema. Any other answer is unscored.
"""

from evals.judges.canaries import false_reference
from evals.judges.labels import label_of, number_of
from evals.judges.requests import JudgeRequest, Material, material, request
from evals.judges.specs import (
    VARIABLES,
    Baseline,
    JudgeSpec,
    Panelist,
    Scale,
    baseline_of,
    checked,
    missing_variables,
    panel_of,
    scale_of,
    unknown_variables,
    variables_of,
)
from evals.judges.verdicts import response_schema, verdict
from evals.judges.votes import Vote, settled, turned

__all__ = [
    "VARIABLES",
    "Baseline",
    "JudgeRequest",
    "JudgeSpec",
    "Material",
    "Panelist",
    "Scale",
    "Vote",
    "baseline_of",
    "checked",
    "false_reference",
    "label_of",
    "material",
    "missing_variables",
    "number_of",
    "panel_of",
    "request",
    "response_schema",
    "scale_of",
    "settled",
    "turned",
    "unknown_variables",
    "variables_of",
    "verdict",
]
