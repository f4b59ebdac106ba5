"""The thread that tells events to the clients of all streams of a process."""

from __future__ import annotations

import logging
import queue
import selectors
import socket
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from pbxapi.data.database import Connection, Database, DatabaseError, Session
from pbxapi.data.events import EVENT_CHANNEL, kept_after, last_position, payload, read_events
from pbxapi.errors import ApiError, forbidden
from pbxapi.http.callers import Callers
from pbxapi.plugin import Caller, EventStream
from pbxapi.plugin.events import readable_types, type_pattern
from pbxapi.plugin.loader import Registry

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between looks at what time brings: silence, stalls, keys that ended."""

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent: nginx gives a silent answer up after 60."""

CHECK = 3.0
"""Seconds after which a stream's key and domain are looked at again."""

STALL = 30.0
"""Seconds in which a client must take something of what waits for it."""

BUFFER = 64 * 1024
"""Bytes that wait for a client at most, give or take an event; the rest waits in the database."""

WINDOW = 2000
"""The newest events, kept in memory for all streams."""

_STEP = 5000
_BATCH = 100


@lru_cache(maxsize=20_000)
def _is_wanted(types: tuple[str, ...], type: str) -> bool:
    return any(type_pattern(pattern).fullmatch(type) for pattern in types)


def _frame(event: str, data: Mapping[str, Any], position: int | None = None) -> bytes:
    number = b"" if position is None else b"id: %d\n" % position
    return b"%bevent: %b\ndata: %b\n\n" % (number, event.encode(), orjson.dumps(data))


def gap(after: int, resumed: int) -> bytes:
    """The message that events may have been missed after a position, up to where it goes on."""
    return _frame("stream.gap", {"after": after, "resumed_after": resumed}, resumed)


@dataclass(frozen=True, slots=True)
class _Told:
    position: int
    type: str
    domain_uuid: UUID | None
    frame: bytes


def _told(row: Mapping[str, Any]) -> _Told:
    told = payload(row)
    return _Told(row["position"], row["type"], row["domain_uuid"], _frame(row["type"], told, row["position"]))


@dataclass(eq=False, slots=True)
class Stream:
    """One client.

    Attributes:
        hash: digest of its key.
        scope: what the key needs to have it at all.
        types: that it gets, or patterns of them; None for all.
        domains: whose events it gets; None for all, the whole system's among them.
        position: of the last event that was considered for it.
        named: the last position that it was told.
        waiting: bytes that it has not taken yet.
        taken_at: when it took something last; moments are monotonic.
    """

    connection: socket.socket
    chunked: bool
    caller: Caller
    hash: bytes
    wish: EventStream
    scope: str
    types: tuple[str, ...] | None
    position: int
    named: int
    domains: frozenset[UUID] | None = None
    waiting: bytearray = field(default_factory=bytearray)
    told_at: float = field(default_factory=time.monotonic)
    taken_at: float = field(default_factory=time.monotonic)
    checked_at: float = 0.0

    def __post_init__(self) -> None:
        self.know(self.caller, self.types)

    def know(self, caller: Caller, types: tuple[str, ...] | None) -> None:
        """What its key may read by now."""
        self.caller, self.types = caller, types
        self.domains = caller.domains if self.wish.all_domains else frozenset([caller.domain_uuid])
        self.checked_at = time.monotonic()

    @property
    def has_room(self) -> bool:
        return len(self.waiting) < BUFFER

    def wants(self, told: _Told) -> bool:
        return (self.domains is None or told.domain_uuid in self.domains) and (
            self.types is None or _is_wanted(self.types, told.type)
        )

    def tell(self, frame: bytes) -> None:
        if not self.waiting:
            self.taken_at = time.monotonic()
        self.waiting += b"%x\r\n%b\r\n" % (len(frame), frame) if self.chunked else frame
        self.told_at = time.monotonic()

    def send(self) -> None:
        """Send what the client takes.

        Raises:
            OSError: it is gone.
        """
        while self.waiting:
            try:
                sent = self.connection.send(self.waiting)
            except BlockingIOError:
                return
            del self.waiting[:sent]
            self.taken_at = time.monotonic()


