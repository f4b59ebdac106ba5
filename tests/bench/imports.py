"""A thousand extensions by import and by single POSTs: how long each takes, and the reloads of a node.

    python tests/bench/imports.py [extensions]

Over HTTP, through gunicorn, in turns: a tenth of the POSTs, then an import of all, ten times; a busy machine
is busy for both then. The worker, which writes XML files and has the simulated switch read them, runs before that.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import data
import orjson
import stack

TURNS = 10
_FILES = """
update v_default_settings set default_setting_enabled = true
 where default_setting_category = 'switch' and default_setting_subcategory = 'extensions'
"""


_WAITING = """
select count(*) from pbxapi.change as c
 where not exists (select from pbxapi.change_node as n where n.change_id = c.change_id and n.state <> 'pending')
"""


def main(many: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder, stack.stack(Path(folder), worker=False) as running:
        name = data.domain_name(100)
        with running.connect() as connection:
            data.fill_extensions(connection, sizes=(100,), domains=1)
            connection.execute(_FILES)
        place = urlsplit(running.product)
        connection_http = http.client.HTTPConnection(place.hostname or "", place.port)
        headers = running.headers(name)

        def post(path: str, body: bytes) -> dict[str, object]:
            connection_http.request("POST", f"{place.path}{path}", body, headers)
            answer = connection_http.getresponse()
            read = answer.read()
            assert answer.status in (200, 201), read
            return dict(orjson.loads(read)["data"])

        def line(number: int) -> bytes:
            return orjson.dumps({"extension": str(number), "voicemail_enabled": "true"}) + b"\n"

        def apply() -> int:
            """Let a worker do what waits; how often the switch reloads meanwhile."""
            before = running.switch.reloads
            worker = subprocess.Popen(
                [sys.executable, "-m", "pbxapi.cli", "worker"], env={**os.environ, **running.environment}
            )
            try:
                with running.connect() as connection:
                    while (row := connection.execute(_WAITING).fetchone()) and row[0]:
                        time.sleep(0.2)
            finally:
                worker.terminate()
                worker.wait()
            return running.switch.reloads - before

        def import_from(first: int) -> float:
            began = time.monotonic()
            report = post("/import?format=ndjson", b"".join(map(line, range(first, first + many))))
            assert report["created"] == many, report
            return time.monotonic() - began

        def post_from(first: int, count: int) -> float:
            began = time.monotonic()
            for number in range(first, first + count):
                post("", line(number))
            return time.monotonic() - began

        post("", line(20_000))
        apply()
        import_from(30_000)
        print(f"one import of {many} extensions: {apply()} reload", flush=True)
        singles, imports = 0.0, []
        for turn in range(TURNS):
            singles += post_from(100_000 * (turn + 1), many // TURNS)
            imports.append(import_from(100_000 * (turn + 1) + 50_000))
        mean = sum(imports) / TURNS
        print(f"{many} single POSTs {singles:.2f} s, one import {mean:.2f} s in the mean of {TURNS},"
              f" {min(imports):.2f} to {max(imports):.2f} s: 1/{singles / mean:.1f}")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
