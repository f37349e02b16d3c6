"""OpenAI's wire format of embeddings: a strict reading of answers, and what failures mean."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping
from typing import Any

from llmops.gateway.errors import Permanent, ProviderError, Transient
from llmops.gateway.providers.base import no_embeddings, usage_of
from llmops.gateway.providers.failures import translated
from llmops.gateway.types import EmbeddingRequest, Embeddings

LARGEST = 3.4e38  # of single precision
_NOT_OFFERED = re.compile(r"not support (the )?embedding", re.IGNORECASE)


def read(answer: Any, request: EmbeddingRequest, latency_ms: int) -> Embeddings:
    """:raises Transient: when there is not one finite vector for each text, all of one length."""
    data = answer.get("data") if isinstance(answer, dict) and not answer.get("error") else None
    if not isinstance(data, list) or len(data) != len(request.texts):
        raise Transient("bad_response", "The provider's answer has not one vector for each text.")
    found: dict[int, tuple[float, ...]] = {}
    for place, one in enumerate(data):
        if not isinstance(one, dict):
            raise Transient("bad_response", "The provider's answer has no vector in it.")
        # The order of the list is not promised; some servers leave the index out.
        found[one.get("index", place)] = _vector(one.get("embedding"))
    if found.keys() != set(range(len(request.texts))) or len({len(vector) for vector in found.values()}) != 1:
        raise Transient("bad_response", "The provider's vectors do not belong together.")
    usage = answer.get("usage")
    return Embeddings(
        vectors=tuple(found[place] for place in range(len(found))),
        model=str(answer.get("model") or request.model),
        usage=usage_of(usage.get("prompt_tokens"), 0) if isinstance(usage, dict) else usage_of(None, 0),
        latency_ms=latency_ms,
    )


def _vector(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list) or not values or not all(_is_number(value) for value in values):
        raise Transient("bad_response", "The provider's answer has a vector that is none.")
    # Models compute in single precision or less: what is kept gives the same figures as what just came.
    return tuple(array("f", values))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LARGEST < value < LARGEST and math.isfinite(value)


def failure_of(error: Exception) -> ProviderError:
    """What an exception means; a server without embeddings is told from one that fails or lacks the model."""
    status, told = getattr(error, "status_code", None), _told(error)
    if status in {400, 404, 405, 422, 500, 501} and _NOT_OFFERED.search(told):
        return no_embeddings(status)
    if status in {405, 501} or (status == 404 and "model" not in told.lower()):
        return no_embeddings(status)
    if status == 403 and "embeddings from this model" in told:  # OpenAI's words for a model that only talks
        return Permanent("model_not_found", "The provider makes no embeddings with this model.", status=status)
    return translated(error)


def _told(error: Any) -> str:
    """Code, type and message of the server's error as one text, for telling cases apart only."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    if isinstance(inner, Mapping):
        return " ".join(str(inner.get(name) or "") for name in ("code", "type", "message", "detail"))
    return str(inner or "")
