"""The operations of the REST API, read from the OpenAPI schema: a new endpoint is covered the day it appears."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from tests import fleet
from tests.fleet import World


@cache
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-any-return, no-untyped-call]


def unsafe_operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in schema()["paths"].items()
        for method, operation in methods.items()
        if method in {"post", "put", "patch", "delete"}
    ]


def address(path: str, world: World) -> str:
    """A path of the schema with its parameters filled, by the address pattern that it matches."""
    names = [part for part in path.split("/") if part.startswith("{")]
    for place in fleet.places():
        shape = [f"{{{name}}}" for name in place.names]
        if place.is_api and shape == names and place.path(dict.fromkeys(world.values, "X")) == _with_x(path):
            return place.path(world.values)
    raise AssertionError(f"{path} of the schema is no address")


def _with_x(path: str) -> str:
    return "/".join("X" if part.startswith("{") else part for part in path.split("/"))


def resolved(node: Any) -> dict[str, Any]:
    while isinstance(node, dict) and "$ref" in node:
        node = schema()["components"]["schemas"][node["$ref"].rpartition("/")[2]]
    for variants in ["oneOf", "anyOf"]:
        if isinstance(node, dict) and node.get(variants):
            return resolved(node[variants][0])
    return node if isinstance(node, dict) else {}


def body_schema(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return resolved(next(iter(content.values()), {}).get("schema", {}))


def sample(node: Any, depth: int = 0) -> Any:
    """A plausible value, so that one hostile field is all that is wrong."""
    node = resolved(node)
    if depth > 6 or not node:
        return "x"
    if "enum" in node or "default" in node:
        return node.get("default", node.get("enum", ["x"])[0])
    kind = node.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in node:
        return {name: sample(part, depth + 1) for name, part in node.get("properties", {}).items()}
    if kind == "array":
        return [sample(node.get("items", {}), depth + 1)]
    return {"integer": 1, "number": 1, "boolean": True, "null": None}.get(kind, "x")
