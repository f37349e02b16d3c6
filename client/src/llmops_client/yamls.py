"""YAML read with the line of every value, so that messages can point at it."""

from __future__ import annotations

from typing import Any

import yaml

from llmops_client.errors import Problem

Json = Any
Path = tuple[str | int, ...]
MAX_NODES = 200_000
MAX_DEPTH = 64


class Lines(dict[Path, int]):
    """The line (from 1) of the value at a path such as `("tests", 0, "assert")`."""

    def at(self, *path: str | int) -> int:
        """The line of the value, or of the nearest one above it that has a line."""
        while path not in self and path:
            path = path[:-1]
        return self.get(path, 1)


def load(text: str, file: str) -> tuple[Json, Lines]:
    """The value of a YAML text (JSON is YAML too), and its lines.

    :raises Problem: with file and line, for text that is not YAML or too large when written out.
    """
    loader = yaml.SafeLoader(text.removeprefix("\ufeff"))
    try:
        node = loader.get_single_node()
        if node is None:
            return None, Lines()
        builder = _Builder(loader, file)
        return builder.value(node, ()), builder.lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise Problem(f"{file}{line}: {error.problem or 'this is not YAML'}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Problem(f"{file}: this is not YAML: {str(error)[:200]}") from None
    finally:
        loader.dispose()


class _Builder:
    """Builds plain values from nodes; an alias is built anew each time, under a bound on all of them together."""

    def __init__(self, loader: yaml.SafeLoader, file: str) -> None:
        self.loader, self.file = loader, file
        self.lines = Lines()
        self.left = MAX_NODES

    def value(self, node: yaml.Node, path: Path) -> Json:
        self.left -= 1
        line = node.start_mark.line + 1
        if self.left < 0 or len(path) > MAX_DEPTH:
            raise Problem(f"{self.file}:{line}: too large or nested too deeply when its aliases are written out")
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            self.loader.flatten_mapping(node)
            found: dict[str, Json] = {}
            for key_node, item in node.value:
                key = str(self.loader.construct_object(key_node, deep=True))
                self.lines[(*path, key)] = key_node.start_mark.line + 1
                found[key] = self.value(item, (*path, key))
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
        return _plain(self.loader.construct_object(node, deep=True))


def _plain(value: Json) -> Json:
    """Dates as the text that they are in JSON."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
