"""The matrix of roles is documented as it is; `python -m tests.projects.test_permissions` writes the page anew."""

from __future__ import annotations

import os
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
HEAD = """# Who may do what

A person has one role in each project; a key has a kind, narrowed by its scopes, and a personal key never exceeds its
person's role. A page or an API operation declares one permission: without it the answer is 403 with the
permission's name, and outside the project everything is 404. This page is generated from
`llmops/projects/permissions.py` and held to it by a test.

"""


def matrix() -> str:
    from llmops.projects.permissions import PUBLISHABLE_SCOPES, ROLES, SECRET_SCOPES, Permission

    columns = {**ROLES, "secret key": SECRET_SCOPES, "publishable key": PUBLISHABLE_SCOPES}
    lines = [f"| permission | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for permission in Permission:
        cells = ["yes" if permission in held else "" for held in columns.values()]
        lines.append(f"| `{permission}` | {' | '.join(cells)} |")
    return HEAD + "\n".join(lines) + "\n"


def test_the_page_shows_the_matrix_of_the_code() -> None:
    assert PAGE.read_text() == matrix()


def test_roles_only_grow_towards_admin() -> None:
    from llmops.projects.permissions import ROLES, Permission

    assert ROLES["viewer"] < ROLES["editor"] < ROLES["releaser"] < ROLES["admin"] == frozenset(Permission)
    assert ROLES["labeler"] < ROLES["editor"]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    PAGE.write_text(matrix())
