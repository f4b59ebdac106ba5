"""The whole product in one folder: PostgreSQL, Redis, the API, a worker and a simulated switch."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from pbxapi.config import Config, handed_on, load_config
from pbxapi.data.database import Database
from pbxapi.errors import ConfigError
from pbxapi.plugin.loader import load_registry, migrate_all
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import ServerError, ServerProcess, claim_port, current_owner, held
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.sandbox.switch import SwitchSimulator
from pbxapi.sandbox.switch_xml import XmlBroken

FOLDERS = ("extensions", "sip_profiles", "dialplan", "voicemail", "recordings", "cache")
"""The switch's folders, below ``switch`` in the sandbox's own; FusionPBX's settings name them."""

STOP_SECONDS = 10.0
"""What a part may take to end in order."""

PORT_PATIENCE = 3.0
"""Seconds in which the port of a last run may still come free."""

ANSWER_SECONDS = 40.0
"""Seconds in which workers whose master was killed have answered what they had begun to."""

_LOOK = 0.2
_KEY = re.compile(r"[!-~]{1,256}")

_SET = """
update v_default_settings set default_setting_value = %(value)s, default_setting_enabled = true
 where default_setting_category = %(category)s and default_setting_subcategory = %(subcategory)s
"""

_ADD = """
insert into v_default_settings
       (default_setting_uuid, default_setting_category, default_setting_subcategory, default_setting_name,
        default_setting_value, default_setting_enabled)
values (gen_random_uuid(), %(category)s, %(subcategory)s, %(type)s, %(value)s, true)
"""

_REGISTERED = "select exists (select from pbxapi.node where seen_at > to_timestamp(%(since)s)) as registered"


class Part(Protocol):
    """A server of the sandbox."""

    @property
    def running(self) -> bool:
        """Whether its process lives."""

    def start(self) -> None:
        """Start it and wait until it is of use."""

    def stop(self) -> object:
        """End it in order; one that has ended stays as it is."""


class Program:
    """One of the product's own commands as a process of its own.

    Args:
        command: such as ``serve``.
        arguments: of the command.
        environment: its settings.
        ready: whether it is of use; asked with the moment of its start, in seconds since 1970.
        log: file that takes what it prints.
        lock: descriptor of `held`.
        port: that it listens on; one that was killed leaves workers, which hold it until they have answered.
    """

    def __init__(
        self,
        command: str,
        *arguments: str,
        environment: Mapping[str, str],
        ready: Callable[[float], bool],
        log: Path,
        lock: int,
        port: int | None = None,
    ) -> None:
        self._command = command
        self._arguments = arguments
        self._environment = environment
        self._ready = ready
        self._log = log
        self._lock = lock
        self._port = port
        self._process: ServerProcess | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start it and wait until it is of use.

        Raises:
            ServerError: it is not; carries what it printed last.
        """
        if self._port is not None:
            _wait_for_port(self._port, ANSWER_SECONDS)
        since = time.time()
        self._process = ServerProcess(
            f"pbxapi {self._command}",
            [sys.executable, "-m", "pbxapi.cli", self._command, *self._arguments],
            owner=current_owner(),
            end_with=signal.SIGTERM,
            log=self._log,
            lock=self._lock,
            environment=self._environment,
        )
        self._process.wait_until(lambda: self._ready(since))

    def stop(self) -> int | None:
        """End it in order; its exit code. One that has ended stays as it is.

        Raises:
            ServerError: it did not end, and was killed.
        """
        return self._process.end(STOP_SECONDS) if self._process is not None and self.running else None

    def kill(self) -> None:
        """SIGKILL to it and its children, for fault tests."""
        if self._process is not None:
            self._process.kill()

    @property
    def pid(self) -> int:
        """Of its process.

        Raises:
            RuntimeError: it was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self._command} was never started")
        return self._process.pid


