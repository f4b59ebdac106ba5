"""The load: wrk where it is installed, else a client of our own in another process."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 8
GENERATOR = "wrk -t1 -c8" if shutil.which("wrk") else "a Python client, 8 threads in a process of its own"

_LUA = """
local n = {first}
request = function()
  n = n + 1
  return wrk.format("POST", nil, nil, string.format('{{"extension":"%d","voicemail_enabled":"true"}}', n))
end
"""


@dataclass(frozen=True)
class Result:
    """What one run of load saw: answers per second, and how many were not 2xx."""

    rate: float
    failed: int


def run(url: str, headers: Mapping[str, str], seconds: float, first: int | None = None) -> Result:
    """Load one URL; with `first`, POST a new extension each time, numbered from there."""
    if shutil.which("wrk"):
        return _wrk(url, headers, seconds, first)
    command = [
        sys.executable,
        __file__,
        url,
        str(seconds),
        str(first or ""),
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    rate, failed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Result(float(rate), int(failed))


def _wrk(url: str, headers: Mapping[str, str], seconds: float, first: int | None) -> Result:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", *(f"-H{k}: {v}" for k, v in headers.items())]
    with tempfile.TemporaryDirectory() as folder:
        if first is not None:
            script = Path(folder) / "create.lua"
            script.write_text(_LUA.format(first=first))
            command.append(f"-s{script}")
        printed = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    assert rate, printed
    return Result(float(rate[1]), int(failed[1]) if failed else 0)


def _client(url: str, seconds: float, first: int | None, headers: Mapping[str, str]) -> Result:
    place = urlsplit(url)
    end = time.monotonic() + seconds
    done: list[int] = []
    numbers = iter(range(first or 0, 10**12))
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        while time.monotonic() < end:
            if first is None:
                connection.request("GET", place.path, headers=dict(headers))
            else:
                with lock:
                    number = next(numbers)
                body = f'{{"extension":"{number}","voicemail_enabled":"true"}}'
                connection.request("POST", place.path, body, dict(headers))
            response = connection.getresponse()
            response.read()
            done.append(response.status)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Result(len(done) / seconds, sum(status >= 300 for status in done))


if __name__ == "__main__":
    _, target, duration, start, *lines = sys.argv
    given = dict(line.split(": ", 1) for line in lines)
    outcome = _client(target, float(duration), int(start) if start else None, given)
    print(outcome.rate, outcome.failed)
