"""/healthz, /readyz: what anybody may know of this host, and what those who watch it may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask

from pbxapi.app import create_app
from pbxapi.config import load_config
from pbxapi.data.database import Database
from pbxapi.data.keys import create_key
from pbxapi.errors import ConfigError
from pbxapi.http.faults import Faults
from pbxapi.http.gateway import Gateway
from pbxapi.probes import add_probes
from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.testing import API_KEY, Pbx, close_pbx, make_pbx


@pytest.fixture(scope="module")
def pbx(
    postgres: EmbeddedPostgres,
    redis_server: EmbeddedRedis,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("pbx"), redis_url=redis_server.url)
        yield system
        close_pbx(system)


@pytest.fixture(scope="module")
def behind_nginx(pbx: Pbx) -> Iterator[Flask]:
    """The same, told of one proxy, and that a network of the operator's may watch."""
    networks = (*pbx.config.metrics_allow, ip_network("198.51.100.0/24"))
    app = create_app(replace(pbx.config, trusted_proxies=1, metrics_allow=networks))
    yield app
    app.extensions["pbxapi"].database.close()


def readyz(app: Flask, address: str, **headers: str) -> tuple[int, dict[str, Any]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = app.test_client().get("/readyz", headers=sent, environ_base={"REMOTE_ADDR": address})
    return reply.status_code, reply.get_json()


def test_a_process_that_answers_is_healthy_whatever_else_is_away(pbx: Pbx) -> None:
    nowhere = "postgresql://127.0.0.1:1/none"
    config, database = replace(pbx.config, database_url=nowhere), Database(nowhere)
    services = pbx.app.extensions["pbxapi"]
    away = Gateway(Faults("/api/v1", services.registry))
    add_probes(away, replace(services, config=config, database=database))
    reply = away.test_client().get("/healthz")
    database.close()
    assert (reply.status_code, reply.get_json()) == (200, {"state": "ok"})


def test_every_part_has_its_state_and_its_time(pbx: Pbx) -> None:
    status, body = readyz(pbx.app, "127.0.0.1")
    assert (status, body.pop("state")) == (200, "ok")
    assert set(body) == {"postgresql", "redis", "switch", "backlog", "plugins"}
    for part in body.values():
        assert part["state"] == "ok"
        assert part["ms"] >= 0


@pytest.mark.parametrize(
    ("address", "headers", "near"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("", {}, True),
        ("192.0.2.7", {}, False),
        ("198.51.100.7", {}, False),
        # A proxy of which the product was not told: everybody would come from this host.
        ("127.0.0.1", {"X_Forwarded_For": "192.0.2.7"}, False),
        ("127.0.0.1", {"X_Real_IP": "192.0.2.7"}, False),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}, False),
        ("", {"X_Forwarded_For": "127.0.0.1"}, False),
    ],
)
def test_details_are_for_this_host(pbx: Pbx, address: str, headers: dict[str, str], near: bool) -> None:
    status, body = readyz(pbx.app, address, **headers)
    assert (status, body["state"]) == (200, "ok")
    assert ("switch" in body) is near


@pytest.mark.parametrize(
    ("forwarded", "near"),
    [
        ("", True),
        ("127.0.0.1", True),
        ("198.51.100.7", True),
        ("192.0.2.7", False),
        ("127.0.0.1, 192.0.2.7", False),
        ("nonsense", False),
    ],
)
def test_behind_nginx_they_are_for_whom_nginx_names(behind_nginx: Flask, forwarded: str, near: bool) -> None:
    headers = {"X_Forwarded_For": forwarded, "X_Real_IP": forwarded} if forwarded else {}
    assert ("switch" in readyz(behind_nginx, "", **headers)[1]) is near


def test_details_are_for_the_systems_key_from_anywhere(pbx: Pbx) -> None:
    assert "switch" in readyz(pbx.app, "192.0.2.7", X_API_Key=API_KEY)[1]
    with pbx.database.writing() as session:
        key = create_key(session, name="tenant", scopes=["*"])[1]
    assert set(readyz(pbx.app, "127.0.0.1", X_API_Key=key)[1]) == {"state"}
    status, body = readyz(pbx.app, "127.0.0.1", X_API_Key="wrong")
    assert (status, body["error"]["code"]) == (401, "UNAUTHORIZED")


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"PBXAPI_METRICS_ALLOW: must be addresses or networks.*'here'"):
        load_config({"PBXAPI_DATABASE_URL": "postgresql:///x", "PBXAPI_METRICS_ALLOW": "127.0.0.1, here"})
