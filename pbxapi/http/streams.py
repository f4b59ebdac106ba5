"""Event streams: one thread of each process tells all its clients, so that no request's thread is held by one.

gunicorn gives a request's connection to a thread until the answer ends. For it a stream's answer ends at once: the
connection is put under a descriptor of ours, and gunicorn's own is made to name a dead socket, which it writes to
and shuts down in vain.
"""

from __future__ import annotations

import os
import random
import resource
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from flask import Response

from pbxapi.config import Config
from pbxapi.data.database import Database
from pbxapi.data.events import POSITION_MOST, last_position
from pbxapi.data.keys import digest
from pbxapi.errors import ApiError, invalid
from pbxapi.http.callers import Callers
from pbxapi.http.gateway import Request
from pbxapi.http.telling import BUFFER, Stream, Teller, gap
from pbxapi.plugin import Caller, EventStream
from pbxapi.plugin.events import readable_types
from pbxapi.plugin.loader import Registry

MEDIA = "text/event-stream"

_FILES = 1024
"""Open files of a process besides its streams."""


class Streams:
    """All streams of one process; its thread and its connection to PostgreSQL are made with the first.

    Args:
        registry: the plugins, whose types of events can be asked for.

    Attributes:
        counted: called with 1 when a stream is opened, with -1 when it has ended.
    """

    def __init__(self, config: Config, database: Database, callers: Callers, registry: Registry) -> None:
        self._most = config.streams
        self._most_per_key = config.streams_per_key
        self._database = database
        self._callers = callers
        self._registry = registry
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._teller: Teller | None = None
        self.counted: Callable[[int], None] = lambda _: None

    def open(self, request: Request, caller: Caller, wish: EventStream, scope: str) -> Response:
        """Answer a request with a stream: it goes on after ``Last-Event-ID``, else after the wish's own position.

        Args:
            scope: what the key needs for as long as the stream is open.

        Raises:
            ApiError: 400 for a position that is none, 403 for types that the key may not read, 429 and 503 where
                there are too many streams.
        """
        connection = request.environ.get("gunicorn.socket")
        if connection is None:
            raise ApiError(503, "STREAMS_UNAVAILABLE", "Events are streamed by `pbxapi serve` only")
        types = readable_types(self._registry.events, caller, wish.patterns)
        after = _last_event_id(request)
        after = wish.after if after is None else after
        with self._database.reading() as session:
            head = last_position(session)
        start = head if after is None else min(after, head)
        hash = digest(request.headers.get("X-API-Key", ""))
        chunked = request.environ["SERVER_PROTOCOL"] != "HTTP/1.0"
        # Clients of a server that is started again come back one by one.
        first = b"retry: %d\nid: %d\n\n" % (random.randint(1000, 4000), start)
        if after is not None and after > head:
            first += gap(after, head)
        self._reserve(caller.key_id)
        taken = False

        def body() -> Iterator[bytes]:
            nonlocal taken
            yield first
            own = _take_over(connection)
            taken = True
            self._board(Stream(own, chunked, caller, hash, wish, scope, types, start, start))

        response = Response(body(), content_type=MEDIA, headers={"X-Accel-Buffering": "no"})
        response.call_on_close(lambda: None if taken else self.release(caller.key_id))
        return response

    def close(self) -> None:
        """End all streams, and tell the clients so; they come back elsewhere."""
        with self._lock:
            teller, self._teller = self._teller, None
        if teller is not None:
            teller.stop()
            teller.join(2.0)

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open.total()

    def release(self, key_id: str) -> None:
        """Have one stream of a key less."""
        with self._lock:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]
        self.counted(-1)

    def _reserve(self, key_id: str) -> None:
        wait = {"Retry-After": "30"}
        with self._lock:
            if self._open.total() >= self._most:
                raise ApiError(503, "TOO_MANY_STREAMS", "Too many event streams are open", headers=wait)
            if self._open[key_id] >= self._most_per_key:
                message = f"A key may have {self._most_per_key} event streams open"
                raise ApiError(429, "TOO_MANY_STREAMS", message, headers=wait)
            self._open[key_id] += 1
        self.counted(1)

    def _board(self, stream: Stream) -> None:
        with self._lock:
            if self._teller is None:
                _allow_files(self._most + _FILES)
                self._teller = Teller(self.release, self._database, self._callers, self._registry)
                self._teller.start()
            self._teller.board(stream)


def _last_event_id(request: Request) -> int | None:
    text = request.headers.get("Last-Event-ID", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= POSITION_MOST):
        raise invalid("Last-Event-ID must be the id of an event", "Last-Event-ID")
    return int(text)


def _take_over(connection: socket.socket) -> socket.socket:
    """The client's connection under a descriptor of ours; gunicorn's own names a dead socket from now on."""
    own = connection.dup()
    dead, other = socket.socketpair()
    with dead, other:
        os.dup2(dead.fileno(), connection.fileno(), inheritable=False)
    own.setblocking(False)
    # What the client does not take shall wait in the database, not in the kernel.
    own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return own


def _allow_files(wanted: int) -> None:
    """Let this process have as many open files as it may: the usual limit is for select(2), unused here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
