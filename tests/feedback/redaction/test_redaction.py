"""Masking: what must go, what must stay, and that hostile text costs no more than its length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback import redaction
from llmops.common import signs

# Card numbers are the public test numbers of the networks and payment providers.
MASKED = [
    ("Write to ada@example.com, please.", "Write to [e-mail], please."),
    ("Write to ada@example.com.", "Write to [e-mail]."),
    ("<Ada.Lovelace+test@mail.example.co.uk>", "<[e-mail]>"),
    ("müller@bücher.example", "[e-mail]"),
    ("a@b.example,c@d.example", "[e-mail],[e-mail]"),
    ("my card 4111111111111111 thanks", "my card [card] thanks"),
    ("4111 1111 1111 1111", "[card]"),
    ("5555-5555-5555-4444", "[card]"),
    ("3782 822463 10005", "[card]"),
    ("378282246310005", "[card]"),
    ("6011000990139424", "[card]"),
    ("key sk-proj-abcdefghijklmnop1234 leaked", "key [secret] leaked"),
    ("sk-ant-api03-AbCdEfGhIjKlMnOpQrSt", "[secret]"),
    ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[secret]"),
    ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "Authorization: [secret]"),
    ('password = "hunter2hunter2"', 'password = "[secret]"'),
    ("api_key=0123456789abcdef&x=1", "api_key=[secret]&x=1"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----", "[secret]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0", "[secret]"),
]
KEPT = [
    "4111111111111112",  # fails Luhn's check
    "order 1700000000000 of 2026-03-04",
    "meet @noon, or ask @ada",
    "1 2 3 4 5 6 7 8 9 10 11 12 13",
    "3.14159265358979323846",
    "the secret of good soup",
    "password: no",
    "sk-8 is short",
    "task-management-is-what-we-do-here-every-day",
]


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_what_looks_personal_is_masked(text: str, masked: str) -> None:
    assert redaction.mask_text(text)[0] == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_only_resembles_it_is_kept(text: str) -> None:
    assert redaction.mask_text(text) == (text, 0)


def test_values_keys_and_whole_numbers_are_masked_and_counted() -> None:
    value = {"a@b.example": ["c@d.example", 4111111111111111, 7, None, True], "e@f.example": {"x": "plain"}}
    assert redaction.mask(value) == (
        {"[e-mail]": ["[e-mail]", "[card]", 7, None, True], "[e-mail] 2": {"x": "plain"}},
        4,
    )


texts = st.text() | st.from_regex(r"[a-z@. ]{0,40}") | st.from_regex(r"[2-6][0-9 -]{0,30}")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_masking_twice_is_masking_once(value: object) -> None:
    once, _ = redaction.mask(value)
    assert redaction.mask(once) == (once, 0)


@given(texts, texts)
def test_an_address_never_survives_between_other_words(before: str, after: str) -> None:
    masked, count = redaction.mask_text(f"{before} ada@example.com {after}")
    assert "ada@example.com" not in masked
    assert count >= 1


@given(texts)
def test_the_quick_look_never_says_no_to_what_would_be_masked(text: str) -> None:
    if not redaction.is_worth_a_look(text):
        assert signs.EMAIL.search(text) is signs.SECRET.search(text) is signs.CARD.search(text) is None


HOSTILE = ["a", "a.", "a@", "@", "1", "1 ", "4111 ", "4", "sk-", "sk-aa_", "eyJ", "eyJaaaaaaaaaa.", "-", "password=",
           "-----BEGIN PRIVATE KEY-----", "bearer ", "a-", "SG.aaaaaaaaaaaaaaaa", "2222-"]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_near_misses_is_looked_through(piece: str) -> None:
    """Were the cost not linear in the length, this would take hours."""
    text = piece * (1_000_000 // len(piece)) + "@"
    masked, _ = redaction.mask_text(text)
    assert len(masked) <= len(text)
