"""Event streams of a real gunicorn, over real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pbxapi.changes.relay import Relay
from pbxapi.data.database import Database
from pbxapi.data.events import last_position, note_event, number_events
from pbxapi.http import telling
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.process import claim_port, held
from pbxapi.sandbox.stack import Program
from pbxapi.testing import API_KEY, Pbx, close_pbx, make_pbx
from tests.ops.service import Service


@dataclass
class Message:
    """One message of a stream; one without data only names an id."""

    event: str = ""
    data: Any = None
    id: int | None = None
    retry: int | None = None
    comment: bool = False


@dataclass
class Stream:
    """A client that reads server-sent events from a socket of its own."""

    address: tuple[str, int] | Path
    domain: str
    key: str = API_KEY
    query: str = ""
    after: int | None = None
    version: str = "1.1"
    path: str = "/events"
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def open(self) -> Stream:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(self.address, Path) else socket.AF_INET)
        self.file = self.socket.makefile("rb")
        self.socket.settimeout(15)
        self.socket.connect(str(self.address) if isinstance(self.address, Path) else self.address)
        resume = f"Last-Event-ID: {self.after}\r\n" if self.after is not None else ""
        self.socket.sendall(
            f"GET /api/v1{self.path}{self.query} HTTP/{self.version}\r\nHost: test\r\nX-API-Key: {self.key}\r\n"
            f"X-Domain: {self.domain}\r\nAccept: text/event-stream\r\n{resume}\r\n".encode()
        )
        self.status = int(self.file.readline().split()[1])
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value
        if self.status != 200:
            self.body = self.file.read(int(self.headers["content-length"]))
            self.close()
        self.lines = self.read_lines()
        return self

    @property
    def error(self) -> Any:
        return json.loads(self.body)["error"]

    def read_lines(self) -> Iterator[str]:
        """Until the answer ends in order; EOFError where it is cut off."""
        rest = b""
        while chunk := self.read_chunk():
            rest += chunk
            *lines, rest = rest.split(b"\n")
            yield from (line.decode() for line in lines)

    def read_chunk(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.socket.recv(4096)
        size = self.file.readline()
        if not size:
            raise EOFError
        data = self.file.read(int(size, 16))
        assert self.file.readline() == b"\r\n"
        return data

    def messages(self) -> Iterator[Message]:
        message = Message()
        for line in self.lines:
            name, _, value = line.partition(": ")
            if not line:
                yield message
                message = Message()
            elif name == "data":
                message.data = json.loads(value)
            elif name == "event":
                message.event = value
            elif name == "id":
                message.id = self.after = int(value)
            elif name == "retry":
                message.retry = int(value)
            else:
                message.comment = True

    def told(self, count: int) -> list[Message]:
        """The next messages with data."""
        found: list[Message] = []
        for message in self.messages():
            if message.data is not None:
                found.append(message)
            if len(found) == count:
                break
        return found

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@dataclass
class Teller:
    """Notes events as the product does; the relay gives them their positions."""

    pbx: Pbx

    def tell(self, number: object, domain: str | None = "", **more: Any) -> None:
        """Note an event of a domain, the first one's if left out; None is the whole system."""
        with self.pbx.database.writing() as session:
            name = self.pbx.domain if domain == "" else domain
            uuid = session.value("select domain_uuid from v_domains where domain_name = %(name)s", name=name)
            note_event(session, "change.applied", {"number": number, **more}, domain_uuid=uuid)

    def settle(self) -> None:
        """Wait until all events have their positions."""
        _wait(lambda: not self.pbx.rows("select from pbxapi.event where position is null"))

    def head(self) -> int:
        with self.pbx.database.reading() as session:
            return last_position(session)


