"""A connection to FreeSWITCH's event socket: opened with a deadline, then python-ESL's, under a watchdog.

python-ESL has no deadline of its own: it waits for ever for a switch that accepts a connection and stays
mute, and for one that hangs in the middle of a command (measured). A signal cannot interrupt it, but it lets
other threads run while it waits. So resolving, connecting, greeting and authenticating are done here, on a
plain socket with timeouts, and whatever waits for an answer does so under a watchdog that shuts the connection
down at the deadline, which makes python-ESL return at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ESL

from pbxapi.errors import SwitchBarred, SwitchUnavailable

MAX_HEAD = 16 * 1024
"""Bytes of headers that the greeting or the answer to `auth` may have; a switch sends about fifty."""


@dataclass(frozen=True)
class Link:
    """An authenticated connection.

    Attributes:
        connection: an ESLconnection.
        descriptor: python-ESL's own of the connection.
        socket: the same connection.
        watchdog: over the same connection.
        owner: the process that opened it.
    """

    connection: Any
    descriptor: int
    socket: socket.socket
    watchdog: Watchdog
    owner: int

    def drop(self) -> None:
        """Close it, or this process's part of it where a parent opened it."""
        if self.owner == os.getpid():
            self.watchdog.dismiss()
        else:
            # python-ESL shuts down what it disconnects, and that is the parent's: put something else there.
            harmless = os.open(os.devnull, os.O_RDWR)
            os.dup2(harmless, self.descriptor, inheritable=False)
            os.close(harmless)
        self.connection.disconnect()
        self.socket.close()


class Watchdog:
    """Shuts a connection down at the deadline of the command that is under way.

    One thread as long as the connection lives: a `threading.Timer` for each command costs twice what the
    command costs (measured), and much more in a busy process. It sleeps until the earliest deadline that it
    was told, so setting a later one does not even wake it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline: float | None = None
        self._wakes_at = 0.0
        self._change = threading.Condition()
        self._done = False
        threading.Thread(target=self._watch, name="event-socket-watchdog", daemon=True).start()

    @contextlib.contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Let what is done meanwhile take no longer; as time.monotonic() counts."""
        with self._change:
            self._deadline = deadline
            if deadline < self._wakes_at:
                self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._deadline = None

    def dismiss(self) -> None:
        """Watch no longer."""
        with self._change:
            self._done = True
            self._change.notify()

    def _watch(self) -> None:
        with self._change:
            while not self._done:
                left = math.inf if self._deadline is None else self._deadline - time.monotonic()
                if left <= 0:
                    with contextlib.suppress(OSError):  # the switch may have closed it just now
                        self._connection.shutdown(socket.SHUT_RDWR)
                    return
                self._wakes_at = time.monotonic() + left
                self._change.wait(None if left == math.inf else left)


@dataclass(frozen=True)
class Place:
    """Where an event socket is, and what opens it.

    Attributes:
        host: name or address of the switch.
        port: of its event socket, usually 8021.
        password: never shown in an error or a log.
    """

    host: str
    port: int
    password: str

    def __post_init__(self) -> None:
        if not self.password.isprintable():
            raise ValueError("the event socket's password holds a control character")

    def __repr__(self) -> str:
        return f"FreeSWITCH at {self.host}:{self.port}"

    def unavailable(self, reason: str) -> SwitchUnavailable:
        """The error that says so of this switch."""
        return SwitchUnavailable(f"{self}: {reason}")

    def open(self, limit: float) -> Link:
        """Resolve, connect, be greeted and authenticate.

        Args:
            limit: when all of that must be done, as time.monotonic() counts.

        Raises:
            SwitchUnavailable: it was not done by then.
            SwitchBarred: one of these; the switch does not let us in.
        """
        try:
            connected = self._connect(limit)
            try:
                self._authenticate(connected, limit)
                connected.settimeout(None)
                return _attach(connected)
            except BaseException:
                connected.close()
                raise
        except TimeoutError:
            raise self.unavailable("no connection within the deadline") from None
        except (OSError, UnicodeError) as error:
            raise self.unavailable(getattr(error, "strerror", None) or str(error)) from error

    def _connect(self, limit: float) -> socket.socket:
        """Connected to the first address that takes it."""
        failure: OSError = ConnectionError("the name has no address")
        for family, kind, protocol, _, address in _addresses(self.host, self.port, limit):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(_left(limit))
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _authenticate(self, connection: socket.socket, limit: float) -> None:
        greeting = _read_head(connection, limit).get("content-type")
        if greeting == "text/rude-rejection":
            raise SwitchBarred(f"{self}: its access list refuses this host")
        if greeting != "auth/request":
            raise self.unavailable("what answers there is no event socket")
        connection.settimeout(_left(limit))
        connection.sendall(f"auth {self.password}\n\n".encode())
        if _read_head(connection, limit).get("reply-text") != "+OK accepted":
            raise SwitchBarred(f"{self}: authentication refused")


def _attach(connected: socket.socket) -> Link:
    """python-ESL on a connection that is already open and authenticated.

    `ESLconnection(host, port, password)` waits without a deadline, and has no descriptor to shut down until
    it is done. `ESLconnection(descriptor)` only sends `connect` and reads the answer, so it is given one end
    of a socket pair with an answer in it, and then the real connection in that descriptor's place. Nothing
    of this reaches the switch. python-ESL closes the descriptor when it disconnects.
    """
    near, far = socket.socketpair()
    with far:
        far.sendall(b"Content-Type: command/reply\nReply-Text: +OK\n\n")
        descriptor = near.detach()
        connection = ESL.ESLconnection(descriptor)
        os.dup2(connected.fileno(), descriptor, inheritable=False)
    return Link(connection, descriptor, connected, Watchdog(connected), os.getpid())


def _left(limit: float) -> float:
    left = limit - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _addresses(host: str, port: int, limit: float) -> list[tuple[Any, ...]]:
    """Addresses of a host; a name is resolved in a thread, because the resolver knows no deadline."""
    answers: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=resolve, daemon=True).start()
    try:
        answer = answers.get(timeout=_left(limit))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _read_head(connection: socket.socket, limit: float) -> dict[str, str]:
    """Headers up to the empty line, names in lower case; the switch says no more until it is spoken to."""
    data = b""
    while b"\n\n" not in data:
        connection.settimeout(_left(limit))
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError("it closed the connection")
        data += piece
        if len(data) > MAX_HEAD:
            raise ConnectionError("what answers there is no event socket")
    pairs = (line.partition(":") for line in data.decode("latin-1").split("\n\n")[0].split("\n"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def clean(text: str | None) -> str:
    """Readable text from python-ESL, which puts lone surrogates for bytes that are not UTF-8."""
    return (text or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
