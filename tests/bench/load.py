"""The load: wrk where it is installed, else a client of our own in another process; and an open loop."""

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
GENERATOR = (
    f"wrk -t1 -c{CONNECTIONS}"
    if shutil.which("wrk")
    else f"a client in Python, {CONNECTIONS} threads in a process of its own (wrk is not installed)"
)

_LUA = """
local n = {first}
request = function()
  n = n + 1
  return wrk.format("POST", nil, nil, string.format('{{"extension":"%d","voicemail_enabled":"true"}}', n))
end
"""


@dataclass(frozen=True)
class Result:
    """What one run of load saw.

    Attributes:
        answers: how many came.
        rate: of them per second.
        failed: how many were not 2xx, or did not come at all.
    """

    answers: int
    rate: float
    failed: int


def body(number: int) -> bytes:
    """What makes an extension with a voicemail box."""
    return b'{"extension":"%d","voicemail_enabled":"true"}' % number


def run(url: str, headers: Mapping[str, str], seconds: int, first: int | None = None) -> Result:
    """Load one URL by a closed loop; with `first`, POST a new extension each time, numbered from there."""
    if shutil.which("wrk"):
        return _wrk(url, headers, seconds, first)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    command = [sys.executable, __file__, url, str(seconds), str(first or ""), *lines]
    answers, rate, failed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Result(int(answers), float(rate), int(failed))


def _wrk(url: str, headers: Mapping[str, str], seconds: int, first: int | None) -> Result:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *(f"-H{k}: {v}" for k, v in headers.items())]
    with tempfile.TemporaryDirectory() as folder:
        if first is not None:
            script = Path(folder) / "create.lua"
            script.write_text(_LUA.format(first=first))
            command.append(f"-s{script}")
        printed = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    answers = re.search(r"(\d+) requests in", printed)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if answers is None or rate is None:
        raise RuntimeError(f"wrk said something new:\n{printed}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", printed)
    failed = sum(int(number) for found in (refused, broken) if found for number in found.groups())
    return Result(int(answers[1]), float(rate[1]), failed)


def _client(url: str, seconds: float, first: int | None, headers: Mapping[str, str]) -> Result:
    place = urlsplit(url)
    began = time.monotonic()
    done: list[int] = []
    numbers = iter(range(first or 0, 10**12))
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(place.hostname or "", place.port)
        while time.monotonic() < began + seconds:
            if first is None:
                connection.request("GET", place.path, headers=dict(headers))
            else:
                with lock:
                    number = next(numbers)
                connection.request("POST", place.path, body(number), dict(headers))
            response = connection.getresponse()
            response.read()
            done.append(response.status)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Result(len(done), len(done) / (time.monotonic() - began), sum(status >= 300 for status in done))


@dataclass(frozen=True)
class Sent:
    """One POST of an open loop.

    Attributes:
        due_at: when it had to be sent, in seconds of the Unix clock.
        late: how much later it was.
        change_id: what the answer named.
    """

    due_at: float
    late: float
    change_id: str


OPEN_CONNECTIONS = 32


def create_at(url: str, headers: Mapping[str, str], per_second: float, count: int, first: int) -> list[Sent]:
    """POST new extensions at a fixed rate, whether or not earlier ones are answered (an open loop).

    Each of the connections has every 32nd POST; one is late where that before it took longer than 32 turns, and
    its time counts from when it was due.
    """
    place = urlsplit(url)
    sent: list[Sent] = []
    begin = time.time() + 0.1

    def work(start: int) -> None:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        connection.connect()
        for number in range(start, count, OPEN_CONNECTIONS):
            due_at = begin + number / per_second
            time.sleep(max(due_at - time.time(), 0))
            late = time.time() - due_at
            connection.request("POST", place.path, body(first + number), dict(headers))
            response = connection.getresponse()
            answer = response.read()
            if response.status != 201:
                raise RuntimeError(f"{response.status}: {answer!r}")
            sent.append(Sent(due_at, late, response.headers["X-Change-Id"]))

    threads = [threading.Thread(target=work, args=[start]) for start in range(min(OPEN_CONNECTIONS, count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(sent) != count:
        raise RuntimeError(f"{count - len(sent)} of {count} POSTs were not answered")
    return sent


if __name__ == "__main__":
    _, target, duration, start, *lines = sys.argv
    given = dict(line.split(": ", 1) for line in lines)
    outcome = _client(target, float(duration), int(start) if start else None, given)
    print(outcome.answers, outcome.rate, outcome.failed)
