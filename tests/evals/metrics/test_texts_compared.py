"""Known answers of the metrics that compare texts, by hand or by the library that defines them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals import metrics
from evals.metrics import Score, Unscored, rouge, similarity, translation
from llmops.common.errors import Invalid

CAT, DOG = "The cat sat on the mat.", "The dog sat on the mat."
sentences = st.text(alphabet="abcde AB.,", max_size=40)


def value(metric: str, output: str, expected: Any = None, **params: Any) -> float:
    found = metrics.score({"metric": metric, "params": params}, output, expected)
    assert isinstance(found, Score), found
    return found.value


@pytest.mark.parametrize(
    ("metric", "output", "expected", "params", "wanted"),
    [
        ("levenshtein_distance", "kitten", "sitting", {}, 3),
        ("levenshtein_distance", "Kitten", ["dog", "kitten"], {"normalizer": "casefold"}, 0),
        ("levenshtein_within", "tost", "test", {"at_most": 0}, 0),
        ("levenshtein_within", "tost", "test", {}, 1),
        ("jaccard", "The red cat", "the blue cat", {}, 2 / 4),
        ("jaccard", "...", "!", {}, 1),
        ("cer", "helo", "hello", {}, 1 / 5),
        ("cer", "aaaa", "a", {}, 3),
        ("cer", "ab", "", {}, 2),
        ("wer", "the cat sat", "the cat sat down", {}, 1 / 4),
        ("wer", "", "", {}, 0),
        ("fuzzy_match", "The answer is Paris.", "paris", {}, 1),
        ("fuzzy_match", "", "paris", {}, 0),
        ("rouge_1", DOG, CAT, {}, 5 / 6),
        ("rouge_2", DOG, CAT, {}, 3 / 5),
        ("rouge_1", DOG, CAT, {"measure": "recall"}, 5 / 6),
        ("rouge_1", "runs running", "run run", {}, 0),
        ("rouge_1", "runs running", "run run", {"stem": True}, 1),
        ("rouge_l", "a c b d", "a b c d", {}, 3 / 4),
        ("gleu", DOG, CAT, {}, 11 / 18),
        ("gleu", CAT, [DOG, CAT], {}, 1),
        ("bleu_words", CAT, CAT, {}, 1),
        ("bleu_words", "", CAT, {}, 0),
        ("numeric_diff", "1", "2", {}, 2 / 3),
        ("numeric_diff", "0", "0", {}, 1),
        ("numeric_diff", "-1", "1", {}, 0),
        ("numeric_diff", "one", "1", {}, 0),
        ("length", "straße", None, {}, 6),
        ("word_count", "It's a well-known fact: 3.5 is two words.", None, {}, 9),
        ("sentence_count", "One. Two? “Three!” Four…\n\nFive", None, {}, 5),
        ("sentence_count", "", None, {}, 0),
    ],
)
def test_known_values(metric: str, output: str, expected: Any, params: dict[str, Any], wanted: float) -> None:
    assert value(metric, output, expected, **params) == pytest.approx(wanted)


def test_bleu_of_words_by_hand() -> None:
    by_order = [5 / 6, 3 / 5, 2 / 4, 1 / 3]
    assert value("bleu_words", DOG, CAT) == pytest.approx(math.exp(sum(map(math.log, by_order)) / 4))
    assert value("bleu_words", "the cat sat on", "the cat sat on a mat") == pytest.approx(math.exp(1 - 6 / 4))


@settings(deadline=None)
@given(sentences, sentences)
def test_bleu_chrf_and_ter_are_those_of_sacrebleu(output: str, reference: str) -> None:
    import sacrebleu

    assert value("bleu", output, reference) == pytest.approx(
        sacrebleu.sentence_bleu(output, [reference]).score, abs=1e-9
    )
    assert value("chrf", output, reference) == pytest.approx(sacrebleu.sentence_chrf(output, [reference]).score)
    assert value("ter", output, reference) == pytest.approx(sacrebleu.sentence_ter(output, [reference]).score)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.lists(st.sampled_from("abc"), min_size=1, max_size=9)
)
def test_gleu_is_that_of_nltk(output: list[str], reference: list[str]) -> None:
    from nltk.translate.gleu_score import sentence_gleu

    wanted = sentence_gleu([reference], output)
    assert translation.gleu_words(" ".join(output), [" ".join(reference)]) == pytest.approx(wanted)


@settings(deadline=None)
@given(st.text(alphabet="abcd efg", min_size=1, max_size=30), st.text(alphabet="abcd efg", min_size=1, max_size=30))
def test_similar_is_the_cosine_of_scikit_learn(output: str, reference: str) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not output.strip() or not reference.strip():
        return
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)).fit_transform([output, reference])
    wanted = float((vectors[0] @ vectors[1].T).toarray()[0, 0])
    assert value("similar", output, reference) == pytest.approx(wanted, abs=1e-9)


def test_similar_names_its_method() -> None:
    found = metrics.score({"metric": "similar"}, "a cat", "the cat")
    assert isinstance(found, Score)
    assert "no model was asked" in found.reason


@given(sentences, sentences)
def test_rouge_l_of_one_line_is_rouge_lsum(output: str, reference: str) -> None:
    assert rouge.rouge_l(output, reference) == rouge.rouge_lsum(output, reference)


@given(sentences, sentences)
def test_swapping_sides_swaps_precision_and_recall(output: str, reference: str) -> None:
    for n in (1, 2):
        one, other = rouge.rouge_n(output, reference, n), rouge.rouge_n(reference, output, n)
        assert (one.precision, one.recall) == (other.recall, other.precision)


def test_error_rates_of_many_texts_weigh_by_length() -> None:
    pairs = [("a", "b"), ("x y z", "x y z")]
    assert similarity.error_rate(similarity.word_edits, pairs) == 1 / 4


# From Flesch's formula over counts made by hand: 13 words in 2 sentences, 19 syllables.
def test_reading_ease_by_hand() -> None:
    text = "The happy children played in the garden. They liked to run after rabbits."
    assert value("reading_ease", text) == pytest.approx(206.835 - 1.015 * 13 / 2 - 84.6 * 19 / 13, abs=0.01)
    assert value("reading_ease", "Der Hund schläft.", language="de") > 70
    hard = "Institutional considerations necessitate comprehensive organizational documentation."
    assert value("reading_ease", hard) < 0
    assert isinstance(metrics.score({"metric": "reading_ease"}, "123 ...", None), Unscored)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The weather is lovely today and we are going to the beach.", "en"),
        ("Das Wetter ist heute schön und wir gehen an den Strand.", "de"),
        ("Il fait beau aujourd'hui et nous allons à la plage.", "fr"),
        ("今日は天気が良いので海に行きます。", "ja"),
    ],
)
def test_languages_are_told_apart(text: str, code: str) -> None:
    found = metrics.score({"metric": "language", "params": {"language": code}}, text, None)
    assert isinstance(found, Score)
    assert (found.passed, found.category) == (True, code)
    assert metrics.score({"metric": "language"}, text, "es").passed is False


def test_bounds_decide_what_passes() -> None:
    spec = {"metric": "word_count", "params": {"at_least": 2, "at_most": 3}}
    assert [metrics.score(spec, text, None).passed for text in ("a", "a b", "a b c", "a b c d")] == [
        False, True, True, False,
    ]  # fmt: skip
    assert metrics.score({"metric": "word_count"}, "a", None).passed is None


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"metric": "language", "params": {"language": "zz"}}, "params.language"),
        ({"metric": "word_count", "params": {"at_least": 3, "at_most": 2}}, "params.at_most"),
        ({"metric": "levenshtein_within", "params": {"at_most": -1}}, "params.at_most"),
        ({"metric": "similar", "params": {"shortest": 4, "longest": 3}}, "params.longest"),
        ({"metric": "bleu", "params": {"tokenize": "ja-mecab"}}, "params.tokenize"),
        ({"metric": "rouge_1", "params": {"measure": "f2"}}, "params.measure"),
        ({"metric": "exact_match", "params": {"ignore": ["("]}}, "params.ignore"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked(spec)
    assert field in refused.value.fields


@pytest.mark.parametrize("metric", ["ter", "bleu", "chrf", "gleu", "similar", "rouge_lsum", "levenshtein_distance"])
def test_texts_without_end_are_unscored_or_quick(metric: str) -> None:
    import time

    metrics.score({"metric": metric}, "a", "a")  # libraries are loaded
    started = time.process_time()
    for text in ("a " * 200_000, "ab" * 300_000, "a\n" * 100_000):
        metrics.score({"metric": metric}, text, text)
    assert time.process_time() - started < 10


def test_texts_in_one_line_are_split_at_commas_outside_of_quotes() -> None:
    from evals.metrics import texts

    assert texts.comma_separated('a, "b, c" ,d,,"e\\"f"') == ["a", "b, c", "d", "", 'e"f']
    assert texts.comma_separated("") == [""]
