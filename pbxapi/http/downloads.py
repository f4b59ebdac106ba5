"""Answers that are made while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator


class Download(Iterator[bytes]):
    """The parts of a body; whatever ends it, what it holds is given back once.

    A fault on the way goes up to the server, which closes the connection: a body that ends without its last chunk
    tells the caller that it is not whole.

    Args:
        release: gives back what the stream holds.
    """

    def __init__(self, parts: Iterator[bytes], release: Callable[[], None]) -> None:
        self._parts = parts
        self._release: Callable[[], None] | None = release

    def __next__(self) -> bytes:
        try:
            return next(self._parts)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it; the server calls this, also where the caller has gone."""
        release, self._release = self._release, None
        if release is not None:
            release()