@dataclass
class Served(Teller):
    """A gunicorn of one process and two threads, and the relay."""

    port: int
    opened: list[Stream] = field(default_factory=list)

    def stream(self, **more: Any) -> Stream:
        self.opened.append(
            Stream(**{"address": ("127.0.0.1", self.port), "domain": self.pbx.domain, **more}).open()
        )
        return self.opened[-1]

    def close(self) -> None:
        while self.opened:
            self.opened.pop().close()

    def status(self) -> int:
        """Of an ordinary request."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(
                f"GET /api/v1/extensions?per_page=1 HTTP/1.1\r\nHost: test\r\nX-API-Key: {API_KEY}\r\n"
                f"X-Domain: {self.pbx.domain}\r\nConnection: close\r\n\r\n".encode()
            )
            return int(connection.makefile("rb").readline().split()[1])


@contextlib.contextmanager
def relaying(pbx: Pbx, redis_url: str) -> Iterator[None]:
    database = Database(pbx.config.database_url, max_size=2)
    relay = Relay(database, redis_url, keep_days=14)
    relay.start()
    yield
    relay.stop()
    relay.join()
    database.close()


@pytest.fixture(scope="module")
def own_pbx(postgres, template, tmp_path_factory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        pbx = make_pbx(url, tmp_path_factory.mktemp("streams"), service_url=url_of_role(url))
        yield pbx
        close_pbx(pbx)


@pytest.fixture(scope="module")
def served(own_pbx, redis_server, tmp_path_factory) -> Iterator[Served]:
    """Shared by tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("serve")
    port = claim_port(None)
    environment = {
        "PBXAPI_FUSIONPBX_CONF": os.devnull,
        "PBXAPI_DATABASE_URL": own_pbx.config.database_url,
        "PBXAPI_BIND": f"127.0.0.1:{port}",
        "PBXAPI_WORKERS": "1",
        "PBXAPI_THREADS": "2",
        "PBXAPI_STREAMS": "40",
        "PBXAPI_STREAMS_PER_KEY": "30",
    }

    def ready(_: float) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    log = folder / "serve.log"
    with held(folder) as lock, relaying(own_pbx, redis_server.url):
        program = Program("serve", environment=environment, ready=ready, log=log, lock=lock)
        program.start()
        yield Served(own_pbx, port)
        program.stop()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(autouse=True)
def _closed(request) -> Iterator[None]:
    yield
    if "served" in request.fixturenames:
        request.getfixturevalue("served").close()


def test_a_stream_tells_a_change_as_it_is_committed(served):
    stream = served.stream()
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["x-accel-buffering"] == "no"
    made = served.pbx.client.create("extensions", extension="3101", password="s3cret-Pa55word-x")
    (message,) = stream.told(1)
    assert message.event == message.data["type"] == "extension.created"
    assert message.id == message.data["sequence"]
    assert message.data["data"]["uuid"] == made
    assert message.data["data"]["record"]["extension"] == "3101"
    assert message.data["domain"]["name"] == served.pbx.domain
    assert "s3cret" not in json.dumps(message.data)


def test_a_stream_starts_with_the_place_where_it_stands(served):
    stream = served.stream()
    first = next(stream.messages())
    assert first.id == served.head()
    assert 1000 <= first.retry <= 4000


def test_streams_leave_every_thread_to_requests(served):
    streams = [served.stream() for _ in range(20)]
    assert {stream.status for stream in streams} == {200}
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(served.status())) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 10
    served.tell("all")
    for stream in streams:
        assert stream.told(1)[0].data["data"]["number"] == "all"


def test_a_stream_that_has_served_a_request_before_is_taken_over_too(served):
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    head = f"Host: test\r\nX-API-Key: {API_KEY}\r\nX-Domain: {served.pbx.domain}\r\n"
    connection.sendall(f"GET /api/v1/openapi.jso HTTP/1.1\r\n{head}\r\n".encode())
    answer = b""
    while b'"}}' not in answer:
        answer += connection.recv(4096)
    connection.sendall(f"GET /api/v1/events HTTP/1.1\r\n{head}Accept: text/event-stream\r\n\r\n".encode())
    answer = b""
    while b"retry:" not in answer:
        answer += connection.recv(4096)
    served.tell("kept alive")
    while b"kept alive" not in answer:
        more = connection.recv(4096)
        assert more
        answer += more
    connection.close()


def test_a_client_of_http_1_0_gets_the_bare_events(served):
    stream = served.stream(version="1.0")
    assert "transfer-encoding" not in stream.headers
    served.tell("bare")
    assert stream.told(1)[0].data["data"]["number"] == "bare"


def test_open_streams_are_counted_for_the_metrics(served):
    def clients() -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("pbxapi_event_stream_clients "))

    _wait(lambda: clients() == 0)
    served.stream()
    served.stream()
    assert clients() == 2
    served.close()
    _wait(lambda: clients() == 0)


def test_the_php_family_streams_too(served):
    stream = served.stream(path="/events/list.php")
    served.tell("php")
    assert stream.told(1)[0].data["data"]["number"] == "php"


