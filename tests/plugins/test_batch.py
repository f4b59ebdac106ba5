"""Many operations in one request: all or nothing, or as many as can be; and one change for the switch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from pbxapi.changes import drain
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx

MANY = 1000
MANY_APPLIED = 300


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("batch"), service_url=url_of_role(url))
        yield system
        close_pbx(system)


@pytest.fixture(autouse=True)
def forget(pbx: Pbx) -> None:
    """Each test begins without its numbers."""
    pbx.run("delete from v_extensions where extension like '7____'")
    pbx.run("delete from v_voicemails where voicemail_id like '7____'")
    pbx.apply()


def create(number: int | str, **more: Any) -> dict[str, Any]:
    return {"resource": "extensions", "operation": "create", "body": {"extension": str(number), **more}}


def send(client: Client, *operations: Any, mode: str = "atomic", **headers: str) -> Reply:
    path = "/batch/run.php" if client.family == "php" else "/batch"
    return client.request("POST", path, {"mode": mode, "operations": list(operations)}, headers=headers)


def numbers(client: Client) -> list[str]:
    return [row["extension"] for row in client.list("extensions", search="7", per_page=100, sort="extension")
            if len(row["extension"]) == 5]  # fmt: skip


def test_operations_over_several_resources_are_one_change(either_client: Client, pbx: Pbx) -> None:
    uuid = either_client.create("extensions", extension="70000")
    reply = send(
        either_client,
        create(70001, voicemail_enabled="true"),
        {"resource": "extensions", "operation": "update", "uuid": uuid, "body": {"description": "new"}},
        {"resource": "gateways", "operation": "create", "body": {"gateway": "trunk", "proxy": "sip.example.net"}},
        {"resource": "extensions", "operation": "delete", "uuid": uuid},
    )
    assert reply.status == 200, reply.body
    assert [result["status"] for result in reply.data] == [201, 200, 201, 200]
    assert reply.body["message"] == "4 of 4 operations done"
    assert numbers(either_client) == ["70001"]
    waiting = pbx.change(reply)
    assert (waiting["state"], waiting["action"]) == ("pending", "batch")
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    of_batch = either_client.list("changes", batch_id=reply.headers["X-Change-Id"])
    assert sorted(row["action"] for row in of_batch) == ["create", "create", "delete", "update"]
    either_client.delete("gateways", reply.data[2]["data"]["gateway_uuid"])


def test_a_batch_is_one_wake_up_and_one_reload(client: Client, pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "SECONDS", 300.0)  # however busy the machine is
    before = pbx.switch.reloads
    reply = send(client, *(create(70000 + number) for number in range(MANY_APPLIED)), Prefer="wait=0")
    assert reply.status == 200, reply.body
    assert len(reply.data) == MANY_APPLIED
    assert reply.headers["X-Change-State"] == "pending"
    assert pbx.change(reply)["nodes"] == [
        {"node": "node1", "state": "pending", "error": "", "attempts": 0, "applied_at": ""}
    ]
    assert pbx.apply() == MANY_APPLIED
    assert pbx.switch.reloads == before + 1
    assert pbx.change(reply)["state"] == "applied"


def test_all_or_nothing_names_the_operation_at_fault(client: Client, pbx: Pbx) -> None:
    before = len(pbx.rows("select 1 from pbxapi.change"))
    for operation, status, field in (
        (create("1001"), 409, "operations.1.body.extension"),
        (create("no number!"), 400, "operations.1.body.extension"),
        (create(70002, colour="red"), 400, "operations.1.body.colour"),
        ({"resource": "extensions", "operation": "delete", "uuid": str(uuid4())}, 404, "operations.1"),
        ({"resource": "extensions", "operation": "delete", "uuid": "x"}, 400, "operations.1.uuid"),
        ({"resource": "extensions", "operation": "delete"}, 400, "operations.1.uuid"),
        ({"resource": "nothing", "operation": "create"}, 400, "operations.1.resource"),
        ({"resource": "extensions", "operation": "explode"}, 400, "operations.1.operation"),
        ({"resource": "extensions", "operation": "list"}, 400, "operations.1.operation"),
        ({"resource": "batch", "operation": "run", "body": {}}, 400, "operations.1.resource"),
        ({"resource": "extensions", "operation": "create", "body": []}, 400, "operations.1.body"),
        ({"resource": "extensions", "operation": "delete", "uuid": 7}, 400, "operations.1.uuid"),
    ):
        reply = send(client, create(70001), operation)
        assert (reply.status, reply.error.get("field")) == (status, field), reply.body
        assert numbers(client) == []
    assert len(pbx.rows("select 1 from pbxapi.change")) == before


def test_best_effort_leaves_out_what_is_refused(client: Client, pbx: Pbx) -> None:
    reply = send(client, create(70001), create("1001"), create(70001), create(70002), mode="best_effort")
    assert reply.status == 200
    assert [result["status"] for result in reply.data] == [201, 409, 409, 201]
    assert reply.data[1]["error"]["field"] == "extension"
    assert reply.body["message"] == "2 of 4 operations done"
    assert numbers(client) == ["70001", "70002"]
    assert pbx.apply() == 2
    assert pbx.change(reply)["state"] == "applied"


def test_where_everything_is_refused_there_is_no_change(client: Client) -> None:
    reply = send(client, create("1001"), mode="best_effort")
    assert reply.body["message"] == "0 of 1 operations done"
    assert "X-Change-Id" not in reply.headers


def test_what_an_earlier_operation_answered_can_be_used(client: Client) -> None:
    reply = send(
        client,
        create(70001),
        {
            "resource": "extensions",
            "operation": "update",
            "uuid": {"$result": "0.extension_uuid"},
            "body": {"description": {"$result": "0.extension_uuid"}},
        },
    )
    assert reply.status == 200, reply.body
    uuid = reply.data[0]["data"]["extension_uuid"]
    assert client.get("extensions", uuid)["description"] == uuid


@pytest.mark.parametrize("name", ["1.extension_uuid", "0.password", "0", "", "x.y", "-1.extension_uuid", "9" * 40])
def test_a_result_that_is_not_there_is_refused(client: Client, name: str) -> None:
    reply = send(client, create(70001), create(70002, description={"$result": name}))
    assert (reply.status, reply.error["field"]) == (400, "operations.1.body.description"), reply.body


def test_each_operation_needs_its_own_scope(client: Client, pbx: Pbx) -> None:
    scopes = ["batch:write", "extensions:write"]
    key = client.call("api-keys", "create", json={"name": "few", "scopes": scopes}).data["key"]
    few = Client(pbx.app, pbx.domain, key)
    gateway = {"resource": "gateways", "operation": "create", "body": {"gateway": "x", "proxy": "sip.example.net"}}
    reply = send(few, create(70001), gateway)
    assert (reply.status, reply.error["code"], reply.error["field"]) == (403, "FORBIDDEN", "operations.1")
    reply = send(few, create(70001), gateway, mode="best_effort")
    assert [result["status"] for result in reply.data] == [201, 403]


def test_another_tenants_record_is_not_there(client: Client, pbx: Pbx) -> None:
    other = client.of(pbx.other_domain)
    uuid = other.create("extensions", extension="70009")
    reply = send(client, {"resource": "extensions", "operation": "delete", "uuid": uuid})
    assert reply.status == 404
    assert other.get("extensions", uuid)["extension"] == "70009"


def test_a_repeated_batch_is_done_once(client: Client) -> None:
    first = send(client, create(70001), create(70002), **{"Idempotency-Key": "batch-1"})
    again = send(client, create(70001), create(70002), **{"Idempotency-Key": "batch-1"})
    assert (again.body, again.headers["X-Change-Id"]) == (first.body, first.headers["X-Change-Id"])
    assert numbers(client) == ["70001", "70002"]


def test_a_batch_has_its_bounds(client: Client) -> None:
    reply = send(client, *(create(70000 + number) for number in range(MANY + 1)))
    assert (reply.status, reply.error["field"]) == (400, "operations")
    assert send(client).status == 400
    large = send(client, create(70001, description="x" * (2 * 1024 * 1024)))
    assert large.error["field"] == "operations.0.body.description", "2 MiB are read"
    assert send(client, create(70001, description="x" * (8 * 1024 * 1024))).status == 413
    deep = '{"a":' * 900 + "1" + "}" * 900
    body = f'{{"operations": [{{"resource": "extensions", "operation": "create", "body": {deep}}}]}}'
    assert client.request("POST", "/batch", body=body.encode()).status == 400
