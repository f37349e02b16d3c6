"""Put datasets, evaluators and prompts from files into a project."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem, Refused
from llmops_client.files import file_of, names_in, text_of
from llmops_client.rest import Server

Json = Any
Say = Callable[[str], None]
MAX_SLUG = 60
BATCH = 500
ENDED = frozenset({"finished", "failed", "cancelled"})


def slug_of(text: str) -> str:
    """A name that the server takes for datasets and evaluators."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_SLUG].strip("-") or "unnamed"


def dataset_file(server: Server, path: Path, slug: str, timeout_s: float = 600.0) -> None:
    """Make a dataset of a CSV, JSON or JSONL file.

    :raises Problem: when a row cannot be read, naming the first ones with their lines.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from None
    server.post("/datasets", {"slug": slug})
    started = server.upload(f"/datasets/{slug}/imports", data, name=path.name)
    deadline = time.monotonic() + timeout_s
    while started["state"] not in ENDED:
        if time.monotonic() > deadline:
            raise Problem(f"{path}: the import is not finished after {timeout_s:g} seconds.")
        time.sleep(0.2)
        started = server.get(f"/imports/{started['id']}")
    if started["state"] != "finished" or started["rows_bad"]:
        rows = [f"\n  line {one['line']}: {one['reason']}" for one in started["problems"][:10]]
        raise Problem(f"{path}: {started['error'] or 'rows cannot be read'}{''.join(rows)}")


def examples(server: Server, slug: str, description: str, rows: Sequence[Json]) -> int:
    """A dataset with these examples; a dataset of that slug gets those that are new. Returns how many were added.

    :raises Refused: naming the example that the server does not take.
    """
    if server.find(f"/datasets/{slug}") is None:
        server.post("/datasets", {"slug": slug, "description": description})
    known = {_content(one) for one in server.pages(f"/datasets/{slug}/examples")}
    fresh = [row for row in rows if _content(row) not in known]
    for start in range(0, len(fresh), BATCH):
        server.post(f"/datasets/{slug}/examples", fresh[start : start + BATCH])
    return len(fresh)


def evaluator(server: Server, slug: str, spec: Json, description: str = "") -> str:
    """The slug of an evaluator with this configuration, made if there is none; another one's slug when that one is
    configured just so.

    :raises Refused: naming what the server does not take.
    """
    try:
        if server.find(f"/evaluators/{slug}") is None:
            server.post("/evaluators", {"slug": slug, "spec": spec, "description": description})
        else:
            server.post(f"/evaluators/{slug}/versions", {"spec": spec})
    except Refused as refused:
        if refused.code != "same_evaluator":
            raise
        other = re.search(r"“(.+)”", refused.fields.get("spec", ""))
        if other is None:
            raise
        return other.group(1)
    return slug


def evaluators_file(server: Server, path: Path) -> None:
    """Evaluators from YAML or JSON: a mapping from slugs to configurations."""
    specs, _ = yamls.load(text_of(path), str(path))
    if not isinstance(specs, dict):
        raise Problem(f"{path}: evaluators are a mapping from slugs to configurations such as {{metric: exact_match}}")
    for slug, spec in specs.items():
        evaluator(server, slug, spec)


def prompts_folder(server: Server, folder: Path, say: Say) -> None:
    """Save every prompt file of the folder: rubrics of judges, and what is included."""
    for name in names_in(folder):
        saved = prompt(server, name, text_of(file_of(folder, name)), "From a file")
        say(f"{name}: version {saved['version']}")


def prompt(server: Server, name: str, content: str, message: str) -> Json:
    return server.post(f"/prompts/{name}/versions", {"content": content, "message": message})


def _content(row: Json) -> str:
    """What makes two examples the same."""
    parts = {key: row.get(key) for key in ("inputs", "expected", "contexts", "metadata", "tags", "split")}
    return repr(sorted((key, _sorted(value)) for key, value in parts.items() if value not in (None, "", [], {})))


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return sorted((key, _sorted(item)) for key, item in value.items())
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return str(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)
