"""The stack under measurement: embedded servers, the product, and the floor beside it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import data
import psycopg

from pbxapi.app import load_registry
from pbxapi.config import load_config
from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.plugin.indexes import recommended_indexes
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.sandbox.switch import SwitchSimulator

KEY = "bench-key-0123456789abcdef"
WORKERS, THREADS = 2, 4


@dataclass
class Stack:
    """What the measurements talk to."""

    database_url: str
    product: str
    floor: str
    environment: Mapping[str, str]
    switch: SwitchSimulator
    product_pid: int

    def headers(self, domain: str) -> dict[str, str]:
        """Of a request to the product; the floor does not look at them."""
        return {"X-API-Key": KEY, "X-Domain": domain, "Content-Type": "application/json"}

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.database_url, autocommit=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], environment: Mapping[str, str], ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server until the block ends; it counts as started when the URL answers."""
    child = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(ready, timeout=1):
                    break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.05)
        yield child
    finally:
        child.terminate()
        child.wait()


@contextmanager
def stack(folder: Path, *, worker: bool = True) -> Iterator[Stack]:
    """PostgreSQL (not durable: the disk is not what is measured), Redis, the switch, the product and the floor."""
    with ExitStack() as running:
        postgres = running.enter_context(EmbeddedPostgres.temporary())
        redis = running.enter_context(EmbeddedRedis.temporary())
        url = postgres.create_database("bench")
        create_schema(url)
        folders = {
            n: folder / n for n in ("extensions", "sip_profiles", "dialplan", "voicemail", "recordings", "cache")
        }
        for path in folders.values():
            path.mkdir(parents=True, exist_ok=True)
        sample.fill(url, key=KEY, xml_dirs=folders, extensions=20, cdrs=100)
        switch = running.enter_context(
            SwitchSimulator(hostname="bench", database_url=url, cache_dir=folders["cache"])
        )
        product, floor = free_port(), free_port()
        name = data.domain_name(100)
        environment = {
            "PBXAPI_DATABASE_URL": url,
            "PBXAPI_REDIS_URL": redis.url,
            "PBXAPI_ESL_PORT": str(switch.port),
            "PBXAPI_ESL_PASSWORD": switch.password,
            "PBXAPI_NODE": "bench",
            "PBXAPI_CACHE_LOCATION": str(folders["cache"]),
            "PBXAPI_BIND": f"127.0.0.1:{product}",
            "PBXAPI_WORKERS": str(WORKERS),
            "PBXAPI_THREADS": str(THREADS),
            "PBXAPI_CHANGES_WAITING_MAX": "100000000",
            "BENCH_DOMAIN": name,
            "BENCH_DOMAIN_UUID": str(data.domain_uuid(name)),
        }
        with psycopg.connect(url, autocommit=True) as connection:
            # The sample's setting would have XML files written and read: measured elsewhere.
            connection.execute(
                "update v_default_settings set default_setting_enabled = false"
                " where default_setting_category = 'switch'"
                " and default_setting_subcategory in ('extensions', 'sip_profiles', 'dialplan')"
            )
        database = Database(url)
        migrate(database, builtin_migrations())
        registry = load_registry(load_config({"PBXAPI_DATABASE_URL": url}), database)
        database.close()
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in recommended_indexes(registry).values():
                connection.execute(statement)
        cli = [sys.executable, "-m", "pbxapi.cli"]
        server = running.enter_context(process([*cli, "serve"], environment, f"http://127.0.0.1:{product}/"))
        running.enter_context(
            process(
                [sys.executable, "-m", "gunicorn", "floor:app", f"-b127.0.0.1:{floor}", "-kgthread",
                 f"-w{WORKERS}", f"--threads={THREADS}", "--keep-alive=75",
                 f"--pythonpath={Path(__file__).parent}", "--preload",
                 "--no-control-socket", "--log-level=warning"],
                environment, f"http://127.0.0.1:{floor}/api/v1/extensions",
            )
        )  # fmt: skip
        if worker:
            child = subprocess.Popen([*cli, "worker"], env={**os.environ, **environment})
            running.callback(child.wait)
            running.callback(child.terminate)
        base = "/api/v1/extensions"
        yield Stack(
            url,
            f"http://127.0.0.1:{product}{base}",
            f"http://127.0.0.1:{floor}{base}",
            environment,
            switch,
            server.pid,
        )
