"""Call blocks: rows as FusionPBX's script reads them, and the dialplan without which none works."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from pbxapi.sandbox.sample import DOMAIN, SECOND_DOMAIN, uuid_of
from pbxapi.testing import Client, Pbx

CREATED = "Call block created successfully"


def with_dialplan(pbx: Pbx, domain: str = DOMAIN, *, enabled: bool = False) -> str:
    """The dialplan that runs FusionPBX's script, as it is shipped: disabled."""
    uuid = str(uuid4())
    pbx.run(
        "insert into v_dialplans (dialplan_uuid, domain_uuid, app_uuid, dialplan_context, dialplan_name,"
        " dialplan_order, dialplan_enabled, dialplan_continue, dialplan_xml)"
        " values (%(uuid)s, %(owner)s, 'b1b31930-d0ee-4395-a891-04df94599f1f', %(domain)s, 'call_block', 40,"
        ' %(enabled)s, true, \'<extension name="call_block" continue="true"></extension>\')',
        uuid=uuid,
        owner=uuid_of("domain", domain),
        domain=domain,
        enabled=enabled,
    )
    return uuid


def enabled(pbx: Pbx, dialplan: str) -> bool:
    rows = pbx.rows("select dialplan_enabled from v_dialplans where dialplan_uuid = %(uuid)s", uuid=dialplan)
    return bool(rows[0]["dialplan_enabled"])


def test_a_call_block_is_made_changed_and_deleted(pbx: Pbx, either_client: Client) -> None:
    with_dialplan(pbx, enabled=True)
    reply = either_client.call("call-block", "create", json={"call_block_number": "+15550100"})
    assert (reply.status, reply.body["message"]) == (201, CREATED)
    assert "warnings" not in reply.body
    uuid = reply.data["call_block_uuid"]
    row = pbx.rows("select call_block_name, call_block_number, call_block_count, domain_uuid from v_call_block")
    assert row == [
        {"call_block_name": None, "call_block_number": "15550100", "call_block_count": 0,
         "domain_uuid": uuid_of("domain", DOMAIN)}
    ]  # fmt: skip
    sent = {
        "call_block_direction": "outbound", "call_block_name": "Über <&>", "call_block_country_code": "49",
        "extension_uuid": str(uuid_of("extension", DOMAIN, "1001")), "call_block_number": "30",
        "call_block_app": "voicemail", "call_block_data": "1001", "call_block_description": "why",
    }  # fmt: skip
    either_client.update("call-block", uuid, **sent)
    found = either_client.get("call-block", uuid)
    assert sent.items() <= found.items()
    assert found["date_added"].isdigit()
    listed = either_client.list("call-block", search="30")
    assert [row["call_block_uuid"] for row in listed] == [uuid]
    assert either_client.delete("call-block", uuid).body["message"] == "Call block deleted successfully"
    assert pbx.rows("select call_block_uuid from v_call_block") == []


def test_the_first_enabled_block_enables_the_dialplan_and_it_works_at_once(pbx: Pbx, client: Client) -> None:
    own, foreign = with_dialplan(pbx), with_dialplan(pbx, SECOND_DOMAIN)
    served = pbx.folders["cache"] / f"dialplan.{DOMAIN}"
    served.write_text("<section/>")
    client.create("call-block", call_block_number="555", call_block_enabled="false")
    pbx.apply()
    assert not enabled(pbx, own)
    assert served.exists()
    reply = client.call("call-block", "create", json={"call_block_number": "556"})
    assert reply.body["warnings"] == ["The dialplan call_block of the domain was disabled, and is enabled now"]
    assert (enabled(pbx, own), enabled(pbx, foreign)) == (True, False)
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert not served.exists()


def test_a_domain_without_the_dialplan_is_told_so(client: Client) -> None:
    reply = client.call("call-block", "create", json={"call_block_number": "556"})
    assert reply.body["warnings"] == ["The domain has no dialplan call_block: without it no call is blocked"]


