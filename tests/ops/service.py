"""`pbxapi serve` as systemd runs it, for tests."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pbxapi.testing import API_KEY

COMMAND = (sys.executable, "-m", "pbxapi.cli")

_AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""

DEADLINE = 60.0


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))

    def status(self, domain: str) -> int:
        self.request("GET", "/api/v1/extensions?per_page=1", headers={"X-API-Key": API_KEY, "X-Domain": domain})
        answer = self.getresponse()
        answer.read()
        return answer.status


class Service:
    """`pbxapi serve` as systemd runs it: a socket that was opened before, and a place to tell of progress.

    Attributes:
        path: of the socket.
        log: what it writes to its standard error.
        settings: the product's own file.
        path: of the socket.
        main: process that is to be told things; the newest one that said so.
    """

    def __init__(
        self, folder: Path, database_url: str, command: Sequence[Path | str] = COMMAND, **variables: str
    ) -> None:
        self.settings = folder / "pbxapi.env"
        self.path = folder / "api.sock"
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.settimeout(DEADLINE)
        self._notified.bind(str(folder / "notify.sock"))
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen(512)
        self._url = database_url
        self.set(**variables)
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _AS_SYSTEMD, str(self._listening.fileno()), *command, "serve"],
                env={
                    "PATH": os.defpath,
                    "PBXAPI_SETTINGS": str(self.settings),
                    "PBXAPI_FUSIONPBX_CONF": os.devnull,
                    "NOTIFY_SOCKET": str(folder / "notify.sock"),
                },
                pass_fds=[self._listening.fileno()],
                start_new_session=True,
                stderr=log,
            )
        self.main = self.process.pid
        assert self.told("READY=1")

    def set(self, **variables: str) -> None:
        """Write the settings."""
        lines = {"PBXAPI_DATABASE_URL": self._url, "PBXAPI_WORKERS": "1", **variables}
        self.settings.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def told(self, beginning: str) -> str:
        """What follows this beginning in the next message to systemd that has it."""
        while True:
            for line in self._notified.recv(4096).decode().splitlines():
                if line.startswith(beginning):
                    return line.removeprefix(beginning) or line

    def reload(self) -> None:
        """As `systemctl reload`, until the new master is the one that systemd watches."""
        before = self.main
        os.kill(before, signal.SIGHUP)
        try:
            self.main = int(self.told("MAINPID="))
        except TimeoutError:
            said = [line for line in self.log.read_text().splitlines() if "INFO pbxapi.request" not in line]
            raise TimeoutError("\n".join(["no new master took over", *said[-20:]])) from None
        assert self.main != before

    def connect(self) -> UnixConnection:
        return UnixConnection(self.path)

    def status(self, path: str, domain: str) -> int:
        connection = self.connect()
        connection.request("GET", path, headers={"X-API-Key": API_KEY, "X-Domain": domain})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def stop(self) -> None:
        """End it, and whatever it has left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._listening.close()
        self._notified.close()
