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
from subprocess import Popen

import data
import psycopg

from pbxapi.changes.nodes import register
from pbxapi.config import load_config
from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.plugin.indexes import recommended_indexes
from pbxapi.plugin.loader import load_registry
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.sandbox.switch import SwitchSimulator

KEY = "bench-key-0123456789abcdef"
NODE = "bench"
WORKERS, THREADS = 2, 4
SHARED_BUFFERS = "128MB"
FLOOR_SIZE = 100
"""Extensions of the tenant that the floor serves."""

PREFIX = "/api/v1"
OWN = "/own"
"""What URLs of the floor begin with where it is to speak with PostgreSQL in the product's way."""

CLI = (sys.executable, "-m", "pbxapi.cli")


@dataclass
class Stack:
    """What the measures talk to.

    Attributes:
        product: its URL, with the prefix.
        floor: its URL, before the prefix.
        environment: the product's settings.
        pid: of the product's gunicorn.
        log: where the services' output goes.
    """

    database_url: str
    product: str
    floor: str
    environment: Mapping[str, str]
    switch: SwitchSimulator
    pid: int
    log: Path

    def headers(self, domain: str) -> dict[str, str]:
        """Of a request to the product; the floor does not look at them."""
        return {"X-API-Key": KEY, "X-Domain": domain, "Content-Type": "application/json"}

    def connect(self) -> data.Connection:
        """A connection for the benchmark itself."""
        return psycopg.connect(self.database_url, autocommit=True)

    @contextmanager
    def worker(self) -> Iterator[None]:
        """`pbxapi worker` of the node, while the block runs; reads and writes alone are measured without it."""
        with process([*CLI, "worker"], self.environment, self.log), self.connect() as connection:
            alive = "select from pbxapi.node where name = %s and seen_at > clock_timestamp() - interval '5 s'"
            while connection.execute(alive, [NODE]).fetchone() is None:
                time.sleep(0.05)
            yield


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[Popen[bytes]]:
    """A process until the block ends; its output goes to a file, as that of a service goes to the journal."""
    with log.open("ab") as output:
        child = Popen(command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield child
    finally:
        child.terminate()
        child.wait()


def wait_for(url: str, child: Popen[bytes]) -> None:
    """Until a server answers, whatever it says.

    Raises:
        RuntimeError: it ended instead.
    """
    while child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{child.args!r} ended with {child.returncode}")


def make_database(url: str, folders: Mapping[str, Path]) -> None:
    """FusionPBX's tables with the sample, our own, the indexes that doctor recommends, and a known node."""
    create_schema(url)
    sample.fill(url, key=KEY, xml_dirs=folders, extensions=20, cdrs=100)
    database = Database(url)
    migrate(database, builtin_migrations())
    registry = load_registry(load_config({"PBXAPI_DATABASE_URL": url}), database)
    with database.writing() as session:
        register(session, NODE)
        # The sample's setting would have XML files written and read: the switch asks the database here.
        session.run(
            "update v_default_settings set default_setting_enabled = false"
            " where default_setting_category = 'switch'"
            " and default_setting_subcategory in ('extensions', 'sip_profiles', 'dialplan')"
        )
    database.close()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in recommended_indexes(registry).values():
            connection.execute(statement.encode())


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """PostgreSQL (not durable: the disk is not what is measured), Redis, the switch, the product and the floor."""
    with ExitStack() as running:
        settings = {"shared_buffers": SHARED_BUFFERS, "max_wal_size": "1GB"}
        postgres = running.enter_context(EmbeddedPostgres.temporary(settings=settings))
        redis = running.enter_context(EmbeddedRedis.temporary())
        url = postgres.create_database("bench")
        names = ("extensions", "sip_profiles", "dialplan", "voicemail", "recordings", "cache")
        folders = {name: folder / name for name in names}
        for path in folders.values():
            path.mkdir(parents=True, exist_ok=True)
        make_database(url, folders)
        switch = running.enter_context(
            SwitchSimulator(hostname=NODE, database_url=url, cache_dir=folders["cache"])
        )
        product, floor = free_port(), free_port()
        name = data.domain_name("extensions", FLOOR_SIZE)
        environment = {
            "PBXAPI_DATABASE_URL": url,
            "PBXAPI_REDIS_URL": redis.url,
            "PBXAPI_ESL_PORT": str(switch.port),
            "PBXAPI_ESL_PASSWORD": switch.password,
            "PBXAPI_NODE": NODE,
            "PBXAPI_CACHE_LOCATION": str(folders["cache"]),
            "PBXAPI_BIND": f"127.0.0.1:{product}",
            "PBXAPI_WORKERS": str(WORKERS),
            "PBXAPI_THREADS": str(THREADS),
            "PBXAPI_CHANGES_WAITING_MAX": "100000000",
            "BENCH_DOMAIN": name,
            "BENCH_BIND": f"127.0.0.1:{floor}",
        }
        log = folder / "services.log"
        server = running.enter_context(process([*CLI, "serve"], environment, log))
        floor_file = str(Path(__file__).with_name("floor.py"))
        bare = running.enter_context(process([sys.executable, floor_file], environment, log))
        wait_for(f"http://127.0.0.1:{product}/", server)
        wait_for(f"http://127.0.0.1:{floor}{PREFIX}/extensions", bare)
        yield Stack(
            url,
            f"http://127.0.0.1:{product}{PREFIX}",
            f"http://127.0.0.1:{floor}",
            environment,
            switch,
            server.pid,
            log,
        )
