"""Deployment checks: where the apps above plug in conditions for moving a label.

A check gets the label's name and the version and returns reasons to refuse, in words; none means go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompts.models import Version

Check = Callable[[str, Version], Iterable[str]]

_checks: list[Check] = []


def register(check: Check) -> Check:
    """Ask this check before every move; call it from the app's `ready`."""
    _checks.append(check)
    return check


def refusals(*, label: str, version: Version) -> list[str]:
    """All reasons not to move the label to the version."""
    return [reason for check in _checks for reason in check(label, version)]
