"""Whatever goes wrong, the answer is JSON in the error envelope, without a traceback and without a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pbxapi.data.database import Database, Session
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.errors import SwitchUnavailable
from pbxapi.sandbox import sample
from pbxapi.sandbox.database import create_schema
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import API_KEY, FOLDERS, Pbx, Reply, close_pbx, make_pbx

SECRET = "a-very-secret-password"


class Unforeseen(Exception):
    """A bug that nobody has thought of."""


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every statement on extensions fail in a way that nobody has thought of."""
    execute = Session._execute

    def failing(session: Session, statement: Any, *arguments: Any, **named: Any) -> Any:
        if "v_extensions" in getattr(statement, "text", statement):
            raise Unforeseen(f"password={SECRET} key={API_KEY}")
        return execute(session, statement, *arguments, **named)

    monkeypatch.setattr(Session, "_execute", failing)


def is_plain(reply: Reply) -> None:
    """Nothing of the inside is told."""
    text = f"{reply.body} {dict(reply.headers)}"
    for word in (
        SECRET,
        API_KEY,
        "Traceback",
        "Unforeseen",
        "psycopg",
        "select ",
        ".py",
        "<html",
        "postgresql://",
    ):
        assert word not in text, f"the answer tells {word!r}: {text}"


@pytest.mark.usefixtures("bug")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/extensions", None),
        ("GET", "/extensions/list.php", None),
        ("POST", "/extensions", {"extension": "7001"}),
    ],
)
def test_a_bug_is_an_internal_error_with_the_id_of_the_request(
    pbx: Pbx, method: str, path: str, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reply = pbx.client.request(method, path, body, headers={"X-Request-Id": "order-4711.a"})
    assert reply.status == 500
    assert reply.body == {
        "success": False,
        "error": {"code": "INTERNAL_ERROR", "message": "Internal server error", "request_id": "order-4711.a"},
    }
    assert reply.headers["X-Request-Id"] == "order-4711.a"
    assert reply.headers["Content-Type"] == "application/json"
    is_plain(reply)
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "order-4711.a" in record.getMessage()
    assert "extensions" in record.getMessage(), "the log names the plugin"
    assert record.exc_info


@pytest.mark.usefixtures("bug")
def test_a_request_after_a_bug_is_served(pbx: Pbx) -> None:
    assert pbx.client.request("GET", "/extensions").status == 500
    assert pbx.client.request("GET", "/changes").status == 200


def test_a_write_that_meets_a_bug_leaves_nothing(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **named: Any) -> None:
        raise Unforeseen

    monkeypatch.setattr("pbxapi.data.change.note_changes", broken)
    assert pbx.client.call("extensions", "create", json={"extension": "7001"}).status == 500
    assert pbx.rows("select 1 from v_extensions where extension = '7001'") == []
    assert pbx.rows("select 1 from v_database_transactions") == []


def test_a_switch_that_does_not_answer_is_told(pbx: Pbx) -> None:
    def mute(question: str, arguments: Any) -> Any:
        raise SwitchUnavailable(f"auth {SECRET}")

    pbx.app.extensions["pbxapi"].ask = mute
    reply = pbx.client.request("GET", "/dashboard/registrations")
    assert (reply.status, reply.error["code"]) == (503, "SWITCH_UNAVAILABLE")
    is_plain(reply)


@pytest.mark.parametrize(
    "path",
    [
        "//extensions/list.php",
        "/extensions//list.php",
        "/extensions/../extensions/list.php",
        "/extensions/list.php/",
        "/extensions/%00",
        "/extensions/%ff%fe",
        "/extensions/list.php%0d%0aX-Evil:%201",
        "/extensions/" + "x" * 3000,
        "/" + "a/" * 500,
        "/extensions/get.php?uuid=%00",
        "/extensions?search=%00",
        "/extensions?page=%ff",
        "/extensions?" + "a=1&" * 500,
        "/extensions?sort=%00&cursor=%00",
        "/..%2f..%2fetc/passwd",
    ],
)
def test_an_odd_path_is_answered_in_json(pbx: Pbx, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"):
        response = pbx.app.test_client().open(
            f"/api/v1{path}", method=method, headers={"X-API-Key": API_KEY, "X-Domain": pbx.domain}
        )
        assert response.status_code < 500 or response.status_code == 501, f"{method} {path}: {response.text}"
        assert not 300 <= response.status_code < 400, f"{method} {path}: {response.headers}"
        assert response.content_type == "application/json"
        assert response.get_json()["success"] is (response.status_code == 200)
        assert "X-Evil" not in response.headers


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/", "/api", "/api/v1x/extensions", "/index.php"])
def test_a_path_that_is_none_is_not_found_in_json(pbx: Pbx, path: str) -> None:
    response = pbx.app.test_client().get(path, headers={"X-API-Key": API_KEY, "X-Domain": pbx.domain})
    assert (response.status_code, response.get_json()["error"]["code"]) == (404, "NOT_FOUND")
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Domain": "\u00fc\u00df.example"},
        {"X-Domain": "a" * 5000},
        {"X-Domain": "pbx.example.com\t"},
        {"X-Domain": "{5f0c2a4e-7d6b-4d1c-9a55-3c1f0e8b7a10}"},
        {"X-API-Key": "\u00fc"},
        {"X-API-Key": "x" * 5000},
        {"X-Request-Id": "\u00fc" * 20},
        {"X-Request-Id": "a" * 5000},
        {"Prefer": "wait=99999999999999999999"},
        {"Prefer": "wait=-1; respond-async, wait="},
        {"Content-Length": "-5"},
        {"Content-Length": "many"},
        {"Content-Type": "\u00fc/\u00fc; charset=nonsense"},
        {"X-Forwarded-For": "'; drop table v_users; --"},
        {"X-Allow-Global": "\u00fc"},
        {"Accept": "text/html"},
    ],
)
def test_an_odd_header_is_no_internal_error(pbx: Pbx, headers: dict[str, str]) -> None:
    for method, path, body in (("GET", "/extensions", None), ("PUT", f"/extensions/{sample.uuid_of('x')}", b"{}")):
        reply = pbx.client.request(method, path, body=body, headers=headers)
        assert reply.status < 500, reply.body
        assert reply.body["success"] is (reply.status == 200)
        assert len(reply.headers["X-Request-Id"]) <= 64


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, Pbx]]:
    """A telephone system on a PostgreSQL of its own, which may be stopped."""
    with EmbeddedPostgres.temporary() as server:
        url = server.create_database("own")
        create_schema(url)
        folders = {name: tmp_path / name for name in FOLDERS}
        sample.fill(url, key=API_KEY, xml_dirs=folders, extensions=5, cdrs=5)
        migrate(Database(url), builtin_migrations())
        system = make_pbx(url, tmp_path / "pbx")
        yield server, system
        close_pbx(system)


def test_while_the_database_is_away_the_answer_says_so_and_then_it_works_again(
    own_server: tuple[EmbeddedPostgres, Pbx], caplog: pytest.LogCaptureFixture
) -> None:
    server, system = own_server
    uuid = system.client.create("extensions", extension="7001")
    server.stop()
    for method, path, body in (("GET", "/extensions", None), ("PUT", f"/extensions/{uuid}", {"description": "x"})):
        reply = system.client.request(method, path, body)
        assert (reply.status, reply.error["code"]) == (503, "DATABASE_UNAVAILABLE")
        assert reply.headers["Retry-After"] == "1"
        is_plain(reply)
    assert API_KEY not in caplog.text
    server.start()
    assert system.client.get("extensions", uuid)["description"] == ""
    system.client.update("extensions", uuid, description="back")
    server.stop()
    server.start()
    assert system.client.get("extensions", uuid)["description"] == "back"
