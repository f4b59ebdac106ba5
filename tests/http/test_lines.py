"""The log: one line a request, no secret in it, and no way for a caller to write a line of his own."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from pbxapi.data.keys import create_key
from pbxapi.logs import JsonFormatter, PlainFormatter
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import API_KEY, Client, Pbx, close_pbx, make_pbx

SECRET = "hunter2-hunter2"


class Log:
    """What the product writes in one format."""

    def __init__(self, format: str) -> None:
        self.format = format
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(JsonFormatter() if format == "json" else PlainFormatter())

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The fields of the lines on requests."""
        if self.format == "json":
            return [told for told in map(json.loads, self.lines) if told["logger"] == "pbxapi.request"]
        found = [line for line in self.lines if " INFO pbxapi.request: request " in line]
        return [dict(re.findall(r' (\w+)=("(?:[^"\\]|\\.)*"|\S+)', line)) for line in found]


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """One for all of these tests: they change nothing that another one looks at."""
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("pbx"))
        yield system
        close_pbx(system)


@pytest.fixture(params=["plain", "json"])
def log(request: pytest.FixtureRequest, pbx: Pbx) -> Iterator[Log]:
    written, root = Log(request.param), logging.getLogger("pbxapi")
    root.addHandler(written.handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield written
    root.setLevel(level)
    root.removeHandler(written.handler)


def test_a_request_is_one_line_with_whose_it_was_and_what_it_led_to(log: Log, client: Client) -> None:
    uuid = client.list("extensions")[0]["extension_uuid"]
    client.request("GET", f"/extensions/{uuid}", headers={"X-Request-Id": "order-4711"})
    assert len(log.lines) == 2
    told = log.requests[-1]
    milliseconds = told.pop("ms")
    assert 0 < float(milliseconds) < 60_000
    for name in ("time", "level", "logger", "message"):
        told.pop(name, None)
    assert {name: str(value) for name, value in told.items()} == {
        "id": "order-4711",
        "key": "system",
        "domain": client.domain,
        "method": "GET",
        "route": "/api/v1/extensions/<record:uuid>",
        "path": f"/api/v1/extensions/{uuid}",
        "status": "200",
        "address": "127.0.0.1",
    }


def test_the_php_family_tells_the_record_and_nothing_else_of_the_query(log: Log, client: Client) -> None:
    uuid = client.list("extensions")[0]["extension_uuid"]
    client.request("GET", "/extensions/get.php", query={"uuid": uuid, "api_key": SECRET, "password": SECRET})
    told = log.requests[-1]
    assert (told["route"], told["record"]) == ("/api/v1/extensions/get.php", uuid)
    assert SECRET not in "".join(log.lines)


def test_neither_bodies_nor_keys_are_told(log: Log, pbx: Pbx) -> None:
    pbx.client.call("extensions", "create", json={"extension": "7001", "password": SECRET})
    Client(pbx.app, pbx.domain, SECRET).request("GET", "/extensions", headers={"Authorization": SECRET})
    with pbx.database.writing() as session:
        uuid, key = create_key(session, name="ended", scopes=["*"], expires_at="2001-01-01T00:00:00Z")
    Client(pbx.app, pbx.domain, key).request("GET", "/extensions")
    text = "".join(log.lines)
    assert str(uuid) in text
    assert [secret for secret in (SECRET, API_KEY, key) if secret in text] == []


def bans(log: Log) -> list[str]:
    """The addresses that docs/operators.md has fail2ban look for."""
    plain = r"^\S+ WARNING pbxapi\.auth: authentication failed from (\S+)$"
    of_json = (
        r'^\{"time": "\S+", "level": "WARNING", "logger": "pbxapi\.auth", '
        r'"message": "authentication failed from (\S+)"\}$'
    )
    pattern = re.compile(of_json if log.format == "json" else plain)
    return [found[1] for line in log.lines if (found := pattern.match(line))]


def from_address(pbx: Pbx, key: str, address: str, path: str = "/api/v1/extensions", **headers: str) -> int:
    return (
        pbx.app.test_client()
        .get(path, headers={"X-API-Key": key, **headers}, environ_base={"REMOTE_ADDR": address})
        .status_code
    )


def test_a_guessed_key_is_told_with_its_address(log: Log, pbx: Pbx) -> None:
    assert from_address(pbx, "wrong", "192.0.2.7") == 401
    assert from_address(pbx, "pbx_" + "0" * 40, "2001:db8::7") == 401
    assert bans(log) == ["192.0.2.7", "2001:db8::7"]
    assert [str(told["status"]) for told in log.requests] == ["401", "401"]


def test_who_guesses_nothing_is_not_told_so(log: Log, pbx: Pbx) -> None:
    """A key that has ended, one from the wrong network, none at all: no reason to take an office's telephones."""
    with pbx.database.writing() as session:
        ended = create_key(session, name="ended", scopes=["*"], expires_at="2001-01-01T00:00:00Z")[1]
        bound = create_key(session, name="bound", scopes=["*"], networks=["198.51.100.0/24"])[1]
    assert [from_address(pbx, key, "192.0.2.7") for key in (ended, bound)] == [401, 401]
    assert pbx.app.test_client().get("/api/v1/extensions").status_code == 401
    assert bans(log) == []
    assert len([line for line in log.lines if "has ended, or may not be used from 192.0.2.7" in line]) == 2


FORGED = "2026-01-01T00:00:00.000Z WARNING pbxapi.auth: authentication failed from 203.0.113.9"
FORGED_JSON = (
    '{"time": "2026", "level": "WARNING", "logger": "pbxapi.auth", '
    '"message": "authentication failed from 203.0.113.9"}'
)
BREAKS = ("\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\x1b[2K")


@pytest.mark.parametrize("forged", [FORGED, FORGED_JSON])
def test_no_caller_can_write_a_line_of_his_own(log: Log, pbx: Pbx, forged: str) -> None:
    for line_break in BREAKS:
        before, text = len(log.lines), f"x{line_break}{forged}{line_break}"
        environ = {
            "HTTP_X_API_KEY": text,
            "HTTP_X_DOMAIN": text,
            "HTTP_X_REQUEST_ID": text,
            "HTTP_USER_AGENT": text,
            "HTTP_X_FORWARDED_FOR": text,
            "REMOTE_ADDR": text,
            "REQUEST_METHOD": "GET",
            "PATH_INFO": f"/api/v1/extensions/{text}".encode().decode("latin-1"),
        }
        pbx.app.test_client().open("/", environ_overrides=environ)
        pbx.app.test_client().open("/", environ_overrides={**environ, "HTTP_X_API_KEY": API_KEY})
        # One for the wrong key, and one for each request.
        assert len(log.lines) - before == 3
    assert "203.0.113.9" not in "".join(bans(log))


def test_what_an_exception_says_begins_no_line(log: Log) -> None:
    try:
        raise ValueError(f"no\n{FORGED}\u2028{FORGED}\n{FORGED_JSON}")
    except ValueError:
        logging.getLogger("pbxapi.http").exception("failed for %s", f"a\n{FORGED}")
    assert bans(log) == []
    assert len([line for line in log.lines if not line.startswith("    ")]) == 1


def test_a_path_that_leads_nowhere_is_told_without_a_route(log: Log, client: Client) -> None:
    client.request("GET", f"/nothing/{uuid4()}", query={"token": SECRET})
    assert "route" not in log.requests[-1]
    assert log.requests[-1]["path"].startswith("/api/v1/nothing/")
    assert SECRET not in "".join(log.lines)


def test_a_probe_that_succeeds_is_no_line(log: Log, pbx: Pbx) -> None:
    assert pbx.app.test_client().get("/healthz").status_code == 200
    assert log.lines == []
