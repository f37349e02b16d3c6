"""What people are asked about an item: the questions of a rubric, and what counts as an answer to each.

Pure: JSON in, frozen dataclasses out; what is not acceptable is `Invalid`, naming the question.
"""

from feedback.rubrics.answers import checked, comparable, said
from feedback.rubrics.combining import combined, most_frequent
from feedback.rubrics.expecting import EXPECTABLE, expectable, expected
from feedback.rubrics.fitting import lost_between
from feedback.rubrics.questions import KINDS, Choice, Question, as_json, parse

__all__ = [
    "EXPECTABLE",
    "KINDS",
    "Choice",
    "Question",
    "as_json",
    "checked",
    "combined",
    "comparable",
    "expectable",
    "expected",
    "lost_between",
    "most_frequent",
    "parse",
    "said",
]
