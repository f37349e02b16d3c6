"""Texts into groups: known answers, real labelled texts, and what must hold for any input."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from feedback.clustering import grouping, naming, texts
from feedback.clustering.vectors import TfIdf, unit

LATE = [
    "my parcel came two days late", "the parcel is late again", "parcel arrived a week late", "late parcel, very late",
    "the parcel was late by three days", "why is my parcel so late",
]  # fmt: skip
REFUND = [
    "I never got my refund", "where is my refund", "refund was not paid", "still waiting for the refund",
    "the refund is missing", "no refund on my account",
]  # fmt: skip


def found_in(given_texts: list[str], least: int = 3) -> list[list[int]]:
    vectoriser = TfIdf()
    vectoriser.fit(given_texts)
    return grouping.groups(vectoriser.vectors(given_texts), alike=vectoriser.alike, least=least)


def labelled(path: Path, intents: int, each: int) -> tuple[list[str], list[str]]:
    by_intent: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        by_intent.setdefault(row["expected"], []).append(row["input"])
    chosen = random.Random(7).sample(sorted(by_intent), intents)
    rows = [(text, intent) for intent in chosen for text in by_intent[intent][:each]]
    return [text for text, _ in rows], [intent for _, intent in rows]


def test_two_complaints_with_different_words_make_two_groups() -> None:
    groups = found_in(LATE + REFUND)
    assert [len({row < 6 for row in rows}) for rows in groups] == [1, 1]  # no group mixes the two
    assert sum(len(rows) for rows in groups) >= 10


def test_real_questions_fall_into_groups_that_agree_with_their_labels(shared_data: Path) -> None:
    """Eight intents of Banking77 (Casanueva et al. 2020): the groups agree with the labels far beyond chance (0)."""
    path = shared_data / "datasets/banking77_test_3080.jsonl"
    if not path.exists():
        pytest.skip("the labelled questions are absent")
    questions, intents = labelled(path, 8, 15)
    groups = found_in(questions)
    group_of = {row: number for number, rows in enumerate(groups) for row in rows}
    labels = [group_of.get(row, -1 - row) for row in range(len(questions))]
    assert adjusted_rand_score(intents, labels) > 0.5
    assert len(group_of) > 0.8 * len(questions)


def test_a_text_joins_the_group_that_it_would_have_been_in() -> None:
    vectoriser = TfIdf()
    vectoriser.fit(LATE + REFUND)
    vectors = vectoriser.vectors(LATE + REFUND)
    means = grouping.mean_vectors(vectors, [range(5), range(6, 11)])
    joined, strength = grouping.nearest(vectors[[5, 11]], means, alike=vectoriser.alike)
    assert joined.tolist() == [0, 1]
    strange = vectoriser.vectors(["zzz", ""])
    assert grouping.nearest(strange, means, alike=vectoriser.alike)[0].tolist() == [-1, -1]
    assert np.all(strength <= 1 + 1e-6)


def test_average_linkage_stops_where_the_mean_cosine_falls_below_the_limit() -> None:
    """Three unit vectors at 0°, 20° and 50°: cosines .940, .866, .643; the third joins at mean (.643 + .866) / 2."""
    angles = np.radians([0, 20, 50])
    vectors = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    mean = (np.cos(angles[2]) + np.cos(angles[2] - angles[1])) / 2
    assert grouping.groups(vectors, alike=float(mean) - 0.001, least=2) == [[0, 1, 2]]
    assert grouping.groups(vectors, alike=float(mean) + 0.001, least=2) == [[0, 1]]


@pytest.mark.parametrize("given_texts", [[], [""], ["", "  ", ""], ["a"], ["same"] * 7, ["!?", "...", "—"]])
def test_texts_without_content_break_nothing(given_texts: list[str]) -> None:
    groups = found_in(given_texts)
    assert groups == ([list(range(7))] if given_texts == ["same"] * 7 else [])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=14), st.randoms(use_true_random=False))
def test_groups_part_the_texts_and_do_not_depend_on_their_order(given_texts: list[str], chance: random.Random) -> None:
    vectors = np.asarray([[len(text) % 3, text.count("e"), 1.0 if text else 0.0] for text in given_texts])
    rows = unit(vectors.reshape(len(given_texts), 3))
    groups = grouping.groups(rows, alike=0.9, least=2)
    members = [row for group in groups for row in group]
    assert len(members) == len(set(members))
    assert all(len(group) >= 2 for group in groups)
    for group in groups:
        alike = rows[group].astype(np.float64) @ rows[group].astype(np.float64).T
        assert alike.mean() >= 0.5
    assert [len(group) for group in groups] == sorted((len(group) for group in groups), reverse=True)


def test_the_telling_words_name_a_theme_and_common_ones_do_not() -> None:
    counted = naming.presence([*LATE, *REFUND, *(f"the answer was wrong {n}" for n in range(9))])
    assert naming.terms(LATE, counted)[:2] == ["late", "parcel"]
    assert naming.terms(REFUND, counted)[0] == "refund"
    assert naming.name_of(["late", "parcel", "days", "week"]) == "Late, parcel, days"
    assert naming.name_of([]) == "Without words"


def test_a_slug_is_short_and_nobody_elses() -> None:
    assert naming.slug_of(["late", "parcel"], set()) == "late-parcel"
    assert naming.slug_of(["late", "parcel"], {"late-parcel", "late-parcel-2"}) == "late-parcel-3"
    assert naming.slug_of([], {"theme"}) == "theme-2"
    assert len(naming.slug_of(["x" * 80] * 3, set())) <= 50


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_terms_come_from_the_texts_themselves(given_texts: list[str]) -> None:
    found = naming.terms(given_texts, Counter(naming.presence(given_texts)))
    assert len(found) == len(set(found)) <= naming.MOST_TERMS
    assert all(any(term in text.lower() for text in given_texts) for term in found)


def test_a_complaint_is_what_people_say_else_what_they_asked() -> None:
    chat = {"messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Where is it?"}]}
    said = texts.complaint(comments=["Too slow"], tags=["speed"], corrections=["x"], inputs=chat)
    assert said == "Too slow speed"
    assert texts.complaint(comments=[" "], tags=[], corrections=["x"], inputs=chat) == "Where is it?"
    assert texts.complaint(comments=[], tags=[], corrections=[{"a": 1}], inputs=None) == '{"a": 1}'
    assert texts.complaint(comments=[], tags=[], corrections=[], inputs={"q": "Why", "n": 3}) == "Why 3"
    assert len(texts.complaint(comments=["x" * 5_000], tags=[], corrections=[], inputs=None)) == texts.LONGEST
