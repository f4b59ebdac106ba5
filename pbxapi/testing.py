"""Tests of plugins: pytest fixtures over a real PostgreSQL, the whole API in process, and a simulated switch.

Installing pbxapi (with its extra ``sandbox``) makes these fixtures known to pytest: `pbx` is a telephone system of
the test's own, `client` calls its API.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from pbxapi.changes.drain import NodeDrain
    from pbxapi.config import Config
    from pbxapi.data.database import Database
    from pbxapi.sandbox.postgres import EmbeddedPostgres
    from pbxapi.sandbox.redis import EmbeddedRedis
    from pbxapi.sandbox.switch import SwitchSimulator
    from pbxapi.switch.event_socket import EventSocket

pytest.register_assert_rewrite("pbxapi.conformance")

API_KEY = "test-key-5f0c2a4e7d6b4d1c"
NODE = "node1"

Family = Literal["clean", "php"]

_PHP_VERBS = {"list": "GET", "get": "GET", "create": "POST", "update": "PUT", "delete": "DELETE"}


@dataclass(frozen=True)
class Reply:
    """What the API answered.

    Attributes:
        status: HTTP status.
        body: the JSON.
        headers: by name.
    """

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        """``data`` of a success."""
        return self.body["data"]

    @property
    def error(self) -> Mapping[str, Any]:
        """``error`` of a failure."""
        return self.body["error"]  # type: ignore[no-any-return]


class Refused(AssertionError):
    """The API did not do what a test took for granted; holds the reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status}: {reply.body}")
        self.reply = reply


@dataclass(frozen=True)
class Client:
    """Calls the API for one domain, through one family of URLs.

    Attributes:
        app: the application.
        domain: name or uuid of the domain.
        key: the API key.
        family: ``clean`` or ``php``.
        prefix: of the URLs.
    """

    app: Flask
    domain: str
    key: str = API_KEY
    family: Family = "clean"
    prefix: str = "/api/v1"

    def of(self, domain: str) -> Client:
        """The same for another domain."""
        return Client(self.app, domain, self.key, self.family, self.prefix)

    def through(self, family: Family) -> Client:
        """The same through another family of URLs."""
        return Client(self.app, self.domain, self.key, family, self.prefix)

    def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Any request below the prefix."""
        sent = {"X-API-Key": self.key, "X-Domain": self.domain, **(headers or {})}
        content = {"data": body} if body is not None else {"json": json} if json is not None else {}
        response = self.app.test_client().open(
            self.prefix + path,
            method=method,
            query_string=dict(query or {}),
            headers=sent,
            buffered=True,  # an answer that is sent in parts ends, too
            **content,
        )
        return Reply(response.status_code, response.get_json(silent=True), dict(response.headers))

    def call(
        self,
        resource: str,
        operation: str,
        uuid: UUID | str | None = None,
        json: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        """A standard operation, whatever comes of it."""
        method = _PHP_VERBS[operation]
        if self.family == "php":
            place = {"uuid": str(uuid)} if uuid is not None else {}
            return self.request(
                method, f"/{resource}/{operation}.php", json, query={**place, **query}, headers=headers
            )
        path = f"/{resource}" + (f"/{uuid}" if uuid is not None else "")
        return self.request(method, path, json, query=query, headers=headers)

    def create(self, resource: str, **fields: Any) -> str:
        """Create a record; its uuid.

        Raises:
            Refused: the answer was not 201.
        """
        reply = self._expect(201, self.call(resource, "create", json=fields))
        return str(next(iter(reply.data.values())))

    def get(self, resource: str, uuid: UUID | str) -> dict[str, Any]:
        """One record.

        Raises:
            Refused: the answer was not 200.
        """
        return dict(self._expect(200, self.call(resource, "get", uuid)).data)

    def update(self, resource: str, uuid: UUID | str, **fields: Any) -> Reply:
        """Change a record.

        Raises:
            Refused: the answer was not 200.
        """
        return self._expect(200, self.call(resource, "update", uuid, fields))

    def delete(self, resource: str, uuid: UUID | str) -> Reply:
        """Delete a record.

        Raises:
            Refused: the answer was not 200.
        """
        return self._expect(200, self.call(resource, "delete", uuid))

    def list(self, resource: str, **query: Any) -> list[dict[str, Any]]:
        """One page of records.

        Raises:
            Refused: the answer was not 200.
        """
        return list(self._expect(200, self.call(resource, "list", **query)).data)

    def _expect(self, status: int, reply: Reply) -> Reply:
        if reply.status != status:
            raise Refused(reply)
        return reply


@dataclass
class Pbx:
    """A telephone system of a test's own.

    Attributes:
        app: the API.
        config: its settings.
        database: its database, with FusionPBX's tables and the sample data of `pbxapi.sandbox.sample`.
        switch: the simulated FreeSWITCH, which serves from the same database and files.
        folders: the node's folders by name, and ``cache``.
        drain: what the node's worker runs.
        domain, other_domain: names of two tenants.
        socket: an event socket to the switch.
        superuser_url: its database for whoever may do everything; `config` names the services' own role.
    """

    app: Flask
    config: Config
    database: Database
    switch: SwitchSimulator
    folders: Mapping[str, Path]
    drain: NodeDrain
    domain: str
    other_domain: str
    socket: EventSocket
    superuser_url: str

    @property
    def client(self) -> Client:
        """A client of the first domain."""
        return Client(self.app, self.domain, prefix=self.config.url_prefix)

    def apply(self) -> int:
        """Do what the worker does: apply what is pending on the switch; how many changes there were."""
        return self.drain.run()

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of any select, for a look behind the API."""
        with self.database.reading() as session:
            return session.rows(sql, **parameters)

    def run(self, sql: str, **parameters: Any) -> int:
        """Any statement, as if FusionPBX's own pages had run it."""
        with self.database.writing() as session:
            return session.run(sql, **parameters)

    def change(self, reply: Reply) -> dict[str, Any]:
        """What became of the change that a write's answer names."""
        return self.client.get("changes", reply.headers["X-Change-Id"])


