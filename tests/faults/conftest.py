"""A telephone system of real processes that tests may kill: three nodes, gunicorn, a relay, PostgreSQL and Redis.

PostgreSQL keeps what it promised (durable); the switches are simulators in the tests' own process, so that a test
sees what each of them was asked, and does to them what it likes.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
import requests

from pbxapi.changes.reconcile import Reconciliation
from pbxapi.config import Config, load_config
from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.plugin.loader import load_registry
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import ServerError, claim_port, held
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.sandbox.stack import Program
from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.switch.event_socket import EventSocket
from pbxapi.testing import API_KEY, FOLDERS

NODES = ("node1", "node2", "node3")
DOMAIN = sample.DOMAIN

_ALIVE = """
select exists (select from pbxapi.node where name = %(node)s and seen_at > to_timestamp(%(since)s)) as alive
"""

_OPEN = "select node, state, attempts, error from pbxapi.change_node where state <> 'applied'"

_SETTLING = "select count(*) from pbxapi.change_node where settle_at is not null"

_EXTENSIONS = """
select d.domain_name, e.extension, coalesce(e.number_alias, '') as number_alias, e.password,
       e.enabled::text = 'true' as enabled,
       (select v.voicemail_id from v_voicemails as v
         where v.domain_uuid = e.domain_uuid and v.voicemail_id = e.extension) as box
  from v_extensions as e join v_domains as d using (domain_uuid)
 where d.domain_enabled::text = 'true'
"""

_GATEWAYS = """
select gateway_uuid::text as name, proxy from v_gateways where enabled::text = 'true' and domain_uuid is not null
"""

_PASSWORD = re.compile(r'<param name="password" value="([^"]*)"')
_USER = re.compile(r"(?:.+\.)?directory\.(.+)@(.+)")


@dataclass
class Node:
    """One switch host: a simulated switch, its folders, and the worker beside it."""

    name: str
    switch: SwitchSimulator
    folders: dict[str, Path]
    environment: dict[str, str]
    config: Config
    worker: Program

    def wrong(self, extensions: list[dict[str, Any]], gateways: list[dict[str, Any]]) -> Iterator[str]:
        """What here is not as the database says, found without the product's own code."""
        enabled = {(row["domain_name"], row["extension"]): row for row in extensions if row["enabled"]}
        yield from self._wrong_files(enabled)
        yield from self._wrong_cache(enabled)
        yield from self._wrong_switch(enabled, extensions)
        yield from self._wrong_gateways({row["name"]: row["proxy"] for row in gateways})

    def _wrong_files(self, enabled: dict[tuple[str, str], dict[str, Any]]) -> Iterator[str]:
        found = {}
        for path in self.folders["extensions"].glob("*/v_*.xml"):
            found[path.parent.name, path.stem.removeprefix("v_")] = path.read_text()
        for key in found.keys() ^ enabled.keys():
            yield f"{self.name}: the file of {key} is {'left' if key in found else 'missing'}"
        for key in found.keys() & enabled.keys():
            if _PASSWORD.findall(found[key]) != [enabled[key]["password"]]:
                yield f"{self.name}: the file of {key} is old"
        for (domain, number), row in enabled.items():
            if row["box"] and not (self.folders["voicemail"] / "default" / domain / number).is_dir():
                yield f"{self.name}: the box of {number} has no folder"
        for path in self.folders["extensions"].rglob("*.tmp"):
            yield f"{self.name}: {path.name} is half written"

    def _wrong_cache(self, enabled: dict[tuple[str, str], dict[str, Any]]) -> Iterator[str]:
        known = {(domain, row["number_alias"]): row for (domain, _), row in enabled.items()} | enabled
        for path in self.folders["cache"].iterdir():
            if match := _USER.fullmatch(path.name):
                row = known.get((match[2], match[1]))
                if row is None:
                    yield f"{self.name}: the cache has {path.name}"
                elif _PASSWORD.findall(path.read_text().replace(" />", "/>")) != [row["password"]]:
                    yield f"{self.name}: the cache's {path.name} is old"

    def _wrong_switch(
        self, enabled: dict[tuple[str, str], dict[str, Any]], extensions: list[dict[str, Any]]
    ) -> Iterator[str]:
        wanted = {key: row["password"] for key, row in enabled.items()}
        read = {}
        for domain in self.switch._tree.findall("section[@name='directory']/domain"):
            for user in domain.iter("user"):
                if user.get("type") == "pointer":  # in a call group
                    continue
                password = user.find("params/param[@name='password']")
                read[domain.get("name"), user.get("id")] = None if password is None else password.get("value")
        for key in {key for key, _ in read.items() ^ wanted.items()}:
            yield f"{self.name}: the switch has read an old file of {key}"
        for row in random.sample(extensions, min(10, len(extensions))):
            user, domain = row["extension"], row["domain_name"]
            said = self.switch.api(f"user_data {user}@{domain} param password").strip()
            if said.removeprefix("-ERR no reply") != wanted.get((domain, user), ""):
                yield f"{self.name}: the switch serves {user}@{domain} from an old look-up"

    def _wrong_gateways(self, gateways: dict[str, str]) -> Iterator[str]:
        running = {name: gateway.params.get("proxy") for name, gateway in self.switch.gateways.items()}
        if running != gateways:
            yield f"{self.name}: the switch runs {running} and not {gateways}"
        files = {path.stem.removeprefix("v_") for path in self.folders["sip_profiles"].glob("*/v_*.xml")}
        if files != gateways.keys():
            yield f"{self.name}: gateway files differ: {files ^ gateways.keys()}"


