"""Reading request bodies of the REST API.

Apart from llmops.common.api because the framework loads parsers while rest_framework.views is being loaded.
"""

from __future__ import annotations

from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from llmops.common import text


class StrictJSONParser(BaseParser):
    """JSON with finite numbers, bounded depth, storable text and no duplicate keys."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.MAX_JSON_BYTES + 1)
        return text.loads(body, max_bytes=settings.MAX_JSON_BYTES) if body else {}
