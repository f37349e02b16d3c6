"""Upward talk: what lower layers announce and upper layers may hear."""

from __future__ import annotations

from django.dispatch import Signal

# Sent after an interactive call ended, with `project_id`, `purpose`, `owner_uid` and `completion` (None: it failed).
call_finished = Signal()
