"""GET /readyz: what stands between a write and the switch, told apart from what stops requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pbxapi.sandbox.redis import EmbeddedRedis
from pbxapi.testing import Client, Pbx, close_pbx, make_pbx


@pytest.fixture
def pbx(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Pbx]:
    system = make_pbx(database_url, tmp_path / "pbx", redis_url=redis_url, changes_attempts=1)
    yield system
    close_pbx(system)


def readyz(pbx: Pbx) -> tuple[int, dict[str, Any]]:
    response = pbx.app.test_client().get("/readyz")
    return response.status_code, response.get_json()


def test_all_is_well_when_nothing_waits(pbx: Pbx, client: Client) -> None:
    client.create("extensions", extension="7001")
    pbx.apply()
    status, body = readyz(pbx)
    assert (status, body["state"]) == (200, "ok")
    assert body["switch"]["nodes"]["node1"]["up"] is True
    assert body["backlog"]["nodes"] == {}


def test_a_failed_change_shows_with_its_node_and_requests_go_on(pbx: Pbx, client: Client) -> None:
    pbx.switch.break_xml("[error near line 108]: unexpected closing tag </section>")
    client.create("extensions", extension="7001")
    pbx.apply()
    status, body = readyz(pbx)
    assert (status, body["state"], body["backlog"]["state"]) == (200, "degraded", "degraded")
    assert body["backlog"]["nodes"]["node1"]["failed"] == 1


def test_a_switch_that_is_away_shows_with_the_reason(pbx: Pbx, client: Client) -> None:
    pbx.switch.go_away()
    client.create("extensions", extension="7001")
    pbx.apply()
    status, body = readyz(pbx)
    assert (status, body["switch"]["state"]) == (200, "degraded")
    assert "Connection refused" in body["switch"]["nodes"]["node1"]["error"]
    assert body["backlog"]["nodes"]["node1"]["waiting"] == 1


def test_a_node_whose_worker_is_silent_shows(pbx: Pbx) -> None:
    pbx.run("update pbxapi.node set seen_at = now() - interval '1 minute'")
    assert readyz(pbx)[1]["switch"]["nodes"]["node1"]["up"] is False


def test_changes_that_no_node_will_take_show(pbx: Pbx, client: Client) -> None:
    pbx.run("delete from pbxapi.node")
    client.create("extensions", extension="7001")
    body = readyz(pbx)[1]
    assert (body["switch"]["state"], body["backlog"]["state"], body["backlog"]["homeless"]) == (
        "degraded",
        "degraded",
        1,
    )


def test_without_redis_requests_are_served(pbx: Pbx, redis_server: EmbeddedRedis) -> None:
    redis_server.stop()
    try:
        status, body = readyz(pbx)
    finally:
        redis_server.start()
    assert (status, body["state"], body["redis"]["state"]) == (200, "degraded", "degraded")


def test_without_postgresql_they_are_not(database_url: str, pbx: Pbx) -> None:
    from pbxapi.changes.health import health
    from pbxapi.data.database import Database

    gone = Database(database_url.replace("/scratch_", "/no_such_"), name="pbxapi-test")
    serves, parts = health(gone, pbx.config.redis_url)
    gone.close()
    assert (serves, parts["postgresql"]["state"]) == (False, "degraded")
