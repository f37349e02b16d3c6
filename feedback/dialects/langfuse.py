"""Langfuse's scores, as its SDKs send them to `/api/public/scores` and `/api/public/ingestion`.

Source: langfuse 5.0.4, `langfuse/api/scores/types/create_score_request.py` and `_task_manager/score_consumer.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from feedback.dialects.mlflow import kind_of
from llmops.common.errors import Invalid

Json = Any

KINDS = {"NUMERIC": "number", "BOOLEAN": "boolean", "CATEGORICAL": "category", "TEXT": "text"}
CORRECTION = "CORRECTION"
SOURCES = {"ANNOTATION": "person", "EVAL": "judge"}
# The SDK does not say who scores. A name like these is a person's; anything else is measured by code.
BY_A_PERSON = re.compile(r"(?i)user|thumb|feedback|human")


def feedback_of(score: Json) -> dict[str, Json]:
    """Our feedback of a score. The same score id with another body is a changed mind, so the body enters the id.

    :raises Invalid: naming the field that is missing.
    """
    if not isinstance(score, dict):
        raise Invalid("A score must be a JSON object.")
    name, value = score.get("name"), score.get("value", score.get("stringValue"))
    if not isinstance(name, str) or not name:
        raise Invalid("name is missing.", fields={"name": "is missing"})
    if value is None:
        raise Invalid("value is missing.", fields={"value": "is missing"})
    if not score.get("traceId") and not score.get("sessionId"):
        reason = "is missing: scores of dataset runs are not kept here"
        raise Invalid(f"traceId {reason}.", fields={"traceId": reason})
    found = {
        "id": _event_id(score),
        "call": score.get("traceId"),
        "session": score.get("sessionId") if not score.get("traceId") else None,
        "span": score.get("observationId"),
        "source": _source(score, name),
        "comment": score.get("comment") or None,
        "metadata": _metadata(score),
    }
    if score.get("dataType") == CORRECTION:
        found |= {"kind": "correction", "correction": value}
    else:
        found |= {"name": name, "value": value}
    return {key: item for key, item in found.items() if item is not None}


def score_of(score: Json) -> tuple[str, str] | None:
    """The name and the kind of the score; None for a correction, and for what is no score."""
    if not isinstance(score, dict) or not isinstance(score.get("name"), str) or score.get("dataType") == CORRECTION:
        return None
    kind = KINDS.get(str(score.get("dataType")))
    return score["name"], kind or kind_of(score.get("value", score.get("stringValue")))


def score_id(score: Json) -> str:
    """The sender's own id; scores with the same one replace each other."""
    given = score.get("id") if isinstance(score, dict) else None
    return given[:150] if isinstance(given, str) else ""


def _event_id(score: dict[str, Json]) -> str | None:
    name = score_id(score)
    if not name:
        return None
    body = json.dumps(score, sort_keys=True, ensure_ascii=False, default=str).encode(errors="replace")
    return f"{name}:{hashlib.blake2b(body, digest_size=12).hexdigest()}"


def _source(score: dict[str, Json], name: str) -> str:
    metadata = score.get("metadata")
    said = metadata.get("source") if isinstance(metadata, dict) else None
    if said in {"person", "judge", "code"}:
        return str(said)
    if (known := SOURCES.get(str(score.get("source")))) is not None:
        return known
    return "person" if score.get("dataType") == CORRECTION or BY_A_PERSON.search(name) else "code"


def _metadata(score: dict[str, Json]) -> Json:
    kept = {key: score[key] for key in ("environment", "configId", "queueId", "timestamp") if score.get(key)}
    given = score.get("metadata")
    if isinstance(given, dict):
        return {**given, **kept} or None
    return {"metadata": given, **kept} if given is not None else kept or None
