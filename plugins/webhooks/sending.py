"""One attempt: a signed POST to an address that was looked at, within a time and a size."""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

from . import guard, signing

ANSWER_MOST = 64 * 1024
"""Bytes that are read of an answer; what lies beyond is left."""

EXCERPT = 1024
"""Characters that are kept of it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONNECT = 5.0


@dataclass(frozen=True)
class Message:
    """What is sent.

    Attributes:
        id: of the event; the same at each attempt, so that a receiver knows what it has already.
        secrets: each signs; the newest first.
        headers: further ones.
    """

    id: str
    url: str
    body: bytes
    secrets: Sequence[str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        status: of HTTP; None where there was no answer.
        latency: milliseconds from the beginning to the answer's end, or to the fault.
        response: the beginning of the answer's body.
        error: why it does not count as delivered; empty where it does.
        retry_after: seconds that the receiver asked for; None where it did not.
    """

    status: int | None
    latency: int
    response: str
    error: str
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it: any 2xx."""
        return not self.error


def send(
    message: Message, *, allowed: guard.Networks, seconds: float, tls: ssl.SSLContext | None = None
) -> Outcome:
    """Send a message once. Redirects are not followed, and no proxy is used.

    Args:
        seconds: for all of it, looking up the name excepted (`guard.addresses`).
        tls: how certificates are verified; by the system's authorities when left out.
    """
    began = time.monotonic()
    status, response, retry_after = None, "", None
    try:
        target = guard.parse(message.url)
        found = guard.addresses(target)
        guard.check(target, found, allowed)
        deadline = time.monotonic() + seconds
        with _connect(target, found, allowed, deadline, tls) as connected:
            status, response, asked = _exchange(_Timed(connected, deadline), target, message)
        error = _fault(status)
        retry_after = _seconds(asked) if status in (429, 503) else None
    except ssl.SSLCertVerificationError as fault:
        error = f"the certificate is not trusted: {fault.verify_message}"
    except (guard.Refused, guard.Unresolved, ValueError) as fault:
        error = str(fault)
    except TimeoutError:
        error = f"no complete answer within {seconds:g} seconds"
    except (OSError, http.client.HTTPException) as fault:
        error = _words(fault)
    return Outcome(status, round((time.monotonic() - began) * 1000), response, error, retry_after)


def _connect(
    target: guard.Target,
    found: Sequence[guard.Address],
    allowed: guard.Networks,
    deadline: float,
    tls: ssl.SSLContext | None,
) -> socket.socket:
    """A connection to one of the addresses, and to nothing else: the name is not looked up again."""
    plain = _reach(found, target.port, deadline)
    try:
        own, other = plain.getsockname()[0], plain.getpeername()[0]
        if own == other:
            # A public address of this very host: what listens there may trust those who come from inside.
            guard.check_own(target, other, allowed)
        if target.scheme == "https":
            plain.settimeout(_left(deadline))
            return (tls or _authorities()).wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise
    return plain


def _reach(found: Sequence[guard.Address], port: int, deadline: float) -> socket.socket:
    fault: OSError | None = None
    for address in found:
        try:
            return socket.create_connection((str(address), port), timeout=min(_CONNECT, _left(deadline)))
        except OSError as error:
            fault = error
    raise fault or TimeoutError


@cache
def _authorities() -> ssl.SSLContext:
    return ssl.create_default_context()


def _exchange(connected: _Timed, target: guard.Target, message: Message) -> tuple[int, str, str | None]:
    """The request and its answer: status, beginning of the body, Retry-After."""
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.default_port = target.default_port  # the header Host holds any other
    connection.sock = connected
    timestamp = int(time.time())
    signatures = " ".join(signing.sign(secret, message.id, timestamp, message.body) for secret in message.secrets)
    headers = {
        "User-Agent": "pbxapi-webhooks/1",
        "Content-Type": "application/json",
        **message.headers,
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
        "Connection": "close",
    }
    connection.request("POST", target.path, message.body, headers)
    answer = connection.getresponse()
    text = answer.read(ANSWER_MOST)[: EXCERPT * 4].decode("utf-8", "replace")[:EXCERPT]
    return answer.status, _CONTROL.sub("", text), answer.headers.get("Retry-After")


def _fault(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed"
    return f"answered {status}"


def _words(fault: Exception) -> str:
    text = " ".join((getattr(fault, "strerror", None) or str(fault)).split())
    return f"{type(fault).__name__}: {text}"[:200] if text else type(fault).__name__


def _seconds(retry_after: str | None) -> float | None:
    """What a header Retry-After asks for, as a number of seconds or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max((parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Timed:
    """A socket of which http.client may take no more time than there is, however slowly the bytes drip."""

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._socket = plain
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._socket, self._deadline))

    def close(self) -> None:
        """Nothing yet: http.client lets go of it while the answer is still to be read."""


class _Reader(io.RawIOBase):
    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._socket = plain
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._socket.settimeout(_left(self._deadline))
        return self._socket.recv_into(buffer)
