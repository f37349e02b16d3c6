"""What projects announce to the apps above."""

from __future__ import annotations

from django.dispatch import Signal

# Sent inside the transaction that creates a project, with `project`.
project_created = Signal()
