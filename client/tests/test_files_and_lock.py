"""`llmops pull`, `push`, `lock` and `drift` between a folder and a real platform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Platform

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("client")]
TEXT = "---\nname: Mail\nmodel:\n  id: model-1\n---\nuser:\nSort {{ mail }}. Grüße.\n"


@pytest.fixture
def folder(platform: Platform, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A prompt of two versions, the first in production, and an empty folder."""
    name = f"files/{request.node.name[5:45]}"
    platform.prompt(name, TEXT, TEXT + "Two.\n")
    platform.release(name, 1)
    return name, tmp_path / "prompts"


def newest(platform: Platform, name: str) -> Any:
    return platform.api("GET", f"/prompts/{name}/versions")["results"][0]


def test_pull_writes_the_labels_bytes_and_the_lock(platform: Platform, folder: tuple[str, Path]) -> None:
    name, here = folder
    done = platform.llmops("pull", name, "--folder", str(here))
    assert done.returncode == 0, done.stderr
    assert (here / f"{name}.prompty").read_text() == TEXT
    lock = json.loads((here / "llmops.lock").read_text())
    server = platform.api("GET", f"/prompts/{name}")
    assert lock == {
        "v": 1,
        "label": "production",
        "prompts": {name: {"version": 1, "commit": server["commit"], "blob": server["blob"]}},
    }
    assert "unchanged" in platform.llmops("pull", name, "--folder", str(here)).stdout


def test_pull_leaves_an_edited_file_alone_and_says_so(platform: Platform, folder: tuple[str, Path]) -> None:
    name, here = folder
    platform.llmops("pull", name, "--folder", str(here))
    file = here / f"{name}.prompty"
    file.write_text("mine")
    kept = platform.llmops("pull", name, "--folder", str(here))
    assert (kept.returncode, file.read_text(), "was edited here" in kept.stdout) == (1, "mine", True)
    forced = platform.llmops("pull", name, "--folder", str(here), "--force")
    assert (forced.returncode, file.read_text()) == (0, TEXT)


def test_push_saves_what_changed_and_refuses_what_somebody_else_changed(
    platform: Platform, folder: tuple[str, Path]
) -> None:
    name, here = folder
    platform.llmops("pull", name, "--folder", str(here), "--label", "latest")
    assert "unchanged since version 2" in platform.llmops("push", "--folder", str(here)).stdout
    file = here / f"{name}.prompty"
    file.write_text(TEXT + "Three.\r\n")
    pushed = platform.llmops("push", "--folder", str(here), "-m", "Say three")
    assert (pushed.returncode, "version 3" in pushed.stdout) == (0, True), pushed.stdout + pushed.stderr
    assert newest(platform, name)["message"] == "Say three"
    platform.prompt(name, TEXT + "Theirs.\n")
    file.write_text(TEXT + "Mine.\n")
    refused = platform.llmops("push", "--folder", str(here))
    assert refused.returncode == 1
    assert f"{name}: CONFLICT: this file is based on version 3, the server has version 4" in refused.stdout
    assert newest(platform, name)["version"] == 4
    assert json.loads((here / "llmops.lock").read_text())["prompts"][name]["version"] == 3


def test_push_makes_new_prompts_but_never_over_one_that_the_lock_does_not_know(
    platform: Platform, folder: tuple[str, Path]
) -> None:
    name, here = folder
    for one in (name, f"{name}-new", f"{name}-bad"):
        (here / one).parent.mkdir(parents=True, exist_ok=True)
        (here / f"{one}.prompty").write_text("user:\n{{ broken\n" if one.endswith("bad") else "user:\nHello\n")
    done = platform.llmops("push", "--folder", str(here))
    assert done.returncode == 1
    assert f"{name}: CONFLICT" in done.stdout
    assert f"{name}-new: version 1" in done.stdout
    assert f"{name}-bad: refused" in done.stdout
    assert newest(platform, name)["version"] == 2


def test_drift_is_1_once_the_label_moved_and_0_before(platform: Platform, folder: tuple[str, Path]) -> None:
    name, here = folder
    label = "nightly-" + name[-8:].strip("_-")
    platform.release(name, 1, label)
    assert platform.llmops("lock", "--label", label, "--folder", str(here)).returncode == 0
    assert not (here / f"{name}.prompty").exists()
    still = platform.llmops("drift", "--folder", str(here))
    assert (still.returncode, "no drift" in still.stdout) == (0, True), still.stdout
    platform.release(name, 2, label)
    moved = platform.llmops("drift", "--folder", str(here))
    assert (moved.returncode, f"{name}: the lock has version 1, “{label}” is version 2" in moved.stdout) == (1, True)


def test_a_folder_without_a_lock_and_a_broken_lock_are_errors(platform: Platform, tmp_path: Path) -> None:
    assert platform.llmops("drift", "--folder", str(tmp_path)).returncode == 3
    (tmp_path / "llmops.lock").write_text('{"v": 1, "prompts": {"a": {"version": 1, "commit": "x", "blob": "y"}}}')
    done = platform.llmops("drift", "--folder", str(tmp_path))
    assert (done.returncode, "no git hash" in done.stderr) == (3, True)


def test_a_servers_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    from llmops_client.errors import Problem
    from llmops_client.files import file_of

    for name in ("../x", "a/../../x", "/etc/x", "a//b", "..", ".git/hooks", "a\\b", ""):
        with pytest.raises(Problem):
            file_of(tmp_path, name)
