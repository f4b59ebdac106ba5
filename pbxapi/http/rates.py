"""Rate limits by key: Flask-Limiter counts in Redis; while Redis is away requests pass, and are counted here."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, ClassVar

from flask import Flask, Response, g
from flask_limiter import Limit, Limiter
from limits.storage import RedisStorage

log = logging.getLogger(__name__)

PAUSE = 5.0
"""Seconds for which Redis is not asked again once it did not answer."""


class Counter:
    """A figure of this process that only grows, for the metrics."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.value = 0

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.value += 1


unchecked = Counter()
"""Requests that had a limit and passed without a look at it, because Redis did not answer."""


class _Counts(RedisStorage):
    """Counts in Redis. While it is away every count is 0, which passes, and one request in `PAUSE` tries again."""

    STORAGE_SCHEME: ClassVar[list[str]] = ["pbxapi"]  # type: ignore[misc]

    _away_until = 0.0

    @property
    def away(self) -> bool:
        return self._away_until > 0

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        if self.away:
            if time.monotonic() < self._away_until:
                unchecked.add()
                return 0
            self._away_until = time.monotonic() + PAUSE
        try:
            count = super().incr(key, expiry, amount)
        except self.base_exceptions as error:
            self.lost(error)
            unchecked.add()
            return 0
        self._away_until = 0.0
        return count

    def lost(self, error: Exception) -> None:
        """Redis did not answer."""
        log.warning("requests pass without a look at their limits, Redis: %s", type(error).__name__)
        self._away_until = time.monotonic() + PAUSE


def limit_rates(app: Flask, default: str, redis_pool: Any) -> None:
    """Hold every key to its own limit, else to the default one, over all routes together.

    Callers are told by the headers ``RateLimit-Limit``, ``RateLimit-Remaining`` and ``RateLimit-Reset`` (seconds),
    as the IETF's draft has them, and by ``Retry-After`` with a 429. To be called after the hook that sets
    ``g.caller``; a request without one has no limit.

    Args:
        default: such as ``600/minute``; empty for none.
        redis_pool: connections to Redis whose every command ends within a fraction of a second, tried once.
    """

    def of_caller() -> str:
        caller = g.get("caller")
        return caller.rate_limit or default if caller else ""

    limiter = Limiter(
        lambda: str(g.caller.key_id),
        default_limits=[Limit(of_caller, scope="api", shared=True)],
        # All URLs, those that lead nowhere included.
        request_identifier=lambda: "api",
        storage_uri="pbxapi:",
        storage_options={"connection_pool": redis_pool, "key_prefix": "pbxapi:rate"},
    )

    def tell(response: Response) -> Response:
        if not of_caller():
            return response
        current, counts = limiter.current_limit, limiter.storage
        assert isinstance(counts, _Counts)
        if current is None or counts.away:
            return response
        try:
            remaining, reset_at = current.remaining, current.window.reset_time
        except counts.base_exceptions as error:
            counts.lost(error)
            return response
        seconds = str(max(int(reset_at - time.time() + 0.999), 0))
        response.headers["RateLimit-Limit"] = str(current.limit.amount)
        response.headers["RateLimit-Remaining"] = str(remaining)
        response.headers["RateLimit-Reset"] = seconds
        if current.breached:
            response.headers["Retry-After"] = seconds
        return response

    def check() -> None:
        if of_caller():
            limiter._check_request_limit()

    # Its own hooks would cost every request a tenth of a short answer: they go to an app that serves nobody.
    limiter.init_app(Flask(__name__))
    app.before_request(check)
    app.after_request(tell)