def run_jobs(pbx: Pbx, plugin: str) -> int:
    """Do what the worker of a plugin's jobs does: note scheduled ones, do what is due; how many jobs that were.

    A scheduled job is due for the first time one period after it was first looked at.
    """
    from pbxapi.changes.jobs import PluginJobs

    registry = pbx.app.extensions["pbxapi"].registry
    loaded = registry.plugin(plugin)
    assert loaded is not None, f"no plugin {plugin} serves"
    jobs = PluginJobs(pbx.database, loaded, pbx.config, registry)
    jobs.schedule()
    return jobs.run()


@contextmanager
def run_services(pbx: Pbx, plugin: str) -> Iterator[None]:
    """Run the services of a plugin while the block runs; events reach them as the relay would bring them."""
    from pbxapi.changes.services import start_services
    from pbxapi.data.events import number_events

    loaded = pbx.app.extensions["pbxapi"].registry.plugin(plugin)
    assert loaded is not None, f"no plugin {plugin} serves"
    stopping = threading.Event()

    def relay() -> None:
        while not stopping.wait(0.01):
            with pbx.database.writing() as session:
                number_events(session)

    threads = [threading.Thread(target=relay, name="relay"), *start_services(pbx.database, loaded, stopping)]
    threads[0].start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


FOLDERS = ("extensions", "sip_profiles", "dialplan", "provision", "voicemail", "recordings", "cache")


