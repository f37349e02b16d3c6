"""Argilla 2: records as `records.to_json` writes them, and a dataset's settings."""

from feedback.labelfiles.argilla.reading import read
from feedback.labelfiles.argilla.records import record
from feedback.labelfiles.argilla.settings import asked, settings

__all__ = ["asked", "read", "record", "settings"]