@dataclass
class House:
    """Everything together.

    Attributes:
        environment: of all processes, but for what belongs to one node.
        url: of the API, with the prefix.
        database: the test's own way into it.
        full: whether the tests run in full, by `make faults`.
        numbers: of extensions that no test has used yet.
    """

    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    database: Database
    environment: dict[str, str]
    nodes: list[Node]
    api: Program
    relay: Program
    url: str
    full: bool = os.environ.get("PBXAPI_FAULTS") == "full"
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(20_000, 99_999)))
    _local: threading.local = field(default_factory=threading.local)

    @property
    def programs(self) -> dict[str, Program]:
        """All processes that may be killed."""
        return {"api": self.api, "relay": self.relay, **{node.name: node.worker for node in self.nodes}}

    @property
    def http(self) -> requests.Session:
        """A client with the key, for this thread."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
            session.headers.update({"X-API-Key": API_KEY, "X-Domain": DOMAIN})
        return session

    def request(self, method: str, path: str, json: Any = None) -> requests.Response:
        """A request below the prefix; it may fail as its connection does."""
        return self.http.request(method, self.url + path, json=json, timeout=20)

    def create(self, **fields: Any) -> requests.Response:
        """Create an extension with a number of its own."""
        reply = self.request("POST", "/extensions", {"extension": str(next(self.numbers)), **fields})
        assert reply.status_code == 201, reply.text
        return reply

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        with self.database.reading() as session:
            return session.rows(sql, **parameters)

    def run(self, sql: str, **parameters: Any) -> int:
        with self.database.writing() as session:
            return session.run(sql, **parameters)

    def open_changes(self) -> list[dict[str, Any]]:
        """Rows of changes that are not applied."""
        return self.rows(_OPEN)

    def wait_for(self, true: Callable[[], object], seconds: float, why: Callable[[], object] = lambda: "") -> None:
        """Wait until something is true.

        Raises:
            AssertionError: it is not in time.
        """
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds:g} s: {why()}"
            time.sleep(0.05)

    def settle(self, seconds: float = 60) -> None:
        """Wait until every change is applied everywhere, and every key deleted the second time."""
        self.wait_for(lambda: not self.open_changes(), seconds, self.open_changes)
        self.wait_for(lambda: self.rows(_SETTLING)[0]["count"] == 0, seconds)

    def flush_redis(self) -> None:
        """FLUSHALL."""
        with redis_client.Redis.from_url(self.redis.url) as client:
            client.flushall()

    def supervised(self) -> Supervisor:
        """Whatever is killed in the block is started again."""
        return Supervisor(self.programs)

    def wrong(self) -> list[str]:
        """What on any node is not as the database says."""
        extensions, gateways = self.rows(_EXTENSIONS), self.rows(_GATEWAYS)
        return [what for node in self.nodes for what in node.wrong(extensions, gateways)]

    def reconciliation(self, node: Node) -> Reconciliation:
        socket = EventSocket(node.switch.host, node.switch.port, node.switch.password)
        registry = load_registry(node.config, Database(node.config.database_url))
        return Reconciliation(node.config, self.database, registry, node.name, socket)

    def mended(self) -> None:
        """All processes and servers run, and the switches are well."""
        self.postgres.start()
        self.redis.start()
        for node in self.nodes:
            node.switch.unmute()
            node.switch.mend_xml()
            node.switch.refuse_auth(False)
            node.switch.reload_seconds = 0.0
            node.switch.pause_before_cache_write = None
            with suppress(RuntimeError):
                node.switch.come_back()
        with ThreadPoolExecutor() as threads:
            list(threads.map(Program.start, [p for p in self.programs.values() if not p.running]))


class Supervisor:
    """Starts programs again whenever they end, as systemd does; a context manager."""

    def __init__(self, programs: dict[str, Program]) -> None:
        self._programs = programs
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(p,)) for p in programs.values()]

    def _watch(self, program: Program) -> None:
        while not self._ending.wait(0.05):
            if not program.running:
                with suppress(ServerError):  # killed while it started
                    program.start()

    def __enter__(self) -> Supervisor:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The house, for all tests of this process."""
    root = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:
        lock = stack.enter_context(held(root))
        postgres = stack.enter_context(EmbeddedPostgres.temporary(durable=True))
        redis = stack.enter_context(EmbeddedRedis.temporary())
        url = _fill(postgres, root)
        database = Database(url, max_size=8, name="pbxapi-faults")
        stack.callback(database.close)
        port = claim_port(None)
        environment = {
            "PBXAPI_FUSIONPBX_CONF": os.devnull,
            "PBXAPI_DATABASE_URL": url,
            "PBXAPI_REDIS_URL": redis.url,
            "PBXAPI_BIND": f"127.0.0.1:{port}",
            "PBXAPI_WEBHOOK_ALLOW": "127.0.0.0/8",
        }
        house = House(postgres, redis, database, environment, [], None, None, "")  # type: ignore[arg-type]
        house.url = f"http://127.0.0.1:{port}/api/v1"

        def program(ready: Callable[[float], bool], own: dict[str, str], *command: str) -> Program:
            log = root / f"{'-'.join(command)}.log"
            made = Program(*command, environment={**environment, **own}, ready=ready, log=log, lock=lock)
            stack.callback(made.kill)
            return made

        def answers(_: float) -> bool:
            try:
                return house.request("GET", "/extensions?per_page=1").status_code == 200
            except requests.RequestException:
                return False

        house.api = program(answers, {}, "serve")
        house.relay = program(lambda _: True, {}, "relay")
        for name in NODES:
            house.nodes.append(_make_node(stack, house, root, name, program))
        house.mended()
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda node: house.reconciliation(node).run(fix=True), house.nodes))
        yield house
        house.settle()
        assert house.wrong() == []


