"""The editor of a rubric: its questions as fields, or all of them as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from feedback import rubrics
from feedback.rubrics.questions import KEY, MAX_QUESTIONS, WITH_CHOICES
from llmops.common import text
from llmops.common.errors import DomainError

MAX_QUESTIONS_BYTES = 200_000
PREFIX = "q"
MOST = MAX_QUESTIONS
FIRST: list[dict[str, Any]] = [
    {
        "key": "good",
        "kind": "pass_fail",
        "text": "Is the answer right?",
        "guidelines": "Pass only what you would send.",
    },
    {"key": "better", "kind": "correction", "text": "What would be right?", "required": False},
]


class RubricHead(forms.Form):
    """What holds for all questions."""

    slug = forms.SlugField(max_length=60, label="Name in addresses", help_text="Lower-case letters, digits, hyphens.")
    guidelines = forms.CharField(
        required=False,
        max_length=10_000,
        label="Guidelines for all questions",
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class RubricAsJSON(RubricHead):
    """The same with the questions as the API takes them."""

    questions = forms.CharField(
        strip=False, widget=forms.Textarea(attrs={"rows": 16, "class": "mono", "spellcheck": "false"}),
        help_text="A JSON list: key, kind, text, guidelines, choices, low, high, required.",
    )  # fmt: skip
    field_order = ("slug", "questions", "guidelines")

    def clean_questions(self) -> Any:
        try:
            return text.loads(self.cleaned_data["questions"], max_bytes=MAX_QUESTIONS_BYTES)
        except DomainError as error:
            raise forms.ValidationError(error.message) from None


class QuestionForm(forms.Form):
    """One question. Choices belong to categories and spans, the ends to a scale; the page hides what a kind lacks."""

    text = forms.CharField(max_length=500, label="Question")
    kind = forms.ChoiceField(choices=rubrics.KINDS, label="Kind of answer")
    key = forms.CharField(
        max_length=40, required=False, label="Key", help_text="Names the answer in exports. Empty: from the question."
    )
    choices = forms.CharField(
        required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One for each line; “value = words” shows other words than are stored.",
    )  # fmt: skip
    low = forms.IntegerField(required=False, label="From", initial=1)
    high = forms.IntegerField(required=False, label="To", initial=5)
    guidelines = forms.CharField(required=False, max_length=5_000, widget=forms.Textarea(attrs={"rows": 2}))
    required = forms.BooleanField(required=False, initial=True, label="Needs an answer")

    def question(self) -> dict[str, Any]:
        """As the service takes it; the key may be empty."""
        given = self.cleaned_data
        found = {name: given[name] for name in ("key", "kind", "text", "guidelines", "required")}
        if given["kind"] in WITH_CHOICES:
            found["choices"] = [_choice(line) for line in given["choices"].splitlines() if line.strip()]
        if given["kind"] == "scale":
            found |= {"low": 1 if given["low"] is None else given["low"]}
            found |= {"high": 5 if given["high"] is None else given["high"]}
        return found


QuestionSet = forms.formset_factory(
    QuestionForm, extra=0, min_num=1, max_num=MAX_QUESTIONS, absolute_max=MAX_QUESTIONS, validate_max=True,
    validate_min=True,
)  # fmt: skip


def bound(sent: QueryDict) -> Any:
    return QuestionSet(sent, prefix=PREFIX)


def showing(questions: Sequence[Mapping[str, Any]]) -> Any:
    """The fields filled with these questions."""
    return QuestionSet(prefix=PREFIX, initial=[_initial(one) for one in questions])


def rearranged(sent: QueryDict) -> Any:
    """The fields as they were sent, with a question more, one less, or one moved up, as the pressed button says."""
    rows = _sent(sent)
    do, _, place = sent.get("do", "").partition("-")
    at = int(place) if place.isascii() and place.isdigit() and len(place) < 3 else -1
    if do == "add" and len(rows) < MAX_QUESTIONS:
        rows.append({"kind": "pass_fail", "required": True})
    elif do == "remove" and 0 <= at < len(rows) and len(rows) > 1:
        rows.pop(at)
    elif do == "up" and 0 < at < len(rows):
        rows[at - 1], rows[at] = rows[at], rows[at - 1]
    return QuestionSet(prefix=PREFIX, initial=rows)


def questions_of(formset: Any) -> list[dict[str, Any]]:
    """The questions, each with a key of its own."""
    found = [form.question() for form in formset.forms]
    taken = {one["key"] for one in found if one["key"]}
    for place, one in enumerate(found, start=1):
        if not one["key"]:
            one["key"] = _key(one["text"], place, taken)
            taken.add(one["key"])
    return found


def put_on(head: forms.Form, formset: Any, error: DomainError) -> None:
    """Show what the service refused at the question's field that it names, else above the form."""
    for name, reason in error.fields.items():
        place = re.match(r"questions\[(\d+)\]\.(\w+)", name)
        if place and int(place[1]) < len(formset.forms) and place[2] in QuestionForm.base_fields:
            formset.forms[int(place[1])].add_error(place[2], reason)
        else:
            head.add_error(name if name in head.fields else None, error.message)
    if not error.fields:
        head.add_error(None, error.message)


def _choice(line: str) -> dict[str, str]:
    value, sign, words = line.partition("=")
    return {"value": value.strip(), "text": words.strip()} if sign and words.strip() else {"value": line.strip()}


def _initial(question: Mapping[str, Any]) -> dict[str, Any]:
    lines = [one if isinstance(one, str) else _line(one) for one in question.get("choices") or []]
    return {"required": True, **question, "choices": "\n".join(lines)}


def _line(choice: Mapping[str, str]) -> str:
    value, words = choice["value"], choice.get("text") or choice["value"]
    return value if value == words and "=" not in value else f"{value} = {words}"


def _sent(sent: QueryDict) -> list[dict[str, Any]]:
    total = sent.get(f"{PREFIX}-TOTAL_FORMS", "")
    count = int(total) if total.isascii() and total.isdigit() and len(total) < 3 else 0
    names = [name for name in QuestionForm.base_fields if name != "required"]
    return [
        {name: text.repaired(sent.get(f"{PREFIX}-{place}-{name}", "")) for name in names}
        | {"required": f"{PREFIX}-{place}-required" in sent}
        for place in range(min(count, MAX_QUESTIONS))
    ]


def _key(words: str, place: int, taken: set[str]) -> str:
    """A key from the question's words; by place where they hold no letters of the alphabet."""
    base = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:30].rstrip("_")
    base = base if KEY.fullmatch(base) else f"question_{place}"
    free = (base if n == 1 else f"{base}_{n}" for n in range(1, MAX_QUESTIONS + 2))
    return next(key for key in free if key not in taken)
