# ruff: noqa: E501 (the corpora read best as they are)
"""Templates give what Jinja2 gives, and nothing that Jinja2's sandbox would have to stop."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prompts.rendering import Limits, TemplateProblem, parse, render

JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
INPUTS: dict[str, Any] = {
    "name": "Ada", "n": 3, "x": 1.5, "yes": True, "nothing": None, "words": ["a", "b", "c"], "empty": [],
    "user": {"name": "Bo", "tags": ["x", "y"], "items": "not a method"}, "rows": [{"k": 1}, {"k": 2}],
}  # fmt: skip

SAME_AS_JINJA = [
    "Hi {{ name }}!", "{{ user.name }} {{ user['name'] }} {{ words[0] }} {{ words[1] }}", "{{ name|upper }}{{ name|lower }}",
    "{% for w in words %}{{ loop.index }}{{ w }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for w in empty %}x{% else %}none{% endfor %}", "{% if n > 2 and yes %}big{% elif n %}some{% else %}no{% endif %}",
    "{{ 'a' if yes else 'b' }}", "{{ missing|default('none') }}", "{{ nothing|default('d', true) }}", "{{ words|join('-') }}",
    "{{ words|length }} {{ name|length }}", "{{ '  x '|trim }}", "{{ name is defined }} {{ missing is defined }}",
    "{% if missing is undefined %}u{% endif %}", "{{ nothing is none }}", "{{ 'a' in words }} {{ 'z' not in words }}",
    "a\n{%- if yes -%}\n b \n{%- endif -%}\nc\n", "{# a comment #}x", "{% raw %}{{ name }}{% endraw %}",
    "{{ n }} {{ x }} {{ yes }} {{ nothing }}", "{{ words }}", "{% for r in rows %}{% for w in words %}{{ r.k }}{{ w }} {% endfor %}{% endfor %}",
    "{{ n == 3 and x < 2 or false }}", "{{ not yes }}", "{{ 1 < n < 5 }}", "{{ ['a', name]|join }}", "text only\n", "",
    "{{ user.tags[0] }}", "{{ name[0] }}", "{% for c in name %}{{ c }}.{% endfor %}", "{{ loop is defined }}",
]  # fmt: skip


@pytest.mark.parametrize("source", SAME_AS_JINJA)
def test_what_is_allowed_renders_as_in_jinja(source: str) -> None:
    assert render(parse(source), INPUTS) == JINJA.from_string(source).render(INPUTS)


names = st.sampled_from(["name", "n", "yes", "words", "user.name", "x"])
pieces = st.one_of(
    st.text(alphabet="ab {}\n%é", max_size=8).filter(lambda text: not any(mark in text for mark in ("{{", "{%", "{#"))),
    names.map(lambda name: f"{{{{ {name} }}}}"),
    names.map(lambda name: f"{{% if {name} %}}+{{% else %}}-{{% endif %}}"),
    st.just("{% for w in words %}[{{ w }}]{% endfor %}"),
)


@settings(max_examples=150)
@given(st.lists(pieces, max_size=8).map("|".join))
def test_any_mix_of_allowed_pieces_renders_as_in_jinja(source: str) -> None:
    assert render(parse(source), INPUTS) == JINJA.from_string(source).render(INPUTS)


ESCAPES = [
    "{{ ''.__class__ }}", "{{ ''['__class__'] }}", "{{ name.__class__.__mro__ }}", "{{ name|attr('__class__') }}",
    "{{ '%s'|format(name) }}", "{{ '{0.__class__}'.format(name) }}", "{{ lipsum() }}", "{{ cycler.__init__ }}",
    "{{ self }}{{ self.__init__() }}", "{{ namespace(a=1) }}", "{% set a = 1 %}", "{% macro m() %}{% endmacro %}",
    "{% import 'x' as y %}", "{% extends 'x' %}", "{% block b %}{% endblock %}", "{{ range(10) }}", "{{ dict(a=1) }}",
    "{{ name|map('upper') }}", "{{ words|sort }}", "{% call x() %}{% endcall %}", "{% filter upper %}x{% endfilter %}",
    "{{ name ~ name }}", "{{ n + 1 }}", "{{ n * 1000000000 }}", "{{ 9 ** 9 }}", "{{ -n }}", "{{ words[0:1] }}",
    "{{ {'a': 1} }}", "{% with a = 1 %}{% endwith %}", "{% for w in words recursive %}{% endfor %}",
    "{% for w in words if w %}{% endfor %}", "{% for a, b in rows %}{% endfor %}", "{{ name is callable }}",
    "{{ _x }}", "{{ user._private }}", "{{ name|tojson(indent=2) }}", "{% include name %}", "{% include ['a', 'b'] %}",
    "{% for i in [1, 2, 3] %}{% endfor %}", "{% for w in words %}{{ loop.previtem }}{% endfor %}",
    "{% for w in words %}{{ loop.cycle('a') }}{% endfor %}", "{% autoescape true %}{% endautoescape %}", "{% do x %}",
]  # fmt: skip


@pytest.mark.parametrize("source", ESCAPES)
def test_everything_else_is_refused_with_its_place(source: str) -> None:
    with pytest.raises(TemplateProblem) as refused:
        render(parse(source), INPUTS)
    assert refused.value.line == 1
    assert 1 <= refused.value.column <= len(source) + 1


def test_item_access_by_a_private_name_finds_only_data() -> None:
    with pytest.raises(TemplateProblem, match="missing"):
        render(parse("{{ name['__class__'] }}"), INPUTS)
    assert render(parse("{{ user.items }}"), INPUTS) == "not a method"


BOMBS = [
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{{ " + "not " * 5000 + "yes }}", "{% if yes %}" * 2000, "{{" * 30000,
    "{{ a" + ".a" * 30000 + " }}", "{{ " + "[" * 4000, "{% if yes %}x" + "{% elif yes %}x" * 6000 + "{% endif %}",
    "{{ " + "9" * 5000 + " }}", "x" * 70_000, "{{a}}" * 12_000, "{{ a" + "|upper" * 5000 + " }}",
    "{{ " + "yes and " * 8000 + "yes }}", "{{ 'a' if yes else " * 3000, "{% for a in words %}" * 50, "{{ a[" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_bombs_are_refused(source: str) -> None:
    with pytest.raises(TemplateProblem):
        render(parse(source), {"yes": True, "words": ["a"]})


def test_loops_and_output_share_budgets() -> None:
    nested = parse("{% for a in rows %}{% for b in rows %}{{ text }}{% endfor %}{% endfor %}")
    with pytest.raises(TemplateProblem, match="longer than"):
        render(nested, {"rows": list(range(300)), "text": "x" * 1000})
    with pytest.raises(TemplateProblem, match="steps"):
        render(nested, {"rows": list(range(1000)), "text": ""}, limits=Limits(steps=10_000))


def test_values_that_look_like_templates_stay_text() -> None:
    assert render(parse("{{ name }}"), {"name": "{{ secret }}{% for %}"}) == "{{ secret }}{% for %}"


def test_variables_come_in_order_and_the_optional_ones_are_not_required() -> None:
    template = parse("{{ b }}{% for x in a %}{{ x }}{{ c|default('') }}{% endfor %}{% if d is defined %}y{% endif %}")
    assert template.variables == ("b", "a", "c", "d")
    assert template.required == ("b", "a")


def test_a_missing_input_is_named_with_its_place() -> None:
    with pytest.raises(TemplateProblem) as failed:
        render(parse("Hi\n  {{ user.age }}"), INPUTS)
    assert (failed.value.line, failed.value.column, failed.value.reason) == (2, 11, "the input “age” is missing.")


def test_an_include_is_rendered_with_the_same_inputs_and_cannot_go_on_for_ever() -> None:
    greeting = parse("Hi {{ name }}")
    assert render(parse('{% include "a/b" %}!'), INPUTS, include=lambda path: greeting) == "Hi Ada!"
    endless = parse('{% include "self" %}')
    with pytest.raises(TemplateProblem, match="deep"):
        render(endless, INPUTS, include=lambda path: endless)


@settings(max_examples=300)
@given(st.text(alphabet="{}%# abif()[]|.'\"\n-", max_size=40))
def test_any_text_is_rendered_or_refused_never_a_crash(source: str) -> None:
    with contextlib.suppress(TemplateProblem):
        render(parse(source), INPUTS)
