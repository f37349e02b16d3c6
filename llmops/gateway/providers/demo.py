"""A provider without a model: deterministic, offline, and honest about it. For demos, tests and first steps.

It follows simple rules over the messages:

* asked for `rows` of new test cases (a JSON Schema, and the material as JSON), it fills the rows with sentences that
  say that no model wrote them, each with words of an example or a topic of the material;
* asked for a theme's name or a change to a prompt, it puts the material's terms into one (`demo_drafts`);
* asked for a verdict (any other JSON Schema), it compares the words of the judged output with those of the expected
  answer;
* told a list of categories (lines that start with “-”, or “categories: a, b, c”), it answers with the one whose words
  fit the last message best;
* otherwise it answers in its own words, which rarely are the ones that somebody expects;
* asked for embeddings, it counts hashed runs of characters: close for texts that share words, blind to meaning.

`demo-slow` takes a second; `demo-flaky` fails every fifth question once and answers it when it is asked again. The
parameters `demo_latency_ms` and `demo_failures` (a share from 0 to 1) do the same by number.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from llmops.gateway.errors import Transient
from llmops.gateway.providers import demo_drafts
from llmops.gateway.providers.base import Account, OnDelta, usage_of
from llmops.gateway.types import Completion, CompletionRequest, EmbeddingRequest, Embeddings

LATENCY_S = {"demo-slow": 1.0}
DEFAULT_LATENCY_S = 0.02
FAILURES = {"demo-flaky": 0.2}
_DICE_SIDES = 2**64
DIMENSIONS = 256
EMBEDDING_MODEL = "demo-embedding (hashed n-grams, no model)"
_RUN = 4  # characters

_WORD = re.compile(r"[^\W\d_]{3,}")
_MATERIAL = re.compile(r"<data-([0-9a-f]{8,64}) (\w+)>\n(.*?)\n</data-\1>", re.DOTALL)
_CATEGORY = re.compile(r"^\s*[-*•]\s+(.{1,60}?)\s*$", re.MULTILINE)
_LISTED = re.compile(r"\b(?:categories|labels|classes|topics|one of)\b[^:\n]{0,80}:[ \t]*([^\n]{3,500})", re.IGNORECASE)
_COMMA = re.compile(r"\s*(?:,|;|\bor\b|\band\b)\s*")

# What a category's name brings to mind: a dozen words each, so that the demo can be right for visible reasons.
_ASSOCIATIONS: Mapping[str, str] = {
    "delivery": "parcel tracking courier arrived delivered shipping ship carrier driver transit box boxes waited door "
    "neighbour pickup missing",
    "refund": "refund refunded money back return returned charged debited paid pay voucher bank cancelled label cost",
    "plant": "leaves water watering fern insects prune tomatoes tree soil orchid fertiliser lavender poisonous grass "
    "sowed disease spots plant blueberries cacti flowers",
    "order": "order orders ordered add change swap correct cancel colour mistake voucher size wrong later put",
    "account": "sign password account login newsletter e-mail profile invoices website app registered language "
    "unsubscribed points",
    "complaint": "bad worst angry never again disappointed unacceptable",
}


class Demo:
    """No network, no key."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.failed: set[int] = set()

    async def complete(
        self, request: CompletionRequest, *, timeout_s: float, on_delta: OnDelta | None = None
    ) -> Completion:
        latency = _number(request, "demo_latency_ms", LATENCY_S.get(request.model, DEFAULT_LATENCY_S) * 1000) / 1000
        if latency > timeout_s:
            await asyncio.sleep(timeout_s)
            raise Transient("timeout", "The demo provider was slower than the deadline, as asked.")
        await asyncio.sleep(latency)
        self._fail_once(request)
        text = answer(request)
        if on_delta is not None:
            for piece in re.findall(r"\S+\s*|\s+", text):
                on_delta(piece)
                await asyncio.sleep(0.005)
        counted = usage_of(sum(len(message.text) for message in request.messages) // 4 + 1, len(text) // 4 + 1)
        return Completion(text, request.model or "demo-1", "stop", counted, round(latency * 1000))

    async def embed(self, request: EmbeddingRequest, *, timeout_s: float) -> Embeddings:
        latency = LATENCY_S.get(request.model, DEFAULT_LATENCY_S)
        if latency > timeout_s:
            await asyncio.sleep(timeout_s)
            raise Transient("timeout", "The demo provider was slower than the deadline, as asked.")
        await asyncio.sleep(latency)
        size = min(request.dimensions or DIMENSIONS, DIMENSIONS)
        vectors = tuple(embedding(text, size) for text in request.texts)
        counted = usage_of(sum(len(text) for text in request.texts) // 4 + 1, 0)
        return Embeddings(vectors, EMBEDDING_MODEL, counted, round(latency * 1000))

    def _fail_once(self, request: CompletionRequest) -> None:
        """The same questions fail in every run, each at its first attempt alone."""
        share = _number(request, "demo_failures", FAILURES.get(request.model, 0.0))
        dice = _dice(request)
        if dice < share * _DICE_SIDES and dice not in self.failed:
            self.failed.add(dice)
            raise Transient("server_error", "The demo provider fails now and then, as asked.", status=500)

    async def close(self) -> None:
        return None


def embedding(text: str, size: int = DIMENSIONS) -> tuple[float, ...]:
    """The text's runs of four characters, each added to or taken from one of `size` places by its hash, at length 1.

    The hashing trick (Weinberger 2009); a text without characters points nowhere.
    """
    padded = f" {' '.join(text.casefold().split())} "
    runs = Counter(padded[start : start + _RUN] for start in range(max(1, len(padded) - _RUN + 1)))
    places = [0.0] * size
    for run, count in runs.items():
        hashed = int.from_bytes(hashlib.blake2b(run.encode(errors="replace"), digest_size=8).digest())
        places[hashed // 2 % size] += math.sqrt(count) if hashed % 2 else -math.sqrt(count)
    length = math.hypot(*places)
    return tuple(place / length for place in places) if length and padded.strip() else tuple([0.0] * size)


def answer(request: CompletionRequest) -> str:
    """The demo's answer: a pure function of the request."""
    if (row := _row_schema(request.response_schema or {})) is not None:
        return json.dumps({"rows": _rows(request, row)}, ensure_ascii=False)
    if (draft := demo_drafts.drafted(request)) is not None:
        return json.dumps(draft, ensure_ascii=False)
    if request.response_schema is not None:
        return json.dumps(_verdict(request), ensure_ascii=False)
    instructions = "\n".join(message.text for message in request.messages if message.role in {"system", "developer"})
    question = next((message.text for message in reversed(request.messages) if message.role == "user"), instructions)
    if categories := _categories(instructions or question):
        return _best(categories, question)
    words = _words(question)
    if "one or two words" in instructions:
        return _own_words(words)
    return f"This is the demo provider; no model was called. You wrote {len(words)} words: {question[:200]}"


def _categories(text: str) -> list[str]:
    """What the instructions allow: lines of a list, else a line of names with commas."""
    if lines := _CATEGORY.findall(text):
        return [line.strip("*_`\"' .") for line in lines]
    if found := _LISTED.search(text):
        names = [name.strip("*_`\"' .") for name in _COMMA.split(found[1])]
        return [name for name in names if name] if len(names) > 1 else []
    return []


def _best(categories: list[str], question: str) -> str:
    words = _words(question)
    scored = [(sum(word in words for word in _hints(category)), -place) for place, category in enumerate(categories)]
    return categories[-max(scored)[1]]


def _hints(category: str) -> set[str]:
    names = _words(category)
    return names.union(*(_words(more) for name, more in _ASSOCIATIONS.items() if name in names))


def _own_words(words: set[str]) -> str:
    """A label as somebody without a list would choose it: sometimes just the word that is expected."""
    fits = sorted(((len(words & _words(more)), name) for name, more in _ASSOCIATIONS.items()), reverse=True)
    hits, name = fits[0]
    said = {"plant": "Plant care", "delivery": "Delivery", "refund": "Money back", "order": "Order", "account": "Login"}
    return said.get(name, "Question") if hits else "General question"


def _verdict(request: CompletionRequest) -> dict[str, Any]:
    """A verdict that fits the schema: how much of the expected answer's words the output has."""
    found = {name: text for message in request.messages for _, name, text in _MATERIAL.findall(message.text)}
    output, expected = _words(found.get("output", "")), _words(found.get("expected", ""))
    if not expected:
        expected = _words(found.get("inputs", ""))
    share = len(output & expected) / len(expected) if expected else 0.0
    reason = f"The demo judge found {round(share * 100)} % of the expected words in the output; no model was called."
    return _object(request.response_schema or {}, share, reason)


def _row_schema(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The shape of one row, when the schema asks for rows with inputs."""
    item = schema.get("properties", {}).get("rows", {}).get("items", {})
    return item if "inputs" in item.get("properties", {}) else None


def _rows(request: CompletionRequest, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that fit, each made from one example and one topic of the material; the same material, the same rows."""
    try:
        material = json.loads(request.messages[-1].text)
    except (ValueError, IndexError):
        material = {}
    if not isinstance(material, dict):
        material = {}
    examples = [*material.get("failed_rows", ()), *material.get("examples", ())] or [{}]
    topics = [one["tag"] for one in material.get("topics", ())]
    made = []
    for place in range(material.get("wanted", 1)):
        example = examples[place % len(examples)]
        topic = topics[place % len(topics)] if topics else ""
        about = topic or " ".join(str(material.get("description", "")).split()[:12]) or "the examples"
        inputs = {
            name: _case(part, place + 1, about, example.get("inputs", {}).get(name))
            for name, part in row["properties"]["inputs"].get("properties", {}).items()
        }
        tags = [topic] if topic else list(example.get("tags", ()))
        made.append({"inputs": inputs, "expected": _same(row["properties"].get("expected", {}), example), "tags": tags})
    return made


def _case(schema: Mapping[str, Any], number: int, about: str, like: Any) -> Any:
    """A sentence that says what it is; numbers and switches are the example's own."""
    if schema.get("type") == "boolean":
        return bool(like)
    if schema.get("type") == "number":
        return (like if isinstance(like, int | float) else 0) + number
    text = f"Demo case {number} about {about}, written by no model, with words of a row: "
    text += " ".join(sorted(_words(json.dumps(like, ensure_ascii=False)))[number - 1 :: 2][:12]) or "none"
    return json.dumps(text, ensure_ascii=False) if "description" in schema else text


def _same(schema: Mapping[str, Any], example: Mapping[str, Any]) -> Any:
    """The example's expected answer as the schema wants it."""
    expected = example.get("expected")
    return json.dumps(expected, ensure_ascii=False) if "description" in schema and expected is not None else expected


def _object(schema: Mapping[str, Any], share: float, reason: str) -> dict[str, Any]:
    return {name: _field(part, share, reason) for name, part in schema.get("properties", {}).items()}


def _field(schema: Mapping[str, Any], share: float, reason: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _choice(list(schema["enum"]), share)
    kind = schema.get("type", "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "boolean":
            return share >= 0.5
        case "integer" | "number" as numeric:
            low, high = schema.get("minimum", 0), schema.get("maximum", 1)
            value = low + share * (high - low)
            return round(value) if numeric == "integer" else value
        case "array":
            return [_field(schema.get("items", {}), share, reason)] * schema.get("minItems", 0)
        case "object":
            return _object(schema, share, reason)
        case "null":
            return None
    return reason[: schema.get("maxLength", len(reason))]


def _choice(choices: list[Any], share: float) -> Any:
    good = [choice for choice in choices if str(choice).lower() in {"pass", "yes", "true", "good", "correct"}]
    bad = [choice for choice in choices if choice not in good]
    if good and bad:
        return good[0] if share >= 0.5 else bad[0]
    if all(isinstance(choice, int | float) for choice in choices):
        wanted = min(choices) + share * (max(choices) - min(choices))
        return min(choices, key=lambda choice: abs(choice - wanted))
    return choices[0]


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _number(request: CompletionRequest, name: str, default: float) -> float:
    value = request.parameters.get(name, default)
    return float(value) if isinstance(value, int | float) and value >= 0 else default


def _dice(request: CompletionRequest) -> int:
    texts: Iterable[str] = (message.text for message in request.messages)
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode(errors="replace")).digest()[:8])
