"""Likeness by embeddings, with vectors given by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import metrics
from evals.metrics import Score, Unscored, meaning
from llmops.common.errors import Invalid

numbers = st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=3)


def spec(**params: Any) -> dict[str, Any]:
    modifiers = {name: params.pop(name) for name in ("threshold", "negate") if name in params}
    return {"metric": "embedding_similarity", "params": params, **modifiers}


def embedder(**params: Any) -> metrics.Embedder:
    return metrics.embedder(spec(**params))


def scored(cosine: float, **params: Any) -> Score:
    """The score of two vectors at the angle of this cosine."""
    other = (cosine, math.sqrt(1 - cosine * cosine))
    found = embedder(**params).score(("a", "b"), ((1.0, 0.0), other), "m")
    assert isinstance(found, Score)
    return found


@given(numbers, numbers)
def test_the_cosine_is_that_of_numpy(left: list[float], right: list[float]) -> None:
    found = meaning.cosine(left, right)
    sizes = float(np.linalg.norm(left)) * float(np.linalg.norm(right))
    if found is None:
        assert sizes < 1e-30
    elif sizes > 1e-12:
        assert found == pytest.approx(float(np.dot(left, right)) / sizes, abs=1e-9)


def test_vectors_of_different_lengths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="2 and 3"):
        meaning.cosine((1.0, 0.0), (1.0, 0.0, 0.0))


def test_the_value_is_the_cosine_from_the_floor_to_one() -> None:
    assert scored(0.8).value == pytest.approx(0.8)
    assert scored(-0.5).value == 0.0
    # autoevals: (score − expected_min) / (1 − expected_min), with 0.7
    assert scored(0.85, floor=0.7).value == pytest.approx(0.5)
    assert scored(0.6, floor=0.7).value == 0.0
    assert (scored(0.8).passed, scored(0.8, threshold=0.75).passed) == (None, True)
    turned = scored(0.8, threshold=0.75, negate=True)
    assert (turned.passed, turned.value, turned.category) == (False, pytest.approx(0.2), "embeddings")


def test_of_several_expected_texts_the_nearest_counts() -> None:
    found = embedder().score(("a", "far", "near"), ((1.0, 0.0), (0.0, 1.0), (0.6, 0.8)), "m")
    assert isinstance(found, Score)
    assert (found.value, "“near”" in found.reason) == (pytest.approx(0.6), True)


def test_a_vector_without_direction_gives_no_score() -> None:
    assert isinstance(embedder().score(("a", "b"), ((0.0, 0.0), (1.0, 0.0)), "m"), Unscored)


def test_what_is_clear_without_vectors_asks_for_none() -> None:
    texts = embedder(threshold=0.5).texts
    assert texts("a", ["b", " ", "c"]) == ("a", "b", "c")
    assert texts("a", 3) == ("a", "3")
    for output, expected, value in ((" ", "b", 0.0), ("", ["b", ""], 1.0), ("a", "", 0.0)):
        found = texts(output, expected)
        assert isinstance(found, Score)
        assert (found.value, found.passed) == (value, value == 1.0)
    for output, expected in (("a", None), ("a", []), ("a" * 30_001, "b"), ("a", "b" * 30_001), ("a", ["b"] * 51)):
        assert isinstance(texts(output, expected), Unscored)


def test_the_fallback_is_that_of_similar_and_says_so() -> None:
    assert embedder().without(("a cat", "the cat")) is None
    found = embedder(fallback="ngrams", threshold=0.9).without(("a cat", "a dog", "the cat"))
    alone = metrics.score({"metric": "similar"}, "a cat", ["a dog", "the cat"])
    assert isinstance(found, Score)
    assert isinstance(alone, Score)
    assert (found.value, found.passed, found.category) == (alone.value, False, "character n-grams")
    assert isinstance(embedder(fallback="ngrams").without(("a" * 20_001, "b")), Unscored)


def test_by_itself_it_gives_no_score_and_no_combination_takes_it() -> None:
    assert isinstance(metrics.score(spec(), "a", "a"), Unscored)
    assert metrics.asks_model(spec())
    assert not metrics.asks_model({"metric": "similar"})
    with pytest.raises(Invalid) as refused:
        metrics.checked({"metric": "combination", "params": {"parts": {"a": spec()}}})
    assert "asks a model" in refused.value.fields["params.parts.a"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"floor": 1.0}, "floor"),
        ({"floor": -0.1}, "floor"),
        ({"dimensions": 0}, "dimensions"),
        ({"fallback": "x"}, "fallback"),
    ],
)
def test_parameters_that_cannot_be_are_refused_by_name(params: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked(spec(**params))
    assert list(refused.value.fields) == [f"params.{field}"]


def promptfoo(row: dict[str, Any]) -> bool:
    """The rows mock the model: what is called similar lies together with the output, other texts at right angles."""
    if "toThrow" in row["expect"]:
        return isinstance(embedder().texts(row["output"], row["value"]), Unscored)
    compare = embedder(threshold=row.get("threshold", 0.75), **({"negate": True} if row["inverse"] else {}))
    texts = compare.texts(row["output"], row["value"])
    assert isinstance(texts, tuple)
    groups = ["alike" if text.startswith(("Test", "Similar")) else text for text in texts]
    vectors = [tuple(float(group == other) for other in sorted(set(groups))) for group in groups]
    found = compare.score(texts, vectors, "m")
    assert isinstance(found, Score)
    expect = row["expect"]
    return found.passed is expect["pass"] and found.value == pytest.approx(expect.get("score", found.value))


def test_promptfoo_agrees_on_likeness_but_for_expected_values_that_are_no_text(shared_data: Path) -> None:
    lines = (shared_data / "metrics" / "promptfoo_model_graded_and_trace_mocked.jsonl").read_text().splitlines()
    found = [row for row in map(json.loads, lines) if row["assertion"] == "similar"]
    differing = [row["test"] for row in found if not promptfoo(row)]
    print(f"promptfoo similar: {len(found) - len(differing)} of {len(found)}")
    assert differing == [
        "handleSimilar > should throw error for invalid renderedValue type"
    ]  # 123 is the text 123 here
    assert len(found) == 10
