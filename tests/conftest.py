"""What only this repository's tests share; the fixtures that plugin authors have too are in pbxapi/testing.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbxapi.sandbox.database import load_dump, scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import current_owner, leashed

SHARED = Path(__file__).parents[2] / "shared"
"""Facts and data about FusionPBX, where somebody has put them beside the checkout."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests log what no sane text holds, and pytest-xdist can pass on UTF-8 only."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


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
