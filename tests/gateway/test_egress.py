"""Which addresses may be called: at the moment of saving, and at the moment of dialling."""

from __future__ import annotations

import asyncio
import ipaddress
import random

import aiohttp
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.common.errors import Invalid
from llmops.gateway import egress
from llmops.gateway.transport import CheckedTransport, refusal_in
from tests.fake_provider import FakeProvider

PRIVATE = [
    "https://127.0.0.1/v1", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
    "https://10.0.0.1", "https://172.16.0.1", "https://192.168.1.1", "https://169.254.169.254/latest",
    "https://100.64.0.1", "https://0.0.0.0", "https://[::1]", "https://[::]", "https://[::127.0.0.1]",
    "https://[::ffff:127.0.0.1]", "https://[64:ff9b::7f00:1]", "https://[2002:7f00:1::]", "https://[fe80::1]",
    "https://[fc00::1]", "https://[ff02::1]", "https://224.0.0.1", "https://255.255.255.255", "https://localhost",
    "https://foo.localhost", "https://metadata.google.internal", "https://printer.local", "https://198.18.0.1",
]  # fmt: skip
ODD = [
    "", "example.com", "ftp://example.com", "file:///etc/passwd", "gopher://example.com", "http://example.com",
    "https://user:pass@example.com", "https://example.com@127.0.0.1", "https://example.com\\@127.0.0.1",
    "https://example.com/#x", "https://example.com/?a=1", "https://exa mple.com", "https://１２７.0.0.1",
    "https://ⓛocalhost", "https://example.com:99999", "https://[::1", "https://", "https://example.com\n.evil",
    "https://" + "a" * 600,
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE + ODD)
def test_an_address_that_is_private_or_odd_is_refused_when_it_is_saved(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        egress.target(url)
    assert "base_url" in refused.value.fields


def test_a_public_https_address_is_normalised() -> None:
    assert egress.target(" https://API.Example.com:443/v1/ ").url == "https://api.example.com/v1"
    assert egress.target("https://example.com:8443").url == "https://example.com:8443"
    assert egress.target("https://[2606:4700::1111]/v1").url == "https://[2606:4700::1111]/v1"


def test_the_operator_can_allow_one_host_and_port_and_nothing_else() -> None:
    allow = ["127.0.0.1:8080"]
    assert egress.target("http://127.0.0.1:8080/v1", allow=allow).url == "http://127.0.0.1:8080/v1"
    for other in ("http://127.0.0.1:8081", "http://127.0.0.2:8080", "https://127.0.0.1"):
        with pytest.raises(Invalid):
            egress.target(other, allow=allow)


@pytest.mark.parametrize("answers", [["10.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1"], ["64:ff9b::a00:1"], []])
def test_every_answer_of_a_name_must_be_public_when_it_is_dialled(answers: list[str]) -> None:
    with pytest.raises(egress.EgressRefused):
        egress.addresses("model.example.com", 443, resolve=lambda host, port: answers)


def test_a_name_that_cannot_be_resolved_is_refused_not_trusted() -> None:
    def fails(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(egress.EgressRefused):
        egress.addresses("model.example.com", 443, resolve=fails)


def test_a_name_that_answers_otherwise_the_second_time_is_not_dialled() -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    egress.addresses("rebind.example.com", 443, resolve=lambda host, port: next(answers))

    async def dial() -> None:
        transport = CheckedTransport(allow=(), connections=1, resolve=lambda host, port: next(answers))
        try:
            await transport.session.get("https://rebind.example.com/")
        finally:
            await transport.aclose()

    with pytest.raises(aiohttp.ClientConnectorError) as refused:
        asyncio.run(dial())
    assert isinstance(refused.value.os_error, egress.EgressRefused)


def test_a_thousand_changing_names_never_reach_a_private_address() -> None:
    """A name server that answers as it likes: private, public, mixed, or not at all, at every look."""
    dice = random.Random(20260304)
    pool = ["93.184.215.14", "2606:4700::1111", "127.0.0.1", "10.1.2.3", "::1", "::ffff:10.0.0.1", "169.254.169.254"]
    reached = 0

    def resolve(host: str, port: int) -> list[str]:
        if dice.random() < 0.2:
            raise OSError("no such name")
        return dice.sample(pool, dice.randint(0, 3))

    for _ in range(1000):
        try:
            dialled = egress.addresses("rebind.example.com", 443, resolve=resolve)
        except egress.EgressRefused:
            continue
        reached += 1
        assert {*dialled} <= {"93.184.215.14", "2606:4700::1111"}
    assert reached > 10


def test_a_listed_host_opens_that_port_and_no_other() -> None:
    allow = egress.allowed([" Models.Internal:8080"])
    private = lambda host, port: ["10.0.0.7"]  # noqa: E731
    assert egress.addresses("models.internal", 8080, allow=allow, resolve=private) == ["10.0.0.7"]
    assert egress.target("http://MODELS.internal:8080/v1", allow=allow).host == "models.internal"
    for host, port in [("models.internal", 8081), ("other.internal", 8080)]:
        with pytest.raises(egress.EgressRefused):
            egress.addresses(host, port, allow=allow, resolve=private)


@given(st.integers(0, 2**32 - 1))
def test_hidden_forms_of_an_address_are_judged_by_the_address_inside(number: int) -> None:
    inside = ipaddress.IPv4Address(number)
    for prefix in (0xFFFF << 32, 0, 0x64FF9B << 96, 0x2002 << 112):
        hidden = ipaddress.IPv6Address(prefix | (number << 80 if prefix == 0x2002 << 112 else number))
        assert not egress.acceptable(hidden)
    assert not (egress.acceptable(inside) and (inside.is_private or inside.is_loopback or inside.is_link_local))


async def fetch(url: str, allow: tuple[str, ...] = ()) -> httpx2.Response:
    public = lambda host, port: ["93.184.215.14"]  # noqa: E731
    transport = CheckedTransport(allow=allow, connections=1, resolve=public)
    async with httpx2.AsyncClient(transport=transport, follow_redirects=False) as client:
        return await client.get(url)


@pytest.mark.parametrize(
    "url", ["http://models.example/v1", "https://127.0.0.1/v1", "https://[::1]/v1", "https://[::ffff:7f00:1]/v1"]
)
def test_what_was_saved_under_other_rules_is_judged_again_when_it_is_dialled(url: str) -> None:
    with pytest.raises(httpx2.ConnectError) as refused:
        asyncio.run(fetch(url))
    assert refusal_in(refused.value) is not None


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with FakeProvider() as fake:
        answer = asyncio.run(fetch(f"http://{fake.host_port}/ledger", allow=(fake.host_port,)))
    assert answer.json()["calls"] == 0
