"""Names of prompts: `folder/name` outside, `prompts/folder/name.prompty` in the repository."""

from __future__ import annotations

import re

from llmops.common.errors import Invalid

FOLDER = "prompts/"
ENDING = ".prompty"
MAX_LENGTH = 200
MAX_DEPTH = 8
# These words are steps of API addresses, so no part of a path may be one of them.
RESERVED = frozenset({"versions", "labels", "render", "-"})

_SEGMENT = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,79}\Z")


def checked(path: str) -> str:
    """The path, if it can name a prompt.

    :raises Invalid: saying which part cannot be used.
    """
    if not path:
        raise Invalid("A prompt needs a path.", fields={"path": "write a name, such as support/triage"})
    segments = path.split("/")
    if len(path) > MAX_LENGTH or len(segments) > MAX_DEPTH:
        raise Invalid("The path is too long.", fields={"path": f"at most {MAX_LENGTH} characters, {MAX_DEPTH} folders"})
    for segment in segments:
        if not _SEGMENT.match(segment) or segment.endswith((".lock", ".")) or ".." in segment:
            raise Invalid(
                f"“{segment[:80]}” cannot be part of a path.",
                fields={"path": "use letters, digits, “-”, “_” and “.”, with “/” between folders"},
            )
        if segment.lower() in RESERVED:
            raise Invalid(f"“{segment}” is reserved.", fields={"path": f"reserved: {', '.join(sorted(RESERVED))}"})
    return path


def is_good(path: str) -> bool:
    """Whether the path can name a prompt."""
    try:
        checked(path)
    except Invalid:
        return False
    return True


def file_of(path: str) -> str:
    """Where the prompt is in the repository."""
    return f"{FOLDER}{path}{ENDING}"


def path_of(file: str) -> str | None:
    """The prompt's path of a file in the repository; None when the file is not a prompt."""
    if file.startswith(FOLDER) and file.endswith(ENDING):
        return file[len(FOLDER) : -len(ENDING)]
    return None