def _fill(postgres: EmbeddedPostgres, root: Path) -> str:
    """A small FusionPBX database: what lies on no node yet is soon written to each of them."""
    url = postgres.create_database("fusionpbx")
    create_schema(url)
    folders = {folder: root / "nowhere" / folder for folder in FOLDERS}
    sample.fill(url, key=API_KEY, xml_dirs=folders, extensions=10, cdrs=0)
    database = Database(url, max_size=1, name="pbxapi-faults")
    migrate(database, builtin_migrations())
    with database.writing() as session:
        for table in ("v_devices", "v_dialplans", "v_destinations", "v_voicemails", "v_gateways"):
            session.run(f"delete from {table}")
        session.run("delete from v_extensions where extension not in ('1001', '1002')")
    database.close()
    return url


def _make_node(stack: ExitStack, house: House, root: Path, name: str, program: Callable[..., Program]) -> Node:
    folders = {folder: root / name / folder for folder in FOLDERS}
    for folder in folders.values():
        folder.mkdir(parents=True)
    switch = SwitchSimulator(
        directory_dir=folders["extensions"],
        sip_profiles_dir=folders["sip_profiles"],
        dialplan_dir=folders["dialplan"],
        hostname=f"{name}.example.com",
        switchname=f"{name}-switch",
        database_url=house.environment["PBXAPI_DATABASE_URL"],
        cache_dir=folders["cache"],
    )
    stack.enter_context(switch)
    own = {
        "PBXAPI_NODE": name,
        "PBXAPI_ESL_PORT": str(switch.port),
        "PBXAPI_CACHE_LOCATION": str(folders["cache"]),
        "PBXAPI_XML_EXTENSIONS_DIR": str(folders["extensions"]),
        "PBXAPI_XML_SIP_PROFILES_DIR": str(folders["sip_profiles"]),
        "PBXAPI_XML_DIALPLAN_DIR": str(folders["dialplan"]),
        "PBXAPI_VOICEMAIL_DIR": str(folders["voicemail"]),
        "PBXAPI_RECORDINGS_DIR": str(folders["recordings"]),
        "PBXAPI_PROVISION_DIR": str(folders["provision"]),
    }

    def alive(since: float) -> bool:
        return bool(house.rows(_ALIVE, node=name, since=since)[0]["alive"])

    worker = program(alive, own, "worker", "--node", name, "--no-relay")
    return Node(name, switch, folders, own, load_config({**house.environment, **own}), worker)


@pytest.fixture
def house(standing: House) -> Iterator[House]:
    """Everything runs and nothing waits; afterwards what a test broke is mended, and all as the database says."""
    standing.mended()
    yield standing
    standing.mended()
    standing.wait_for(lambda: not standing.open_changes(), 60, standing.open_changes)
    assert standing.wrong() == []


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chance with a seed that a failed test prints; PBXAPI_FAULTS_SEED plays it again."""
    seed = int(os.environ.get("PBXAPI_FAULTS_SEED") or random.SystemRandom().randrange(10**9))
    print(f"PBXAPI_FAULTS_SEED={seed}")
    return random.Random(seed)
