"""The event socket of one FreeSWITCH, over python-ESL, with a deadline for everything.

python-ESL has no deadline of its own: it waits for ever for a switch that accepts a connection and stays
mute, and for one that hangs in the middle of a command (measured). A signal cannot interrupt it, but it lets
other threads run while it waits. So resolving, connecting, greeting and authenticating are done here, on a
plain socket with timeouts, and every command runs under a watchdog that shuts the connection down at the
deadline, which makes python-ESL return at once.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import re
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ESL

from pbxapi.errors import SwitchBarred, SwitchRefused, SwitchUnavailable

MAX_HEAD = 16 * 1024
"""Bytes of headers that the greeting or the answer to `auth` may have; a switch sends about fifty."""

_HEADER_NAME = re.compile(r"(?!(content-length|event-name|event-subclass)$)[a-z][a-z0-9_-]*", re.IGNORECASE)


@dataclass(frozen=True)
class _Link:
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
    watchdog: _Watchdog
    owner: int


class _Watchdog:
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


class EventSocket:
    """One connection for commands, opened at the first command and kept.

    Threads may share it: their commands go one after the other, and waiting for one's turn counts into the
    deadline. A child that was forked while no command was under way opens its own. It never subscribes to
    events.

    Args:
        host: name or address of the switch.
        port: of its event socket, usually 8021.
        password: never shown in an error or a log.
        connect_timeout: seconds for resolving, connecting, greeting and authenticating together.
        api_timeout: seconds for a command that names no timeout, connecting included.

    Raises:
        ValueError: the password cannot be sent.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        connect_timeout: float = 2.0,
        api_timeout: float = 5.0,
    ) -> None:
        if not password.isprintable():
            raise ValueError("the event socket's password holds a control character")
        self.host = host
        self.port = port
        self._password = password
        self._connect_timeout = connect_timeout
        self._api_timeout = api_timeout
        self._turn = threading.Lock()
        self._link: _Link | None = None

    def __repr__(self) -> str:
        return f"<EventSocket {self.host}:{self.port}>"

    def api(self, command: str, timeout: float | None = None, *, retry: bool = True) -> str:
        """What the switch answers to a command (`api <command>`); whether it worked is for the caller to judge.

        Args:
            command: on one line.
            timeout: seconds for everything: waiting for one's turn, connecting, sending and answering.
            retry: send it again, once, over a new connection if a kept one turns out to be lost. A command
                that must not run twice sets it to False; ours may all run twice.

        Raises:
            ValueError: the command holds a control character.
            SwitchUnavailable: no connection or no answer within the deadline, or the connection was lost.
            SwitchBarred: one of these; the switch does not let us in.
            SwitchRefused: the switch does not let this password use the command.
        """
        if not command or not command.isprintable():
            raise ValueError(f"not a command on one line: {command!r}")
        answer = self._exchange(f"api {command}\n\n", timeout, retry)
        if answer.getHeader("Content-Type") != "api/response":
            raise SwitchRefused(f"{command}: {_clean(answer.getHeader('Reply-Text'))}")
        return _clean(answer.getBody())

    def send_event(
        self,
        name: str,
        headers: Mapping[str, str],
        body: str | None = None,
        timeout: float | None = None,
        *,
        retry: bool = True,
    ) -> None:
        """Fire an event on the switch.

        Args:
            name: an event's name (`MESSAGE_WAITING`), or a subclass (`fusion::file`) for a CUSTOM event.
            headers: further headers, each on one line; what this function writes itself is not among them.
            body: what follows the headers.
            timeout, retry: as of `api`.

        Raises:
            ValueError: a name, a header or the body cannot be sent as it is.
            SwitchUnavailable: as of `api`.
            SwitchRefused: the switch did not take the event.
        """
        custom = "::" in name
        if not re.fullmatch(r"[\w.:-]+", name, re.ASCII):
            raise ValueError(f"not the name of an event: {name!r}")
        lines = [f"sendevent {'CUSTOM' if custom else name}", f"Event-Name: {'CUSTOM' if custom else name}"]
        if custom:
            lines.append(f"Event-Subclass: {name}")
        for header, value in headers.items():
            if not _HEADER_NAME.fullmatch(header) or not value.isprintable():
                raise ValueError(f"not a header on one line: {header!r}")
            lines.append(f"{header}: {value}")
        if body:
            if "\0" in body:
                raise ValueError("the body holds a NUL")
            lines.append(f"Content-Length: {len(body.encode())}")
        answer = self._exchange("\n".join(lines) + "\n\n" + (body or ""), timeout, retry)
        reply = _clean(answer.getHeader("Reply-Text"))
        if not reply.startswith("+OK"):
            raise SwitchRefused(f"sendevent {name}: {reply}")

    def close(self) -> None:
        """Give the connection up; a later command opens a new one."""
        with self._turn:
            self._drop()

    def _exchange(self, text: str, timeout: float | None, retry: bool) -> Any:
        """Send a command and wait for its answer, an ESLevent."""
        deadline = time.monotonic() + (self._api_timeout if timeout is None else timeout)
        with self._own_turn(deadline):
            kept = self._kept()
            answer = self._ask(kept or self._open(deadline), text, deadline)
            if answer is None and kept and retry:
                answer = self._ask(self._open(deadline), text, deadline)
            if answer is None:
                raise self._unavailable("the connection was lost")
            return answer

    @contextlib.contextmanager
    def _own_turn(self, deadline: float) -> Iterator[None]:
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._unavailable("other commands took all the time there was")
        try:
            yield
        except BaseException:
            # Whatever broke in (a job's timeout, say), an answer may still be under way: never read it later.
            self._drop()
            raise
        finally:
            self._turn.release()

    def _kept(self) -> _Link | None:
        """The kept connection, if it is this process's and the switch has said nothing since the last answer.

        Unasked, a switch only says good-bye, or closes.
        """
        if self._link is None or self._link.owner != os.getpid():
            return None
        poll = select.poll()
        poll.register(self._link.socket, select.POLLIN)
        return None if poll.poll(0) else self._link

    def _ask(self, link: _Link, text: str, deadline: float) -> Any:
        """The answer, or None if the connection was lost before it came."""
        if time.monotonic() >= deadline:
            raise self._unavailable("no time left to ask")
        with link.watchdog.until(deadline):
            answer = link.connection.sendRecv(text)
        if answer is None and time.monotonic() >= deadline:
            raise self._unavailable("no answer within the deadline")
        return answer

    def _open(self, deadline: float) -> _Link:
        self._drop()
        limit = min(deadline, time.monotonic() + self._connect_timeout)
        try:
            connected = self._connect(limit)
            try:
                self._authenticate(connected, limit)
                connected.settimeout(None)
                self._link = _attach(connected)
            except BaseException:
                connected.close()
                raise
        except TimeoutError:
            raise self._unavailable("no connection within the deadline") from None
        except (OSError, UnicodeError) as error:
            raise self._unavailable(getattr(error, "strerror", None) or str(error)) from error
        return self._link

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
            raise SwitchBarred(f"{self._place}: its access list refuses this host")
        if greeting != "auth/request":
            raise self._unavailable("what answers there is no event socket")
        connection.settimeout(_left(limit))
        connection.sendall(f"auth {self._password}\n\n".encode())
        if _read_head(connection, limit).get("reply-text") != "+OK accepted":
            raise SwitchBarred(f"{self._place}: authentication refused")

    def _drop(self) -> None:
        if self._link is None:
            return
        if self._link.owner == os.getpid():
            self._link.watchdog.dismiss()
        else:
            # python-ESL shuts down what it disconnects, and that is the parent's: put something else there.
            harmless = os.open(os.devnull, os.O_RDWR)
            os.dup2(harmless, self._link.descriptor, inheritable=False)
            os.close(harmless)
        self._link.connection.disconnect()
        self._link.socket.close()
        self._link = None

    def _unavailable(self, reason: str) -> SwitchUnavailable:
        return SwitchUnavailable(f"{self._place}: {reason}")

    @property
    def _place(self) -> str:
        return f"FreeSWITCH at {self.host}:{self.port}"


def _attach(connected: socket.socket) -> _Link:
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
    return _Link(connection, descriptor, connected, _Watchdog(connected), os.getpid())


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


def _clean(text: str | None) -> str:
    """Text from python-ESL, which puts lone surrogates for bytes that are not UTF-8."""
    return (text or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
