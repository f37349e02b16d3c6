"""One line of JSON for each log record, with the request's id and without secrets."""

from __future__ import annotations

import contextvars
import json
import logging
import re
from datetime import UTC, datetime

current_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")

# Our keys and invitations, providers' keys, what stands behind an Authorization word, and passwords inside URLs.
_SECRET = re.compile(
    r"\b(?:sk|pk|uk|iv|key)-[A-Za-z0-9_-]{12,}|\bAIza[A-Za-z0-9_-]{20,}"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9+/=_.-]{12,}|(?<=://)[^/\s:@\"\\]*:[^/\s@\"\\]+(?=@)"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id", "taskName"}


class RequestIdFilter(logging.Filter):
    """Adds the id of the request that is being served."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class JsonFormatter(logging.Formatter):
    """Machine-readable, redacted: what looks like a key never reaches a log file."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        text = json.dumps(line, default=_shown, ensure_ascii=False, skipkeys=True)
        # Half of a surrogate pair cannot be written; losing the line over it would be worse.
        return redacted(text).encode("utf-8", "backslashreplace").decode()


def _shown(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def redacted(text: str) -> str:
    """The text with everything that looks like a key blanked."""
    return _SECRET.sub("[secret]", text)
