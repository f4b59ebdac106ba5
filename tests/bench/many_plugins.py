"""Two hundred plugins: how long `pbxapi serve` takes to start, and what a request costs, with them and without.

    python -m tests.bench.many_plugins [how many]

Both are measured in one run, with a server each, request by request in turn, so that a busy machine is busy for
both. A start counts from the process to its first answer; nothing of the plugins is compiled before it.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pbxapi.authoring import shipped_tables, write_package
from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.testing import FOLDERS

KEY = "bench-key-0123456789"
REQUESTS = 2000
WARMING = 200
HEADERS = {"X-API-Key": KEY, "X-Domain": sample.DOMAIN}


def write_plugins(root: Path, many: int) -> tuple[Path, ...]:
    """So many generated plugins; the folders to name in PBXAPI_PLUGINS_PATH."""
    columns = shipped_tables()["v_pin_numbers"]
    for number in range(many):
        write_package(f"codes-{number}", root / f"codes-{number}", "v_pin_numbers", columns)
    return tuple(sorted(root.glob("*/pbxapi_codes_*")))


class Server:
    """`pbxapi serve` in a process of its own, and one connection to it.

    Attributes:
        started_in: seconds from its start to its first answer.
        worked_for: seconds of a processor that the start took, which a busy machine does not change much.
        times: milliseconds that each request took.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            bind = f"127.0.0.1:{probe.getsockname()[1]}"
        self.times: list[float] = []
        self._connection = http.client.HTTPConnection(bind, timeout=60)
        began = time.perf_counter()
        command = [sys.executable, "-m", "pbxapi.cli", "serve"]
        # It writes a line for each request.
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment, "PBXAPI_BIND": bind}, stderr=subprocess.DEVNULL
        )
        while self.process.poll() is None:
            try:
                self._connection.connect()
                break
            except ConnectionError:
                time.sleep(0.01)
        self.request("/api/v1/extensions?per_page=10")
        self.started_in = time.perf_counter() - began
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        self.worked_for = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def request(self, path: str) -> bytes:
        """One request."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=HEADERS)
        reply = self._connection.getresponse()
        body = reply.read()
        self.times.append((time.perf_counter() - began) * 1000)
        assert reply.status == 200, body
        return body

    def median(self) -> float:
        """Of the requests that came after the first ones."""
        return statistics.median(self.times[WARMING:])


@contextmanager
def server(environment: dict[str, str]) -> Iterator[Server]:
    """A server until the block ends."""
    found = Server(environment)
    try:
        yield found
    finally:
        found.process.send_signal(signal.SIGTERM)
        found.process.wait(60)


def main(many: int) -> None:
    """Measure, and print."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        postgres = running.enter_context(EmbeddedPostgres.temporary())
        redis = running.enter_context(EmbeddedRedis.temporary())
        url = postgres.create_database("many")
        create_schema(url)
        sample.fill(url, key=KEY, xml_dirs=dict.fromkeys(FOLDERS, folder))
        migrate(Database(url), builtin_migrations())
        folders = write_plugins(folder, many)
        usual_settings = {"PBXAPI_DATABASE_URL": url, "PBXAPI_REDIS_URL": redis.url, "PBXAPI_WORKERS": "1"}
        crowded_settings = {**usual_settings, "PBXAPI_PLUGINS_PATH": ":".join(map(str, folders))}
        usual = running.enter_context(server(usual_settings))
        crowded = running.enter_context(server(crowded_settings))
        for number in range(REQUESTS):
            for one in (usual, crowded) if number % 2 else (crowded, usual):
                one.request("/api/v1/extensions?per_page=10")
        served = crowded.request(f"/api/v1/codes-{many - 1}")
        assert b'"success":true' in served
        for name, one in (("usual", usual), (f"with {many} plugins more", crowded)):
            print(f"{name}: started in {one.started_in:.2f} s ({one.worked_for:.2f} s of a processor), "
                  f"median {one.median():.3f} ms")  # fmt: skip
        print(f"difference: {(crowded.median() / usual.median() - 1) * 100:+.1f} %")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
