"""The embedded Redis."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import pytest
import redis

from pbxapi.sandbox import process
from pbxapi.sandbox.process import ServerError
from pbxapi.sandbox.redis import EmbeddedRedis

PARENT = """
import sys, time
from pathlib import Path
from pbxapi.sandbox.redis import EmbeddedRedis
server = EmbeddedRedis(Path(sys.argv[1]))
server.start()
print(server.url, flush=True)
time.sleep(120)
"""


@pytest.fixture
def server(tmp_path):
    server = EmbeddedRedis(tmp_path / 'a "folder"')
    server.start()
    yield server
    server.stop()


def test_it_keeps_everything_on_disk_and_evicts_nothing(server):
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.config_get("appendonly")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_what_was_written_survives_a_stop_and_a_start(server):
    url = server.url
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.set("kept", "yes")
    server.stop()
    assert not server.running
    server.start()
    assert server.url == url
    with redis.Redis.from_url(url, decode_responses=True) as client:
        assert client.get("kept") == "yes"


def test_a_killed_one_starts_again_with_what_it_had(server):
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        time.sleep(1.5)  # appendfsync everysec
    server.kill()
    assert not server.running
    server.start()
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.get("kept") == "yes"


def test_it_asks_for_its_password(server):
    host_and_port = server.url.rsplit("@", 1)[1]
    with redis.Redis.from_url(f"redis://{host_and_port}") as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1"):
            EmbeddedRedis(tmp_path, port=port).start()


def test_a_folder_serves_one_server_at_a_time(server, monkeypatch):
    monkeypatch.setattr(process, "IN_USE_PATIENCE", 0.2)
    with pytest.raises(ServerError, match="is in use by another server process"):
        EmbeddedRedis(server._folder).start()


def test_what_redis_says_is_in_the_error(server):
    server.stop()
    (server._folder / "appendonly.aof").write_bytes(b"*nonsense\r\n")
    with pytest.raises(ServerError, match=r"Redis did not start:(.|\n)*[Bb]ad file format"):
        server.start()


def test_it_dies_with_the_process_that_started_it(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        with redis.Redis.from_url(url) as client:
            assert client.ping()
        parent.send_signal(signal.SIGKILL)
    with process.held(tmp_path):  # waits until the folder is free: an orphan would hold it for ever
        pass
