"""Answers by everything that shapes them, so that nothing is paid for twice.

A repeat of an example has its own key: repeats that came from the cache would measure nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

from llmops.common import bulk
from llmops.gateway.client import ConnectionConfig
from llmops.gateway.models import CacheEntry
from llmops.gateway.types import Answer, Completion, EmbeddingRequest, Embeddings, Request, Usage


def key(config: ConnectionConfig, request: Request, *, repeat: int = 0) -> bytes:
    """SHA-256 over project, provider, address, model, messages, parameters, tools, schema and repeat.

    A text has one place in a model's space, so that embeddings are the same for every repeat.
    """
    whose = [1, config.project_id, config.kind, config.base_url, request.model]
    if isinstance(request, EmbeddingRequest):
        return _hash([*whose, "embeddings", list(request.texts), request.dimensions])
    shape = [
        *whose,
        [[message.role, message.content] for message in request.messages],
        dict(request.parameters),
        request.tools,
        request.response_schema,
        repeat,
    ]
    return _hash(shape)


def _hash(shape: list[Any]) -> bytes:
    text = json.dumps(shape, sort_keys=True, separators=(",", ":"), default=list)
    return hashlib.sha256(text.encode()).digest()


def get_many(project_id: int, keys: Iterable[bytes]) -> dict[bytes, Answer]:
    """The answers that are there, in one query."""
    rows = CacheEntry.objects.filter(project_id=project_id, key__in=list(keys)).values_list("key", "answer")
    return {bytes(found): _answer(answer) for found, answer in rows}


def put_many(project_id: int, answers: Mapping[bytes, Answer]) -> None:
    """Keep answers; one that is there already stays."""
    rows = [CacheEntry(project_id=project_id, key=name, answer=_plain(answer)) for name, answer in answers.items()]
    bulk.insert(rows, ignore_conflicts=True)


def _plain(answer: Answer) -> dict[str, object]:
    if isinstance(answer, Embeddings):
        return {
            "v": 1,
            "vectors": [_packed(vector) for vector in answer.vectors],
            "model": answer.model,
            "usage": [answer.usage.tokens_in, answer.usage.tokens_out, answer.usage.tokens_cached],
            "latency_ms": answer.latency_ms,
        }
    return {
        "v": 1,
        "text": answer.text,
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "usage": [answer.usage.tokens_in, answer.usage.tokens_out, answer.usage.tokens_cached],
        "latency_ms": answer.latency_ms,
        "tool_calls": list(answer.tool_calls),
    }


def _packed(vector: Iterable[float]) -> str:
    """Single precision, little end first: a third of the same as JSON."""
    return base64.b64encode(_turned(array("f", vector)).tobytes()).decode()


def _unpacked(packed: str) -> tuple[float, ...]:
    vector = array("f")
    vector.frombytes(base64.b64decode(packed))
    return tuple(_turned(vector))


def _turned(vector: array[float]) -> array[float]:
    if sys.byteorder == "big":
        vector.byteswap()
    return vector


def _answer(answer: dict[str, Any]) -> Answer:
    values = {name: value for name, value in answer.items() if name != "v"}
    usage = Usage(*values.pop("usage"))
    if "vectors" in values:
        vectors = tuple(_unpacked(vector) for vector in values.pop("vectors"))
        return Embeddings(vectors=vectors, usage=usage, **values)
    return Completion(**values | {"tool_calls": tuple(values["tool_calls"])}, usage=usage)
