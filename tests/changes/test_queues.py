"""What lies in Redis is JSON: whoever can write there must not be able to run code as the worker's user."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from pathlib import Path

import pytest
from rq.exceptions import DeserializationError

from pbxapi.changes.queues import connect, drain_queue, jobs_queue


def test_a_job_is_json(redis_url: str) -> None:
    with connect(redis_url) as redis:
        for queue, function in (
            (drain_queue(redis, "node.example.com"), "pbxapi.changes.drain.drain"),
            (jobs_queue(redis, "webhooks"), "pbxapi.changes.jobs.work"),
        ):
            job = queue.enqueue(function, "an argument")
            stored = json.loads(zlib.decompress(redis.hget(job.key, "data")))
            assert (stored[0], stored[2]) == (function, ["an argument"])
            job.delete()


def test_a_pickle_that_somebody_put_there_is_not_loaded(redis_url: str, tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return os.mkdir, (str(tmp_path / "it ran"),)

    with connect(redis_url) as redis:
        queue = drain_queue(redis, "node")
        job = queue.enqueue("pbxapi.changes.drain.drain", "node")
        redis.hset(job.key, "data", zlib.compress(pickle.dumps(Code())))
        found = queue.fetch_job(job.id)
        assert found is not None
        with pytest.raises(DeserializationError):
            found.args  # noqa: B018
        job.delete()
    assert not (tmp_path / "it ran").exists()
