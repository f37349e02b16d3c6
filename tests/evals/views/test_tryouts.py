"""Examples beside the prompt editor."""

from __future__ import annotations

from typing import Any

from django.test import Client

from evals import importers
from evals.models import Example
from evals.services import dataset_examples, datasets
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.models import TryOut


def test_an_example_fills_the_inputs_of_the_editor(page: Client, project: Project, by: Actor) -> None:
    dataset = datasets.create(project=project, slug="mails", by=by)
    row = importers.checked({"inputs": {"mail": "Hello <b>", "lines": [1, 2]}, "expected": "greeting"})
    uid = dataset_examples.add(dataset=dataset, rows=[row], by=by).uids[0]
    address = "/p/garden/examples/-/picker/"
    assert "mails" in page.get(address).content.decode()
    filled: Any = page.get(address, {"from-dataset": "mails", "from-example": uid}).content.decode()
    assert 'id="inputs"' in filled
    assert "Hello &lt;b&gt;" in filled
    assert "[1, 2]" in filled
    assert "greeting" in filled


def test_a_try_out_becomes_an_example_with_the_mended_answer(page: Client, project: Project, by: Actor) -> None:
    datasets.create(project=project, slug="mails", by=by)
    tryout = TryOut.objects.create(project=project, text="user:\nx", inputs={"mail": "Hello"}, output="wrong")
    address = f"/p/garden/examples/-/from-try-out/{tryout.uid.hex}/"
    assert "wrong" in page.get(address).content.decode()
    assert page.post(address, {"dataset": "mails", "expected": "greeting"}).status_code == 302
    example = Example.objects.get()
    assert (example.inputs, example.expected, example.source_uid) == ({"mail": "Hello"}, "greeting", tryout.uid)
