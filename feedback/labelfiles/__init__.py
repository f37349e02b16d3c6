"""Labels as files: what other tools and plain tables hold, as items with answers. Pure."""

from feedback.labelfiles.files import MAX_BYTES, check_columns, json_in, rows_in, text_in
from feedback.labelfiles.formats import EXCHANGES, Exchange
from feedback.labelfiles.tables import Mapping, read
from feedback.labelfiles.types import Asked, Decision, Given, LabeledItem, LeftOut, Read

__all__ = [
    "EXCHANGES",
    "MAX_BYTES",
    "Asked",
    "Decision",
    "Exchange",
    "Given",
    "LabeledItem",
    "LeftOut",
    "Mapping",
    "Read",
    "check_columns",
    "json_in",
    "read",
    "rows_in",
    "text_in",
]
