"""The product's settings, and failpoints in its processes."""

from __future__ import annotations

from llmops.settings import *  # noqa: F403
from llmops.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.failpoints.Failpoints"]
