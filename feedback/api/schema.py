"""How `POST /calls` and `POST /feedback` stand in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from feedback.forms import fields
from feedback.models import FeedbackEvent

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
ANYTHING: Schema = {"description": "Any JSON value."}
IDENTIFIER: Schema = {"type": ["string", "integer"], "maxLength": 200}
TAGS: Schema = {
    "type": "array",
    "maxItems": fields.MAX_TAGS,
    "items": {"type": "string", "maxLength": fields.MAX_TAG},
}


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


CALL: Schema = {
    "type": "object",
    "properties": {
        "id": _said(IDENTIFIER, "Your id of the call; sending it again with the same body stores nothing twice."),
        "prompt": _said({"type": "string", "maxLength": 300}, "Path of the prompt that made the call."),
        "version": _said({"type": "integer", "minimum": 0}, "Number of the prompt's version."),
        "label": _said({"type": "string", "maxLength": 100}, "Label that the version was fetched by."),
        "commit": _said({"type": "string", "maxLength": 64}, "Git commit of the version."),
        "session": _said(IDENTIFIER, "Groups the calls of one conversation."),
        "end_user": _said(IDENTIFIER, "Who made the request; only a keyed hash is stored."),
        "environment": {"type": "string", "maxLength": 60},
        "model": {"type": "string", "maxLength": 200},
        "inputs": ANYTHING,
        "output": ANYTHING,
        "contexts": {"type": "array", "items": {}},
        "trace": _said(
            {"type": ["array", "object"]},
            "The steps of the call, as a list; each with name, kind, start_ms, duration_ms, input, output, id, parent.",
        ),
        "metadata": ANYTHING,
        "tags": TAGS,
        "latency_ms": {"type": "number", "minimum": 0, "maximum": 2**31 - 1},
        "usage": _said({"type": "object"}, "`input_tokens` and `output_tokens`, or a provider's own usage object."),
        "tokens_in": {"type": "integer", "minimum": 0},
        "tokens_out": {"type": "integer", "minimum": 0},
        "cost_usd": {"type": "number", "minimum": 0, "maximum": 1e9},
        "error": {"type": "string", "maxLength": fields.MAX_TEXT},
        "started_at": _said(
            {"type": ["string", "number"]}, "ISO 8601, or seconds since 1970; a time in the future becomes now."
        ),
    },
}
FEEDBACK: Schema = {
    "type": "object",
    "properties": {
        "id": _said(IDENTIFIER, "Your id of the feedback; sending it again with the same body stores nothing twice."),
        "call": _said(IDENTIFIER, "The call's id, or the `call_…` uid of the answer; the call may come later."),
        "span": _said({"type": "string", "maxLength": 64}, "The id of one step of the call that this is about."),
        "kind": {"type": "string", "enum": [*FeedbackEvent.Kind.values, "number", "text"]},
        "name": _said({"type": "string", "maxLength": 100}, "A score definition, which `value` is checked against."),
        "value": _said(ANYTHING, "With `kind` or `name`; the names below are a shorter way."),
        "thumbs": {"enum": ["up", "down", 1, 0, -1, True, False]},
        "score": {"type": "number"},
        "category": {"type": "string", "maxLength": 200},
        "comment": {"type": "string", "maxLength": fields.MAX_TEXT},
        "correction": _said(ANYTHING, "What the output should have been."),
        "tags": TAGS,
        "end_user": _said(IDENTIFIER, "Who reacts; a changed mind replaces the same person's vote."),
        "session": _said(IDENTIFIER, "Without a call: what this is about. Else the person, where none is named."),
        "source": {"type": "string", "enum": list(FeedbackEvent.Source.values)},
        "metadata": ANYTHING,
        "assessment": _said({"type": "object"}, "An MLflow assessment (feedback or expectation) instead of all that."),
    },
}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields"],
            "properties": {
                "code": TEXT,
                "message": TEXT,
                "fields": {"type": "object", "additionalProperties": TEXT},
            },
        }
    },
}
STORED: Schema = {
    "type": "object",
    "required": ["id", "uid"],
    "properties": {"id": TEXT, "uid": TEXT, "warnings": {"type": "array", "items": TEXT}},
}
RESULTS: Schema = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "id", "status"],
                "properties": {
                    "index": {"type": "integer"},
                    "id": {"type": ["string", "null"]},
                    "uid": TEXT,
                    "status": {"type": "integer"},
                    "warnings": {"type": "array", "items": TEXT},
                    "error": ERROR["properties"]["error"],
                },
            },
        }
    },
}
ERRORS = {
    "400": "Not acceptable JSON, or a field is wrong",
    "401": "No good key",
    "403": "The key does not have the scope, or may not be used from this origin",
    "409": "Another event is stored under this id",
    "413": "Over a limit",
    "415": "Another Content-Encoding than gzip",
    "503": "The database is busy; send the same again",
}


def operations() -> dict[str, dict[str, Schema]]:
    """Path to method to operation."""
    slow_down = {"429": "A publishable key sends too quickly"}
    return {
        "/api/v1/calls": {"post": _operation("calls_create", "Log calls", CALL, ERRORS)},
        "/api/v1/traces": {"post": _traces()},
        "/api/v1/feedback": {"post": _operation("feedback_create", "Send feedback", FEEDBACK, ERRORS | slow_down)},
    }


def _operation(name: str, summary: str, event: Schema, errors: dict[str, str]) -> Schema:
    batch = {
        "type": "object",
        "required": ["batch"],
        "properties": {"batch": {"type": "array", "minItems": 1, "maxItems": 1000, "items": event}},
    }
    return {
        "operationId": name,
        "summary": summary,
        "description": "One object, or up to 1,000 in a batch. The answer comes after the commit.",
        "tags": ["feedback"],
        "security": [{"KeyAuthentication": []}],
        "requestBody": {"required": True, "content": _json({"anyOf": [event, batch]})},
        "responses": {
            "201": {"description": "Everything is stored", "content": _json({"anyOf": [STORED, RESULTS]})},
            "207": {"description": "Each result has its own status", "content": _json(RESULTS)},
            **{status: {"description": said, "content": _json(ERROR)} for status, said in errors.items()},
        },
    }


def _traces() -> Schema:
    """OpenTelemetry describes the messages; here stand the address, the forms and the answers."""
    request: Schema = {"type": "object", "properties": {"resourceSpans": {"type": "array", "items": {}}}}
    partial: Schema = {"type": "object", "properties": {"partialSuccess": {"type": "object"}}}
    protobuf: Schema = {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "operationId": "traces_create",
        "summary": "Send OpenTelemetry spans (OTLP/HTTP)",
        "description": "Also at `/v1/traces`. A span that cannot be taken is counted in `partialSuccess`.",
        "tags": ["feedback"],
        "security": [{"KeyAuthentication": []}],
        "requestBody": {"required": True, "content": {**_json(request), **protobuf}},
        "responses": {
            "200": {"description": "Taken, but for what `partialSuccess` says", "content": _json(partial)},
            **{status: {"description": said} for status, said in ERRORS.items() if status != "409"},
        },
    }


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
