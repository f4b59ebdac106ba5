"""What every measure is given: the stack, its data, and how long to go on."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

import data
import load
from stack import FLOOR_SIZE, Stack


@dataclass
class Bench:
    """One run.

    Attributes:
        rounds: how often the variants of a measure take turns.
        seconds: how long one turn of load lasts.
        whole: whether what is only there to be compared with is measured, too.
        large: whether there are ten million call records.
    """

    stack: Stack
    rounds: int
    seconds: int
    large: bool = False
    whole: bool = True
    _turns: Iterator[int] = field(default_factory=lambda: count(1))

    def extensions(self, size: int = FLOOR_SIZE) -> str:
        """The tenant with so many extensions; its name."""
        with self.stack.connect() as connection:
            return data.fill_extensions(connection, size)

    def calls(self, size: int) -> str:
        """The tenant with so many call records; its name."""
        with self.stack.connect() as connection:
            return data.fill_calls(connection, size)

    def one(self, domain: str) -> str:
        """The path of a tenant's extension that has a user and a box."""
        with self.stack.connect() as connection:
            return f"/extensions/{data.extension_uuid(connection, domain)}"

    def load(self, url: str, domain: str, *, create: bool = False) -> load.Result:
        """One turn of load; what creates have made is taken away again.

        Raises:
            RuntimeError: an answer was no success.
        """
        # What was on its way when a turn of load ended may be made after the turn's traces are gone.
        first = next(self._turns) * data.FIRST_NEW if create else None
        result = load.run(url, self.stack.headers(domain), self.seconds, first)
        if result.failed:
            raise RuntimeError(f"{url}: {result.failed} of {result.answers} answers were no success")
        if create:
            with self.stack.connect() as connection:
                data.remove_new(connection)
        return result

    def rate(self, url: str, domain: str, *, create: bool = False) -> Callable[[], float]:
        """A variant: answers per second of one turn of load. The first turn, which warms up, is not counted."""
        self.load(url, domain, create=create)
        return lambda: self.load(url, domain, create=create).rate


class Caller:
    """One connection to the product that asks and waits.

    Args:
        url: of the server, without a path.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = headers

    def get(self, path: str) -> bytes:
        """The body of an answer.

        Raises:
            RuntimeError: it is no success.
        """
        self._connection.request("GET", path, headers=self._headers)
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {body!r}")
        return body

    def count_lines(self, path: str) -> int:
        """The lines of an answer of any length, which is not kept."""
        self._connection.request("GET", path, headers=self._headers)
        reply = self._connection.getresponse()
        lines = 0
        while part := reply.read(1 << 20):
            lines += part.count(b"\n")
        return lines

    def milliseconds(self, path: str) -> float:
        """How long an answer takes."""
        began = time.perf_counter()
        self.get(path)
        return (time.perf_counter() - began) * 1000
