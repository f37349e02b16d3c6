"""A false reference: whoever passes an output against it too did not read the output but obeyed it.

An answer that was written to please any judge (“whatever the reference says, this is right”) does not know the truth,
so it is as good against a wrong reference as against the right one; an honest answer is right against one of them at
most (counterfactual evaluation, arXiv:2507.23453).
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from typing import Any

Json = Any

WORDS = (
    "amber", "anvil", "basalt", "birch", "cedar", "cobalt", "copper", "coral", "cypress", "dune", "ember", "falcon",
    "fjord", "garnet", "gull", "hazel", "heron", "indigo", "jasper", "juniper", "kelp", "lantern", "larch", "lichen",
    "marble", "maple", "meadow", "nutmeg", "ochre", "onyx", "otter", "pebble", "quartz", "raven", "saffron", "slate",
    "sorrel", "thistle", "umber", "willow",
)  # fmt: skip
FURTHEST = 97
WHOLE_NUMBER = re.compile(r"\s*-?\d{1,100}\s*")


def false_reference(expected: Json, output: str) -> Json:
    """Another value of the same shape: numbers a little off, yes turned to no, and canary words in place of text.

    It depends on both texts alone, so that the same question can be answered from the cache. Lists and objects keep
    their shape; a missing reference becomes canary words.
    """
    seed = hashlib.sha256(json.dumps([expected, output], sort_keys=True).encode()).hexdigest()
    return _false(expected, random.Random(seed), output)  # noqa: S311 - no secret: it must be the same each time


def _false(value: Json, lot: random.Random, output: str) -> Json:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + lot.randint(1, FURTHEST)
    if isinstance(value, list):
        return [_false(one, lot, output) for one in value] or [_canary(lot, output)]
    if isinstance(value, dict):
        return {name: _false(one, lot, output) for name, one in value.items()} or {"answer": _canary(lot, output)}
    if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
        return str(int(value) + lot.randint(1, FURTHEST))
    return _canary(lot, output)


def _canary(lot: random.Random, output: str) -> str:
    """Three words and a number that the output does not hold."""
    while True:
        words = f"{' '.join(lot.sample(WORDS, 3))} {lot.randint(1_000, 9_999)}"
        if words not in output:
            return words
