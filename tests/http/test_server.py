"""gunicorn as `pbxapi serve` sets it up."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pbxapi.plugin.resource import BODY_MOST
from pbxapi.sandbox.process import held
from pbxapi.sandbox.sample import DOMAIN_UUID
from pbxapi.sandbox.stack import Program
from pbxapi.testing import API_KEY, Pbx
from tests.ops.service import UnixConnection


@pytest.fixture
def serve(pbx: Pbx, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Starts `pbxapi serve` on a Unix socket, with further variables."""
    started: list[Program] = []
    listening = tmp_path / "pbxapi.sock"

    def ready(_: float) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(listening)) == 0

    def start(**variables: str) -> Path:
        environment = {
            "HOME": str(tmp_path / "home"),
            "PBXAPI_FUSIONPBX_CONF": os.devnull,
            "PBXAPI_DATABASE_URL": pbx.config.database_url,
            "PBXAPI_BIND": f"unix:{listening}",
            **variables,
        }
        log = tmp_path / "serve.log"
        started.append(Program("serve", environment=environment, ready=ready, log=log, lock=lock))
        started[-1].start()
        return listening

    with held(tmp_path) as lock:
        yield start
        for program in started:
            program.stop()


def test_a_unix_socket_is_for_its_owner_and_group(serve: Callable[..., Path], pbx: Pbx) -> None:
    listening = serve()
    assert stat.S_IMODE(listening.stat().st_mode) == 0o770
    connection = UnixConnection(listening)
    assert connection.status(pbx.domain) == 200
    connection.close()


def test_an_idle_connection_outlives_the_pause_between_two_requests_of_nginx(
    serve: Callable[..., Path], pbx: Pbx
) -> None:
    connection = UnixConnection(serve())
    assert connection.status(pbx.domain) == 200
    kept = connection.sock
    time.sleep(3)  # gunicorn's own default is 2
    assert connection.status(pbx.domain) == 200
    assert connection.sock is kept
    connection.close()


def test_all_that_serve_writes_is_in_the_format_that_was_set(
    serve: Callable[..., Path], pbx: Pbx, tmp_path: Path
) -> None:
    listening = serve(PBXAPI_LOG_FORMAT="json")
    connection = UnixConnection(listening)
    assert connection.status(pbx.domain) == 200
    connection.close()
    with socket.socket(socket.AF_UNIX) as odd:
        odd.connect(str(listening))
        odd.sendall(b"G\x01T / HTTP/1.1\r\n\r\n")
        assert b" 400 " in odd.recv(100)
    told = [json.loads(line) for line in (tmp_path / "serve.log").read_text().splitlines()]
    (request,) = [line for line in told if line["logger"] == "pbxapi.request"]
    assert (request["route"], request["key"], request["status"]) == ("/api/v1/extensions", "system", 200)
    assert [line["level"] for line in told if line["logger"] == "gunicorn.error"] == ["WARNING"]


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def requests_of(metrics: str) -> float:
    found = re.search(r'^pbxapi_http_requests_total{.*"/api/v1/extensions",status="2xx"} (\S+)$', metrics, re.M)
    return float(found[1]) if found else 0.0


def test_the_figures_are_those_of_all_processes_of_now_and_before(
    serve: Callable[..., Path], pbx: Pbx, tmp_path: Path
) -> None:
    listening = serve(PBXAPI_WORKERS="3", PBXAPI_THREADS="1")
    bind = f"PBXAPI_BIND=unix:{listening}\0".encode()
    (master,) = (pid for pid in children(os.getpid()) if bind in Path(f"/proc/{pid}/environ").read_bytes())
    seen = 0
    for _ in range(3):
        for _ in range(10):
            connection = UnixConnection(listening)
            assert connection.status(pbx.domain) == 200
            connection.close()
            seen += 1
        os.kill(children(master)[0], signal.SIGKILL)
        metrics = UnixConnection(listening)
        metrics.request("GET", "/metrics")
        assert requests_of(metrics.getresponse().read().decode()) == seen
        metrics.close()


