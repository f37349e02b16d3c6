"""What the client's tests start from: a platform of their own, a model server, and the command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import shared_data
from tests.fake_provider import FakeProvider
from tests.installation import ROOT, Installation

__all__ = ["shared_data"]

REPEAT = "---\nname: Repeat\nmodel:\n  id: model-1\n---\nuser:\n{{ text }}\n"


class Platform:
    """A running installation with one project, and `llmops` as a process of its own against it."""

    def __init__(self, installation: Installation, fake: FakeProvider) -> None:
        self.installation, self.fake = installation, fake

    def api(self, method: str, path: str, body: Any = None) -> Any:
        return self.installation.api(method, path, body)

    def llmops(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return run_command(
            arguments, cwd, {"LLMOPS_URL": self.installation.url, "LLMOPS_KEY": self.installation.key, **environment}
        )

    def prompt(self, path: str, *texts: str) -> None:
        """Save versions, in order."""
        for text in texts:
            self.api("POST", f"/prompts/{path}/versions", {"content": text})

    def release(self, path: str, version: int, label: str = "production") -> None:
        self.api("PUT", f"/prompts/{path}/labels/{label}", {"version": version})

    def dataset(self, slug: str, rows: list[dict[str, Any]]) -> None:
        self.api("POST", "/datasets", {"slug": slug})
        self.api("POST", f"/datasets/{slug}/examples", rows)


def run_command(
    arguments: tuple[str, ...], cwd: Path | None, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    plain = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "client" / "src"), "HOME": "/nonexistent"}
    return subprocess.run(
        [sys.executable, "-m", "llmops_client", *arguments],
        cwd=cwd, env=plain | environment, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """One installation for all tests of the client: each uses prompts and datasets of its own names.

    The model answers with what follows `say: `, else with `wrong`.
    """
    with (
        FakeProvider(answer=lambda text: text.partition("say: ")[2] or "wrong") as fake,
        Installation(LLMOPS_EGRESS_ALLOW=fake.host_port) as installation,
    ):
        installation.manage("create_project", "client", "--admin", "ops@example.com")
        installation.key = installation.manage("issue_key", "client")
        installation.manage(
            "add_connection", "client", "--kind", "openai-compatible", "--url", fake.openai_url, "--default",
            "--key", "sk-of-the-test", "--max-in-flight", "50",
        )  # fmt: skip
        yield Platform(installation, fake)
