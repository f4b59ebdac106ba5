"""What only this repository's tests share; the fixtures that plugin authors have too are in pbxapi/testing.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pbxapi.sandbox.database import load_dump, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import current_owner, leashed
from pbxapi.sandbox.versions import VERSIONS, become

SHARED = Path(__file__).parents[2] / "shared"
"""Facts and data about FusionPBX, where somebody has put them beside the checkout."""

SCREENSHOTS = Path(__file__).parents[1] / "artefacts" / "pages"
"""What the pages looked like in the last run."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the screenshots are."""
    if any("test_pages" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.write_line(f"screenshots of the pages: {SCREENSHOTS}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests log what no sane text holds, and pytest-xdist can pass on UTF-8 only."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the tests run over; `make versions` goes through it."""
    parser.addoption("--fusionpbx", choices=VERSIONS, default=VERSIONS[-1], help="Whose tables.")
    parser.addoption("--flags-in-part", action="store_true", help="Every second flag is a boolean already.")
    parser.addoption("--postgres", type=Path, help="A folder with another PostgreSQL's programs.")


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[EmbeddedPostgres]:
    """As pbxapi.testing has it, of the version that was asked for."""
    with EmbeddedPostgres.temporary(programs=pytestconfig.getoption("--postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def template(template: str, postgres: EmbeddedPostgres, pytestconfig: pytest.Config) -> str:
    """As pbxapi.testing has it, over the tables of the version that was asked for."""
    become(
        postgres.url_of(template),
        pytestconfig.getoption("--fusionpbx"),
        mixed=pytestconfig.getoption("--flags-in-part"),
    )
    return template


@pytest.fixture(scope="session")
def dump_template(postgres: EmbeddedPostgres) -> str:
    """Name of the database with FusionPBX's own tables and first rows."""
    dump = SHARED / "data" / "fusionpbx-5.6.sql.xz"
    if not dump.exists():
        pytest.skip(f"no {dump.name} in ../shared/data")
    load_dump(postgres.create_database("dump"), dump)
    return "dump"


@pytest.fixture
def dump_url(postgres: EmbeddedPostgres, dump_template: str) -> Iterator[str]:
    """A database of the test's own, as FusionPBX's installer leaves it."""
    with scratch_database(postgres, dump_template) as url:
        yield url


@dataclass
class RunningSandbox:
    """`pbxapi sandbox` in a process group of its own.

    Attributes:
        folder: its data.
        ready: what the ready line says: ``url``, ``key``, ``domain``, ``database``, ``redis``, ``esl``.
        line: the ready line itself.
        curl: the line below it.
        seconds: how long it took.
    """

    process: subprocess.Popen[str]
    folder: Path
    line: str
    curl: str
    seconds: float

    @property
    def ready(self) -> dict[str, str]:
        word, url, *pairs = self.line.split()
        assert word == "ready"
        return {"url": url, **dict(pair.split("=", 1) for pair in pairs)}

    def interrupt(self) -> int:
        """What Ctrl-C does; the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def sandbox_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a sandbox. PostgreSQL's data may have to lie elsewhere, and are deleted there too."""
    yield tmp_path / "sandbox"
    for postgres in tmp_path.glob("*/postgres"):
        EmbeddedPostgres(postgres).remove()


@pytest.fixture
def start_sandbox(sandbox_folder: Path) -> Iterator[Callable[..., RunningSandbox]]:
    """Starts `pbxapi sandbox` on a free port over a folder; what still runs afterwards is stopped."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, *arguments: str) -> RunningSandbox:
        began = time.monotonic()
        command = [sys.executable, "-m", "pbxapi.cli", "sandbox", "--data", str(folder), *arguments]
        if "--port" not in arguments:
            command += ["--port", "0"]
        process = subprocess.Popen(
            leashed(command, current_owner(), signal.SIGTERM),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        line, curl = process.stdout.readline(), process.stdout.readline()
        return RunningSandbox(process, folder, line.strip(), curl.strip(), time.monotonic() - began)

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


@dataclass(frozen=True)
class Received:
    """One request that a receiver got.

    Attributes:
        at: when, in seconds of the monotonic clock.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def event(self) -> dict[str, Any]:
        """The body."""
        return dict(json.loads(self.body))


Answering = tuple[int, bytes, Mapping[str, str]]


class Receiver:
    """A server of webhooks on 127.0.0.1 that does what a test tells it to.

    Attributes:
        behave: called with each request; answers status, body and headers, or raises ConnectionAbortedError to
            close the connection without a word. It may take its time.
        requests: what came, in order.
    """

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.behave: Callable[[Received], Answering] = lambda _: (204, b"", {})
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                got = Received(self.path, dict(self.headers), self.rfile.read(length), time.monotonic())
                receiver.requests.append(got)
                try:
                    status, body, headers = receiver.behave(got)
                except ConnectionAbortedError:
                    return
                with suppress(OSError):  # who asked may have lost patience
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(body)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def events(self, *types: str) -> list[dict[str, Any]]:
        """The events that came, repeated ones too."""
        found = [request.event for request in list(self.requests)]
        return [event for event in found if not types or event["type"] in types]

    def wait_for(self, true: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait until something is true.

        Raises:
            AssertionError: it is not in time.
        """
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds:g} s; {len(self.requests)} requests came"
            time.sleep(0.01)

    def close(self) -> None:
        """End it; its port refuses connections then."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    """Makes receivers of webhooks."""
    with ExitStack() as stack:

        def make() -> Receiver:
            receiver = Receiver()
            stack.callback(receiver.close)
            return receiver

        yield make


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    """A receiver of webhooks."""
    return receivers()
