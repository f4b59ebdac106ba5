"""What the processes of one gunicorn count together, in memory that they share, and which ends with them.

gunicorn loads the application once and forks its workers from it, so that memory mapped before is the same in all.
Each process writes to a row of its own, without waiting for another one. A row whose process has ended is taken by
the next, and its counters go on from where they stand, as a counter must; its gauges begin at 0.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
import weakref
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flask import Response

from pbxapi.data.database import Database
from pbxapi.http.gateway import Gateway, Request
from pbxapi.http.lines import METHODS
from pbxapi.http.rates import unchecked

CLASSES = ("2xx", "3xx", "4xx", "5xx")
"""What answers are counted by."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of an answer's time, in seconds; one more takes what lies above."""

NOWHERE = "none"
"""The route of a request that none was found for."""

COUNTED = ("requests_num", "requests_queued", "requests_wait_ms", "requests_errors", "unchecked")
"""What only grows: what `Database.figures` counts, and the requests whose rate was not looked at."""

OF_NOW = ("pool_size", "pool_available", "requests_waiting", "stream_clients")
"""What goes up and down: what `Database.figures` says of this moment, and open event streams."""


class SharedRows:
    """Numbers in rows, one row a process.

    Args:
        width: numbers of a row.
        gauges: the place from which on they are gauges.
        rows: how many processes can have one; more share the last, and may lose a count to each other.
    """

    def __init__(self, width: int, gauges: int, rows: int) -> None:
        self._width, self._first_gauge, self._rows = 1 + width, 1 + gauges, rows
        self._lock = threading.Lock()
        self._file = os.memfd_create("pbxapi-figures")
        weakref.finalize(self, os.close, self._file)
        os.truncate(self._file, self._width * rows * 8)
        self._numbers = memoryview(mmap.mmap(self._file, 0)).cast("d")  # the first of a row is its process
        self._pid = self._start = 0

    def add(self, *amounts: tuple[int, float]) -> None:
        """Let numbers of this process grow: (place, by how much)."""
        with self._lock:
            start = self._own()
            for place, amount in amounts:
                self._numbers[start + place] += amount

    def put(self, *values: tuple[int, float]) -> None:
        """Set numbers of this process."""
        with self._lock:
            start = self._own()
            for place, value in values:
                self._numbers[start + place] = value

    def sums(self) -> tuple[list[float], int]:
        """The numbers of all rows together, without the gauges of processes that have ended; how many live."""
        sums, living = [0.0] * (self._width - 1), 0
        for start in range(0, self._width * self._rows, self._width):
            if not self._numbers[start]:
                continue
            lives = _lives(int(self._numbers[start]))
            living += lives
            end = start + (self._width if lives else self._first_gauge)
            for place, number in enumerate(self._numbers[start + 1 : end].tolist()):
                sums[place] += number
        return sums, living

    def _own(self) -> int:
        """Where the row of this process begins, behind its number."""
        if self._pid != os.getpid():
            # The lock of a file goes with its process, whatever ends that.
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                rows = range(0, self._width * self._rows, self._width)
                row = next((start for start in rows if not _lives(int(self._numbers[start]))), rows[-1])
                for place in range(row + self._first_gauge, row + self._width):
                    self._numbers[place] = 0.0
                self._pid = os.getpid()
                self._numbers[row], self._start = float(self._pid), row + 1
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        return self._start


def _lives(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@dataclass(frozen=True)
class RouteFigures:
    """What was counted of one route and method.

    Attributes:
        answers: how many by `CLASSES`.
        seconds: that all took together.
        buckets: how many took as long as one of `BUCKETS` and longer than the one before; the last took longer.
    """

    route: str
    method: str
    answers: tuple[int, ...]
    seconds: float
    buckets: tuple[int, ...]


class Figures:
    """Counts requests by route, method and kind of answer, and what the pool of each process says.

    To be made once all routes are there.

    Args:
        processes: how many may serve at a time.
    """

    PAUSE = 1.0
    """Seconds between two looks at the pool."""

    _SECONDS = len(CLASSES)
    _BUCKETS = _SECONDS + 1
    _WIDTH = _BUCKETS + len(BUCKETS) + 1

    def __init__(self, app: Gateway, database: Database, processes: int) -> None:
        self._database = database
        routes = {(rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
        routes |= {(NOWHERE, method) for method in (*METHODS, "other")}
        self._routes = {route: place * self._WIDTH for place, route in enumerate(sorted(routes))}
        counted = len(routes) * self._WIDTH
        self._counted = {name: counted + place for place, name in enumerate(COUNTED)}
        gauges = counted + len(COUNTED)
        self._of_now = {name: gauges + place for place, name in enumerate(OF_NOW)}
        self._rows = SharedRows(gauges + len(OF_NOW), gauges, processes)
        self._looking = threading.Lock()
        self._looked_at = 0.0
        self._before = dict.fromkeys(COUNTED, 0)
        app.after.append(self._count)

    def _count(self, request: Request, response: Response) -> Response:
        now = time.perf_counter()
        seconds = now - request.started
        method = request.method if request.method in METHODS else "other"
        place = self._routes.get((request.url_rule.rule if request.url_rule else NOWHERE, method))
        if place is None:
            place = self._routes[NOWHERE, method]
        kind = min(max(response.status_code // 100, 2), 5) - 2
        bucket = place + self._BUCKETS + bisect_left(BUCKETS, seconds)
        self._rows.add((place + kind, 1), (place + self._SECONDS, seconds), (bucket, 1))
        if now - self._looked_at > self.PAUSE:
            self._look()
        return response

    def shift(self, name: str, amount: int) -> None:
        """Let one of `OF_NOW` of this process go up or down."""
        self._rows.add((self._of_now[name], amount))

    def _look(self) -> None:
        """Take what the pool and the rate limits of this process have counted since the last look."""
        with self._looking:
            self._looked_at = time.perf_counter()
            found = {**self._database.figures(), "unchecked": unchecked.value}
            grown = [(self._counted[name], found.get(name, 0) - self._before[name]) for name in COUNTED]
            self._before = {name: found.get(name, 0) for name in COUNTED}
            self._rows.add(*grown)
            self._rows.put(*((self._of_now[name], found[name]) for name in OF_NOW if name in found))

    def read(self) -> tuple[dict[str, float], list[RouteFigures]]:
        """`COUNTED`, `OF_NOW` and ``processes`` of all processes together, and each route that was asked for."""
        self._look()
        sums, living = self._rows.sums()
        places = self._counted | self._of_now
        return {name: sums[place] for name, place in places.items()} | {"processes": living}, list(
            self._read_routes(sums)
        )

    def _read_routes(self, sums: list[float]) -> Iterator[RouteFigures]:
        for (route, method), place in self._routes.items():
            numbers = sums[place : place + self._WIDTH]
            if any(numbers):
                yield RouteFigures(
                    route,
                    method,
                    _whole(numbers[: self._SECONDS]),
                    numbers[self._SECONDS],
                    _whole(numbers[self._BUCKETS :]),
                )


def _whole(numbers: Iterable[float]) -> tuple[int, ...]:
    return tuple(map(int, numbers))