class Sandbox:
    """Everything that the product needs, in the foreground; data stay in the folder.

    A part that dies is started again. However this process ends, its parts end with it.

    Args:
        folder: for data, logs and the switch's files; made when missing.
        port: of the API on 127.0.0.1; 0 for a free one.
        key: the system's API key; without one the folder's own, made at the first start.
    """

    def __init__(self, folder: Path, *, port: int, key: str | None = None) -> None:
        if key is not None and not _KEY.fullmatch(key):
            raise ConfigError(
                "--key (PBXAPI_SANDBOX_KEY)", "must be up to 256 printable ASCII characters without blanks"
            )
        self._folder = folder.absolute()
        self._port = port
        self._key = key
        self._folders = {name: self._folder / "switch" / name for name in FOLDERS}

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP; says on standard output when it answers.

        Raises:
            ServerError: the port or the folder cannot be used, or a part does not start (with its words).
            ConfigError: a setting that is handed on cannot be used.
        """
        with _until_told(), ExitStack() as stack:
            lock = self._claim(stack)
            parts, config, switch = self._start(stack, lock)
            _say(self._lines(config, switch))
            while True:
                time.sleep(_LOOK)
                for name, part in parts.items():
                    if not part.running:
                        _note(f"{name} has ended; starting it again")
                        part.start()

    def _claim(self, stack: ExitStack) -> int:
        """Find the port, and make the folder ours; a last run that is just ending is waited for."""
        try:
            self._port = _wait_for_port(self._port or None, PORT_PATIENCE)
        except ServerError as error:
            raise ServerError(f"{error} (choose another with --port, or with PORT=... for make)") from None
        try:
            for folder in (self._folder, self._folder / "log", *self._folders.values()):
                folder.mkdir(parents=True, exist_ok=True)
            return stack.enter_context(held(self._folder))
        except OSError as error:
            raise ServerError(f"{self._folder} cannot be used: {error.strerror}") from None

    def _start(self, stack: ExitStack, lock: int) -> tuple[dict[str, Part], Config, SwitchSimulator]:
        _note(f"starting in {self._folder}")
        postgres = EmbeddedPostgres(self._folder / "postgres")
        redis = EmbeddedRedis(self._folder / "redis")
        _start_all(stack, [postgres, redis])
        url = self._prepare(postgres)
        switch = self._start_switch(stack, url)
        environment = self._environment(url, redis.url, switch)
        config = load_config(environment)
        self._write_environment(config, environment)
        database = Database(url, max_size=1, name="pbxapi-sandbox")
        stack.callback(database.close)
        migrate_all(config, database)
        registry = load_registry(config, database)

        def registered(since: float) -> bool:
            with database.reading() as session:
                return bool(session.value(_REGISTERED, since=since))

        def program(*command: str, ready: Callable[[float], bool], port: int | None = None) -> Program:
            log = self._folder / "log" / f"{command[-1]}.log"
            return Program(*command, environment=environment, ready=ready, log=log, lock=lock, port=port)

        programs: dict[str, Part] = {
            "the API": program("serve", ready=lambda _: self._answers(config), port=self._port),
            "the worker": program("worker", ready=registered),
        }
        for plugin in registry.plugins:
            if plugin.plugin and plugin.plugin.works and not plugin.error:
                jobs = program("jobs", "--plugin", plugin.name, ready=lambda _: True)
                programs[f"the jobs of {plugin.name}"] = jobs
        _start_all(stack, list(programs.values()))
        return {"PostgreSQL": postgres, "Redis": redis, **programs}, config, switch

    def _prepare(self, postgres: EmbeddedPostgres) -> str:
        """FusionPBX's database: its tables, sample data, and the settings as they are now; its URL."""
        try:
            url = postgres.create_database("fusionpbx")
        except psycopg.errors.DuplicateDatabase:
            url = postgres.url_of("fusionpbx")
        database = Database(url, max_size=1, statement_ms=0, name="pbxapi-sandbox")
        try:
            with database.reading() as session:
                empty = session.value("select to_regclass('public.v_domains') is null as empty")
            if empty:
                _note("making the sample data")
                create_schema(url)
            key = self._settle_key()
            sample.fill(url, key=key, xml_dirs=self._folders)
            self._write_settings(database, key)
        finally:
            database.close()
        return url

    def _settle_key(self) -> str:
        """The key that was given, else the folder's own, else a new one; kept in the folder."""
        file = self._folder / "key"
        key = self._key or (file.read_text("ascii").strip() if file.exists() else "") or secrets.token_hex(16)
        _write_private(file, f"{key}\n")
        self._key = key
        return key

    def _write_settings(self, database: Database, key: str) -> None:
        """The key may have been changed since the sample data were made, and the folder moved."""
        wanted = {
            ("api", "secret_key"): key,
            ("cache", "location"): str(self._folders["cache"]),
            **{("switch", name): str(path) for name, path in self._folders.items() if name != "cache"},
        }
        with database.writing() as session:
            for (category, subcategory), value in wanted.items():
                row = {"category": category, "subcategory": subcategory, "value": value}
                if not session.run(_SET, **row):
                    session.run(_ADD, **row, type="dir" if category == "switch" else "text")

    def _start_switch(self, stack: ExitStack, url: str) -> SwitchSimulator:
        switch = SwitchSimulator(
            directory_dir=self._folders["extensions"],
            sip_profiles_dir=self._folders["sip_profiles"],
            dialplan_dir=self._folders["dialplan"],
            database_url=url,
            cache_dir=self._folders["cache"],
        )
        try:
            return stack.enter_context(switch)
        except XmlBroken as error:
            raise ServerError(
                f"the switch does not start: a file below {self._folder / 'switch'} does not parse: {error}"
            ) from None

    def _environment(self, database_url: str, redis_url: str, switch: SwitchSimulator) -> dict[str, str]:
        """The settings of the programs: as on a FusionPBX host, folders come from the default settings."""
        return {
            **{name: value for name, value in handed_on().items() if not name.startswith("PBXAPI_SANDBOX_")},
            **dict.fromkeys(("PBXAPI_NODE", "PBXAPI_CACHE_METHOD", "PBXAPI_CACHE_LOCATION"), ""),
            **dict.fromkeys(
                (f"PBXAPI_{name.upper()}_DIR" for name in ("voicemail", "recordings", "provision")), ""
            ),
            **dict.fromkeys((f"PBXAPI_XML_{name.upper()}_DIR" for name in FOLDERS[:3]), ""),
            "PBXAPI_SETTINGS": os.devnull,
            "PBXAPI_FUSIONPBX_CONF": os.devnull,
            "PBXAPI_DATABASE_URL": database_url,
            "PBXAPI_REDIS_URL": redis_url,
            "PBXAPI_ESL_HOST": switch.host,
            "PBXAPI_ESL_PORT": str(switch.port),
            "PBXAPI_ESL_PASSWORD": switch.password,
            "PBXAPI_BIND": f"127.0.0.1:{self._port}",
        }

    def _write_environment(self, config: Config, environment: Mapping[str, str]) -> None:
        """For a shell: ``. .sandbox/environment`` and then any ``pbxapi`` command."""
        variables = {**environment, "API": self._api(config), "KEY": self._key or ""}
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
        _write_private(self._folder / "environment", "".join(lines))

    def _answers(self, config: Config) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        headers = {"X-API-Key": self._key or "", "X-Domain": sample.DOMAIN}
        try:
            connection.request("GET", f"{config.url_prefix}/extensions", headers=headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _api(self, config: Config) -> str:
        return f"http://127.0.0.1:{self._port}{config.url_prefix}"

    def _lines(self, config: Config, switch: SwitchSimulator) -> Iterator[str]:
        api = self._api(config)
        yield (
            f"ready {api} key={self._key} domain={sample.DOMAIN} database={config.database_url} "
            f"redis={config.redis_url} esl={switch.host}:{switch.port}"
        )
        yield f"curl -H {shlex.quote(f'X-API-Key: {self._key}')} -H 'X-Domain: {sample.DOMAIN}' {api}/extensions"


def _wait_for_port(port: int | None, seconds: float) -> int:
    """The port, or a free one, once nobody listens on it.

    Raises:
        ServerError: somebody still does.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return claim_port(port)
        except ServerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK)


@contextmanager
def _until_told() -> Iterator[None]:
    """End the block in order at the first SIGINT, SIGTERM or SIGHUP; further ones do not disturb that."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup wants it to go on
        numbers.append(signal.SIGHUP)

    def stop(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        _note("stopped")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_all(stack: ExitStack, parts: list[Part]) -> None:
    """Start parts side by side; they are stopped side by side too."""
    stack.callback(_side_by_side, [part.stop for part in parts])
    _side_by_side([part.start for part in parts])


def _side_by_side(actions: Iterable[Callable[[], object]]) -> None:
    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(action) for action in actions]:
            done.result()


def _write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, at no moment anything else."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(text, "utf-8")
    new.replace(file)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _note(line: str) -> None:
    print(f"pbxapi sandbox: {line}", file=sys.stderr, flush=True)
