"""Readers of CSV, JSON and JSONL: bytes in, examples out, in bounded memory, with the place of whatever is wrong.

`preview` shows a file's beginning under a suggested mapping; `examples` reads it from any place on, so that an import
that was interrupted goes on where it stopped.
"""

from evals.importers.mapping import ColumnMapping
from evals.importers.reading import (
    ENCODINGS,
    FORMATS,
    ExampleAt,
    Preview,
    examples,
    options_of,
    preview,
    records,
)
from evals.importers.rows import ExampleRow, checked
from evals.importers.types import Options, Place, Problem, Record

__all__ = [
    "ENCODINGS",
    "FORMATS",
    "ColumnMapping",
    "ExampleAt",
    "ExampleRow",
    "Options",
    "Place",
    "Preview",
    "Problem",
    "Record",
    "checked",
    "examples",
    "options_of",
    "preview",
    "records",
]