def test_gunicorn_opens_no_control_socket_by_itself(serve: Callable[..., Path], tmp_path: Path) -> None:
    serve()
    assert [path.name for path in tmp_path.rglob("*") if path.is_socket()] == ["pbxapi.sock"]


def test_gunicorn_opens_the_control_socket_that_it_is_told_of(serve: Callable[..., Path], tmp_path: Path) -> None:
    control = tmp_path / "run" / "pbxapi.ctl"
    serve(PBXAPI_CONTROL_SOCKET=str(control))
    end = time.monotonic() + 10
    while not control.is_socket() and time.monotonic() < end:
        time.sleep(0.05)
    assert stat.S_IMODE(control.stat().st_mode) == 0o600


CALLS = """
insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, caller_id_name, start_stamp)
select gen_random_uuid(), %(domain)s, 'Caller', now() - n * interval '7 s' from generate_series(1, 20000) as n
"""


def test_an_export_that_fails_on_the_way_has_no_last_chunk(serve: Callable[..., Path], pbx: Pbx) -> None:
    """No client takes a part for the whole."""
    pbx.run(CALLS, domain=DOMAIN_UUID)
    connection = UnixConnection(serve())
    headers = {"X-API-Key": API_KEY, "X-Domain": pbx.domain}
    connection.request("GET", "/api/v1/cdr/export", headers=headers)
    response = connection.getresponse()
    assert response.status == 200
    response.read(1000)
    with pbx.database.dedicated() as fusionpbx:
        fusionpbx.execute("alter table v_xml_cdr rename to v_gone")
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    response.close()


def test_an_export_that_nobody_reads_on_gives_its_thread_back(serve: Callable[..., Path], pbx: Pbx) -> None:
    pbx.run(CALLS, domain=DOMAIN_UUID)
    listening = serve(PBXAPI_WORKERS="1", PBXAPI_THREADS="2")
    headers = {"X-API-Key": API_KEY, "X-Domain": pbx.domain}
    end = time.monotonic() + 20
    begun = 0
    while begun < 3:
        assert time.monotonic() < end, "the export before it still holds its place"
        connection = UnixConnection(listening)
        connection.request("GET", "/api/v1/cdr/export", headers=headers)
        response = connection.getresponse()
        begun += response.status == 200
        response.read(1000)
        connection.close()
        response.close()


def test_a_body_that_does_not_tell_its_length_is_read_whole_or_refused(
    serve: Callable[..., Path], pbx: Pbx
) -> None:
    connection = UnixConnection(serve())

    def send(extension: str, blanks: int) -> int:
        body = json.dumps({"extension": extension}).encode() + b" " * blanks
        parts = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
        headers = {"X-API-Key": API_KEY, "X-Domain": pbx.domain}
        connection.request("POST", "/api/v1/extensions", parts, headers)
        with connection.getresponse() as answer:
            answer.read()
            return answer.status

    assert send("7301", 900_000) == 201
    assert send("7302", BODY_MOST) == 413
    assert send("7303", 0) == 201
    connection.close()


def files(pid: int, kind: str) -> int:
    found = 0
    for place in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += kind in str(place.readlink())
    return found


def test_connections_are_spread_over_the_processes(serve: Callable[..., Path], pbx: Pbx) -> None:
    listening = serve(PBXAPI_WORKERS="2", PBXAPI_THREADS="2")
    bind = f"PBXAPI_BIND=unix:{listening}\0".encode()
    (master,) = (pid for pid in children(os.getpid()) if bind in Path(f"/proc/{pid}/environ").read_bytes())
    while len(accepting := [pid for pid in children(master) if files(pid, "eventpoll")]) < 2:
        time.sleep(0.05)
    before = [files(pid, "socket:") for pid in accepting]
    connections = [UnixConnection(listening) for _ in range(20)]
    for connection in connections:
        connection.request("GET", "/healthz")
    for connection in connections:
        connection.getresponse().read()
    grown = [files(pid, "socket:") - count for pid, count in zip(accepting, before, strict=True)]
    for connection in connections:
        connection.close()
    assert min(grown) >= len(connections) // 4
