"""Server processes on loopback ports that never outlive the process that started them."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

LEASH = Path(__file__).with_name("leash.py")

IN_USE_PATIENCE = 10.0
"""Seconds that a start waits for the last server of a folder to end."""


class ServerError(Exception):
    """An embedded server cannot be started or does not stop; the message says which and why."""


class Owner(NamedTuple):
    """The system user that a server runs as."""

    uid: int
    gid: int


def current_owner() -> Owner:
    return Owner(os.geteuid(), os.getegid())


def package_folder(name: str) -> Path:
    """Folder of an installed package that carries binaries; the package is not imported.

    Raises:
        ServerError: it is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(f"the package {name} is missing: install pbxapi[sandbox]")
    return Path(spec.submodule_search_locations[0]).resolve()


def claim_port(port: int | None) -> int:
    """The given port, or a free one, of 127.0.0.1.

    A free one comes from below the range that Linux gives to outgoing connections (32768 and up), so that
    nobody is handed it while its server is down for a moment.

    Raises:
        ServerError: the port is taken, or none is free.
    """
    candidates = [port] if port is not None else random.sample(range(20000, 32768), 100)
    for candidate in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError as fault:
                reason = fault
            else:
                return candidate
    raise ServerError(f"port {candidate} on 127.0.0.1 cannot be used: {reason.strerror}")


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """Hold the folder of a server while it is prepared and started; yields the lock's file descriptor.

    The server inherits the descriptor, so that the lock lasts until the last of its processes is gone, and
    a server that is just ending, because its parent died, is waited for.

    Raises:
        ServerError: another server still uses the folder after IN_USE_PATIENCE.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + IN_USE_PATIENCE
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerError(f"{folder} is in use by another server process") from None
                time.sleep(0.05)
        yield lock
    finally:
        os.close(lock)


def leashed(command: Sequence[str], owner: Owner, end_with: signal.Signals) -> list[str]:
    """The command line that runs a command as `owner` and sends it `end_with` when this process dies."""
    leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(int(end_with))]
    return [*leash, str(owner.uid), str(owner.gid), *command]


class ServerProcess:
    """One running server.

    Args:
        name: how messages call it.
        command: program with its full path, and arguments.
        owner: the user that it runs as.
        end_with: the signal that makes it stop in order.
        log: file that takes what it prints.
        lock: descriptor of `held`.
        environment: variables that it gets besides those that every server gets.

    Raises:
        OSError: the interpreter or the log file cannot be opened.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        owner: Owner,
        end_with: signal.Signals,
        log: Path,
        lock: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._environment = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC", **(environment or {})}
        self._command = leashed(command, owner, end_with)
        self._end_with = end_with
        self._log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        started: Future[subprocess.Popen[bytes]] = Future()
        # The kernel ties the leash to the thread that starts the child, so that thread stays with it.
        threading.Thread(target=self._run, args=(lock, started), name=name, daemon=True).start()
        self._process = started.result()

    def _run(self, lock: int, started: Future[subprocess.Popen[bytes]]) -> None:
        try:
            with self._log.open("ab") as output:
                process = subprocess.Popen(
                    self._command,
                    cwd="/",
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[lock],
                    start_new_session=True,  # Ctrl-C at a terminal is for the parent, which stops its servers
                )
        except BaseException as fault:
            started.set_exception(fault)
            return
        started.set_result(process)
        process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Wait for the server to be of use; end it if it does not get there.

        Raises:
            ServerError: it ended by itself, or is not ready in time; carries the last lines that it printed.
        """
        deadline = time.monotonic() + seconds
        try:
            while not ready():
                if not self.running:
                    raise ServerError(f"{self._name} did not start:\n{self._last_words()}")
                if time.monotonic() > deadline:
                    raise ServerError(f"{self._name} is not ready after {seconds:g} s:\n{self._last_words()}")
                time.sleep(0.02)
        except BaseException:
            self.kill()
            raise

    def end(self, seconds: float = 60) -> int:
        """Stop it in order; its exit code.

        Raises:
            ServerError: it did not, and was killed.
        """
        self._process.send_signal(self._end_with)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{self._name} did not stop within {seconds:g} s and was killed") from None

    def kill(self) -> None:
        """SIGKILL to it and to its children, as when the machine loses power."""
        if self.running:
            os.kill(self.pid, signal.SIGSTOP)  # no new children while they are listed
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            for pid in (*map(int, children), self.pid):
                with suppress(ProcessLookupError):  # it ended while the list was read
                    os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()[-2000:].decode(errors="replace").strip()
