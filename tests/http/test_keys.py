"""Keys at the door: who is let in, to which domains, to do what, from where, how long and how often."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from pbxapi.config import load_config
from pbxapi.data.keys import COMMAND_LINE, covers, create_key, digest, list_keys, moment, network, scope
from pbxapi.errors import ConfigError
from pbxapi.http import callers, rates
from pbxapi.plugin import REDACTED
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.sandbox.sample import CLOSED_DOMAIN_UUID, DOMAIN_UUID, SECOND_DOMAIN_UUID
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx

NOBODY = "pbx_" + "0" * 40


def key_of(pbx: Pbx, *scopes: str, domains: list[UUID] | None = None, **more: Any) -> str:
    with pbx.database.writing() as session:
        return create_key(session, name="test", scopes=scopes, domains=domains, **more)[1]


def caller(pbx: Pbx, *scopes: str, domain: str | None = None, **more: Any) -> Client:
    return Client(pbx.app, pbx.domain if domain is None else domain, key_of(pbx, *scopes, **more))


def routes(app: Flask, prefix: str = "/api/v1") -> list[tuple[str, str]]:
    """Method and path of every route below the prefix, with a made-up uuid where one stands.

    Left out is what the pages in a browser consist of, which anybody may read.
    """
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(prefix + "/") and not rule.rule.startswith(prefix + "/pages/"):
            path = rule.rule.removeprefix(prefix)
            for argument in rule.arguments:
                path = path.replace(f"<{argument}>", str(uuid4())).replace(f"<record:{argument}>", str(uuid4()))
            found += [(method, path) for method in sorted(rule.methods - {"OPTIONS"})]
    return found


def refused(reply: Reply) -> bool:
    error = {"success": False, "error": {"code": "UNAUTHORIZED", "message": "Invalid API key"}}
    return reply.status == 401 and reply.body in (None, error)


OPEN = {(method, path) for method in ("GET", "HEAD") for path in ("/openapi.json", "/docs", "/console")}
STATE = {("GET", "/readyz"), ("HEAD", "/readyz")}
"""Anybody with a key may know whether this host serves."""


def test_a_wrong_key_is_refused_on_every_route(pbx: Pbx) -> None:
    table = routes(pbx.app)
    assert ("DELETE", "/extensions/delete.php") in table
    for key in ("wrong", NOBODY):
        client = Client(pbx.app, pbx.domain, key)
        assert [route for route in table if not refused(client.request(*route, {}))] == []


def test_a_missing_key_is_refused_on_every_route_but_the_open_ones(pbx: Pbx) -> None:
    client = Client(pbx.app, pbx.domain, "")
    let_in = {route for route in routes(pbx.app) if not refused(client.request(*route, headers={"X-API-Key": ""}))}
    without = {
        (method, path)
        for method, path in routes(pbx.app)
        if pbx.app.test_client().open("/api/v1" + path, method=method).status_code != 401
    }
    assert let_in == set()
    assert without == OPEN


def test_a_wrong_key_is_refused_where_no_route_is(pbx: Pbx) -> None:
    for path in ("/nothing/at/all", "/extensions/foo.php", "/extensions/" + "x" * 300):
        assert refused(Client(pbx.app, pbx.domain, NOBODY).request("GET", path))


def test_a_key_without_scopes_may_do_nothing_on_any_route(pbx: Pbx) -> None:
    client = caller(pbx)
    table = [route for route in routes(pbx.app) if route not in OPEN | STATE]
    replies = {route: client.request(*route, {}) for route in table}
    assert {route: reply.status for route, reply in replies.items() if reply.status != 403} == {}
    deleted = replies["DELETE", "/extensions/delete.php"]
    assert deleted.error == {"code": "FORBIDDEN", "message": "The key lacks the scope extensions:write"}


def test_every_route_needs_the_scope_that_its_document_names(pbx: Pbx) -> None:
    document = pbx.app.test_client().get("/api/v1/openapi.json").get_json()
    client = caller(pbx)
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in ("get", "post", "put", "patch", "delete"):
                place = path.removeprefix("/api/v1").replace("{uuid}", str(uuid4()))
                message = client.request(method.upper(), place, {}).error["message"]
                assert operation["description"] == f"Needs the scope `{message.rsplit(' ', 1)[1]}`."
                asked += 1
    assert asked > 20


def test_scopes_tell_reading_from_writing(pbx: Pbx) -> None:
    reader = caller(pbx, "extensions:read")
    uuid = reader.list("extensions")[0]["extension_uuid"]
    assert reader.call("extensions", "get", uuid).status == 200
    assert reader.call("extensions", "update", uuid, {"description": "no"}).status == 403
    assert reader.call("extensions", "delete", uuid).status == 403
    writer = caller(pbx, "extensions:write")
    assert writer.call("extensions", "update", uuid, {"description": "yes"}).status == 200
    assert writer.call("extensions", "list").status == 403
    assert pbx.client.get("extensions", uuid)["description"] == "yes"


def test_changes_are_read_with_a_scope_of_their_own(pbx: Pbx) -> None:
    made = pbx.client.call("extensions", "create", json={"extension": "7001"})
    change = made.headers["X-Change-Id"]
    assert caller(pbx, "changes:read").call("changes", "get", change).status == 200
    assert caller(pbx, "extensions:*").call("changes", "get", change).status == 403


def test_what_a_key_may_not_do_does_not_tell_what_there_is(pbx: Pbx) -> None:
    there = pbx.client.list("extensions")[0]["extension_uuid"]
    client = caller(pbx, "changes:read")
    assert client.call("extensions", "get", there).body == client.call("extensions", "get", uuid4()).body


@pytest.mark.parametrize(
    ("held", "wanted", "enough"),
    [
        ("*", "extensions:read", True),
        ("*", "secrets:read", True),
        ("*", "*", True),
        ("*", "*:write", True),
        ("*:read", "extensions:read", True),
        ("*:read", "extensions:write", False),
        ("*:read", "secrets:read", False),
        ("*:*", "secrets:read", False),
        ("*:*", "*", False),
        ("*:*", "*:read", True),
        ("secrets:*", "secrets:read", True),
        ("extensions:*", "extensions:write", True),
        ("extensions:*", "extensions:*", True),
        ("extensions:*", "*:read", False),
        ("extensions:*", "*", False),
        ("extensions:read", "extensions:*", False),
        ("extensions:read", "extensions:read", True),
        ("extensions:read", "devices:read", False),
        ("ext:read", "extensions:read", False),
    ],
)
def test_a_scope_includes_what_its_stars_stand_for(held: str, wanted: str, enough: bool) -> None:
    assert covers(held, wanted) is enough


@pytest.mark.parametrize(
    "text", ["", "read", "a:b:c", "Extensions:read", "ext ensions:read", "*:", ":read", "a:b\n"]
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a scope"):
        scope(text)


def test_networks_and_times_have_one_spelling() -> None:
    assert [network(n) for n in ("10.1.2.3", "10.0.0.0/8", "2001:DB8::/32")] == [
        "10.1.2.3/32",
        "10.0.0.0/8",
        "2001:db8::/32",
    ]
    assert moment("2030-01-01T01:00:00+01:00") == moment("2030-01-01") == "2030-01-01T00:00:00Z"
    for text in ("10.0.0.1/8", "10.0.0.0/33", "host.example.com", "10.0.0.0/8\n", "1", "::1%eth0"):
        with pytest.raises(ValueError, match="must be an address"):
            network(text)
    for text in ("tomorrow", "2030-13-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1893456000"):
        with pytest.raises(ValueError, match="must be a time"):
            moment(text)


def test_secrets_are_shown_with_their_scope_only(pbx: Pbx) -> None:
    uuid = pbx.client.list("extensions")[0]["extension_uuid"]
    password = pbx.client.get("extensions", uuid)["password"]
    assert password not in ("", REDACTED)
    for hidden in (("extensions:*",), ("*:read",), ("*:*",)):
        assert caller(pbx, *hidden).get("extensions", uuid)["password"] == REDACTED
    for shown in (("extensions:read", "secrets:read"), ("*",), ("*:read", "secrets:*")):
        assert caller(pbx, *shown).get("extensions", uuid)["password"] == password


def test_a_hidden_secret_written_back_leaves_the_real_one(pbx: Pbx) -> None:
    uuid = pbx.client.list("extensions")[0]["extension_uuid"]
    password = pbx.client.get("extensions", uuid)["password"]
    client = caller(pbx, "extensions:*")
    for family in ("clean", "php"):
        record = {"description": "changed", "password": client.get("extensions", uuid)["password"]}
        reply = client.through(family).call("extensions", "update", uuid, record)
        assert (reply.status, reply.error["field"]) == (400, "password")
        del record["password"]
        client.through(family).update("extensions", uuid, **record)
        assert pbx.client.get("extensions", uuid)["password"] == password


def test_a_key_of_one_domain_needs_no_domain_header(pbx: Pbx) -> None:
    client = caller(pbx, "extensions:*", domain="", domains=[SECOND_DOMAIN_UUID])
    made = client.create("extensions", extension="7777")
    row = pbx.rows("select domain_uuid from v_extensions where extension_uuid = %(uuid)s", uuid=made)
    assert row == [{"domain_uuid": SECOND_DOMAIN_UUID}]
    assert client.of(pbx.other_domain.upper()).call("extensions", "get", made).status == 200


def test_a_key_of_several_or_all_domains_names_one(pbx: Pbx) -> None:
    for domains in ([DOMAIN_UUID, SECOND_DOMAIN_UUID], None):
        client = caller(pbx, "extensions:read", domain="", domains=domains)
        assert client.call("extensions", "list").error["code"] == "MISSING_DOMAIN"
        for name in (pbx.domain, pbx.other_domain):
            assert client.of(name).call("extensions", "list").status == 200


def test_a_domain_that_a_key_is_not_bound_to_does_not_exist_for_it(pbx: Pbx) -> None:
    client = caller(pbx, "*", domain="nowhere.example.com", domains=[DOMAIN_UUID])
    nowhere = client.call("extensions", "list")
    assert (nowhere.status, nowhere.error["code"]) == (400, "INVALID_DOMAIN")
    for name in (pbx.other_domain, str(SECOND_DOMAIN_UUID)):
        assert client.of(name).call("extensions", "list").body == nowhere.body


def test_a_key_does_not_open_a_disabled_domain(pbx: Pbx) -> None:
    client = caller(pbx, "*", domain="", domains=[CLOSED_DOMAIN_UUID])
    assert client.call("extensions", "list").error["code"] == "INVALID_DOMAIN"


def test_a_bound_key_reaches_no_record_of_another_domain(pbx: Pbx) -> None:
    foreign = pbx.client.of(pbx.other_domain).list("extensions")[0]["extension_uuid"]
    client = caller(pbx, "*", domains=[DOMAIN_UUID])
    assert client.call("extensions", "get", foreign).status == 404
    assert client.call("extensions", "update", foreign, {"description": "mine"}).status == 404
    assert client.call("extensions", "delete", foreign).status == 404


def test_only_the_systems_key_reaches_beyond_the_domain(pbx: Pbx) -> None:
    client = caller(pbx, "*")
    body = {"extension": "7002", "user_context": "global"}
    wide = {"X-Allow-Global": "true"}
    assert client.call("extensions", "create", json=body, headers=wide).error["field"] == "user_context"
    assert pbx.client.call("extensions", "create", json=body, headers=wide).status == 201


def test_an_expired_key_is_refused_without_a_hint(pbx: Pbx) -> None:
    ends = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    client = caller(pbx, "*", expires_at=ends)
    assert client.call("extensions", "list").status == 200
    end = time.monotonic() + 5
    while not refused(client.call("extensions", "list")):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert datetime.now(UTC) >= datetime.fromisoformat(ends)


def test_a_disabled_key_is_refused_without_a_hint(pbx: Pbx) -> None:
    client = caller(pbx, "*")
    pbx.run("update pbxapi.api_key set enabled = false")
    assert refused(client.call("extensions", "list"))


def request_from(pbx: Pbx, key: str, address: str, **headers: str) -> int:
    return (
        pbx.app.test_client()
        .get(
            "/api/v1/extensions",
            headers={"X-API-Key": key, "X-Domain": pbx.domain, **headers},
            environ_base={"REMOTE_ADDR": address},
        )
        .status_code
    )


def test_a_key_is_good_in_its_networks_only(pbx: Pbx) -> None:
    key = key_of(pbx, "*", networks=["192.0.2.0/24", "2001:db8::/32"])
    for address in ("192.0.2.1", "192.0.2.255", "::ffff:192.0.2.7", "2001:db8::1"):
        assert request_from(pbx, key, address) == 200
    for address in ("192.0.3.1", "2001:db9::1", "::ffff:10.0.0.1", "", "somewhere"):
        assert request_from(pbx, key, address) == 401


def test_a_forwarded_address_counts_from_trusted_proxies_only(database_url: str, tmp_path: Path) -> None:
    for proxies, expected in ((0, 401), (1, 200)):
        pbx = make_pbx(database_url, tmp_path / str(proxies), trusted_proxies=proxies)
        try:
            key = key_of(pbx, "*", networks=["192.0.2.7"])
            forwarded = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
            assert request_from(pbx, key, "127.0.0.1", **forwarded) == expected
            assert request_from(pbx, key, "127.0.0.1", **{"X-Forwarded-For": "192.0.2.7, 203.0.113.9"}) == 401
        finally:
            close_pbx(pbx)


def test_a_revoked_key_dies_within_two_seconds_on_every_process(pbx: Pbx, tmp_path: Path) -> None:
    other = make_pbx(pbx.config.database_url, tmp_path / "other")
    try:
        key = key_of(pbx, "*")
        clients = [Client(system.app, pbx.domain, key) for system in (pbx, other)]
        assert [client.call("extensions", "list").status for client in clients] == [200, 200]
        uuid = pbx.client.list("api-keys")[0]["api_key_uuid"]
        revoked = time.monotonic()
        pbx.client.delete("api-keys", uuid)
        while not all(refused(client.call("extensions", "list")) for client in clients):
            assert time.monotonic() - revoked < 2.0
            time.sleep(0.05)
    finally:
        close_pbx(other)


def test_a_known_key_costs_no_statement_within_its_second(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    client = caller(pbx, "extensions:read")
    looked: list[bytes] = []
    find = callers.find_key
    monkeypatch.setattr(callers, "find_key", lambda session, hash: looked.append(hash) or find(session, hash))
    for _ in range(5):
        client.call("extensions", "list")
    assert looked == [digest(client.key)]


def test_a_text_that_can_be_no_key_costs_no_statement(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    monkeypatch.setattr(callers, "find_key", lambda _, hash: looked.append(hash))
    for key in ("x", "pbx_short", "pbx_" + "!" * 40, "\u00e9" * 44, NOBODY + "0"):
        assert refused(Client(pbx.app, pbx.domain, key).call("extensions", "list"))
    assert looked == []
    assert refused(Client(pbx.app, pbx.domain, NOBODY).call("extensions", "list"))
    assert looked == [digest(NOBODY)]


def test_other_keys_work_where_the_system_has_none(pbx: Pbx) -> None:
    client = caller(pbx, "extensions:read")
    pbx.run("delete from v_default_settings where default_setting_category = 'api'")
    assert client.call("extensions", "list").status == 200
    assert Client(pbx.app, pbx.domain, NOBODY).call("extensions", "list").error["code"] == "CONFIG_ERROR"
    assert refused(Client(pbx.app, pbx.domain, "").call("extensions", "list"))


def used(pbx: Pbx) -> datetime | None:
    return pbx.rows("select last_used_at from pbxapi.api_key")[0]["last_used_at"]


def test_the_use_of_a_key_is_noted_at_most_once_a_minute(pbx: Pbx, tmp_path: Path) -> None:
    client = caller(pbx, "extensions:read")
    assert used(pbx) is None
    client.call("extensions", "list")
    first = used(pbx)
    assert first is not None
    assert datetime.now(UTC) - first < timedelta(seconds=10)
    other = make_pbx(pbx.config.database_url, tmp_path / "other")
    try:
        for app in (pbx.app, other.app):
            Client(app, pbx.domain, client.key).call("extensions", "list")
        assert used(pbx) == first
        pbx.run("update pbxapi.api_key set last_used_at = now() - interval '61 seconds'")
        third = make_pbx(pbx.config.database_url, tmp_path / "third")
        try:
            Client(third.app, pbx.domain, client.key).call("extensions", "list")
        finally:
            close_pbx(third)
        latest = used(pbx)
        assert latest is not None
        assert latest > first
    finally:
        close_pbx(other)


def test_a_refused_use_is_no_use(pbx: Pbx) -> None:
    key = key_of(pbx, "*", networks=["192.0.2.0/24"])
    assert request_from(pbx, key, "127.0.0.1") == 401
    assert used(pbx) is None


def test_noting_the_use_of_a_key_waits_for_nobody(pbx: Pbx) -> None:
    client = caller(pbx, "extensions:read")
    with pbx.database.writing() as session:
        session.run("select 1 from pbxapi.api_key for update")
        began = time.monotonic()
        assert client.call("extensions", "list").status == 200
        assert time.monotonic() - began < 1.0
    assert used(pbx) is None


def test_a_database_that_only_reads_still_answers(pbx: Pbx, caplog: pytest.LogCaptureFixture) -> None:
    client = caller(pbx, "extensions:read")
    name = pbx.rows("select current_database() as name")[0]["name"]
    pbx.run(f'alter database "{name}" set default_transaction_read_only = on')
    pbx.app.extensions["pbxapi"].database.close()
    assert client.call("extensions", "list").status == 200
    assert "was not noted: ReadOnlySqlTransaction" in caplog.text
    assert client.key not in caplog.text


def test_the_change_of_a_key_names_its_record(pbx: Pbx) -> None:
    client = caller(pbx, "extensions:write")
    client.create("extensions", extension="7003")
    with pbx.database.reading() as session:
        (record,) = list_keys(session)
    assert pbx.rows("select key_id from pbxapi.change") == [{"key_id": str(record["api_key_uuid"])}]
    assert record["created_by"] == COMMAND_LINE


def test_no_key_is_stored_or_logged(pbx: Pbx, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    made = pbx.client.call("api-keys", "create", json={"name": "test", "scopes": ["*"]}).data
    rotated = pbx.client.request("POST", f"/api-keys/{made['api_key_uuid']}/rotate", {"overlap": "60"}).data
    keys = [made["key"], rotated["key"]]
    for key in keys:
        client = Client(pbx.app, pbx.domain, key)
        client.create("extensions", extension=f"70{keys.index(key)}4", description="by a key")
        client.call("extensions", "create", json={"extension": "!"})
        client.request("GET", "/extensions/foo.php")
    pbx.client.update("api-keys", made["api_key_uuid"], name="other")
    pbx.client.delete("api-keys", made["api_key_uuid"])
    pbx.apply()
    tables = pbx.rows(
        "select format('%%I.%%I', table_schema, table_name) as name from information_schema.tables"
        " where table_schema in ('public', 'pbxapi') and table_type = 'BASE TABLE'"
    )
    stored = "".join(
        str(row["line"])
        for table in tables
        for row in pbx.rows(f"select t::text as line from {table['name']} as t")
    )
    for key in keys:
        for secret in (key, key.removeprefix("pbx_"), digest(key).hex()):
            assert secret not in stored
            assert secret not in caplog.text


@pytest.fixture
def limited(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Pbx]:
    """A telephone system whose keys may call three times an hour."""
    system = make_pbx(database_url, tmp_path / "pbx", redis_url=redis_url, rate_limit="3/hour")
    yield system
    close_pbx(system)


def test_a_limit_that_cannot_be_read_is_named_at_the_start() -> None:
    place = {"PBXAPI_DATABASE_URL": "postgresql:///x"}
    assert load_config({**place, "PBXAPI_RATE_LIMIT": "600/minute"}).rate_limit == "600/minute"
    for text in ("600", "600/week", "0/minute", "600 per minute", "1/minute;2/hour", "-1/day"):
        with pytest.raises(ConfigError, match="PBXAPI_RATE_LIMIT"):
            load_config({**place, "PBXAPI_RATE_LIMIT": text})


def test_without_a_limit_nothing_is_counted_and_redis_not_asked(pbx: Pbx) -> None:
    reply = pbx.client.call("extensions", "list")
    assert not [name for name in reply.headers if name.lower().startswith("ratelimit")]


def test_a_key_over_its_limit_is_told_when_to_go_on(limited: Pbx) -> None:
    client = caller(limited, "extensions:read")
    replies = [client.call("extensions", "list") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert [reply.headers["RateLimit-Remaining"] for reply in replies] == ["2", "1", "0", "0"]
    assert {reply.headers["RateLimit-Limit"] for reply in replies} == {"3"}
    assert all(0 < int(reply.headers["RateLimit-Reset"]) <= 3600 for reply in replies)
    assert replies[3].error["code"] == "RATE_LIMITED"
    assert replies[3].headers["Retry-After"] == replies[3].headers["RateLimit-Reset"]
    assert "Retry-After" not in replies[2].headers
    assert replies[3].headers["X-Request-Id"]


def test_all_routes_count_together_and_each_key_for_itself(limited: Pbx, tmp_path: Path) -> None:
    one, two = caller(limited, "*"), caller(limited, "*")
    assert one.call("extensions", "list").status == 200
    assert one.through("php").call("changes", "list").status == 200
    assert one.request("GET", "/extensions/foo.php").status == 501
    assert one.request("GET", "/nothing/here").status == 429
    assert two.call("extensions", "list").status == 200
    assert limited.client.call("extensions", "list").status == 200
    other = make_pbx(
        limited.config.database_url, tmp_path / "other", redis_url=limited.config.redis_url, rate_limit="3/hour"
    )
    try:
        assert Client(other.app, one.domain, one.key).call("extensions", "list").status == 429
    finally:
        close_pbx(other)


def test_a_wrong_key_and_the_open_document_are_not_counted(limited: Pbx) -> None:
    for _ in range(5):
        assert refused(Client(limited.app, limited.domain, NOBODY).call("extensions", "list"))
        assert limited.app.test_client().get("/api/v1/openapi.json").status_code == 200


def test_a_key_may_have_a_limit_of_its_own(limited: Pbx, redis_url: str, tmp_path: Path) -> None:
    wide = caller(limited, "*", rate_limit="5/minute")
    assert [wide.call("extensions", "list").status for _ in range(6)] == [200] * 5 + [429]
    free = make_pbx(limited.config.database_url, tmp_path / "free", redis_url=redis_url)
    try:
        narrow = caller(free, "*", rate_limit="1/hour")
        assert [narrow.call("extensions", "list").status for _ in range(2)] == [200, 429]
        assert [free.client.call("extensions", "list").status for _ in range(4)] == [200] * 4
    finally:
        close_pbx(free)


def test_a_limit_ends_with_its_time(limited: Pbx) -> None:
    client = caller(limited, "*", rate_limit="1/second")
    assert client.call("extensions", "list").status == 200
    reply = client.call("extensions", "list")
    assert reply.status == 429
    time.sleep(int(reply.headers["Retry-After"]))
    assert client.call("extensions", "list").status == 200


def test_requests_pass_and_are_counted_while_redis_is_away(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rates, "PAUSE", 1.0)
    with EmbeddedRedis.temporary() as redis:
        pbx = make_pbx(database_url, tmp_path / "pbx", redis_url=redis.url, rate_limit="2/hour")
        try:
            assert [pbx.client.call("extensions", "list").status for _ in range(3)] == [200, 200, 429]
            redis.stop()
            before = rates.unchecked.value
            replies = [pbx.client.call("extensions", "list") for _ in range(4)]
            assert [reply.status for reply in replies] == [200] * 4
            assert "RateLimit-Limit" not in replies[0].headers
            assert rates.unchecked.value - before == 4
            assert len([line for line in caplog.messages if "without a look at their limits" in line]) == 1
            redis.start()
            time.sleep(1.1)
            assert pbx.client.call("extensions", "list").status == 429
            assert rates.unchecked.value - before == 4
        finally:
            close_pbx(pbx)


def test_a_redis_that_is_mute_costs_a_fraction_of_a_second_once(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        pbx = make_pbx(database_url, tmp_path / "pbx", redis_url=url, rate_limit="2/hour")
        try:
            pbx.client.of(pbx.other_domain).call("extensions", "list")
            took = []
            for _ in range(4):
                began = time.monotonic()
                assert pbx.client.call("extensions", "list").status == 200
                took.append(time.monotonic() - began)
            assert max(took) < 0.2
        finally:
            close_pbx(pbx)
