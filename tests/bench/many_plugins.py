"""Two hundred plugins: how long the API takes to start, and what a request costs, with them and without.

    python -m tests.bench.many_plugins [how many]

Both are measured in one run, request by request in turn, so that a busy machine is busy for both.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from flask import Flask

from pbxapi.app import create_app
from pbxapi.authoring import shipped_tables, write_package
from pbxapi.config import Config
from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import FOLDERS

KEY = "bench-key-0123456789"
REQUESTS = 400
HEADERS = {"X-API-Key": KEY, "X-Domain": sample.DOMAIN}


def write_plugins(root: Path, many: int) -> tuple[Path, ...]:
    """So many generated plugins; the folders to name in PBXAPI_PLUGINS_PATH."""
    columns = shipped_tables()["v_pin_numbers"]
    for number in range(many):
        write_package(f"codes-{number}", root / f"codes-{number}", "v_pin_numbers", columns)
    return tuple(sorted(root.glob("*/pbxapi_codes_*")))


def milliseconds(app: Flask) -> float:
    """One list request."""
    client = app.test_client()
    began = time.perf_counter()
    reply = client.get("/api/v1/extensions?per_page=10", headers=HEADERS)
    assert reply.status_code == 200, reply.text
    return (time.perf_counter() - began) * 1000


def main(many: int) -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres.temporary() as postgres:
        url = postgres.create_database("many")
        create_schema(url)
        sample.fill(url, key=KEY, xml_dirs={name: Path(folder) for name in FOLDERS})
        migrate(Database(url), builtin_migrations())
        usual = Config(database_url=url)
        crowded = replace(usual, plugins_path=write_plugins(Path(folder), many))
        apps: dict[str, Flask] = {}
        for name, config in (("usual", usual), ("crowded", crowded)):
            began = time.perf_counter()
            apps[name] = create_app(config)
            print(f"{name}: {len(apps[name].extensions['pbxapi'].registry.resources)} resources,"
                  f" started in {time.perf_counter() - began:.2f} s")  # fmt: skip
        times: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(REQUESTS):
            for name, app in apps.items():
                times[name].append(milliseconds(app))
        medians = {name: statistics.median(found[50:]) for name, found in times.items()}
        print(*(f"{name}: median {median:.3f} ms" for name, median in medians.items()), sep="\n")
        print(f"difference: {(medians['crowded'] / medians['usual'] - 1) * 100:+.1f} %")
        for app in apps.values():
            app.extensions["pbxapi"].database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
