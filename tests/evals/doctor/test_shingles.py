"""Likeness of texts: known answers, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.doctor import shingles


def plain(text: str) -> set[str]:
    """The definition, without hashes."""
    return {text[at : at + shingles.LENGTH] for at in range(max(len(text) - shingles.LENGTH + 1, 1))} if text else set()


def test_the_likeness_of_two_words_is_the_share_of_their_common_pieces() -> None:
    # abcd bcde cdef | abcd bcde cdex: two of four
    assert shingles.jaccard(shingles.of("abcdef"), shingles.of("abcdex")) == 0.5


@given(st.text(max_size=60), st.text(max_size=60))
def test_hashed_pieces_give_the_likeness_of_the_pieces_themselves(a: str, b: str) -> None:
    left, right = plain(a), plain(b)
    union = left | right
    expected = len(left & right) / len(union) if union else 0.0
    assert shingles.jaccard(shingles.of(a), shingles.of(b)) == pytest.approx(expected)
    contained = len(left & right) / len(left) if left and right else 0.0
    assert shingles.contained(shingles.of(a), shingles.of(b)) == pytest.approx(contained)


@given(st.text(max_size=60))
def test_a_text_is_wholly_like_itself_and_sorted_without_repeats(text: str) -> None:
    found = shingles.of(text)
    assert np.all(found[1:] > found[:-1])
    assert shingles.jaccard(found, found) == (1.0 if text else 0.0)


def test_case_width_and_spaces_do_not_count() -> None:
    assert shingles.text_of({"a": "  Ｗhere IS\n my  parcel "}) == "where is my parcel"


def test_values_count_by_the_order_of_their_names_and_names_do_not() -> None:
    assert shingles.text_of({"b": "two", "a": ["one", 1]}) == "one 1 two"
    assert shingles.text_of({"x": "same"}) == shingles.text_of({"y": "same"})
    assert shingles.text_of({"x": None}) == ""