def test_head_holds_no_place(served):
    for _ in range(35):
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
            connection.sendall(
                f"HEAD /api/v1/events HTTP/1.1\r\nHost: test\r\nX-API-Key: {API_KEY}\r\nConnection: close\r\n"
                f"X-Domain: {served.pbx.domain}\r\nAccept: text/event-stream\r\n\r\n".encode()
            )
            assert b" 200 " in connection.makefile("rb").readline()
    assert served.stream().status == 200


def test_a_domains_stream_has_only_its_events(served):
    ours, theirs = served.stream(), served.stream(domain=served.pbx.other_domain)
    served.tell("ours")
    served.tell("theirs", served.pbx.other_domain)
    served.tell("the system's", None)
    served.tell("ours, later")
    assert [m.data["data"]["number"] for m in ours.told(2)] == ["ours", "ours, later"]
    assert [m.data["data"]["number"] for m in theirs.told(1)] == ["theirs"]


def test_the_systems_key_may_ask_for_all_domains(served):
    stream = served.stream(query="?all_domains=true")
    for domain in (served.pbx.domain, served.pbx.other_domain, None):
        served.tell(str(domain), domain)
    assert [m.data["data"]["number"] for m in stream.told(3)] == [
        served.pbx.domain, served.pbx.other_domain, "None",
    ]  # fmt: skip


def made_key(served: Served, *scopes: str, **more: Any) -> tuple[str, str]:
    reply = served.pbx.client.request("POST", "/api-keys", {"name": "test", "scopes": list(scopes), **more})
    served.settle()
    return reply.data["api_key_uuid"], reply.data["key"]


def test_all_domains_of_a_key_are_those_that_it_is_bound_to(served):
    _, key = made_key(served, "*:read")
    stream = served.stream(key=key, query="?all_domains=true")
    served.tell("theirs", served.pbx.other_domain)
    served.tell("the system's", None)
    served.tell("ours")
    assert [m.data["data"]["number"] for m in stream.told(1)] == ["ours"]


def test_a_stream_tells_only_what_was_asked_for(served):
    stream = served.stream(query="?types=gateway.*,*.deleted")
    made = served.pbx.client.create("extensions", extension="3102")
    served.pbx.client.delete("extensions", made)
    (message,) = stream.told(1)
    assert message.event == "extension.deleted"


def test_a_key_hears_only_what_it_may_read(served):
    _, key = made_key(served, "events:read", "changes:read")
    stream = served.stream(key=key)
    served.pbx.client.create("extensions", extension="3103")
    served.tell("a change")
    assert [m.event for m in stream.told(1)] == ["change.applied"]
    refused = served.stream(key=key, query="?types=extension.*")
    assert (refused.status, refused.error["code"]) == (403, "FORBIDDEN")
    assert "extensions:read" in refused.error["message"]
    _, other = made_key(served, "extensions:read")
    refused = served.stream(key=other)
    assert (refused.status, refused.error["message"]) == (403, "The key lacks the scope events:read")


@pytest.mark.parametrize(
    ("query", "field"), [("?types=no.such", "types"), ("?types=a*b*c*d", "types"), ("?after=x", "after")]
)
def test_what_cannot_be_asked_for_is_refused(served, query, field):
    refused = served.stream(query=query)
    assert (refused.status, refused.error["field"]) == (400, field)


@pytest.mark.parametrize("after", ["x", "-1", "9" * 19, "1" * 40])
def test_an_id_that_is_none_is_refused(served, after):
    refused = served.stream(after=after)
    assert (refused.status, refused.error["field"]) == (400, "Last-Event-ID")


def test_a_stream_goes_on_after_the_last_event_that_the_client_has(served):
    stream = served.stream()
    served.tell(1)
    stream.told(1)
    stream.close()
    for number in range(2, 302):
        served.tell(number)
    again = served.stream(after=stream.after)
    served.tell(302)
    assert [m.data["data"]["number"] for m in again.told(301)] == list(range(2, 303))


def test_after_in_the_url_is_where_a_stream_begins_and_the_header_goes_before_it(served):
    start = served.head()
    served.tell("one")
    served.tell("two")
    stream = served.stream(query=f"?after={start}")
    assert [m.data["data"]["number"] for m in stream.told(2)] == ["one", "two"]
    again = served.stream(query=f"?after={start}", after=start + 1)
    assert [m.data["data"]["number"] for m in again.told(1)] == ["two"]


