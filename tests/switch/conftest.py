"""The sandbox's simulator, and a switch that says, byte for byte, what a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.switch.event_socket import EventSocket


class RawSwitch:
    """Listens on a port of its own; a test sets what it says.

    Attributes:
        greeting: sent to whoever connects; None is mute.
        reply: to `auth`; None is mute.
        answers: bodies by command; a command that is not here gets `-ERR no reply`.
        behave: instead of `answers`, called with the connection and what was asked.
        heard: the commands, without `auth`.
        connections: how many were accepted.
    """

    PASSWORD = "Never-To-Be-Shown"
    GREETING = b"Content-Type: auth/request\n\n"
    ACCEPTED = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"

    def __init__(self) -> None:
        self.greeting: bytes | None = self.GREETING
        self.reply: bytes | None = self.ACCEPTED
        self.answers: dict[str, str | bytes] = {}
        self.behave: Callable[[socket.socket, str], None] = self._answer
        self.heard: list[str] = []
        self.connections = 0
        self.passwords: list[str] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def frame(body: str | bytes) -> bytes:
        """An answer to an `api` command."""
        data = body.encode() if isinstance(body, str) else body
        return b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(data), data)

    def hang_up(self, last_words: bytes = b"") -> None:
        """Close what is open, as a switch that restarts does."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.sendall(last_words)
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        time.sleep(0.02)  # until the kernel has told the other end

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self.greeting is not None:
                connection.sendall(self.greeting)
            data = b""
            while piece := connection.recv(65536):
                data += piece
                while b"\n\n" in data:
                    asked, _, data = data.partition(b"\n\n")
                    text = asked.decode()
                    if text.startswith("auth "):
                        self.passwords.append(text.removeprefix("auth "))
                        if self.reply is not None:
                            connection.sendall(self.reply)
                    else:
                        self.heard.append(text)
                        self.behave(connection, text.removeprefix("api "))

    def _answer(self, connection: socket.socket, asked: str) -> None:
        if asked.startswith("sendevent"):
            connection.sendall(b"Content-Type: command/reply\nReply-Text: +OK 7f4de0ec\n\n")
        else:
            connection.sendall(self.frame(self.answers.get(asked, "-ERR no reply\n")))


@pytest.fixture
def raw() -> Iterator[RawSwitch]:
    with contextlib.closing(RawSwitch()) as switch:
        yield switch


@pytest.fixture
def event_socket(raw: RawSwitch) -> Iterator[EventSocket]:
    """A connection to `raw`, with deadlines that a test can wait for."""
    with contextlib.closing(
        EventSocket("127.0.0.1", raw.port, raw.PASSWORD, connect_timeout=0.4, api_timeout=0.6)
    ) as connection:
        yield connection


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SwitchSimulator]:
    """A simulated switch that reads its XML from `tmp_path`/conf."""
    for folder in ("directory", "sip_profiles/external", "dialplan"):
        (tmp_path / "conf" / folder).mkdir(parents=True)
    with SwitchSimulator(tmp_path / "conf", hostname="pbx1", switchname="east") as switch:
        yield switch


@pytest.fixture
def switch(simulator: SwitchSimulator) -> Iterator[EventSocket]:
    """A connection to `simulator`, with deadlines that a test can wait for."""
    with contextlib.closing(
        EventSocket(simulator.host, simulator.port, simulator.password, connect_timeout=0.4, api_timeout=1.0)
    ) as connection:
        yield connection
