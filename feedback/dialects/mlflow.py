"""MLflow's assessments: feedback and expectations, as `mlflow.log_feedback` and `log_expectation` send them.

Source: mlflow/protos/assessments.proto and `Assessment.to_dictionary` (MLflow 3).
"""

from __future__ import annotations

import json
import re
from typing import Any

from llmops.common.errors import DomainError, Invalid
from llmops.common.text import loads

Json = Any

SOURCES = {"HUMAN": "person", "LLM_JUDGE": "judge", "AI_JUDGE": "judge", "CODE": "code"}
TRACE = re.compile(r"tr-([0-9a-f]{32})")
LONGEST_CATEGORY = 200


def feedback_of(item: dict[str, Json]) -> dict[str, Json]:
    """Our feedback of `{"assessment": {…}}`: a named score, or a correction for an expectation.

    :raises Invalid: naming the part that is missing.
    """
    assessment = item.get("assessment")
    if not isinstance(assessment, dict):
        raise _missing("assessment", "must be an object")
    given = assessment.get("source")
    source: dict[str, Json] = given if isinstance(given, dict) else {}
    found = {
        "id": item.get("id") or assessment.get("assessment_id"),
        "call": _call(assessment.get("trace_id") or item.get("trace_id") or item.get("call")),
        "span": assessment.get("span_id") or None,
        "source": SOURCES.get(str(source.get("source_type", "HUMAN")).upper(), "code"),
        "end_user": source.get("source_id") if source.get("source_type", "HUMAN") == "HUMAN" else None,
        "comment": assessment.get("rationale") or None,
        "metadata": assessment.get("metadata") or None,
    }
    name = assessment.get("assessment_name") or assessment.get("name")
    if isinstance(expectation := assessment.get("expectation"), dict):
        metadata = found["metadata"] if isinstance(found["metadata"], dict) else {}
        found |= {"kind": "correction", "correction": _expected(expectation), "metadata": {**metadata, "name": name}}
    else:
        found |= {"name": name, "value": _value(assessment.get("feedback"))}
    return {key: value for key, value in found.items() if value is not None}


def score_of(item: Json) -> tuple[str, str] | None:
    """The name and the kind of the score that an assessment needs; None when it needs none, or is none."""
    assessment = item.get("assessment") if isinstance(item, dict) else None
    if not isinstance(assessment, dict) or not isinstance(assessment.get("feedback"), dict):
        return None
    name = assessment.get("assessment_name") or assessment.get("name")
    return (name, kind_of(_value(assessment["feedback"]))) if isinstance(name, str) else None


def kind_of(value: Json) -> str:
    """The kind of score that a value is of."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "category" if isinstance(value, str) and len(value) <= LONGEST_CATEGORY else "text"


def _value(feedback: Json) -> Json:
    value = feedback.get("value") if isinstance(feedback, dict) else None
    if value is None:
        raise _missing("assessment.feedback", "has no value")
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict | list) else value


def _expected(expectation: dict[str, Json]) -> Json:
    serialized = expectation.get("serialized_value")
    if isinstance(serialized, dict) and isinstance(serialized.get("value"), str):
        try:
            return loads(serialized["value"], max_bytes=1_000_000)
        except DomainError as error:
            raise _missing("assessment.expectation", f"cannot be read: {error.message}") from None
    if expectation.get("value") is None:
        raise _missing("assessment.expectation", "has no value")
    return expectation["value"]


def _call(trace: Json) -> Json:
    """MLflow writes an OpenTelemetry trace id with `tr-` before it."""
    found = TRACE.fullmatch(trace) if isinstance(trace, str) else None
    return found[1] if found else trace


def _missing(field: str, reason: str) -> Invalid:
    return Invalid(f"{field} {reason}.", fields={field: reason})
