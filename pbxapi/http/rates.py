"""Rate limits by key, counted in Redis; while Redis is away requests pass, and are counted here."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from limits import parse
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

from pbxapi.errors import ApiError
from pbxapi.http.gateway import Request

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


class Rates:
    """Holds every key to its own limit, else to the default one, over all routes together.

    Callers are told by the headers ``RateLimit-Limit``, ``RateLimit-Remaining`` and ``RateLimit-Reset`` (seconds),
    as the IETF's draft has them, and by ``Retry-After`` with a 429. A request without a caller has no limit.

    Args:
        default: such as ``600/minute``; empty for none.
        redis_pool: connections to Redis whose every command ends within a fraction of a second, tried once.
    """

    def __init__(self, default: str, redis_pool: Any) -> None:
        self._default = default
        self._counts = RedisStorage("redis://", connection_pool=redis_pool, key_prefix="pbxapi:rate")
        self._limiter = FixedWindowRateLimiter(self._counts)
        self._away_until = 0.0

    def check(self, request: Request) -> None:
        """Count a request. While Redis is away it passes, and one in `PAUSE` tries again.

        Raises:
            ApiError: 429.
        """
        caller = request.caller
        wanted = caller and (caller.rate_limit or self._default)
        if not caller or not wanted:
            return
        now = time.monotonic()
        if now < self._away_until:
            unchecked.add()
            return
        if self._away_until:
            self._away_until = now + PAUSE
        limit = parse(wanted)
        try:
            passes = self._limiter.hit(limit, caller.key_id)
            window = self._limiter.get_window_stats(limit, caller.key_id)
        except self._counts.base_exceptions as error:
            log.warning("requests pass without a look at their limits, Redis: %s", type(error).__name__)
            self._away_until = now + PAUSE
            unchecked.add()
            return
        self._away_until = 0.0
        seconds = str(max(int(window.reset_time - time.time() + 0.999), 0))
        request.told = {
            "RateLimit-Limit": str(limit.amount),
            "RateLimit-Remaining": str(window.remaining),
            "RateLimit-Reset": seconds,
        }
        if not passes:
            message = "Too many requests with this key; Retry-After says when to go on"
            raise ApiError(429, "RATE_LIMITED", message, headers={"Retry-After": seconds})
