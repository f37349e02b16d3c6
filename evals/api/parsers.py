"""Bodies that are not one JSON value; apart from the views because the framework loads parsers early."""

from __future__ import annotations

from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from llmops.common.errors import TooLarge


class LinesParser(BaseParser):
    """JSONL: the bytes as they are, for a reader that knows lines and columns."""

    media_type = "application/x-ndjson"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.MAX_JSON_BYTES + 1)
        if len(body) > settings.MAX_JSON_BYTES:
            raise TooLarge(
                f"The body is over the limit of {settings.MAX_JSON_BYTES:,} bytes; larger files are imported."
            )
        return body


class JsonlParser(LinesParser):
    """The same under its other name."""

    media_type = "application/jsonl"


class FileParser(BaseParser):
    """A file as the whole body: an iterator of its bytes, never all of them in memory."""

    media_type = "*/*"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return iter(lambda: stream.read(1024 * 1024), b"")
