"""Redis and RQ, which only carry: whatever they lose, the relay finds again in the change rows."""

from __future__ import annotations

import hashlib

from redis import Redis
from redis.backoff import NoBackoff
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