class Teller(threading.Thread):
    """Tells events to all streams of a process, until it is stopped.

    Args:
        release: called with the key's id when a stream has ended.
    """

    def __init__(
        self, release: Callable[[str], None], database: Database, callers: Callers, registry: Registry
    ) -> None:
        super().__init__(name="streams", daemon=True)
        self._release = release
        self._database = database
        self._callers = callers
        self._registry = registry
        self._waiting: queue.SimpleQueue[Stream] = queue.SimpleQueue()
        self._stop_wanted = False
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._streams: set[Stream] = set()
        self._behind: set[Stream] = set()
        self._listening = ExitStack()
        self._bell: Connection | None = None
        self._bell_file = -1
        self._window: list[_Told] = []
        self._floor = self._head = 0
        self._look_wanted = True
        self._away = False

    def board(self, stream: Stream) -> None:
        """Take a stream over from its request's thread."""
        self._waiting.put(stream)
        self._ring()

    def stop(self) -> None:
        """End soon, and all streams with it."""
        self._stop_wanted = True
        self._ring()

    def _ring(self) -> None:
        # It is awake where no more bytes fit, and has ended where there is no socket any more.
        with suppress(OSError):
            self._waker.send(b"\0")

    def run(self) -> None:
        """Serve until told to stop."""
        while not self._stop_wanted:
            try:
                self._serve()
            except Exception:
                log.exception("the event streams failed; their clients come back")
                for stream in list(self._streams):
                    self._drop(stream)
        self._admit()
        for stream in list(self._streams):
            self._end(stream, "The server restarts")
        self._deafen()
        self._selector.close()
        self._wake.close()
        self._waker.close()

    def _serve(self) -> None:
        tick_at = 0.0
        while not self._stop_wanted:
            busy = self._behind and not self._away
            for key, mask in self._selector.select(0 if busy else TICK):
                self._answer(key.fileobj, key.data, mask)
            self._admit()
            now = time.monotonic()
            if now >= tick_at:
                tick_at = now + TICK
                self._tick(now)
            try:
                if self._streams and self._look_wanted:
                    self._look()
                for stream in list(self._behind):
                    self._step(stream)
                self._away = False
            except DatabaseError as error:
                if not self._away:
                    log.warning("the event streams lost PostgreSQL: %s; trying again", type(error).__name__)
                self._away = self._look_wanted = True

    def _answer(self, fileobj: Any, stream: Stream | None, mask: int) -> None:
        if fileobj is self._wake:
            with suppress(BlockingIOError):
                self._wake.recv(4096)
        elif stream is None:
            self._hear()
        elif stream in self._streams:
            if mask & selectors.EVENT_READ and not self._is_there(stream):
                self._drop(stream)
            elif mask & selectors.EVENT_WRITE:
                self._send(stream)

    def _is_there(self, stream: Stream) -> bool:
        try:
            # A client has nothing to say any more; what it says is not kept.
            return stream.connection.recv(4096) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _admit(self) -> None:
        with suppress(queue.Empty):
            while True:
                stream = self._waiting.get_nowait()
                self._streams.add(stream)
                self._selector.register(stream.connection, selectors.EVENT_READ, stream)
                self._behind.add(stream)
                self._look_wanted = True

    def _tick(self, now: float) -> None:
        """What time brings."""
        self._look_wanted = True  # a notification is lost with its connection
        if not self._streams:
            self._deafen()
        for stream in list(self._streams):
            if stream.waiting:
                if now - stream.taken_at >= STALL:
                    self._drop(stream)
                    continue
            elif now - stream.told_at >= HEARTBEAT:
                number = b"id: %d\n" % stream.position if stream.position > stream.named else b""
                stream.named = max(stream.position, stream.named)
                stream.tell(b": \n%b\n" % number)
                self._send(stream)
            if now - stream.checked_at >= CHECK:
                self._check(stream, now)

    def _check(self, stream: Stream, now: float) -> None:
        try:
            caller = self._callers.again(stream.caller, stream.hash)
            if caller is None:
                self._end(stream, "The key or the domain is no longer valid")
                return
            if not caller.may(stream.scope):
                raise forbidden(f"The key lacks the scope {stream.scope}")
            stream.know(caller, readable_types(self._registry.events, caller, stream.wish.patterns))
        except ApiError as error:
            self._end(stream, error.message)
        except DatabaseError:
            stream.checked_at = now - CHECK + TICK

    def _listen(self) -> None:
        if self._bell is None:
            self._bell = self._listening.enter_context(self._database.dedicated())
            self._bell.execute(f"listen {EVENT_CHANNEL}")
            self._bell_file = self._bell.fileno()
            self._selector.register(self._bell_file, selectors.EVENT_READ)

    def _hear(self) -> None:
        assert self._bell is not None
        try:
            for _ in self._bell.notifies(timeout=0):
                self._look_wanted = True
        except DatabaseError:
            self._deafen()
            self._look_wanted = True

    def _deafen(self) -> None:
        if self._bell is None:
            return
        if self._bell_file in self._selector.get_map():
            self._selector.unregister(self._bell_file)
        self._bell = None
        with suppress(DatabaseError):
            self._listening.close()
        self._listening = ExitStack()

    def _look(self) -> None:
        """Read what is new into the window, and tell it to all who are up to date."""
        self._listen()
        self._look_wanted = False
        with self._database.reading() as session:
            head = last_position(session)
            if head < self._head:
                # A backup was restored: positions that were told mean something else from now on.
                self._window, self._head = [], 0
                for stream in self._streams:
                    if stream.position > head:
                        stream.tell(gap(stream.position, head))
                        stream.position = stream.named = head
            if head == self._head:
                return
            after = max(self._head, head - WINDOW, kept_after(session))
            rows = read_events(session, after, domains=None, most=WINDOW, upto=head)
        if after > self._head or not self._window:
            self._window, self._floor = [], after
        self._window += map(_told, rows)
        if len(self._window) > WINDOW:
            self._floor = self._window[-WINDOW - 1].position
            del self._window[:-WINDOW]
        self._head = head
        self._behind |= self._streams

    def _step(self, stream: Stream) -> None:
        """Tell a stream what it has room for: from the window, or a part of what came before that."""
        if stream not in self._streams or not stream.has_room:
            self._behind.discard(stream)
            return
        if stream.position < self._floor:
            with self._database.reading() as session:
                self._catch_up(stream, session)
        else:
            self._follow(stream)
        if stream.position >= self._head:
            self._behind.discard(stream)
        self._send(stream)

    def _follow(self, stream: Stream) -> None:
        start = bisect_right(self._window, stream.position, key=lambda told: told.position)
        for told in self._window[start:]:
            if not stream.has_room:
                return
            stream.position = told.position
            if stream.wants(told):
                stream.tell(told.frame)
                stream.named = told.position
        stream.position = max(self._head, stream.position)

    def _catch_up(self, stream: Stream, session: Session) -> None:
        kept = kept_after(session)
        if stream.position < kept:
            stream.tell(gap(stream.position, kept))
            stream.position = stream.named = kept
            return
        upto = min(stream.position + _STEP, self._floor)
        rows = read_events(
            session, stream.position, domains=stream.domains, types=stream.types, most=_BATCH, upto=upto
        )
        for told in map(_told, rows):
            stream.tell(told.frame)
            stream.named = told.position
        stream.position = rows[-1]["position"] if len(rows) == _BATCH else upto

    def _send(self, stream: Stream) -> None:
        try:
            stream.send()
        except OSError:
            self._drop(stream)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.waiting else 0)
        if self._selector.get_key(stream.connection).events != wanted:
            self._selector.modify(stream.connection, wanted, stream)
        if not stream.waiting and stream.position < self._head:
            self._behind.add(stream)

    def _end(self, stream: Stream, reason: str) -> None:
        """End a stream in order, and say why."""
        with suppress(OSError):
            stream.tell(_frame("stream.end", {"reason": reason}))
            if stream.chunked:
                stream.waiting += b"0\r\n\r\n"
            stream.send()
            stream.connection.shutdown(socket.SHUT_WR)
        self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        if stream not in self._streams:
            return
        self._streams.discard(stream)
        self._behind.discard(stream)
        self._selector.unregister(stream.connection)
        stream.connection.close()
        self._release(stream.caller.key_id)
