"""The words that tell a theme from the others (class-based TF-IDF, Grootendorst 2022). Plain Python."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

MOST_TERMS = 5
NAME_TERMS = 3
WITHOUT_WORDS = "Without words"
_WORD = re.compile(r"[^\W\d_][\w'’-]*[^\W_]|[^\W\d_]")
# Words that say nothing about what went wrong, in the languages that complaints here mostly come in.
_EMPTY_WORDS = (
    "a about after all also am an and any are as at be because been before being but by can could did do does doing "
    "don't for from get got had has have having he her here him his how i i'm i've if in into is it it's its just "
    "made make me more most my no not now of off on once only or other our out over own please said same she should "
    "so some such than that the their them then there these they this those through to too under until up very was "
    "we were what when where which while who why will with would you your yours "
    "aber als am an auch auf aus bei bin bis da das dass dem den der des die doch ein eine einem einen einer es für "
    "hat ich im in ist ja kann mein mich mir mit nach nicht noch nur oder sich sie sind so über um und uns von vor "
    "war was wie wir wird zu zum zur "
    "au aux avec ce ces dans de des du elle en est et eux il je la le les leur mais me mes moi mon ne nous on ou par "
    "pas pour qu que qui sa se ses son sur ta te tes toi ton tu un une vos votre vous "
    "al con como de del el ella en es esta este ha hay la las lo los más me mi muy no o para pero por que se si sin "
    "su sus un una y ya"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())


def words(text: str) -> list[str]:
    """The words of a text that may name a theme, in lower case."""
    return [word for word in _WORD.findall(text.lower()) if len(word) > 2 and word not in _EMPTY]


def terms(texts: Sequence[str], others: Counter[str], *, most: int = MOST_TERMS) -> list[str]:
    """The `most` telling words of the texts, the most telling first.

    `others` counts in how many texts of all themes each word stands, these texts included. A word's weight is its
    share of these texts times ln(1 + texts of all themes / texts with the word): Grootendorst's c-TF-IDF over
    presence, so that one long complaint does not name the theme.
    """
    mine = Counter(word for text in texts for word in set(words(text)))
    if not mine:
        return []
    whole = max(others.values(), default=1)
    weight = {
        word: count / len(texts) * math.log(1 + whole / max(others[word], count, 1)) for word, count in mine.items()
    }
    return sorted(weight, key=lambda word: (-weight[word], word))[:most]


def presence(texts: Sequence[str]) -> Counter[str]:
    """In how many texts each word stands."""
    return Counter(word for text in texts for word in set(words(text)))


def name_of(found: Sequence[str]) -> str:
    """A name made of the top terms: “Parcel, courier, late”."""
    name = ", ".join(found[:NAME_TERMS])
    return (name[:1].upper() + name[1:])[:120] or WITHOUT_WORDS


def slug_of(found: Sequence[str], taken: frozenset[str] | set[str]) -> str:
    """A short name for tags, of the top terms, that no other theme has; at most 50 characters."""
    plain = "-".join(re.sub(r"[^\w]+", "-", term).strip("-") for term in found[:NAME_TERMS])[:44].strip("-") or "theme"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    return name
