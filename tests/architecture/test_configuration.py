"""The settings that an operator may set are the same three times: in the code, the documentation and the example."""

from __future__ import annotations

import re

from django.conf import settings

SOURCES = ["llmops/settings.py", "llmops/common/processes.py"]
READER = re.compile(r"""(?:env(?:\.\w+)?\(|secret\(|environ\.get\()\s*["']([A-Z][A-Z_]+)["']""")


def read_by_the_code() -> set[str]:
    text = "".join((settings.BASE_DIR / name).read_text() for name in SOURCES)
    return set(READER.findall(text))


def test_every_setting_is_documented_and_nothing_else() -> None:
    page = (settings.BASE_DIR / "docs" / "configuration.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE)) == read_by_the_code()


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    example = (settings.BASE_DIR / ".env.example").read_text()
    assert set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE)) == read_by_the_code()
