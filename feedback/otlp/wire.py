"""OTLP/HTTP on the wire: requests as protobuf or JSON, and the answers in the same form.

Source: https://opentelemetry.io/docs/specs/otlp/ (1.7, "OTLP/HTTP" and "Partial success").
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from llmops.common.errors import Invalid

Json = Any
Attributes = dict[str, Json]

LONGEST_ID = 64
STATUS_ERROR = 2
NO_ID = "no traceId and spanId"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a span says happened meanwhile, such as an exception."""

    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class WireSpan:
    """A span as it was sent. Times are nanoseconds since 1970, 0 where none was sent; ids are hex digits."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str = ""
    start_ns: int = 0
    end_ns: int = 0
    attributes: Attributes = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    is_error: bool = False
    message: str = ""
    scope: str = ""
    resource: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one request held: its good spans, and a reason for each that could not be read."""

    spans: tuple[WireSpan, ...]
    refused: tuple[str, ...] = ()


def from_protobuf(body: bytes) -> Delivery:
    """:raises Invalid: when the bytes are no ExportTraceServiceRequest."""
    request = service.ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise Invalid(f"The body is no ExportTraceServiceRequest: {error}.") from None
    spans: list[WireSpan] = []
    refused: list[str] = []
    for resource_spans in request.resource_spans:
        resource = _plain_pairs(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                if not span.trace_id or not span.span_id:
                    refused.append(NO_ID)
                    continue
                spans.append(
                    WireSpan(
                        trace_id=span.trace_id.hex()[:LONGEST_ID],
                        span_id=span.span_id.hex()[:LONGEST_ID],
                        parent_id=_parent(span.parent_span_id.hex()),
                        name=_storable(span.name),
                        start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                        attributes=_plain_pairs(span.attributes),
                        events=tuple(Event(event.name, _plain_pairs(event.attributes)) for event in span.events),
                        is_error=span.status.code == STATUS_ERROR,
                        message=_storable(span.status.message),
                        scope=_storable(scope_spans.scope.name),
                        resource=resource,
                    )
                )
    return Delivery(tuple(spans), tuple(refused))


def from_json(value: Json) -> Delivery:
    """Read the JSON mapping of OTLP leniently: what is not understood is left out, and spoils nothing else.

    :raises Invalid: when it is no object with `resourceSpans`.
    """
    if not isinstance(value, dict) or not isinstance(value.get("resourceSpans", []), list | dict):
        raise Invalid("The body must be an object with resourceSpans.", fields={"resourceSpans": "must be a list"})
    spans: list[WireSpan] = []
    refused: list[str] = []
    for resource_spans in _objects(value, "resourceSpans", "resource_spans"):
        resource = _attributes(_object(resource_spans.get("resource")))
        for scope_spans in _objects(resource_spans, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
            scope = _text(_object(scope_spans.get("scope")).get("name"))
            for span in _list(scope_spans, "spans"):
                read = _json_span(span, scope, resource) if isinstance(span, dict) else None
                if read is None:
                    refused.append(NO_ID)
                else:
                    spans.append(read)
    return Delivery(tuple(spans), tuple(refused))


def _json_span(span: dict[str, Json], scope: str, resource: Attributes) -> WireSpan | None:
    trace_id, span_id = _id(_either(span, "traceId", "trace_id")), _id(_either(span, "spanId", "span_id"))
    if not trace_id or not span_id:
        return None
    status = _object(span.get("status"))
    return WireSpan(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=_parent(_id(_either(span, "parentSpanId", "parent_span_id"))),
        name=_text(span.get("name")),
        start_ns=_whole(_either(span, "startTimeUnixNano", "start_time_unix_nano")),
        end_ns=_whole(_either(span, "endTimeUnixNano", "end_time_unix_nano")),
        attributes=_attributes(span),
        events=tuple(
            Event(_text(event.get("name")), _attributes(event))
            for event in _list(span, "events")
            if isinstance(event, dict)
        ),
        is_error=status.get("code") in {STATUS_ERROR, "STATUS_CODE_ERROR"},
        message=_text(status.get("message")),
        scope=scope,
        resource=resource,
    )


def answer(refused: int, message: str, *, is_json: bool) -> bytes:
    """An ExportTraceServiceResponse; `refused` spans were not taken, and `message` says why."""
    if is_json:
        partial = {"rejectedSpans": str(refused), "errorMessage": message}
        return json.dumps({"partialSuccess": partial} if refused or message else {}).encode()
    response = service.ExportTraceServiceResponse()
    if refused or message:
        response.partial_success.rejected_spans = refused
        response.partial_success.error_message = message
    return bytes(response.SerializeToString())


def failure(message: str) -> bytes:
    """A google.rpc.Status in protobuf, the body of refused requests; its one needed field (2, text) is made by hand."""
    text = message.encode()
    length, size = len(text), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return b"\x12" + size + bytes([length]) + text


def _plain_pairs(pairs: Any) -> Attributes:
    found: Attributes = {}
    pair: KeyValue
    for pair in pairs:
        found[_storable(pair.key)] = _plain_proto(pair.value)
    return found


def _storable(text: str) -> str:
    """Protobuf's texts are UTF-8, so NUL is all that no database could keep."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def _plain_proto(value: AnyValue) -> Json:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _storable(value.string_value)
    if kind == "array_value":
        return [_plain_proto(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _plain_pairs(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value":
        return _finite(value.double_value)
    return None if kind is None else getattr(value, kind)


def _attributes(holder: Mapping[str, Json]) -> Attributes:
    """A list of `{key, value}`; a plain object, which some senders write, is taken as it is."""
    given = holder.get("attributes")
    if isinstance(given, dict):
        return {str(key): item for key, item in given.items()}
    pairs = given if isinstance(given, list) else []
    return {
        pair["key"]: _plain_json(pair.get("value"))
        for pair in pairs
        if isinstance(pair, dict) and isinstance(pair.get("key"), str)
    }


def _plain_json(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    for kind, item in value.items():
        if kind in {"stringValue", "boolValue"}:
            return item
        if kind == "intValue":
            return _integer(item)
        if kind == "doubleValue":
            return _finite(item)
        if kind == "arrayValue":
            return [_plain_json(one) for one in _list(_object(item), "values")]
        if kind == "kvlistValue":
            return _attributes({"attributes": _list(_object(item), "values")})
        if kind == "bytesValue":
            return item
    return value or None


def _finite(value: Json) -> Json:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _integer(value: Json) -> Json:
    """Whole numbers travel as text in the JSON mapping; what is none stays as it is."""
    is_digits = isinstance(value, str) and len(value) <= 20 and value.lstrip("-").isdecimal() and value.isascii()
    return int(value) if is_digits else value


def _whole(value: Json) -> int:
    found = _integer(value)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**63 else 0


def _id(value: Json) -> str:
    """Hex digits; the JSON of a JavaScript buffer is understood too, since exporters get it wrong in the wild."""
    if isinstance(value, str):
        return value[:LONGEST_ID].lower()
    if isinstance(value, dict):
        numbers = value.get("data", list(value.values()))
        if isinstance(numbers, list) and all(type(number) is int and 0 <= number < 256 for number in numbers):
            return bytes(numbers[: LONGEST_ID // 2]).hex()
    return ""


def _parent(span_id: str) -> str:
    return span_id[:LONGEST_ID] if span_id.strip("0") else ""


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(holder: Mapping[str, Json], name: str) -> list[Json]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def _either(holder: Mapping[str, Json], *names: str) -> Json:
    return next((holder[name] for name in names if name in holder), None)


def _objects(holder: Mapping[str, Json], *names: str) -> Iterator[dict[str, Json]]:
    value = _either(holder, *names)
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
