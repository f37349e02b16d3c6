"""Mask personal data in JSON before it is stored: what looks like an address, a number or a key, by rules.

Pure, linear in the length of the text, and idempotent: masking what is masked changes nothing. It is a best effort: it
finds known forms, and no names or postal addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import re2

from llmops.common import signs

EMAIL = "[e-mail]"
CARD = "[card]"
SECRET = "[secret]"  # noqa: S105 (the text that stands in for one)
PHONE = "[phone]"
IBAN = "[iban]"

# One linear pass for all built-ins; what it lets through is looked at properly.
_HINTS = re2.compile(
    rb"(?i)@|begin |[sprku]k[-_]|gh[pousr]_|github_pat|glpat-|xox|hf_|npm_|a[ks]ia|aiza|sg\.|eyj|bearer"
    rb"|passw|pwd|api[_-]?key|secret|access[_-]?token|\d{4}(?:\d{9}|[ -]\d{4}[ -]\d|[ -]\d{6})"
    rb"|\+[1-9]|\(?\d{3}[).-] ?\d{3}[ .-]\d{4}|(?-i:[A-Z]{2})\d{2} ?[A-Za-z0-9]{4}"
)

Replaced = tuple[str, int]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A rule that comes with the platform; `replace` gives the text and the number of pieces."""

    name: str
    title: str
    finds: str
    placeholder: str
    replace: Callable[[str], Replaced]


@dataclass(frozen=True, slots=True)
class Own:
    """A project's own rule: a pattern of re2, which is linear in the text whatever the pattern."""

    name: str
    pattern: Any
    placeholder: str

    def replace(self, text: str) -> Replaced:
        found: Replaced = self.pattern.subn(lambda _: self.placeholder, text)
        return found


def _email(text: str) -> Replaced:
    return signs.EMAIL.subn(EMAIL, text) if "@" in text else (text, 0)


def _secret(text: str) -> Replaced:
    text, keys = signs.SECRET.subn(SECRET, text)
    text, assigned = signs.ASSIGNED.subn(rf"\g<1>{SECRET}", text)
    return text, keys + assigned


def _checked(pattern: re.Pattern[str], is_real: Callable[[str], bool], placeholder: str) -> Callable[[str], Replaced]:
    """Replace the matches that pass their check sum."""

    def replace(text: str) -> Replaced:
        count = 0

        def one(match: re.Match[str]) -> str:
            nonlocal count
            if not is_real(match.group()):
                return match.group()
            count += 1
            return placeholder

        return pattern.sub(one, text), count

    return replace


# In the order in which they run: the digits of a longer form must not be taken for a shorter one.
BUILT_INS: dict[str, BuiltIn] = {
    rule.name: rule
    for rule in (
        BuiltIn("email", "E-mail addresses", "ada@example.com", EMAIL, _email),
        BuiltIn("secret", "Keys, tokens and passwords", "API keys of known forms, private keys, password = …", SECRET,
                _secret),
        BuiltIn("iban", "Bank accounts (IBAN)", "with the check digits of ISO 13616", IBAN,
                _checked(signs.IBAN, signs.is_iban, IBAN)),
        BuiltIn("card", "Card numbers", "13 to 19 digits that pass Luhn's check", CARD,
                _checked(signs.CARD, signs.is_card, CARD)),
        BuiltIn("phone", "Phone numbers", "international with +, or North American with separators", PHONE,
                lambda text: signs.PHONE.subn(PHONE, text)),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Masker:
    """A project's rules, ready to run: built-ins by name, then its own patterns in their order."""

    built_ins: tuple[str, ...] = tuple(BUILT_INS)
    own: tuple[Own, ...] = ()

    def is_worth_a_look(self, text: str | bytes) -> bool:
        """False when `text` certainly holds nothing to mask; a whole item's JSON can be asked at once.

        A project's own pattern may match what JSON writes differently, so with one of them everything is looked at.
        """
        return bool(self.own) or (bool(self.built_ins) and is_worth_a_look(text))

    def by_rule(self, text: str) -> tuple[str, dict[str, int]]:
        """The masked text, and the number of pieces by the rule that found them."""
        found: dict[str, int] = {}
        if self.built_ins and is_worth_a_look(text):
            for name in self.built_ins:
                text, count = BUILT_INS[name].replace(text)
                found[name] = count
        for rule in self.own:
            text, count = rule.replace(text)
            found[rule.name] = count
        return text, {name: count for name, count in found.items() if count}

    def mask_text(self, text: str) -> Replaced:
        """The text with what looks personal replaced, and how many pieces were."""
        text, found = self.by_rule(text)
        return text, sum(found.values())

    def mask(self, value: Any) -> tuple[Any, int]:
        """Any JSON value with its texts, keys and card-like whole numbers masked, and the number of pieces."""
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, dict):
            return _mask_object(self, value)
        if isinstance(value, list):
            pairs = [self.mask(item) for item in value]
            return [item for item, _ in pairs], sum(count for _, count in pairs)
        if type(value) is int and 10**12 <= value < 10**19 and self.mask_text(str(value)) == (CARD, 1):
            return CARD, 1
        return value, 0


EVERYTHING = Masker()


def is_worth_a_look(text: str | bytes) -> bool:
    """False when no built-in finds anything in `text`."""
    return _HINTS.search(text if isinstance(text, bytes) else text.encode(errors="replace")) is not None


def mask_text(text: str) -> Replaced:
    """As `Masker.mask_text` with all built-ins."""
    return EVERYTHING.mask_text(text)


def mask(value: Any) -> tuple[Any, int]:
    """As `Masker.mask` with all built-ins."""
    return EVERYTHING.mask(value)


def _mask_object(masker: Masker, value: dict[str, Any]) -> tuple[dict[str, Any], int]:
    masked: dict[str, Any] = {}
    total = 0
    for key, item in value.items():
        key, in_key = masker.mask_text(key)
        item, in_item = masker.mask(item)
        total += in_key + in_item
        name, copies = key, 1
        while name in masked:  # two addresses as keys must stay two entries
            copies += 1
            name = f"{key} {copies}"
        masked[name] = item
    return masked, total
