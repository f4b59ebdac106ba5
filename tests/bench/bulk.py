"""Many at once: a thousand extensions by import and by single POSTs, and the memory of an export."""

from __future__ import annotations

import http.client
import threading
import time
from urllib.parse import urlsplit

import data
import load
import orjson
from bench import Bench, Caller
from memory import children, memory
from stack import PREFIX
from table import Measure, at_most

EXTENSIONS = 1_000
CALLS = 1_000_000


def measure_import(bench: Bench) -> list[Measure]:
    """In turns: a share of the POSTs, then an import of all; a busy machine is busy for both then."""
    name = bench.extensions()
    headers = bench.stack.headers(name)
    measure = Measure(f"{EXTENSIONS:,} extensions with boxes", "s", "<= 1/5", at_most(1 / 5))
    body = b"\n".join(map(load.body, range(data.FIRST_NEW, data.FIRST_NEW + EXTENSIONS)))
    place = urlsplit(f"{bench.stack.product}/extensions")
    connection = http.client.HTTPConnection(place.netloc, timeout=60)

    def post(path: str, sent: bytes) -> dict[str, object]:
        connection.request("POST", place.path + path, sent, headers)
        answer = connection.getresponse()
        read = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{answer.status}: {read!r}")
        return dict(orjson.loads(read)["data"])

    with bench.stack.connect() as database:
        for _ in range(bench.rounds):
            began = time.monotonic()
            for number in range(data.FIRST_NEW, data.FIRST_NEW + EXTENSIONS):
                post("", load.body(number))
            measure.add("single POSTs", time.monotonic() - began)
            data.remove_new(database)
            began = time.monotonic()
            report = post("/import?format=ndjson", body)
            measure.add("one import", time.monotonic() - began)
            if report["created"] != EXTENSIONS:
                raise RuntimeError(f"the import made {report}")
            data.remove_new(database)
    return [measure]


def measure_export(bench: Bench) -> list[Measure]:
    """A million calls as CSV: what they add to the process that sends them, looked at fifty times a second."""
    caller = Caller(bench.stack.product, bench.stack.headers(bench.calls(CALLS)))
    for _ in range(50):
        caller.get(f"{PREFIX}/cdr?per_page=100")
    workers = children(bench.stack.pid)
    before = {pid: memory(pid, "Rss") for pid in workers}
    most = dict(before)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for pid in workers:
                most[pid] = max(most[pid], memory(pid, "Rss"))

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.monotonic()
    lines = caller.count_lines(f"{PREFIX}/cdr/export?format=csv") - 1
    seconds = time.monotonic() - began
    done.set()
    watching.join()
    if lines != CALLS:
        raise RuntimeError(f"the export has {lines} calls")
    added = Measure(f"an export of {CALLS:,} calls adds to its process (RSS)", "MB", "<= 50 MB", _small)
    added.add("at most", max(most[pid] - before[pid] for pid in workers))
    rate = Measure("the same", "rows/s")
    rate.add("CSV", lines / seconds)
    return [added, rate]


def _small(measure: Measure) -> bool:
    return max(map(max, measure.values.values())) <= 50
