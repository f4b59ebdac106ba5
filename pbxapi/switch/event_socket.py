"""Commands over the event socket of one FreeSWITCH, each with a deadline (`pbxapi.switch.connection` says how)."""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from pbxapi.errors import SwitchRefused
from pbxapi.switch.connection import Link, Place, clean

Answer = TypeVar("Answer")

AT_ONCE = 100
"""Commands that are sent before the first answer is read: so few that neither side's buffers can fill up."""

_HEADER_NAME = re.compile(r"(?!(content-length|event-name|event-subclass)$)[a-z][a-z0-9_-]*", re.IGNORECASE)


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
        self._place = Place(host, port, password)
        self._connect_timeout = connect_timeout
        self._api_timeout = api_timeout
        self._turn = threading.Lock()
        self._link: Link | None = None

    @classmethod
    def to(cls, place: Place) -> EventSocket:
        """One to that place, with the usual deadlines."""
        return cls(place.host, place.port, place.password)

    def __repr__(self) -> str:
        return f"<EventSocket {self._place.host}:{self._place.port}>"

    def api(self, command: str, timeout: float | None = None, *, retry: bool = True) -> str:
        """What the switch answers to a command (`api <command>`); whether it worked is for the caller to judge.

        Args:
            command: on one line.
            timeout: seconds for everything: waiting for one's turn, connecting, sending and answering.
            retry: send it again, once, over a new connection if a kept one turns out to be lost. A command
                that must not run twice sets it to False.

        Raises:
            ValueError: the command holds a control character.
            SwitchUnavailable: no connection or no answer within the deadline, or the connection was lost.
            SwitchBarred: one of these; the switch does not let us in.
            SwitchRefused: the switch does not let this password use the command.
        """
        text = _api_text(command)
        return _api_answer(command, self._exchange(partial(_ask, text=text), timeout, retry))

    def api_each(self, commands: Sequence[str]) -> list[str]:
        """What the switch answers to each of many commands, none of which waits for another one's answer.

        Each hundred has the usual deadline. All may run twice, as with `api` and its retry.

        Raises:
            As `api`; of a command that is refused the later ones have run as well.
        """
        answers = self._exchange_each([_api_text(command) for command in commands])
        return [_api_answer(command, answer) for command, answer in zip(commands, answers, strict=True)]

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
        text = _event_text(name, headers, body)
        _check_taken(name, self._exchange(partial(_ask, text=text), timeout, retry))

    def send_events(self, name: str, many: Sequence[Mapping[str, str]]) -> None:
        """Fire an event for each of many headers; none waits for another one to be taken.

        Each hundred has the usual deadline. All may be fired twice, as with `send_event` and its retry.

        Raises:
            As `send_event`; nothing has been fired where it is a ValueError.
        """
        for answer in self._exchange_each([_event_text(name, headers) for headers in many]):
            _check_taken(name, answer)

    def close(self) -> None:
        """Give the connection up; a later command opens a new one."""
        with self._turn:
            self._drop()

    def _exchange_each(self, texts: Sequence[str]) -> list[Any]:
        """Send commands and wait for their answers, which come in the same order."""
        answers: list[Any] = []
        for first in range(0, len(texts), AT_ONCE):
            answers += self._exchange(partial(_ask_each, texts=texts[first : first + AT_ONCE]), None, True)
        return answers

    def _exchange(self, ask: Callable[[Link], Answer | None], timeout: float | None, retry: bool) -> Answer:
        """Ask over the kept connection or over a new one; what is asked answers None where it was lost."""
        deadline = time.monotonic() + (self._api_timeout if timeout is None else timeout)
        with self._own_turn(deadline):
            kept = self._kept()
            answer = self._within(deadline, kept or self._open(deadline), ask)
            if answer is None and kept and retry:
                answer = self._within(deadline, self._open(deadline), ask)
            if answer is None:
                raise self._place.unavailable("the connection was lost")
            return answer

    @contextlib.contextmanager
    def _own_turn(self, deadline: float) -> Iterator[None]:
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._place.unavailable("other commands took all the time there was")
        try:
            yield
        except BaseException:
            # Whatever broke in (a job's timeout, say), an answer may still be under way: never read it later.
            self._drop()
            raise
        finally:
            self._turn.release()

    def _kept(self) -> Link | None:
        """The kept connection, if it is this process's and the switch has said nothing since the last answer.

        Unasked, a switch only says good-bye, or closes.
        """
        if self._link is None or self._link.owner != os.getpid():
            return None
        poll = select.poll()
        poll.register(self._link.socket, select.POLLIN)
        return None if poll.poll(0) else self._link

    def _within(self, deadline: float, link: Link, ask: Callable[[Link], Answer | None]) -> Answer | None:
        if time.monotonic() >= deadline:
            raise self._place.unavailable("no time left to ask")
        with link.watchdog.until(deadline):
            answer = ask(link)
        if answer is None and time.monotonic() >= deadline:
            raise self._place.unavailable("no answer within the deadline")
        return answer

    def _open(self, deadline: float) -> Link:
        self._drop()
        self._link = self._place.open(min(deadline, time.monotonic() + self._connect_timeout))
        return self._link

    def _drop(self) -> None:
        if self._link is not None:
            self._link.drop()
            self._link = None


def _ask(link: Link, text: str) -> Any:
    """The answer, an ESLevent; None if the connection was lost before it came."""
    return link.connection.sendRecv(text)


def _ask_each(link: Link, texts: Sequence[str]) -> list[Any] | None:
    """The answers, as `_ask`, to commands that are all sent before the first answer is read."""
    if link.connection.send("".join(texts)) != 0:
        return None
    answers = []
    for _ in texts:
        answer = link.connection.recvEvent()
        # What python-ESL makes of a lost connection is an event of its own, without a type.
        if answer is None or answer.getHeader("Content-Type") not in ("command/reply", "api/response"):
            return None
        answers.append(answer)
    return answers


def _api_text(command: str) -> str:
    if not command or not command.isprintable():
        raise ValueError(f"not a command on one line: {command!r}")
    return f"api {command}\n\n"


def _api_answer(command: str, answer: Any) -> str:
    if answer.getHeader("Content-Type") != "api/response":
        raise SwitchRefused(f"{command}: {clean(answer.getHeader('Reply-Text'))}")
    return clean(answer.getBody())


def _event_text(name: str, headers: Mapping[str, str], body: str | None = None) -> str:
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
    return "\n".join(lines) + "\n\n" + (body or "")


def _check_taken(name: str, answer: Any) -> None:
    reply = clean(answer.getHeader("Reply-Text"))
    if not reply.startswith("+OK"):
        raise SwitchRefused(f"sendevent {name}: {reply}")
