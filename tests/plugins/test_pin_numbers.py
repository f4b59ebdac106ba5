"""PIN numbers: rows as FusionPBX's script reads them, and the PIN kept out of lists and logs."""

from __future__ import annotations

from typing import Any

from pbxapi.testing import Client, Pbx

ROW = "select pin_number, accountcode, enabled::text as enabled, description from v_pin_numbers"


def test_a_pin_number_is_made_changed_and_deleted(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("pin-numbers", "create", json={"pin_number": "0472"})
    assert (reply.status, reply.body["message"]) == (201, "PIN number created successfully")
    uuid = reply.data["pin_number_uuid"]
    assert pbx.rows(ROW) == [{"pin_number": "0472", "accountcode": None, "enabled": "true", "description": None}]
    changed = {"accountcode": "sales-1", "enabled": False, "description": "Büro"}
    reply = either_client.update("pin-numbers", uuid, **changed)
    assert reply.body["message"] == "PIN number updated successfully"
    assert either_client.get("pin-numbers", uuid) == {
        "pin_number_uuid": uuid, "pin_number": "0472", "accountcode": "sales-1", "enabled": "false",
        "description": "Büro",
    }  # fmt: skip
    assert either_client.delete("pin-numbers", uuid).body["message"] == "PIN number deleted successfully"
    assert pbx.rows(ROW) == []


def test_a_list_an_audit_row_and_a_key_without_the_right_never_show_the_pin(pbx: Pbx, client: Client) -> None:
    uuid = client.create("pin-numbers", pin_number="90210733", description="night shift")
    assert client.list("pin-numbers", search="night") == [
        {"pin_number_uuid": uuid, "accountcode": "", "enabled": "true", "description": "night shift"}
    ]
    assert client.list("pin-numbers", search="90210733") == []
    client.update("pin-numbers", uuid, pin_number="90210734")
    assert "902107" not in str(pbx.rows("select transaction_old, transaction_new from v_database_transactions"))


def test_two_of_a_domain_cannot_share_a_pin_but_two_domains_can(pbx: Pbx, client: Client) -> None:
    client.create("pin-numbers", pin_number="4711")
    reply = client.call("pin-numbers", "create", json={"pin_number": "4711"})
    assert (reply.status, reply.error["code"], reply.error["field"]) == (409, "DUPLICATE_ERROR", "pin_number")
    other = client.create("pin-numbers", pin_number="4712")
    assert client.call("pin-numbers", "update", other, {"pin_number": "4711"}).status == 409
    client.of(pbx.other_domain).create("pin-numbers", pin_number="4711")


NONSENSE: list[tuple[str, Any]] = [
    ("pin_number", ""), ("pin_number", "1"), ("pin_number", "1" * 21), ("pin_number", "12a4"),
    ("pin_number", "12\x0034"), ("pin_number", "12\n34"), ("pin_number", "٣٤٥٦"), ("pin_number", True),
    ("pin_number", ["1234"]), ("pin_number", {"a": 1}), ("pin_number", None),
    ("accountcode", "a\r\nX-Header: b"), ("accountcode", "${system(id)}"), ("accountcode", "a" * 256),
    ("enabled", "maybe"),
]  # fmt: skip


def test_what_the_script_could_not_use_is_refused(client: Client) -> None:
    for field, value in NONSENSE:
        reply = client.call("pin-numbers", "create", json={"pin_number": "1234", field: value})
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR"), (field, value)
        assert reply.error["field"] == field


def test_the_switch_has_nothing_to_do_for_a_pin(pbx: Pbx, client: Client) -> None:
    reply = client.call("pin-numbers", "create", json={"pin_number": "1234"})
    pbx.switch.commands.clear()
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert set(pbx.switch.commands) <= {"hostname"}
