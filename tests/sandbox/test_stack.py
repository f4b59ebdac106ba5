"""`pbxapi sandbox`: the whole product by one command, from its ready line to its last process."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from pbxapi.sandbox import sample


@pytest.fixture
def folder(sandbox_folder: Path) -> Path:
    return sandbox_folder


def processes(folder: Path) -> list[int]:
    """Processes that have a file below the folder open: each part of a sandbox has a lock or a log there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [file.readlink() for file in (process / "fd").iterdir()]
        except OSError:  # it ended just now
            continue
        if any(file.is_relative_to(folder) for file in files):
            found.append(int(process.name))
    return found


def nothing_left(folder: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while processes(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return not processes(folder)


def call(running: Any, method: str, path: str, **more: Any) -> requests.Response:
    headers = {"X-API-Key": running.ready["key"], "X-Domain": sample.DOMAIN, **more.pop("headers", {})}
    with requests.Session() as http:
        http.trust_env = False
        return http.request(method, running.ready["url"] + path, headers=headers, **more)


def create(running: Any, number: str) -> requests.Response:
    return call(running, "POST", "/extensions", json={"extension": number}, headers={"Prefer": "wait=20"})


def setting(running: Any, category: str, subcategory: str) -> str:
    with psycopg.connect(running.ready["database"]) as connection:
        row = connection.execute(
            "select default_setting_value from v_default_settings"
            " where default_setting_category = %s and default_setting_subcategory = %s",
            [category, subcategory],
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_it_runs_is_stopped_by_ctrl_c_and_is_there_again(
    start_sandbox: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    first = start_sandbox(folder)
    assert re.fullmatch(
        r"ready http://127\.0\.0\.1:\d+/api/v1 key=[0-9a-f]{32} domain=pbx\.example\.com "
        r"database=postgresql://\S+ redis=redis://\S+ esl=127\.0\.0\.1:\d+",
        first.line,
    )
    answer = subprocess.run(first.curl, shell=True, capture_output=True, text=True, check=True).stdout
    assert answer.startswith('{"success":true,"data":[{"extension_uuid":')
    made = create(first, "7001")
    assert made.headers["X-Change-State"] == "applied"
    assert (folder / "switch" / "extensions" / sample.DOMAIN / "v_7001.xml").exists()
    with psycopg.connect(first.ready["database"]) as connection:
        connection.execute("delete from v_default_settings where default_setting_category in ('api', 'switch')")
    assert first.interrupt() == 0
    assert nothing_left(folder, 0)

    moved = tmp_path / "moved"
    folder.rename(moved)
    second = start_sandbox(moved)
    assert second.seconds < 10
    assert second.ready["key"] == first.ready["key"]
    assert call(second, "GET", f"/extensions/{made.json()['data']['extension_uuid']}").status_code == 200
    assert setting(second, "switch", "extensions") == str(moved / "switch" / "extensions")
    assert create(second, "7002").headers["X-Change-State"] == "applied"
    assert (moved / "switch" / "extensions" / sample.DOMAIN / "v_7002.xml").exists()
    assert second.interrupt() == 0

    third = start_sandbox(moved, "--key", "a-key-of-mine")
    assert third.ready["key"] == "a-key-of-mine"
    assert setting(third, "api", "secret_key") == "a-key-of-mine"
    assert call(third, "GET", "/extensions").status_code == 200
    os.kill(process_of(third, "serve"), signal.SIGHUP)
    third.process.kill()
    assert nothing_left(moved, 20)
    fourth = start_sandbox(moved)
    assert fourth.ready["key"] == "a-key-of-mine"


def test_a_part_that_dies_is_started_again_and_no_write_is_lost(
    start_sandbox: Callable[..., Any], folder: Path
) -> None:
    running = start_sandbox(folder)
    api, worker = (process_of(running, command) for command in ("serve", "worker"))
    os.kill(worker, signal.SIGKILL)
    assert create(running, "7001").headers["X-Change-State"] == "applied"

    os.kill(api, signal.SIGKILL)
    assert within(30, lambda: create(running, "7002").headers["X-Change-State"] == "applied")

    # What was left of the one that was killed may have answered.
    assert within(60, lambda: process_of(running, "serve") != api)
    assert within(30, lambda: create(running, "7004").headers["X-Change-State"] == "applied")
    api = process_of(running, "serve")
    os.kill(api, signal.SIGHUP)
    assert within(60, lambda: process_of(running, "serve") != api)
    assert within(30, lambda: create(running, "7005").headers["X-Change-State"] == "applied")

    with psycopg.connect(running.ready["database"]) as connection:
        postmaster = Path((connection.execute("show data_directory").fetchone() or [""])[0]) / "postmaster.pid"
    os.kill(int(postmaster.read_text().splitlines()[0]), signal.SIGKILL)
    assert within(30, lambda: create(running, "7003").headers["X-Change-State"] == "applied")
    assert running.interrupt() == 0
    assert nothing_left(folder, 0)


def process_of(running: Any, command: str) -> int:
    """The process of one of the product's commands that the sandbox itself started."""
    children = Path(f"/proc/{running.process.pid}/task").glob("*/children")
    for child in (int(pid) for children_of_thread in children for pid in children_of_thread.read_text().split()):
        words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        if words[-2:] == [command, ""]:
            return child
    raise AssertionError(f"no process runs {command}")


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return True
        except (AssertionError, requests.ConnectionError, KeyError):  # it is away, or answers a fault
            pass
        time.sleep(0.1)
    return False


def test_what_is_secret_stands_in_private_files_only(start_sandbox: Callable[..., Any], folder: Path) -> None:
    running = start_sandbox(folder)
    create(running, "7001")
    password = re.search(r":([0-9a-f]{32})@", running.ready["database"])
    assert password is not None
    secrets = [running.ready["key"], password[1]]
    for name in ("key", "environment"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    for log in (folder / "log").iterdir():
        assert not any(secret in log.read_text() for secret in secrets)
    lines = [(Path("/proc") / str(pid) / "cmdline").read_text() for pid in processes(folder)]
    assert len(lines) > 5
    assert not any(secret in line for line in lines for secret in secrets)


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pbxapi.cli", "sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **more)


def test_a_taken_port_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--data", str(folder), "--port", str(port))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert f"port {port} on 127.0.0.1 cannot be used: Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--port", "abc"], "--port"),
        (["--port", "65536"], "--port"),
        (["--key", "two words"], "PBXAPI_SANDBOX_KEY"),
        (["--key", "ключ"], "PBXAPI_SANDBOX_KEY"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(tmp_path: Path, arguments: list[str], word: str) -> None:
    ended = run("--data", str(tmp_path / "sandbox"), *arguments)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert word in ended.stderr


def test_a_setting_that_is_handed_on_is_checked_before_anything_starts(folder: Path) -> None:
    ended = run("--data", str(folder), "--port", "0", env={**os.environ, "PBXAPI_WORKERS": "many"})
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == "pbxapi: PBXAPI_WORKERS: must be a whole number, not 'many'"
    assert not processes(folder)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run("--data", str(tmp_path / "file" / "sandbox"), "--port", "0")
    assert ended.returncode == 1
    assert f"{tmp_path / 'file' / 'sandbox'} cannot be used: Not a directory" in ended.stderr


def test_a_file_that_the_switch_cannot_read_is_told_in_its_own_words(folder: Path) -> None:
    broken = folder / "switch" / "dialplan" / "broken.xml"
    broken.parent.mkdir(parents=True)
    broken.write_text("<context>\n")
    ended = run("--data", str(folder), "--port", "0")
    assert ended.returncode == 1
    assert "the switch does not start" in ended.stderr
    assert "unexpected closing tag" in ended.stderr
    assert not processes(folder)


def test_a_shell_that_reads_the_environment_file_commands_the_sandbox(
    start_sandbox: Callable[..., Any], folder: Path
) -> None:
    running = start_sandbox(folder)
    create(running, "7001")
    script = f'. "{folder}/environment"; echo "$API $KEY"; "{sys.executable}" -m pbxapi.cli changes list'
    shell = shutil.which("sh") or "/bin/sh"
    said = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True, env={}).stdout
    first, _, *changes = said.splitlines()
    assert first == f"{running.ready['url']} {running.ready['key']}"
    assert len(changes) == 1
    assert "applied" in changes[0]
