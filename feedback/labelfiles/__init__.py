"""Labels as files: what other tools and plain tables hold, as items with answers. Pure."""

from feedback.labelfiles.files import MAX_BYTES, check_columns, rows_in
from feedback.labelfiles.tables import Mapping, read
from feedback.labelfiles.types import Decision, Given, LabeledItem

__all__ = ["MAX_BYTES", "Decision", "Given", "LabeledItem", "Mapping", "check_columns", "read", "rows_in"]
