"""Files that a configuration names: read from below one folder, never from elsewhere."""

from __future__ import annotations

from pathlib import Path

from llmops_client.errors import Problem

MAX_FILE = 64 * 1024 * 1024


class NotThere(Exception):
    """A named file that cannot be had; the text says why."""


class Folder:
    """The files below `root`; relative names start at `base`. A configuration is somebody else's text: it must not
    make us read, and send to a server, what lies outside."""

    def __init__(self, base: Path, root: Path | None = None) -> None:
        self.base = base.resolve()
        self.root = (root or base).resolve()

    def path(self, name: str) -> Path:
        """:raises NotThere: when the file lies outside the root, or there is none."""
        try:
            found = (self.base / name).resolve()
        except (OSError, ValueError, RuntimeError):
            raise NotThere(f"{name[:80]!r} is no name of a file") from None
        if not found.is_relative_to(self.root):
            raise NotThere(f"{name} lies outside {self.root} (--root allows more)")
        try:
            is_there = found.is_file()
        except OSError:
            is_there = False
        if not is_there:
            raise NotThere(f"there is no file {name}")
        return found

    def text(self, name: str) -> str:
        """:raises NotThere: as `path` does, and for what is not text."""
        path = self.path(name)
        try:
            if path.stat().st_size > MAX_FILE:
                raise NotThere(f"{name} is larger than {MAX_FILE:,} bytes")
            return path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise NotThere(f"{name} cannot be read: {error}") from None

    def matching(self, pattern: str) -> list[str]:
        """The names that a pattern with * means, in order; only those below the root."""
        if pattern.startswith("/"):
            raise NotThere(f"{pattern} lies outside {self.root}")
        try:
            found = sorted(self.base.glob(pattern))
        except (ValueError, NotImplementedError, OSError):
            raise NotThere(f"{pattern[:80]!r} is no pattern of files") from None
        below = [path for path in found if path.is_file() and path.resolve().is_relative_to(self.root)]
        if not below:
            raise NotThere(f"no file matches {pattern}")
        return [path.relative_to(self.base).as_posix() for path in below]


def read_config(path: Path) -> str:
    """:raises Problem: when the configuration itself cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Problem(f"{path} is not UTF-8: {error}") from None