def test_what_is_no_longer_kept_is_told_as_a_gap(served):
    served.tell("forgotten")
    served.tell("kept")
    served.settle()
    position = served.head()
    served.pbx.run("delete from pbxapi.event where position < %(position)s", position=position)
    stream = served.stream(after=1)
    gap, kept = stream.told(2)
    assert (gap.event, gap.data) == ("stream.gap", {"after": 1, "resumed_after": position - 1})
    assert kept.data["data"]["number"] == "kept"


def test_an_id_from_the_future_is_told_as_a_gap(served):
    head = served.head()
    stream = served.stream(after=head + 1000)
    served.tell("now")
    gap, now = stream.told(2)
    assert (gap.event, gap.data) == ("stream.gap", {"after": head + 1000, "resumed_after": head})
    assert now.data["data"]["number"] == "now"


def test_a_stream_ends_with_its_key_its_scope_and_its_domain(served):
    revoked, key = made_key(served, "*:read")
    narrowed, other_key = made_key(served, "*:read")
    only = "?types=change.*"
    streams = [
        served.stream(key=key, query=only),
        served.stream(key=other_key, query=only),
        served.stream(domain=served.pbx.other_domain, query=only),
    ]
    stays = served.stream(query=only)
    disable = "update v_domains set domain_enabled = %(on)s where domain_name = %(name)s"
    served.pbx.client.delete("api-keys", revoked)
    served.pbx.client.update("api-keys", narrowed, scopes=["changes:read"])
    served.pbx.run(disable, on=False, name=served.pbx.other_domain)
    try:
        for stream in streams:
            assert [message.event for message in stream.messages() if message.data] == ["stream.end"]
            assert stream.socket.recv(1) == b""
    finally:
        served.pbx.run(disable, on=True, name=served.pbx.other_domain)
    served.tell("still")
    assert stays.told(1)[0].data["data"]["number"] == "still"


def test_there_are_bounds_for_a_key_and_for_the_process(served):
    streams = [served.stream() for _ in range(30)]
    refused = served.stream()
    assert (refused.status, refused.error["code"]) == (429, "TOO_MANY_STREAMS")
    assert int(refused.headers["retry-after"]) > 0
    _, key = made_key(served, "*:read")
    streams += [served.stream(key=key) for _ in range(10)]
    _, third = made_key(served, "*:read")
    refused = served.stream(key=third)
    assert (refused.status, refused.error["code"]) == (503, "TOO_MANY_STREAMS")
    assert {stream.status for stream in streams} == {200}
    for stream in streams:
        stream.close()
    _wait(lambda: _opens(served))


def _opens(served: Served) -> bool:
    stream = served.stream()
    if stream.status == 200:
        stream.close()
    return stream.status == 200


def test_a_reader_that_is_slow_gets_everything_and_holds_up_nobody(served):
    slow, quick = served.stream(), served.stream()
    text = "x" * 20_000
    for number in range(300):
        served.tell(number, text=text)
    assert len(quick.told(300)) == 300
    assert [m.data["data"]["number"] for m in slow.told(300)] == list(range(300))


def test_nothing_is_lost_while_the_server_is_reloaded_and_killed_and_events_go_on(own_pbx, redis_server, tmp_path):
    heard: list[object] = []
    reasons: list[str] = []
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    first = service = Service(tmp_path / "first", own_pbx.config.database_url)
    teller = Teller(own_pbx)
    start = teller.head()

    def listen() -> None:
        after = start
        while "the end" not in heard:
            stream = Stream(service.path, own_pbx.domain, query="?types=change.applied", after=after)
            try:
                for message in stream.open().messages():
                    if message.event == "change.applied":
                        heard.append(message.data["data"]["number"])
                    elif message.event:
                        reasons.append(message.data["reason"])
                    after = stream.after
            except (OSError, EOFError, ValueError, IndexError):
                time.sleep(0.02)
            finally:
                stream.close()

    with relaying(own_pbx, redis_server.url):
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        for number in range(300):
            teller.tell(number)
            if number == 100:
                _wait(lambda: heard)
                first.reload()
                _wait(lambda: reasons)
            if number == 200:
                first.stop()
                teller.tell("meanwhile")
                service = Service(tmp_path / "second", own_pbx.config.database_url)
        teller.tell("the end")
        _wait(lambda: "the end" in heard)
    service.stop()
    thread.join(10)
    assert heard == [*range(201), "meanwhile", *range(201, 300), "the end"]
    assert reasons == ["The server restarts"]


