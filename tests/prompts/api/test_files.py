"""The file of a prompt by REST."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

TEXT = "---\nname: greet\n---\nuser:\nGreet {{ name }}.  \n\n"


def test_the_file_comes_back_byte_for_byte_with_its_git_hash(api: Any) -> None:
    api.send("POST", "/prompts/mail/greet/versions", {"content": TEXT})
    body = api.send("GET", "/prompts/-/files/mail/greet?version=1").json()
    data = TEXT.encode()
    assert body["content"] == TEXT
    assert body["blob"] == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    assert (body["name"], body["version"]) == ("mail/greet", 1)


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 404), ("?version=0", 400), ("?version=x", 400), ("?version=1&label=latest", 400), ("?label=latest", 200)],
)
def test_the_version_is_asked_for_in_one_way(api: Any, query: str, status: int) -> None:
    api.send("POST", "/prompts/mail/greet/versions", {"content": TEXT})
    assert api.send("GET", f"/prompts/-/files/mail/greet{query}").status_code == status
