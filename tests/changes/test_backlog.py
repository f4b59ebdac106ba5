"""Too many waiting changes: writes are told to come back, reads go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxapi.data.change import prune_changes
from pbxapi.testing import Client, Pbx, close_pbx, make_pbx


@pytest.fixture
def small_pbx(database_url: str, tmp_path: Path) -> Iterator[Pbx]:
    system = make_pbx(database_url, tmp_path / "pbx", changes_waiting_max=3)
    yield system
    close_pbx(system)


def test_writes_are_refused_while_too_many_changes_wait_and_reads_go_on(
    small_pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbxapi.http.serving.Backlog.SECONDS", 0.0)
    client = small_pbx.client
    for number in range(7001, 7005):
        client.create("extensions", extension=str(number))
    refused = client.call("extensions", "create", json={"extension": "7005"})
    assert (refused.status, refused.error["code"]) == (503, "TOO_MANY_CHANGES")
    assert int(refused.headers["Retry-After"]) > 0
    assert client.list("extensions", search="7001")
    assert small_pbx.apply() == 4
    client.create("extensions", extension="7005")


def test_old_changes_are_forgotten_once_no_node_has_to_do_with_them(pbx: Pbx, client: Client) -> None:
    client.create("extensions", extension="7001")
    pbx.apply()
    client.create("extensions", extension="7002")
    pbx.run("update pbxapi.change set created_at = now() - interval '30 days'")
    pbx.run("update pbxapi.change_node set settle_at = null")
    with pbx.database.reading() as session:
        assert prune_changes(session, 14) == 1
    (left,) = pbx.rows("select state from pbxapi.change_node")
    assert left["state"] == "pending"
    assert len(pbx.rows("select 1 from pbxapi.change")) == 1
