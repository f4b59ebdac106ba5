"""nginx before gunicorn, on a host whose site file is shaped like FusionPBX's."""

from __future__ import annotations

import json
import os
import re
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pbxapi.data.events import number_events
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import API_KEY, Pbx, close_pbx, make_pbx
from tests.ops import host as hosts
from tests.ops.host import OPS, Answer, NginxHost
from tests.ops.load import run_load
from tests.ops.service import Service

pytestmark = pytest.mark.skipif(bool(hosts.missing()), reason=hosts.missing() or "nginx is here")

PREFIX = "/api/v1"


@pytest.fixture(scope="module")
def system(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        made = make_pbx(url, tmp_path_factory.mktemp("pbx"))
        yield made
        close_pbx(made)


@pytest.fixture(scope="module")
def service(system: Pbx, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = Service(tmp_path_factory.mktemp("service"), system.config.database_url, PBXAPI_TRUSTED_PROXIES="1")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def host(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxHost]:
    with NginxHost(tmp_path_factory.mktemp("nginx"), service.path, PREFIX) as made:
        yield made


@pytest.fixture
def call(host: NginxHost, system: Pbx) -> Any:
    def send(method: str, path: str, body: Any = None, **headers: str) -> Answer:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        known = {"X-API-Key": API_KEY, "X-Domain": system.domain, **headers}
        return host.ask(method, PREFIX + path, content, headers=known)

    return send


def test_every_verb_of_both_families_reaches_the_api(call: Any) -> None:
    made = call("POST", "/extensions/create.php", {"extension": "7401"})
    assert made.status == 201, made.body
    uuid = json.loads(made.body)["data"]["extension_uuid"]
    assert call("GET", f"/extensions/get.php?uuid={uuid}").body == call("GET", f"/extensions/{uuid}").body
    assert call("PATCH", f"/extensions/{uuid}", {"description": "one"}).status == 200
    assert call("PUT", f"/extensions/update.php?uuid={uuid}", {"description": "two"}).status == 200
    assert call("GET", "/extensions/list.php?search=7401").body == call("GET", "/extensions?search=7401").body
    assert call("DELETE", f"/extensions/{uuid}").status == 200
    assert call("DELETE", f"/extensions/delete.php?uuid={uuid}").status == 404
    assert call("HEAD", "/extensions").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/extensions/create.php/api/v1/x",
        "/devices/001565aabbcc.cfg",
        "/devices/provision/001565aabbcc.cfg",
        "/devices/provision/000000000000.cfg",
        "/recordings/astdb",
        "/recordings/.hidden",
        "/recordings/.git/config",
        "/nothing.php",
    ],
)
def test_no_rule_of_fusionpbx_takes_an_url_of_ours(host: NginxHost, call: Any, path: str) -> None:
    answer = call("GET", path)
    assert answer.headers["Content-Type"] == "application/json", answer.body
    assert json.loads(answer.body)["success"] is False


@pytest.mark.parametrize(
    ("path", "got"),
    [
        ("/index.html", b"FusionPBX's page\n"),
        ("/app/extensions/extensions.php?x=1", b"PHP got this: /app/extensions/extensions.php?x=1\n"),
        ("/api/other/thing", b"PHP got this: /api/index.php?rewrite_uri=other/thing\n"),
        ("/api/v10/thing", b"PHP got this: /api/index.php?rewrite_uri=v10/thing\n"),
        ("/provision/001565aabbcc.cfg", b"PHP got this: /app/provision/index.php?mac=001565aabbcc\n"),
    ],
)
def test_what_is_fusionpbxs_stays_fusionpbxs(host: NginxHost, path: str, got: bytes) -> None:
    answer = host.ask("GET", path)
    assert (answer.status, answer.body) == (200, got)
    assert "X-Request-Id" not in answer.headers


def test_a_body_that_is_too_large_is_refused_in_the_apis_words(host: NginxHost, call: Any) -> None:
    answer = call("POST", "/extensions", b'{"description": "' + b"x" * (2 << 20) + b'"}')
    assert answer.status == 413
    assert json.loads(answer.body)["error"]["message"] == "Request body is larger than 1 MiB"
    batch = b'{"operations": [{"resource": "extensions", "operation": "none", "body": {"a": "' + b"x" * (2 << 20)
    assert call("POST", "/batch", batch + b'"}}]}').status == 400
    answer = call("POST", "/batch", b'{"description": "' + b"x" * (9 << 20) + b'"}')
    assert answer.status == 413
    assert json.loads(answer.body)["error"]["message"] == "Request body is larger than 8 MiB"
    assert answer.headers["Content-Type"] == "application/json"
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
    just = b'{"extension": "7402", "description": "' + b"x" * (1 << 20)
    assert call("POST", "/extensions", just[: (1 << 20) - 2] + b'"}').status == 400  # a field's own limit


