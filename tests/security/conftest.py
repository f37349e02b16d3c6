"""Every test here walks the same world."""

from __future__ import annotations

from tests.standing import admin, project, standing, world

__all__ = ["admin", "project", "standing", "world"]
