"""`llmops eval` against a real platform: what a pull request sees, and the exit code that CI reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from conftest import Platform

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("client")]

PROMPT = "---\nname: Capitals\nmodel:\n  id: model-1\n---\nuser:\nsay: {{ FIELD }}\n"
Wanted = Callable[..., tuple[str, Path]]


def version(field: str) -> str:
    """Answers with the example's input of that name: `right` is right everywhere, `half` every other time."""
    return PROMPT.replace("FIELD", field)


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "inputs": {"right": f"city {n}", "half": f"city {n}" if n % 2 else "?", "never": "?"},
            "expected": f"city {n}",
        }
        for n in range(count)
    ]


@pytest.fixture
def loop(platform: Platform, tmp_path: Path, request: pytest.FixtureRequest) -> Wanted:
    """A prompt with its versions (the first is in production), a dataset, and a gate."""

    def make(gate: str, *texts: str, count: int = 40) -> tuple[str, Path]:
        slug = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[5:55].strip("-")
        platform.prompt(slug, *texts)
        platform.release(slug, 1)
        platform.dataset(slug, rows(count))
        path = tmp_path / "gate.yaml"
        path.write_text(gate)
        return slug, path

    return make


def test_a_better_version_passes_with_0(platform: Platform, loop: Wanted, tmp_path: Path) -> None:
    gate = "evaluators:\n  exact_match:\n    min: 0.8\n    no_worse_than: 0.05\n    better: true\nmax_p95_ms: 60000\n"
    slug, path = loop(gate, version("half"), version("right"))
    reports = [f"--{kind}={tmp_path / kind}" for kind in ("junit", "json", "markdown")]
    done = platform.llmops("eval", "--prompt", slug, "--dataset", slug, "-E", "exact_match", "--version", "2",
                           "--against", "production", "--gate", str(path), *reports)  # fmt: skip
    print(done.stdout, done.stderr)
    assert (done.returncode, "gate: PASS" in done.stdout) == (0, True)
    assert "better" in done.stdout
    assert "candidate 40/40 · baseline 40/40" in done.stderr
    found = json.loads((tmp_path / "json").read_text())
    assert (found["result"], found["exit_code"]) == ("pass", 0)
    assert found["comparison"]["evaluators"][0]["word"] == "better"
    assert {one["outcome"] for one in found["decisions"]} == {"pass"}
    suite = ElementTree.parse(tmp_path / "junit").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "0")
    assert "**Gate: PASS**" in (tmp_path / "markdown").read_text()


def test_a_worse_version_fails_with_1_and_reuses_the_baselines_run(
    platform: Platform, loop: Wanted, tmp_path: Path
) -> None:
    slug, path = loop("evaluators:\n  exact_match: {no_worse_than: 0.05}\n", version("right"), version("half"))
    arguments = ("eval", "--prompt", slug, "--dataset", slug, "--label", "latest", "--against", "production",
                 "--gate", str(path), "--junit", str(tmp_path / "j.xml"))  # fmt: skip
    done = platform.llmops(*arguments)
    print(done.stdout, done.stderr)
    assert (done.returncode, "gate: FAIL" in done.stdout) == (1, True)
    [case] = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "fail"
    runs = platform.api("GET", f"/runs?prompt={slug}")["results"]
    again = platform.llmops(*arguments)
    assert again.returncode == 1
    assert "a finished run of before" in again.stderr
    assert len(platform.api("GET", f"/runs?prompt={slug}")["results"]) == len(runs) + 1


def test_too_few_examples_are_inconclusive_with_2(platform: Platform, loop: Wanted, tmp_path: Path) -> None:
    slug, path = loop("evaluators:\n  exact_match: {min: 0.9, better: true}\n", version("half"), version("right"),
                      count=6)  # fmt: skip
    done = platform.llmops("eval", "--prompt", slug, "--dataset", slug, "--against", "production", "--gate", str(path),
                           "--junit", str(tmp_path / "j.xml"))  # fmt: skip
    print(done.stdout, done.stderr)
    assert (done.returncode, "gate: INCONCLUSIVE" in done.stdout) == (2, True)
    types = [one.get("type") for one in ElementTree.parse(tmp_path / "j.xml").getroot().iter("failure")]
    assert set(types) == {"inconclusive"}


def test_a_file_is_saved_as_a_version_and_only_once(platform: Platform, loop: Wanted, tmp_path: Path) -> None:
    slug, path = loop("evaluators:\n  exact_match: {min: 0.5}\n", version("half"))
    file = tmp_path / "new.prompty"
    file.write_text(version("right"))
    arguments = ("eval", "--prompt", slug, "--dataset", slug, "--file", str(file), "--gate", str(path))
    first, second = platform.llmops(*arguments), platform.llmops(*arguments)
    print(first.stdout, first.stderr)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "saved as version 2" in first.stderr
    assert "is version 2" in second.stderr
    assert len(platform.api("GET", f"/prompts/{slug}/versions")["results"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompt", "no/such", "--dataset", "none", "-E", "exact_match"], "dataset"),
        (["--prompt", "no/such", "--dataset", "none"], "evaluator"),
        (["--prompt", "no/such", "--dataset", "none", "-E", "exact_match", "--against", "production"], "no label"),
        (["--prompt", "p", "--dataset", "d", "-E", "x", "--version", "1", "--label", "l"], "not allowed with"),
        (["--prompt", "p", "--dataset", "d", "--gate", "/nonexistent.yaml"], "cannot be read"),
    ],
)
def test_what_cannot_be_run_is_an_error_with_3(platform: Platform, arguments: list[str], said: str) -> None:
    done = platform.llmops("eval", *arguments)
    assert done.returncode == 3, done.stdout
    assert said in done.stderr


def test_a_run_that_fails_on_the_way_is_an_error_in_every_report(
    platform: Platform, loop: Wanted, tmp_path: Path
) -> None:
    """Every evaluator that the gate names must be in the run; the run that was started is cancelled."""
    slug, path = loop("evaluators:\n  contains: {min: 0.5}\n", version("right"))
    reports = [f"--{kind}={tmp_path / kind}" for kind in ("junit", "json", "markdown")]
    done = platform.llmops("eval", "--prompt", slug, "--dataset", slug, "-E", "exact_match", "--gate", str(path),
                           *reports)  # fmt: skip
    assert (done.returncode, "The gate names contains" in done.stderr) == (3, True)
    assert json.loads((tmp_path / "json").read_text())["exit_code"] == 3
    assert ElementTree.parse(tmp_path / "junit").getroot()[0].get("errors") == "1"
    assert "ERROR" in (tmp_path / "markdown").read_text()
    [run] = platform.api("GET", f"/runs?prompt={slug}")["results"]
    assert run["status"] in {"cancelled", "done"}


def test_a_wrong_key_and_a_dead_server_are_errors_that_never_show_the_key(platform: Platform) -> None:
    arguments = ("eval", "--prompt", "p", "--dataset", "d", "-E", "exact_match")
    refused = platform.llmops(*arguments, LLMOPS_KEY="llm_sk_secret_of_mine")
    assert (refused.returncode, "llm_sk_secret" in refused.stderr + refused.stdout) == (3, False)
    dead = platform.llmops(*arguments, LLMOPS_URL="http://127.0.0.1:9")
    assert (dead.returncode, "cannot be reached" in dead.stderr) == (3, True)
    none = platform.llmops(*arguments, LLMOPS_KEY="")
    assert (none.returncode, "LLMOPS_KEY" in none.stderr) == (3, True)