def test_an_answer_that_does_not_wait_for_the_body_arrives(call: Any) -> None:
    for _ in range(10):
        assert call("POST", "/extensions", b"x" * (4 << 20)).status == 413
        assert call("POST", "/extensions", b"x" * (4 << 20), **{"X-API-Key": "pbx_wrong"}).status == 401


def test_slow_callers_hold_no_thread(host: NginxHost, call: Any) -> None:
    """Sixteen bodies that never end, for eight threads at most."""
    slow = []
    try:
        for _ in range(16):
            connection = host.connect()
            connection.putrequest("POST", f"{PREFIX}/extensions")
            for name, value in {
                "X-API-Key": API_KEY,
                "X-Domain": "pbx.example.com",
                "Content-Length": "100",
            }.items():
                connection.putheader(name, value)
            connection.endheaders(b'{"extension"')
            slow.append(connection)
        for _ in range(20):
            assert call("GET", "/extensions?per_page=1").status == 200
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("path", ["/events", "/events/list.php"])
def test_an_event_passes_as_soon_as_it_is_told(host: NginxHost, system: Pbx, path: str) -> None:
    connection = host.connect()
    headers = {"X-API-Key": API_KEY, "X-Domain": system.domain, "Accept": "text/event-stream"}
    connection.request("GET", PREFIX + path, headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream")
    assert answer.readline().startswith(b"retry: ")
    system.client.create("extensions", extension=f"33{len(path)}")
    with system.database.writing() as session:
        number_events(session)
    lines = iter(answer.readline, b"")
    assert next(line for line in lines if line.startswith(b"event: ")) == b"event: extension.created\n"
    connection.close()


def test_pages_come_with_their_policy_and_without_a_key(host: NginxHost) -> None:
    for page in ("docs", "console"):
        answer = host.ask("GET", f"{PREFIX}/{page}")
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        place = re.findall(r'src="([^"]+\.js)"', answer.body.decode())
        assert host.ask("GET", place[0]).headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("path", ["/extensions", "/devices/x/provisioning", "/x/xml_cdr", "/firmware.php", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_http_is_refused(host: NginxHost, method: str, path: str) -> None:
    answer = host.ask(method, PREFIX + path, plain=True, headers={"X-API-Key": API_KEY})
    assert answer.status == 403
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["error"]["code"] == "HTTPS_REQUIRED"


def test_events_come_at_once(host: NginxHost, system: Pbx) -> None:
    connection = host.connect()
    headers = {"X-API-Key": API_KEY, "X-Domain": system.domain, "Accept": "text/event-stream"}
    connection.request("GET", f"{PREFIX}/events", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.readline().startswith(b"retry: ")  # and the answer goes on
    connection.close()


def test_plain_http_of_fusionpbx_is_as_it_was(host: NginxHost) -> None:
    assert host.ask("GET", "/app/x.php", plain=True).status == 301
    provision = host.ask("GET", "/provision/001565aabbcc.cfg", plain=True)
    assert provision.body == b"PHP got this: /app/provision/index.php?mac=001565aabbcc\n"


def test_request_ids_are_nginxs_or_a_sane_one_of_the_caller(host: NginxHost, call: Any) -> None:
    assert re.fullmatch("[0-9a-f]{32}", call("GET", "/extensions").headers["X-Request-Id"])
    assert call("GET", "/extensions", **{"X-Request-Id": "my-request-1"}).headers["X-Request-Id"] == "my-request-1"
    odd = call("GET", "/extensions", **{"X-Request-Id": "two words\t!"})
    assert re.fullmatch("[0-9a-f]{32}", odd.headers["X-Request-Id"])
    assert odd.headers.get_all("X-Request-Id") == [odd.headers["X-Request-Id"]]
    ids = [json.loads(line)["id"] for line in host.lines("pbxapi.log")]
    assert odd.headers["X-Request-Id"] in ids
    assert "my-request-1" in ids


def test_no_caller_chooses_his_address(call: Any, service: Service) -> None:
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-Ip", "True-Client-Ip"):
        answer = call("GET", "/extensions", **{"X-API-Key": "pbx_guessed", name: "203.0.113.77"})
        assert answer.status == 401
    log = service.log.read_text()
    assert "203.0.113.77" not in log
    assert "authentication failed from 127.0.0.1" in log


def test_what_fail2ban_reads_has_none_of_our_lines_and_ours_has_no_query(host: NginxHost, call: Any) -> None:
    call("GET", "/extensions?search=sesame")
    host.ask("GET", "/api/v1/plain", plain=True)
    call("POST", "/extensions", b"x" * (2 << 20))
    assert not [line for line in host.lines("access.log") if f"{PREFIX}/" in line]
    ours = [json.loads(line) for line in host.lines("pbxapi.log")]
    assert {"200", "403", "413"} <= {line["status"] for line in ours}
    assert not [line for line in host.lines("pbxapi.log") if "sesame" in line or API_KEY in line]
    assert host.logs.joinpath("pbxapi.log").match("pbxapi.log")
    assert not Path("pbxapi.log").match("access*.log")


def test_reads_share_connections_to_gunicorn(host: NginxHost, service: Service, call: Any) -> None:
    def accepted() -> int:
        kept = subprocess.run(["ss", "-xH", "state", "connected"], capture_output=True, text=True, check=True)
        return kept.stdout.count(str(service.path))

    for _ in range(30):
        assert call("GET", "/extensions?per_page=1").status == 200
    if not accepted():
        pytest.skip("ss shows no Unix sockets here")
    assert 1 <= accepted() <= 17


def test_no_request_fails_while_gunicorn_reloads(host: NginxHost, service: Service, system: Pbx) -> None:
    """The short form; `make soak` is the long one."""
    soak = int(os.environ.get("PBXAPI_SOAK", "0"))
    result = run_load(
        host, system.domain, service, requests=soak or 1000, clients=6, reload_seconds=3.0 if soak else 1.0
    )
    if soak:
        print(f"\n{replace(result, failed=[])}, failed: {len(result.failed)}")
    assert result.failed == []
    assert result.reloads >= 2
    kept = system.rows("select count(*) as number from v_call_block where call_block_name like 'load %%'")
    assert kept == [{"number": result.kept}]


class _Backend(BaseHTTPRequestHandler):
    """What stands for the API where an answer of its kind is not to be had."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def _answer(self) -> None:
        type(self).asked.append(f"{self.command} {self.path}")
        query = self.path.partition("?")[2]
        if query == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("X-Accel-Redirect", query)
        self.send_header("Content-Type", "audio/wav")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NginxHost]:
    folder = tmp_path_factory.mktemp("standin")
    _Backend.asked = []
    server = _UnixServer(str(folder / "api.sock"), _Backend)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with NginxHost(folder / "nginx", folder / "api.sock", "/pbxapi/v1") as made:
        yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_url_arrives_as_it_was_sent(stand_in: NginxHost) -> None:
    for path in ("/x/a%2Fb", "/x/%C3%A4%20b//c", "/x/a+b?q=%25%26&q=/", "/x/../x/%2e%2e/x"):
        _Backend.asked.clear()
        stand_in.ask("GET", f"/pbxapi/v1{path}")
        assert _Backend.asked == [f"GET /pbxapi/v1{path}"]


@pytest.mark.parametrize("kind", ["recordings", "voicemail"])
def test_audio_that_an_answer_names_is_sent_with_ranges(stand_in: NginxHost, kind: str) -> None:
    # Names that FusionPBX's rules would take elsewhere.
    for name in ("pbx.example.com/archive/a b.wav", "pbx.example.com/api/v1/x.php", "provision/001565aabbcc.cfg"):
        file = getattr(stand_in, kind) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(range(256)))
        path = f"/pbxapi/v1/x?/_pbxapi_files/{kind}/{name.replace(' ', '%20')}"
        whole = stand_in.ask("GET", path)
        assert (whole.status, whole.body) == (200, bytes(range(256))), name
        assert whole.headers["Content-Type"] == "audio/wav"
        assert whole.headers["Cache-Control"] == "no-store"
        part = stand_in.ask("GET", path, headers={"Range": "bytes=10-19"})
        assert (part.status, part.body) == (206, bytes(range(10, 20)))
        assert part.headers["Content-Range"] == "bytes 10-19/256"


def test_audio_that_is_not_there_is_told_in_the_apis_words(stand_in: NginxHost) -> None:
    for path in ("recordings/nothing.wav", "voicemail/", "elsewhere/x", "recordings/../nginx.key"):
        answer = stand_in.ask("GET", f"/pbxapi/v1/x?/_pbxapi_files/{path}")
        assert answer.status == 404, path
        assert json.loads(answer.body)["error"]["code"] == "NOT_FOUND"


def test_audio_is_not_found_over_a_link(stand_in: NginxHost) -> None:
    foreign = stand_in.recordings / "other.example.com" / "call.wav"
    foreign.parent.mkdir(parents=True, exist_ok=True)
    foreign.write_bytes(b"what others said")
    for kind in ("recordings", "voicemail"):
        own = getattr(stand_in, kind) / "pbx.example.com"
        own.mkdir(parents=True, exist_ok=True)
        (own / "link.wav").symlink_to(foreign)
        (own / "folder").symlink_to(foreign.parent)
        for name in ("link.wav", "folder/call.wav"):
            answer = stand_in.ask("GET", f"/pbxapi/v1/x?/_pbxapi_files/{kind}/pbx.example.com/{name}")
            assert answer.status == 404, name
            assert b"said" not in answer.body


def test_nobody_asks_for_a_file_himself(stand_in: NginxHost) -> None:
    (stand_in.recordings / "secret.wav").write_bytes(b"secret")
    for path in (
        "/_pbxapi_files/recordings/secret.wav",
        "/_pbxapi_files//recordings/secret.wav",
        "/x/../_pbxapi_files/recordings/secret.wav",
        "/pbxapi/v1/..%2f..%2f_pbxapi_files/recordings/secret.wav",
        "/_pbxapi_plain",
    ):
        for plain in (False, True):
            answer = stand_in.ask("GET", path, plain=plain)
            assert b"secret" not in answer.body
            assert answer.status in (301, 404, 403) or answer.body.startswith(b"PHP got this"), path


def test_a_write_is_never_sent_twice(stand_in: NginxHost) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for _ in range(3):
            _Backend.asked.clear()
            answer = stand_in.ask(method, "/pbxapi/v1/x?reset", b"{}")
            assert answer.status == 502
            assert json.loads(answer.body)["error"]["code"] == "UNAVAILABLE"
            assert answer.headers["Retry-After"] == "2"
            assert _Backend.asked == [f"{method} /pbxapi/v1/x?reset"]


def test_another_prefix_leaves_api_v1_to_php(stand_in: NginxHost) -> None:
    answer = stand_in.ask("GET", "/api/v1/extensions")
    assert answer.body == b"PHP got this: /api/index.php?rewrite_uri=v1/extensions\n"


def test_an_api_that_is_away_is_told_in_its_own_words(tmp_path: Path) -> None:
    with NginxHost(tmp_path / "nginx", tmp_path / "nobody.sock", PREFIX) as away:
        answer = away.ask("GET", f"{PREFIX}/extensions")
        assert answer.status == 502
        assert json.loads(answer.body)["error"]["code"] == "UNAVAILABLE"
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
        assert away.ask("GET", "/app/x.php").status == 200


def test_the_server_of_our_own_is_one_that_nginx_takes(host: NginxHost, tmp_path: Path) -> None:
    text = host.placed((OPS / "nginx" / "server.conf").read_text())
    (tmp_path / "server.conf").write_text(text)
    whole = (host.folder / "nginx.conf").read_text().replace(f"{host.folder}/fusionpbx", f"{tmp_path}/server.conf")
    (tmp_path / "nginx.conf").write_text(whole.replace("nginx.pid", "other.pid"))
    done = subprocess.run(
        ["nginx", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_snippet_brings_no_unix_socket_into_a_site_file() -> None:
    """FusionPBX's upgrades replace whatever follows unix: there."""
    for file in ("snippet.conf", "plain.conf", "proxy.conf", "server.conf", "include.py"):
        text = (OPS / "nginx" / file).read_text()
        assert "unix:" not in re.sub(r'"unix:"|\|unix:', "", text), file
