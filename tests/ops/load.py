"""Requests of every kind through nginx while gunicorn reloads."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass, field

from pbxapi.testing import API_KEY
from tests.ops.host import NginxHost
from tests.ops.service import Service


@dataclass
class Result:
    """What came of it.

    Attributes:
        kept: records that were made and not deleted again.
        failed: what went wrong, each as it was seen.
        slowest: seconds.
    """

    requests: int = 0
    writes: int = 0
    kept: int = 0
    reloads: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    failed: list[str] = field(default_factory=list)


def run_load(
    host: NginxHost, domain: str, service: Service, *, requests: int, clients: int, reload_seconds: float
) -> Result:
    """Send requests, each client on a connection of its own, and reload meanwhile, twice at least.

    Every fifth is a write: a record is made, or one is deleted.
    """
    result = Result()
    lock = threading.Lock()
    numbers = itertools.count()
    over = threading.Event()

    def client(mine: int) -> None:
        connection = host.connect()
        headers = {"X-API-Key": API_KEY, "X-Domain": domain}
        uuids: list[str] = []
        while (number := next(numbers)) < requests or (result.reloads < 2 and not result.failed):
            method, path, body, wanted = "GET", "/api/v1/extensions?per_page=5", None, 200
            if number % 10 == 0:
                text = json.dumps({"call_block_name": f"load {mine}", "call_block_number": f"9{number:07d}"})
                method, path, body, wanted = "POST", "/api/v1/call-block", text.encode(), 201
            elif number % 10 == 5 and uuids:
                method, path, wanted = "DELETE", f"/api/v1/call-block/{uuids.pop()}", 200
            started = time.monotonic()
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException) as error:
                status, content = 0, repr(error).encode()
                connection.close()
            took = time.monotonic() - started
            if status == wanted == 201:
                uuids.append(next(iter(json.loads(content)["data"].values())))
            with lock:
                result.requests += 1
                result.writes += method != "GET"
                result.slowest = max(result.slowest, took)
                if status != wanted:
                    result.failed.append(f"{method} {path}: {status} {content[:200]!r}")
        connection.close()
        with lock:
            result.kept += len(uuids)

    def reload() -> None:
        while not over.wait(reload_seconds):
            try:
                service.reload()
            except TimeoutError as error:
                result.failed.append(f"reload {result.reloads + 1}: {error}")
                return
            result.reloads += 1

    started = time.monotonic()
    threads = [threading.Thread(target=client, args=(mine,)) for mine in range(clients)]
    reloading = threading.Thread(target=reload)
    for thread in (*threads, reloading):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    reloading.join()
    result.seconds = time.monotonic() - started
    return result
