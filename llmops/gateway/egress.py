"""Which outside addresses may be called: checked when a URL is saved, and again at the moment of dialling.

Only addresses of the public internet, over https; private model servers only when the operator has listed their
exact host:port in LLMOPS_EGRESS_ALLOW. A name is resolved once, every answer is checked, only checked ones are dialled.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from llmops.common.errors import Invalid

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

# `is_global` alone lets some of these through, or differs between versions of Python.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
        *("2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)


class EgressRefused(OSError):
    """The address must not be called; an OSError, because it is raised where names are resolved."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed, acceptable URL."""

    url: str
    scheme: str
    host: str
    port: int


def allowed(pairs: Iterable[str]) -> frozenset[str]:
    """The operator's list of `host:port`, in the form that hosts of addresses have here."""
    return frozenset(pair.strip().lower() for pair in pairs)


def is_allowed(host: str, port: int, allow: Iterable[str]) -> bool:
    """Whether the operator has listed exactly this host and port."""
    return not {f"{host}:{port}", f"[{host}]:{port}"}.isdisjoint(allow)


def target(url: str, *, allow: Iterable[str] = ()) -> Target:
    """Parse a base URL and refuse what can be refused without asking the network.

    :raises Invalid: with the reason under the field `base_url`.
    """
    text = url.strip()
    if len(text) > 500 or any(char.isspace() or not char.isprintable() or char == "\\" for char in text):
        raise _invalid("write a plain address, such as https://api.example.com/v1")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _invalid("this is not an address") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise _invalid("leave user name and password out of the address")
    if parts.query or parts.fragment:
        raise _invalid("leave out everything from “?” or “#” on")
    if not host or not host.isascii() or "%" in host:
        raise _invalid("the host name is missing or has letters outside ASCII")
    port = port or (443 if parts.scheme == "https" else 80)
    is_listed = is_allowed(host, port, allow)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_listed):
        raise _invalid("use https; plain http only to servers that the operator has allowed")
    if not is_listed and (reason := _literal_problem(host)) is not None:
        raise _invalid(reason)
    shown = f"[{host}]" if ":" in host else host
    default = port == (443 if parts.scheme == "https" else 80)
    netloc = shown if default else f"{shown}:{port}"
    return Target(f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}", parts.scheme, host, port)


def addresses(host: str, port: int, *, allow: Iterable[str] = (), resolve: Resolve | None = None) -> list[str]:
    """The addresses to dial for a host: resolved now, each of them acceptable.

    :raises EgressRefused: when the name cannot be resolved or any answer is not acceptable.
    """
    try:
        found = list((resolve or system_resolve)(host, port))
    except OSError as error:
        raise EgressRefused(f"the name {host} cannot be resolved") from error
    if not found:
        raise EgressRefused(f"the name {host} cannot be resolved")
    if is_allowed(host, port, allow):
        return found
    for text in found:
        if not acceptable(ipaddress.ip_address(text.partition("%")[0])):
            raise EgressRefused(f"{host} is not on the public internet")
    return found


def acceptable(address: IpAddress) -> bool:
    """Whether an address is on the public internet, by our own table and Python's."""
    return (
        address.is_global
        and not address.is_multicast
        and not any(address.version == network.version and address in network for network in _REFUSED)
    )


def system_resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, as the system knows them."""
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def _literal_problem(host: str) -> str | None:
    """Refuse address literals of private networks, and numbers that only look like names (0x7f.1, 2130706433)."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".localdomain")):
        return "this is a private name; the operator can allow it in LLMOPS_EGRESS_ALLOW"
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        if last[:1].isdigit() or last.lower().startswith("0x"):
            return "write addresses as four decimal numbers"
        return None
    if not acceptable(literal):
        return "this address is private; the operator can allow it in LLMOPS_EGRESS_ALLOW"
    return None


def _invalid(reason: str) -> Invalid:
    return Invalid("The address cannot be used.", fields={"base_url": reason})