def test_streams_live_through_a_restart_of_postgresql(served):
    stream = served.stream()
    served.tell("before")
    stream.told(1)
    served.pbx.run(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'pbxapi-api' and datname = current_database()"
    )
    served.tell("after")
    assert stream.told(1)[0].data["data"]["number"] == "after"


class Near:
    """A stream within this process, whose clock can be hurried."""

    def __init__(self, pbx: Pbx, **headers: str) -> None:
        theirs, self.socket = socket.socketpair()
        self.socket.settimeout(10)
        response = pbx.app.test_client().get(
            f"{pbx.config.url_prefix}/events",
            headers={
                "X-API-Key": API_KEY, "X-Domain": pbx.domain, "Accept": "text/event-stream", **headers,
            },
            environ_overrides={"gunicorn.socket": theirs, "SERVER_PROTOCOL": "HTTP/1.0"},
        )  # fmt: skip
        self.first = response.get_data()
        theirs.close()

    def read_until(self, end: bytes) -> bytes:
        found = b""
        while end not in found:
            more = self.socket.recv(65536)
            assert more, found
            found += more
        return found


@pytest.fixture
def hurried(pbx, monkeypatch) -> Iterator[Pbx]:
    """A system whose streams look at the time every 50 ms."""
    monkeypatch.setattr(telling, "TICK", 0.05)
    yield pbx
    pbx.app.extensions["pbxapi"].streams.close()


def tell(pbx: Pbx, number: int, **more: Any) -> None:
    with pbx.database.writing() as session:
        uuid = session.value("select domain_uuid from v_domains where domain_name = %(name)s", name=pbx.domain)
        note_event(session, "change.applied", {"number": number, **more}, domain_uuid=uuid)
    with pbx.database.writing() as session:
        number_events(session)


def test_silence_is_broken_by_a_comment_that_names_the_place(hurried, monkeypatch):
    monkeypatch.setattr(telling, "HEARTBEAT", 0.2)
    near = Near(hurried)
    assert near.read_until(b"\n\n") == b": \n\n"
    with hurried.database.writing() as session:
        note_event(session, "change.applied", {}, domain_uuid=None)
    tell(hurried, 1)
    assert b"id: 2\nevent: change.applied" in near.read_until(b"}\n\n")
    near.socket.close()


def test_a_stream_that_may_hear_nothing_is_told_where_it_stands(hurried, monkeypatch):
    monkeypatch.setattr(telling, "HEARTBEAT", 0.2)
    near = Near(hurried, **{"X-Domain": hurried.other_domain})
    tell(hurried, 1)
    assert near.read_until(b"id: 1\n\n").count(b"data") == 0
    near.socket.close()


def test_a_client_that_takes_nothing_is_let_go_and_costs_a_bounded_buffer(hurried, monkeypatch):
    monkeypatch.setattr(telling, "STALL", 0.5)
    of_app = hurried.app.extensions["pbxapi"].streams
    near = Near(hurried)
    for number in range(100):
        tell(hurried, number, text="x" * 20_000)
    _wait(lambda: of_app.count == 0)
    taken = 0
    with contextlib.suppress(ConnectionResetError):
        while more := near.socket.recv(65536):
            taken += len(more)
    assert 0 < taken < 1_000_000
    near.socket.close()


def test_positions_that_a_restored_backup_took_back_are_told_as_a_gap(hurried):
    near = Near(hurried)
    for number in range(5):
        tell(hurried, number)
    near.read_until(b'"number":4')
    hurried.run("delete from pbxapi.event where position > 2")
    hurried.run("update pbxapi.event_head set position = 2")
    found = near.read_until(b'"resumed_after":2}\n\n')
    assert b'id: 2\nevent: stream.gap\ndata: {"after":5,"resumed_after":2}\n\n' in found
    tell(hurried, 77)
    assert b"id: 3\n" in near.read_until(b'"number":77')
    near.socket.close()


def test_a_server_that_is_not_gunicorn_says_that_it_cannot_stream(client):
    reply = client.request("GET", "/events", headers={"Accept": "text/event-stream"})
    assert (reply.status, reply.error["code"]) == (503, "STREAMS_UNAVAILABLE")


def _wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