def test_the_keys_of_the_old_number_and_the_new_one_go(pbx: Pbx, client: Client) -> None:
    uuid = client.create("call-block", call_block_number="5550100", call_block_country_code="1")
    pbx.apply()
    keys = [f"app.call_block.{DOMAIN}.{number}" for number in ("15550100", "445550100", "5550100")]
    files = [pbx.folders["cache"] / key for key in keys]
    for file in files:
        file.write_text("x")
    client.update("call-block", uuid, call_block_country_code="44")
    pbx.apply()
    assert [file.exists() for file in files] == [False, False, True]
    files[1].write_text("x")
    reply = client.delete("call-block", uuid)
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert not files[1].exists()


def test_an_older_rows_odd_number_does_not_hold_up_its_change(pbx: Pbx, client: Client) -> None:
    uuid = client.create("call-block", call_block_number="555")
    pbx.run("update v_call_block set call_block_number = '../..\n*'")
    reply = client.update("call-block", uuid, call_block_description="old")
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"


def test_an_update_leaves_the_switchs_count(pbx: Pbx, client: Client) -> None:
    uuid = client.create("call-block", call_block_number="555")
    pbx.run("update v_call_block set call_block_count = 7")
    client.update("call-block", uuid, call_block_description="busy caller")
    assert client.get("call-block", uuid)["call_block_count"] == 7


def test_blocks_of_all_domains_are_nobodys(pbx: Pbx, client: Client) -> None:
    uuid = client.create("call-block", call_block_number="555")
    pbx.run("update v_call_block set domain_uuid = null")
    assert client.list("call-block") == []
    for operation in ("get", "update", "delete"):
        assert client.call("call-block", operation, uuid, {}).status == 404


def test_blocked_calls_go_nowhere_but_within_the_domain(pbx: Pbx, client: Client) -> None:
    other = client.of(pbx.other_domain)
    other.create("extensions", extension="7777", voicemail_enabled="true")
    for app in ("extension", "ivr", "ring_group", "voicemail"):
        for number in ("7777", "9999"):
            body = {"call_block_number": "555", "call_block_app": app, "call_block_data": number}
            reply = client.call("call-block", "create", json=body)
            assert (reply.status, reply.error["field"]) == (400, "call_block_data"), body
    for app in ("extension", "voicemail"):
        client.create("call-block", call_block_number="555", call_block_app=app, call_block_data="1001")
    uuid = client.create("call-block", call_block_number="555")
    reply = client.call("call-block", "update", uuid, {"call_block_app": "extension"})
    assert (reply.status, reply.error["field"]) == (400, "call_block_data")
    client.update("call-block", uuid, call_block_app="extension", call_block_data="1001")
    client.update("call-block", uuid, call_block_app="busy")
    assert client.get("call-block", uuid)["call_block_data"] == ""


NONSENSE: list[tuple[str, Any]] = [
    ("call_block_number", ""), ("call_block_number", "555%"), ("call_block_number", "5_5"),
    ("call_block_number", "+"), ("call_block_number", "1" * 40), ("call_block_number", "55\x005"),
    ("call_block_number", "٣"), ("call_block_number", []), ("call_block_number", {"a": 1}),
    ("call_block_name", "a\nb"), ("call_block_name", "${system(id)}"), ("call_block_name", False),
    ("call_block_country_code", "x"), ("call_block_country_code", "9" * 30), ("call_block_country_code", -1),
    ("call_block_direction", "local"), ("call_block_app", "lua"), ("call_block_app", "transfer"),
    ("call_block_data", "1001"), ("call_block_data", "1001 XML other.example.com"),
    ("extension_uuid", "1001"), ("call_block_enabled", "perhaps"),
]  # fmt: skip


def test_what_the_script_could_not_use_or_should_not_run_is_refused(client: Client) -> None:
    for field, value in NONSENSE:
        reply = client.call("call-block", "create", json={"call_block_number": "555", field: value})
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR"), (field, value)
        assert reply.error["field"] == field, (field, value)


def test_a_block_of_nothing_would_block_everything_and_is_refused(client: Client) -> None:
    assert client.call("call-block", "create", json={"call_block_country_code": "49"}).status == 400
    uuid = client.create("call-block", call_block_name="Spam")
    reply = client.call("call-block", "update", uuid, {"call_block_name": ""})
    assert (reply.status, reply.error["field"]) == (400, "call_block_number")
