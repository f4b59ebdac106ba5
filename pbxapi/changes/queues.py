"""Redis and RQ, which only carry: whatever they lose, the relay finds again in the change rows."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer


def connect(url: str, *, timeout: float = 3.0) -> Redis:
    """A client whose every command has a deadline, in seconds, and is tried once."""
    return Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=min(timeout, 2.0), retry=Retry(NoBackoff(), 0)
    )


def drain_queue(redis: Redis, node: str) -> Queue:
    """The queue that wakes one node's worker. A name of RQ's holds no dots, a node's may: so a digest."""
    digest = hashlib.sha256(node.encode()).hexdigest()[:16]
    return Queue(f"pbxapi-drain-{digest}", connection=redis, serializer=JSONSerializer)


def jobs_queue(redis: Redis, plugin: str) -> Queue:
    """The queue that wakes one plugin's worker."""
    return Queue(f"pbxapi-jobs-{plugin}", connection=redis, serializer=JSONSerializer)


@dataclass(frozen=True)
class RedisFacts:
    """What a Redis says of itself.

    Attributes:
        local: whether it is asked over a Unix socket.
        password: whether it asks for one.
        policy: what it forgets when its memory is full; None where it does not say.
        append_only: whether it writes what it is told to a file; None where it does not say.
        clock_ahead: seconds that its clock is ahead of ours.
    """

    version: str
    local: bool
    password: bool
    policy: str | None
    append_only: bool | None
    clock_ahead: float


def read_redis(url: str) -> RedisFacts | None:
    """What the Redis at a URL says of itself; None where it does not answer."""
    try:
        with connect(url) as redis:
            version = str(redis.info("server")["redis_version"])
            before = time.time()
            seconds, micros = redis.time()
            ahead = seconds + micros / 1e6 - (before + time.time()) / 2
            try:
                settings = {**redis.config_get("maxmemory-policy"), **redis.config_get("appendonly")}
            except ResponseError:
                settings = {}
            arguments = redis.connection_pool.connection_kwargs
    except RedisError:
        return None
    append_only = settings.get("appendonly")
    return RedisFacts(
        version=version,
        local=url.startswith("unix:"),
        password=bool(arguments.get("password")),
        policy=settings.get("maxmemory-policy"),
        append_only=None if append_only is None else append_only == "yes",
        clock_ahead=ahead,
    )
