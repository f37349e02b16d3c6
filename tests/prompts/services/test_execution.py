"""From a version and inputs to messages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project
from prompts.models import Version
from prompts.rendering import TemplateProblem
from prompts.services import execution, versions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def saved(project: Project, by: Actor, path: str, text: str) -> Version:
    return versions.save(project=project, path=path, content=text, message="", by=by, now=NOW).version


def rendered(version: Version, **inputs: object) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in execution.compiled(version).messages(inputs)]


def test_every_part_becomes_a_message_and_defaults_fill_what_is_not_given(project: Project, by: Actor) -> None:
    text = (
        "---\ninputs:\n- name: tone\n  kind: string\n  default: kind\n---\n"
        "system:\nBe {{ tone }}.\n\nuser:\nHi {{ name }}\n"
    )
    version = saved(project, by, "greet", text)
    assert rendered(version, name="Ada") == [("system", "Be kind."), ("user", "Hi Ada")]
    assert rendered(version, name="{{ tone }}", tone="") == [("system", "Be ."), ("user", "Hi {{ tone }}")]
    with pytest.raises(TemplateProblem, match="“name” is missing"):
        rendered(version)


def test_each_prompt_of_a_nest_of_includes_keeps_the_version_that_it_was_pinned_to(project: Project, by: Actor) -> None:
    saved(project, by, "tone", "system:\nold tone\n")
    saved(project, by, "rules", 'system:\nrules with {% include "tone" %}\n')
    saved(project, by, "tone", "system:\nnew tone\n")
    both = saved(project, by, "both", 'system:\n{% include "tone" %}; {% include "rules" %}\n')
    assert rendered(both) == [("system", "new tone; rules with old tone")]


def test_a_prompt_that_is_too_long_is_not_included(project: Project, by: Actor) -> None:
    long = "\n\n".join(f"user:\n{'x' * 50_000}" for _ in range(2))
    saved(project, by, "long", long)
    version = saved(project, by, "greet", 'system:\n{% include "long" %}\n')
    with pytest.raises(Invalid, match="too long to be included"):
        rendered(version)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in xs %}{% for b in xs %}{% if big == same %}{% endif %}{% endfor %}{% endfor %}",
        "{% for a in xs %}{% if deep | tojson | length %}{% endif %}{% endfor %}",
        "{% for a in xs %}{% if 'zz' in text %}{% endif %}{% endfor %}",
        "{% for a in xs %}{{ a.b is defined }}{% endfor %}",
    ],
)
def test_the_messages_of_a_prompt_share_one_budget_of_time(project: Project, by: Actor, text: str) -> None:
    inputs = {
        "xs": [1] * 5_000, "big": [1] * 100_000, "same": [1] * 100_000, "deep": [[["x"] * 20_000]],
        "text": "x" * 200_000,
    }  # fmt: skip
    many = {f"k{number}": "" for number in range(20_000)}
    version = saved(project, by, "bomb", "\n\n".join(f"user:\n{text}\nEnd" for _ in range(100)))
    with pytest.raises((TemplateProblem, Invalid)):  # without the budget they would render for many minutes
        rendered(version, **inputs, **many)
