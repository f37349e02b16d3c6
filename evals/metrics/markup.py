"""Outputs that must be XML or HTML, or hold some."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError

from evals.metrics.types import Json, Metric, Outcome, Scorer, Unscored, param, verdict

MAX_CHARACTERS = 200_000
MAX_TRIES = 20
_XML_START = re.compile(r"<(?:\?xml\b|[A-Za-z_][\w.:-]*[\s/>])")
# A declaration, a tag with its name, or anything else.
_TOKENS = re.compile(
    r"<!(?i:doctype)[^<>]*+>|</?([A-Za-z][A-Za-z0-9-]*+)(?:\s[^<>]*+|/)?>|([^<\s]++|<)"
)  # possessive, so that a text is read once
_XML_DECLARATION = re.compile(r"\s*<\?xml\b", re.IGNORECASE)
_RAW = {"script", "style", "textarea", "title"}
_VOID_NAMES = "area base br col embed hr img input link meta source track wbr"
# The other elements of the HTML standard and those that it calls obsolete.
_NAMES = """
    a abbr acronym address applet article aside audio b basefont bdi bdo big blink blockquote body button canvas
    caption center cite code colgroup data datalist dd del details dfn dialog dir div dl dt em fieldset figcaption
    figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup html i iframe ins kbd label legend li
    main map mark marquee math menu meter nav noscript object ol optgroup option output p param picture pre progress q
    rp rt ruby s samp script search section select slot small span strike strong style sub summary sup svg table tbody
    td template textarea tfoot th thead time title tr tt u ul var video
"""
_VOID = frozenset(_VOID_NAMES.split())
_ELEMENTS = _VOID | frozenset(_NAMES.split())


@dataclass(frozen=True, slots=True)
class Xml:
    elements: list[str] = field(
        default_factory=list,
        metadata={"meaning": "elements that must be there, from the root on: `order.item.name`"},
    )
    anywhere: bool = param(False, "XML somewhere in the output is enough")


@dataclass(frozen=True, slots=True)
class Html:
    anywhere: bool = param(False, "an HTML element somewhere in the output is enough")


def xml_valid(params: Xml) -> Scorer:
    """Well-formed XML 1.0; documents with a DTD or entities of their own are refused, nothing is fetched."""

    def score(output: str, expected: Json) -> Outcome:
        if len(output) > MAX_CHARACTERS:
            return Unscored(f"the output is longer than {MAX_CHARACTERS:,} characters")
        problem = "no XML in the output"
        for text in _candidates(output) if params.anywhere else [output]:
            problem = _problem(text, params.elements)
            if not problem:
                break
        return verdict(not problem, "well-formed, with every element", problem)

    return score


def _problem(text: str, elements: list[str]) -> str:
    """What is wrong with a document; empty when nothing is."""
    from defusedxml import DefusedXmlException, ElementTree  # noqa: PLC0415

    try:
        root = ElementTree.fromstring(text.strip(), forbid_dtd=True)
    except ElementTree.ParseError as error:
        return f"not XML: {error}"
    except DefusedXmlException:
        return "not accepted: a document type or entities of its own"
    except (ValueError, ExpatError, RecursionError) as error:
        return f"not readable as XML: {str(error)[:100]}"
    missing = [path for path in elements if not _has(root, path.split("."))]
    return f"missing: {', '.join(missing[:5])}" if missing else ""


def _has(root: Any, names: list[str]) -> bool:
    level = [root] if root.tag == names[0] else []
    for name in names[1:]:
        level = [child for element in level for child in element if child.tag == name]
    return bool(level)


def _candidates(text: str) -> list[str]:
    """From the start of each outermost element to the last closing tag of its name; MAX_TRIES at most."""
    found: list[str] = []
    place = 0
    for _ in range(MAX_TRIES):
        start = _XML_START.search(text, place)
        if start is None:
            break
        place = start.end()
        begin = start.start()
        if text.startswith("<?xml", begin):
            end = text.rfind(">") + 1
        else:
            name = re.split(r"[\s/>]", text[begin + 1 : begin + 200], maxsplit=1)[0]
            end = _end_of(text, begin, name)
        if end > begin:
            found.append(text[begin:end])
            place = end
    return found


def _end_of(text: str, begin: int, name: str) -> int:
    """Where the element that begins there ends: after the closing tag that leaves none of its name open."""
    if text.find(f"</{name}", begin) < 0 and text.find("/>", begin) < 0:
        return -1
    tag = re.compile(rf"<(/?){re.escape(name)}(?:\s[^<>]*+)?>")
    depth = 0
    for found in tag.finditer(text, begin):
        if found.group(1):
            depth -= 1
        elif not found.group().endswith("/>"):
            depth += 1
        if depth <= 0:
            return found.end()
    closed = text.find("/>", begin)
    return closed + 2 if depth == 0 and closed > 0 else -1


def html_valid(params: Html) -> Scorer:
    """Whether the output is HTML and nothing else, or holds an element of HTML: a look at tags, no full parser."""

    def score(output: str, expected: Json) -> Outcome:
        if len(output) > MAX_CHARACTERS:
            return Unscored(f"the output is longer than {MAX_CHARACTERS:,} characters")
        if params.anywhere:
            return verdict(_has_element(output), "the output holds HTML", "no element of HTML in the output")
        problem = _html_problem(output)
        return verdict(not problem, "HTML from start to end", problem)

    return score


def _has_element(text: str) -> bool:
    return any((match.group(1) or "").lower() in _ELEMENTS for match in _TOKENS.finditer(without_comments(text)))


def without_comments(text: str) -> str:
    """The text without `<!-- … -->`; what follows an open end stays."""
    parts, place = [], 0
    while (start := text.find("<!--", place)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[place:start])
        place = end + 3
    return "".join([*parts, text[place:]])


def _html_problem(text: str) -> str:
    """Why the text is not HTML from start to end; empty when it is."""
    if not text.strip():
        return "the output is empty"
    if _XML_DECLARATION.match(text):
        return "the output is XML, not HTML"
    body = without_comments(text)
    raw_ends = _RawEnds(body)
    depth, place, seen = 0, 0, False
    for token in _TOKENS.finditer(body):
        if token.start() < place:
            continue
        name = (token.group(1) or "").lower()
        if token.group(2) is not None and depth == 0:
            return "text stands outside of the elements"
        if not name:
            continue
        seen = seen or name in _ELEMENTS
        closing = token.group().startswith("</")
        alone = name in _VOID or token.group().endswith("/>")
        depth = max(0, depth + (0 if alone else -1 if closing else 1))
        if name in _RAW and not closing and not alone:
            place = raw_ends.after(name, token.end())
    return "" if seen else "no element of HTML in the output"


class _RawEnds:
    """Where scripts and styles end, whose text is not looked at."""

    def __init__(self, text: str) -> None:
        self.text = text.lower()
        self.endless: set[str] = set()

    def after(self, name: str, place: int) -> int:
        """The place of the closing tag; `place` when there is none, which is looked for once only."""
        end = -1 if name in self.endless else self.text.find(f"</{name}", place)
        if end < 0:
            self.endless.add(name)
        return max(end, place)


METRICS = (
    Metric("xml_valid", "the output is XML", Xml, xml_valid, family="structure"),
    Metric("html_valid", "the output is HTML", Html, html_valid, family="structure"),
)
