"""The export of a million calls: how much it adds to the process that sends it.

python tests/bench/export.py [rows]
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import data
import stack


def workers(master: int) -> list[int]:
    """gunicorn's processes that serve."""
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def resident(pid: int) -> float:
    """MB of memory that a process has."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main(rows: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder, stack.stack(Path(folder), worker=False) as running:
        with running.connect() as connection:
            data.fill_calls(connection, (rows,))
        base = running.product.removesuffix("/extensions")
        headers = running.headers(f"calls{rows}.example.com")

        def get(path: str) -> bytes:
            with urllib.request.urlopen(urllib.request.Request(f"{base}{path}", headers=headers)) as answer:
                return bytes(answer.read())

        for _ in range(50):
            get("/cdr?per_page=100")
        pids = workers(running.product_pid)
        before = {pid: resident(pid) for pid in pids}
        most = dict(before)
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                for pid in pids:
                    most[pid] = max(most[pid], resident(pid))

        watching = threading.Thread(target=watch)
        watching.start()
        began, size, lines = time.monotonic(), 0, 0
        request = urllib.request.Request(f"{base}/cdr/export?format=csv", headers=headers)
        with urllib.request.urlopen(request) as answer:
            while part := answer.read(1 << 20):
                size += len(part)
                lines += part.count(b"\n")
        seconds = time.monotonic() - began
        done.set()
        watching.join()
        added = max(most[pid] - before[pid] for pid in pids)
        print(f"{lines - 1} rows, {size / 1e6:.0f} MB, {seconds:.1f} s; a process grew by {added:.1f} MB at most,"
              f" from {min(before.values()):.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