def make_pbx(database_url: str, root: Path, *, service_url: str = "", **settings: Any) -> Pbx:
    """A telephone system over a database, with its folders below `root`; `settings` are those of `Config`.

    Args:
        service_url: the same database for the role that the API and the drain use; theirs is the superuser's
            when left out.
    """
    from pbxapi.app import create_app
    from pbxapi.changes.drain import NodeDrain
    from pbxapi.changes.live import answer_here
    from pbxapi.changes.nodes import register
    from pbxapi.config import Config
    from pbxapi.data.database import Database
    from pbxapi.plugin.loader import ENTRY_POINTS, migrate_all
    from pbxapi.sandbox import sample
    from pbxapi.sandbox.database import give_rights
    from pbxapi.sandbox.switch import SwitchSimulator
    from pbxapi.switch.event_socket import EventSocket

    folders = {name: root / name for name in FOLDERS}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    switch = SwitchSimulator(
        directory_dir=folders["extensions"],
        sip_profiles_dir=folders["sip_profiles"],
        dialplan_dir=folders["dialplan"],
        hostname="switch1",
        database_url=database_url,
        cache_dir=folders["cache"],
    )
    switch.start()
    config = Config(
        **{
            "database_url": service_url or database_url,
            "esl_port": switch.port,
            "esl_password": switch.password,
            "node": NODE,
            "cache_method": "file",
            "cache_location": folders["cache"],
            "xml_extensions_dir": folders["extensions"],
            "xml_sip_profiles_dir": folders["sip_profiles"],
            "xml_dialplan_dir": folders["dialplan"],
            "provision_dir": folders["provision"],
            "voicemail_dir": folders["voicemail"],
            "recordings_dir": folders["recordings"],
            **settings,
        }
    )
    database = Database(database_url, name="pbxapi-test")
    with database.writing() as session:
        register(session, NODE)
        session.run("update pbxapi.node set seen_at = now() + interval '1 day'")
    if config.plugins_path or entry_points(group=ENTRY_POINTS):
        migrate_all(config, database)
        if service_url:
            give_rights(database_url, config)
    socket = EventSocket(switch.host, switch.port, switch.password)

    def ask(question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {NODE: answer_here(socket, question, arguments)}

    app = create_app(config, ask)
    services = app.extensions["pbxapi"]
    drain = NodeDrain(config, services.database, services.registry, NODE, socket)
    return Pbx(
        app, config, database, switch, folders, drain, sample.DOMAIN, sample.SECOND_DOMAIN, socket, database_url
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the plugins under test are: ``pbxapi_plugins_path`` in pytest's settings, or the option."""
    parser.addini("pbxapi_plugins_path", "Folders that hold plugins, as PBXAPI_PLUGINS_PATH.", "paths", [])
    parser.addoption(
        "--pbxapi-plugins-path", type=Path, action="append", default=[], help="A folder that holds plugins."
    )


def settings_of(config: pytest.Config) -> dict[str, Any]:
    """The settings of `Config` that pytest's own name."""
    folders = [*config.getini("pbxapi_plugins_path"), *config.getoption("--pbxapi-plugins-path")]
    return {"plugins_path": tuple(dict.fromkeys(Path(folder).resolve() for folder in folders))}


@pytest.fixture(scope="session")
def pbx_settings(pytestconfig: pytest.Config) -> dict[str, Any]:
    """Settings of `Config` for `pbx`; a conftest.py can answer others, such as ``environment``."""
    return settings_of(pytestconfig)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL in memory, for all tests of this process. Do not kill it: start one of your own for that."""
    from pbxapi.sandbox.postgres import EmbeddedPostgres

    with EmbeddedPostgres.temporary() as server:
        yield server


@pytest.fixture(scope="session")
def api_key() -> str:
    """The system's API key."""
    return API_KEY


@pytest.fixture(scope="session")
def sample_dirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders that the sample data's settings name, shared by all tests of this process."""
    root = tmp_path_factory.mktemp("switch")
    folders = {name: root / name for name in FOLDERS}
    for folder in folders.values():
        folder.mkdir()
    return folders


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres, api_key: str, sample_dirs: dict[str, Path]) -> str:
    """Name of the database with sample data that tests get copies of; nobody may stay connected to it.

    The role `pbxapi` has its rights there, and the tables belong to the superuser, as on a host.
    """
    from pbxapi.config import Config
    from pbxapi.data.database import Database
    from pbxapi.data.migrations import builtin_migrations, migrate
    from pbxapi.sandbox import sample
    from pbxapi.sandbox.database import create_schema, give_rights

    url = postgres.create_database("sample")
    create_schema(url)
    sample.fill(url, key=api_key, xml_dirs=sample_dirs)
    migrate(Database(url), builtin_migrations())
    give_rights(url, Config(database_url=url))
    return "sample"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """A database of the test's own, with sample data."""
    from pbxapi.sandbox.database import scratch_database

    with scratch_database(postgres, template) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """A Redis for all tests of this process."""
    from pbxapi.sandbox.redis import EmbeddedRedis

    with EmbeddedRedis.temporary() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """An empty Redis; no other test uses it meanwhile."""
    import redis

    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def pbx(database_url: str, tmp_path: Path, pbx_settings: Mapping[str, Any]) -> Iterator[Pbx]:
    """A telephone system of the test's own."""
    from pbxapi.sandbox.database import url_of_role

    system = make_pbx(database_url, tmp_path / "pbx", service_url=url_of_role(database_url), **pbx_settings)
    fail_where_left_out(system)
    yield system
    close_pbx(system)


def fail_where_left_out(system: Pbx) -> None:
    """Fail with the reasons, where a plugin under test does not serve."""
    left_out = [loaded for loaded in system.app.extensions["pbxapi"].registry.plugins if loaded.error]
    if left_out:
        close_pbx(system)
        reasons = "\n".join(f"plugin {p.name} ({p.origin}) is left out: {p.error}" for p in left_out)
        pytest.fail(reasons, pytrace=False)


def close_pbx(system: Pbx) -> None:
    """End what `make_pbx` started."""
    system.app.extensions["pbxapi"].database.close()
    system.socket.close()
    system.database.close()
    system.switch.stop()


@pytest.fixture
def client(pbx: Pbx) -> Client:
    """Calls the API of `pbx` for its first domain."""
    return pbx.client


@pytest.fixture(params=["clean", "php"])
def either_client(pbx: Pbx, request: pytest.FixtureRequest) -> Client:
    """As `client`, once through each family of URLs."""
    return pbx.client.through(request.param)
