"""No door into the network: which targets a webhook may have.

Refused are all addresses that are not public, however they are spelled. They are looked at when a webhook is
saved, and again at each delivery, which connects to the very address that was looked at.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]

URL_MOST = 2048

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?"
    r"(?P<path>(?:/[!$&-;=@-Z_a-z~%]*)?(?:\?[!$&-;=?@-Z_a-z~%]*)?)",
    re.I,
)

# What `is_global` lets through in one version of Python or another (RFC 6890 and what came after it).
_REFUSED_4 = [
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
_PUBLIC_6 = ip_network("2000::/3")
# Teredo and what else the IETF has set aside, 6to4, documentation, segment routing.
_REFUSED_6 = [ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16")]
_NAT64 = ip_network("64:ff9b::/96")

_LOOK_UP = 3.0
_running = threading.BoundedSemaphore(200)


class Refused(Exception):
    """A target that a webhook must not have; says why."""


class Unresolved(Exception):
    """A name that has no address now."""


@dataclass(frozen=True)
class Target:
    """Where a webhook's URL leads.

    Attributes:
        path: with the query, as it goes into the request.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def default_port(self) -> int:
        """Of its scheme."""
        return _PORTS[self.scheme]

    @property
    def place(self) -> str:
        """Host and port, without what may be secret: for lists and logs."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == self.default_port else f"{name}:{self.port}"


_PORTS = {"http": 80, "https": 443}


def networks(text: str) -> Networks:
    """The networks of an operator's list such as ``10.1.2.0/24, 2001:db8::/32``.

    Raises:
        ValueError: it is none.
    """
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("must be networks such as 10.1.2.0/24, separated by commas") from None


def parse(url: str) -> Target:
    """Where a URL leads.

    Raises:
        ValueError: it is not one that a webhook can have: no user, no fragment, a host in ASCII.
    """
    found = _URL.fullmatch(url) if len(url) <= URL_MOST else None
    if found is None:
        raise ValueError(
            f"must be a URL such as https://example.com/hook, of up to {URL_MOST} ASCII characters, without a "
            "user or a fragment; a host with other letters is spelled as xn--..."
        )
    scheme, host = found["scheme"].lower(), found["host"].strip("[]").lower()
    port = int(found["port"] or _PORTS[scheme])
    if not 1 <= port <= 65535 or len(host) > 253:
        raise ValueError("must name a host of up to 253 characters, and a port from 1 to 65535")
    if found["host"].startswith("["):
        try:
            IPv6Address(host)
        except ValueError:
            raise ValueError("must name an IPv6 address between its brackets") from None
    path = found["path"]
    return Target(scheme, host, port, path if path.startswith("/") else f"/{path}")


def addresses(target: Target) -> list[Address]:
    """All addresses of the target's host, in the resolver's order.

    Raises:
        Unresolved: it has none, or the resolver does not answer within three seconds.
    """
    end = time.monotonic() + _LOOK_UP
    late = Unresolved(f"the address of {target.host} was not found in time")
    if not _running.acquire(timeout=_LOOK_UP):
        raise late
    answer: SimpleQueue[list[Address]] = SimpleQueue()
    # The resolver takes no limit of time: who waits for a name that nobody answers for leaves it a thread.
    threading.Thread(target=_look_up, args=(target, answer), name=f"look up {target.host}", daemon=True).start()
    try:
        found = answer.get(timeout=max(end - time.monotonic(), 0.0))
    except Empty:
        raise late from None
    if not found:
        raise Unresolved(f"{target.host} has no address")
    return found


def _look_up(target: Target, answer: SimpleQueue[list[Address]]) -> None:
    found: list[Address] = []
    try:
        places = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        found = [ip_address(str(place[0]).partition("%")[0]) for *_, place in places]
    except (OSError, UnicodeError):
        pass
    finally:
        _running.release()
        answer.put(list(dict.fromkeys(found)))


def check(target: Target, found: Sequence[Address], allowed: Networks) -> None:
    """Whether a target with these addresses may be had. One that is refused is enough: a name that leads to a
    public and a private address is a trick.

    Raises:
        Refused: it may not.
    """
    for address in found:
        inside = _within(address, allowed)
        if not (inside or is_public(address)):
            raise Refused(f"{target.host} leads into a network that webhooks do not reach")
        if target.scheme == "http" and not inside:
            raise Refused("http is for networks of the operator's own: use https")


def check_own(target: Target, address: str, allowed: Networks) -> None:
    """Whether a target that turned out to be this very host may be had.

    Raises:
        Refused: the operator does not allow it.
    """
    if not _within(ip_address(address.partition("%")[0]), allowed):
        raise Refused(f"{target.host} is this host")


def is_public(address: Address) -> bool:
    """Whether an address lies in the Internet. Of one that carries an IPv4 address, that one counts."""
    carried = _carried(address)
    if isinstance(carried, IPv4Address):
        return carried.is_global and not any(carried in network for network in _REFUSED_4)
    return carried in _PUBLIC_6 and carried.is_global and not any(carried in network for network in _REFUSED_6)


def _carried(address: Address) -> Address:
    """The IPv4 address that a socket for this one would reach: ::ffff:10.0.0.1, 64:ff9b::10.0.0.1."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _within(address: Address, allowed: Networks) -> bool:
    carried = _carried(address)
    return any(carried in network or address in network for network in allowed)
