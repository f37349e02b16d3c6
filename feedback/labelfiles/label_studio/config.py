"""A rubric as the labeling configuration that shows it in Label Studio.

Element and attribute names are those of https://labelstud.io/tags/.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from feedback.rubrics import Question

MOST_STARS = 10
TIE = "_tie"  # a pair has two sides there; that neither is better is a control of its own


def config(questions: Sequence[Question], guidelines: str = "") -> str:
    """The configuration for tasks that `task` writes for this rubric."""
    kinds = {question.kind for question in questions}
    lines = ["<View>"]
    if guidelines:
        lines.append(f'  <Header size="5" value={_text(guidelines)}/>')
    lines += ['  <Header size="4" value="Input"/>', '  <Text name="inputs" value="$inputs"/>']
    lines += ['  <Header size="4" value="Contexts"/>', '  <Text name="contexts" value="$contexts"/>']
    lines += ['  <Header size="4" value="Output"/>', '  <Text name="output" value="$output"/>']
    lines += ['  <Header size="4" value="Expected"/>', '  <Text name="expected" value="$expected"/>']
    if "pairwise" in kinds:
        lines += [f'  <Text name="candidate_{side}" value="$candidate_{side}"/>' for side in ("a", "b")]
    if "ranking" in kinds:
        lines.append('  <List name="candidates" value="$candidates" title="Candidates"/>')
    for question in questions:
        lines += ["  <View>", f"    <Header value={_text(question.text)}/>"]
        if question.guidelines:
            lines.append(f'    <Header size="6" value={_text(question.guidelines)}/>')
        lines += [f"    {line}" for line in _control(question)] + ["  </View>"]
    return "\n".join([*lines, "</View>"]) + "\n"


def target(question: Question) -> str:
    """What the question is about, by its name in the configuration."""
    return {"pairwise": "candidate_a,candidate_b", "ranking": "candidates"}.get(question.kind, "output")


def has_stars(question: Question) -> bool:
    """Whether the scale is a rating there, which begins at one."""
    return question.low == 1 and question.high <= MOST_STARS


def _control(question: Question) -> list[str]:
    named = f"name={_text(question.key)} toName={_text(target(question))}"
    asked = f'{named} required="{str(question.required).lower()}"'
    if question.kind in {"pass_fail", "category", "categories"}:
        how = "multiple" if question.kind == "categories" else "single"
        choices = [_option("Choice", one.value, one.text) for one in question.options]
        return [f'<Choices {asked} choice="{how}">', *choices, "</Choices>"]
    if question.kind == "spans":
        return [
            f"<Labels {asked}>",
            *(_option("Label", one.value, one.text) for one in question.options),
            "</Labels>",
        ]
    if question.kind == "scale":
        if has_stars(question):
            return [f'<Rating {asked} maxRating="{question.high}"/>']
        return [f'<Number {asked} min="{question.low}" max="{question.high}" step="1"/>']
    if question.kind == "pairwise":
        tie = f'<Choices name={_text(question.key + TIE)} toName="candidate_a" choice="single">'
        return [f"<Pairwise {asked}/>", tie, _option("Choice", "tie", "No difference"), "</Choices>"]
    if question.kind == "ranking":
        return [f"<Ranker {asked}/>"]
    filled = ' value="$output"' if question.kind == "correction" else ""
    return [f'<TextArea {asked}{filled} rows="4" maxSubmissions="1" editable="true"/>']


def _option(tag: str, value: str, words: str) -> str:
    """An alias is what the annotation holds in place of the words."""
    alias = "" if words == value else f" alias={_text(value)}"
    return f"  <{tag} value={_text(words)}{alias}/>"


def _text(value: str) -> str:
    return quoteattr(value, {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})
