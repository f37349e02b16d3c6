"""A run as a file: Markdown for people, JUnit XML for build servers, JSON and CSV for everything else.

Pure functions from frozen dataclasses to pieces of text, so that a report of any size is sent while it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from evals.reports import as_csv, as_json, as_junit, as_markdown
from evals.reports.types import Corrected, Counts, Evaluator, Head, Row, Scored

Render = Callable[[Head, Iterable[Row]], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: its media type, the end of its name, how people call it, and who writes it."""

    media_type: str
    suffix: str
    name: str
    render: Render


FORMATS: dict[str, Format] = {
    "markdown": Format("text/markdown; charset=utf-8", "md", "Markdown", as_markdown.render),
    "junit": Format("application/xml; charset=utf-8", "xml", "JUnit XML", as_junit.render),
    "json": Format("application/json", "json", "JSON", as_json.render),
    "csv": Format("text/csv; charset=utf-8", "csv", "CSV", as_csv.render),
}

__all__ = ["FORMATS", "Corrected", "Counts", "Evaluator", "Format", "Head", "Row", "Scored"]
