"""Signs of personal data and secrets in a text: patterns of known forms, each linear in the text's length.

They find what looks like an e-mail address, a card number or a key, and miss what is written differently.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

# Possessive quantifiers and look-behinds keep every pattern linear: a long run is looked at once, from its start.
_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]"
EMAIL = re.compile(rf"(?<!{_LOCAL}){_LOCAL}++@(?:[\w-]++\.)+[^\W\d_]{{2,63}}+")
CARD = re.compile(
    r"(?<![\d.,])(?:"
    r"[2-6]\d{12,18}+"
    r"|[2-6]\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}+"
    r"|3[47]\d{2}([ -])\d{6}\2\d{5}"
    r")(?![\d]|[.,]\d)"
)
SECRET = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|(?<![A-Za-z0-9])(?:"
    r"(?:sk|pk|rk|uk)[-_](?:[A-Za-z]{2,12}[-_]){0,3}+[A-Za-z0-9_-]{16,}+"  # OpenAI, Anthropic, Stripe and this platform
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|glpat-[A-Za-z0-9_-]{16,}+"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}+|hf_[A-Za-z0-9]{20,}+|npm_[A-Za-z0-9]{20,}+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[A-Za-z0-9_-]{30,}+|SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+"
    r"|eyJ[A-Za-z0-9_-]{10,}+\.eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]*+"
    r")"
    r"|(?i:(?<![a-z])bearer[ ]{1,3}+)[A-Za-z0-9+/=_.~-]{20,}+"
)
# The name stays readable, only what stands behind it is masked.
ASSIGNED = re.compile(
    r"(?i)(?<![a-z])((?:password|passwd|pwd|api[_-]?key|secret[_-]?key|access[_-]?token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?)"
    r"(?!\[secret\])[^\s\"',;&]{6,}+"
)
# An international number, or a North American one with its separators.
PHONE = re.compile(
    r"(?<![\w.+])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
    r"|(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[ .-]\d{4})(?![\w-])"
)
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
US_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")


def count(kind: str, text: str) -> int:
    """How many pieces of one kind stand in the text.

    :raises KeyError: for a kind that is not in COUNTERS.
    """
    return COUNTERS[kind](text)


def is_card(text: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B) over 13 to 19 digits."""
    digits = [int(character) for character in text if character.isdecimal()]
    if not 13 <= len(digits) <= 19:
        return False
    doubled = sum(divmod(2 * digit, 10)[0] + 2 * digit % 10 for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """The check digits of ISO 13616: the number made of the rearranged letters leaves 1 when divided by 97."""
    bare = text.replace(" ", "")
    if not 15 <= len(bare) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in bare[4:] + bare[:4])) % 97 == 1


def _is_public_address(text: str) -> bool:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _matches(pattern: re.Pattern[str], is_real: Callable[[str], bool] | None = None) -> Callable[[str], int]:
    def found(text: str) -> int:
        return sum(1 for match in pattern.finditer(text) if is_real is None or is_real(match.group()))

    return found


COUNTERS: dict[str, Callable[[str], int]] = {
    "email": lambda text: _matches(EMAIL)(text) if "@" in text else 0,
    "card": _matches(CARD, is_card),
    "phone": _matches(PHONE),
    "iban": _matches(IBAN, is_iban),
    "us_ssn": _matches(US_SSN),
    "ip": _matches(IP, _is_public_address),
    "secret": lambda text: _matches(SECRET)(text) + _matches(ASSIGNED)(text),
}
