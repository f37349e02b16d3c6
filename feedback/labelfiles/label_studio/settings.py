"""A labeling configuration of Label Studio read into questions.

Every element with `toName` is a control, which is what asks something there; all others only show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from feedback.labelfiles import parts
from feedback.labelfiles.label_studio.config import TIE
from feedback.labelfiles.types import Asked, LeftOuts
from llmops.common import text
from llmops.common.errors import Invalid

Json = Any
FIELD = "settings"
MAX_BYTES = 200_000
MAX_ELEMENTS = 2_000
MAX_DEPTH = 50
# Controls that a text does not need, or that ask what no kind of question of ours can hold.
ELSEWHERE = frozenset({
    "brush", "brushlabels", "bitmask", "bitmasklabels", "chat", "cube", "cubelabels", "datetime", "ellipse",
    "ellipselabels", "hypertextlabels", "keypoint", "keypointlabels", "magicwand", "paragraphlabels", "polygon",
    "polygonlabels", "reactcode", "rectangle", "rectanglelabels", "relations", "taxonomy", "timelinelabels",
    "timeserieslabels", "vector", "vectorlabels", "videorectangle", "videovector", "videovectorlabels",
})  # fmt: skip


@dataclass(slots=True)
class Element:
    tag: str
    attributes: dict[str, str]
    line: int
    parts: list[Element] = field(default_factory=list)


def asked(given: Json) -> Asked:
    """The questions of a configuration, with what else it says about tasks.

    :raises Invalid: naming the line, for what is no configuration, asks nothing, or asks in an unknown way.
    """
    if not isinstance(given, str) or not given.strip():
        raise _wrong("the labeling configuration must be a text of XML")
    reading = _Reading(_tree(given))
    if not reading.questions:
        raise _wrong("the labeling configuration asks nothing that a rubric can ask")
    return reading.asked()


class _Reading:
    def __init__(self, root: Element) -> None:
        self.left = LeftOuts()
        self.shown: dict[str, str] = {}
        self.questions: list[dict[str, Json]] = []
        self.keys: dict[str, str] = {}
        self.output = ""
        self.candidates: tuple[str, ...] = ()
        self._show(root)
        self._ask(root)

    def asked(self) -> Asked:
        return Asked(self.questions, self.keys, "", self.output, self.candidates, self.left.listed())

    def _show(self, element: Element) -> None:
        """Which part of a task each named element shows: `$text` shows `text`."""
        name, value = element.attributes.get("name", ""), element.attributes.get("value", "")
        if name and value.startswith("$") and "toname" not in element.attributes:
            self.shown[name] = value[1:]
        for part in element.parts:
            self._show(part)

    def _ask(self, element: Element) -> None:
        headings: list[str] = []
        for part in element.parts:
            if part.tag == "header":
                headings.append(part.attributes.get("value", ""))
            elif "toname" in part.attributes:
                self._control(part, headings)
                headings = []
            else:
                self._ask(part)
                headings = []  # they stood above what is shown here

    def _control(self, element: Element, headings: list[str]) -> None:
        name, place = element.attributes.get("name", ""), f"line {element.line}"
        if not name:
            raise _wrong(f"{place}: the control has no name")
        if name in self.keys:
            raise _wrong(f"{place}: a second control has the name “{name[:60]}”")
        if name.endswith(TIE) and self._is_tie(name.removesuffix(TIE)):
            return
        kind = self._kind(element, place)
        if kind is None:
            return
        key = parts.key_of(name, self.keys.values())
        self.keys[name] = key
        title = (headings[0] if headings else name).strip() or name
        self.questions.append(
            {
                "key": key, "text": title[:500], "guidelines": "\n".join(headings[1:]),
                "required": element.attributes.get("required", "") == "true", **kind,
            }
        )  # fmt: skip

    def _is_tie(self, name: str) -> bool:
        return any(one["key"] == self.keys.get(name) and one["kind"] == "pairwise" for one in self.questions)

    def _kind(self, element: Element, place: str) -> dict[str, Json] | None:
        """The kind of question with what belongs to it; None for a control that is left out."""
        tag, said, to = element.tag, element.attributes, element.attributes["toname"].split(",")
        if tag in ELSEWHERE or said.get("perregion") == "true" or said.get("peritem") == "true":
            self.left.add(f"The control “{said['name'][:60]}” ({tag}): no kind of question holds it", place)
            return None
        if tag == "choices":
            return _choices(element)
        if tag == "labels":
            return self._labels(element, self.shown.get(to[0], to[0]), place)
        if tag == "rating":
            return {"kind": "scale", "low": 1, "high": _whole(said.get("maxrating", "5"), "maxRating", place)}
        if tag == "number":
            low, high = (_whole(said.get(end, ""), end, place) for end in ("min", "max"))
            return {"kind": "scale", "low": low, "high": high}
        if tag == "textarea":
            is_correction = bool(said.get("value")) and self.shown.get(to[0]) == said["value"].removeprefix("$")
            if is_correction:
                self.output = self.output or said["value"].removeprefix("$")
            return {"kind": "correction" if is_correction else "text"}
        if tag in {"pairwise", "ranker"}:
            if element.parts:
                self.left.add(f"The buckets of “{said['name'][:60]}”", place)
                return None
            self.candidates = self.candidates or tuple(self.shown.get(one.strip(), one.strip()) for one in to)
            return {"kind": "pairwise" if tag == "pairwise" else "ranking"}
        raise _wrong(f"{place}: there is no control “{tag[:60]}”")

    def _labels(self, element: Element, about: str, place: str) -> dict[str, Json] | None:
        if self.output and self.output != about:
            self.left.add(f"The spans “{element.attributes['name'][:60]}” in another text", place)
            return None
        self.output = about
        return {"kind": "spans", "choices": _options(element)}


def _choices(element: Element) -> dict[str, Json]:
    options = _options(element)
    if element.attributes.get("choice") == "multiple":
        return {"kind": "categories", "choices": options}
    if [one["value"] for one in options] == ["pass", "fail"]:
        return {"kind": "pass_fail"}
    return {"kind": "category", "choices": options}


def _options(element: Element) -> list[dict[str, str]]:
    found = []
    for part in element.parts:
        words = part.attributes.get("value", "") or part.attributes.get("html", "")
        found.append({"value": part.attributes.get("alias") or words, "text": words})
    return found


def _tree(given: str) -> Element:
    """The elements with their lines. No document type: entities could grow without bound."""
    if len(given.encode(errors="replace")) > MAX_BYTES:
        raise _wrong(f"the labeling configuration is larger than {MAX_BYTES:,} bytes")
    if (reason := text.problem(given)) is not None:
        raise _wrong(f"the labeling configuration {reason}")
    root, count = Element("", {}, 0), 0
    open_elements = [root]
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(open_elements) > MAX_DEPTH:
            raise _wrong(f"the labeling configuration has over {MAX_ELEMENTS:,} elements or {MAX_DEPTH} levels")
        named = {name.lower(): value for name, value in attributes.items()}
        element = Element(tag.lower(), named, parser.CurrentLineNumber)
        open_elements[-1].parts.append(element)
        open_elements.append(element)

    def refuse(*_: object) -> None:
        raise _wrong(f"line {parser.CurrentLineNumber}: a labeling configuration has no document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_elements.pop()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(given, True)
    except expat.ExpatError as error:
        raise _wrong(f"line {error.lineno}: not XML: {expat.errors.messages[error.code]}") from None
    return root


def _whole(given: str, name: str, place: str) -> int:
    if not given.lstrip("-").isascii() or not given.lstrip("-").isdigit() or len(given) > 5:
        raise _wrong(f"{place}: {name} must be a whole number")
    return int(given)


def _wrong(reason: str) -> Invalid:
    return Invalid(f"{reason[0].upper()}{reason[1:]}.", fields={FIELD: reason})
