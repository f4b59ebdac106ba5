"""Conferences: rows and dialplans as FusionPBX writes them, numbers that mean one thing, no way to other rooms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from defusedxml.ElementTree import fromstring

from pbxapi.sandbox.sample import DOMAIN, SECOND_DOMAIN, uuid_of
from pbxapi.testing import Client, Pbx

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "facts" / "golden" / "more_resources.json"
ROOM = {"conference_name": "Board room", "conference_extension": "7631"}
DIALPLANS = (
    "select dialplan_uuid, domain_uuid, app_uuid::text as app_uuid, dialplan_context, dialplan_name,"
    " dialplan_number, dialplan_continue, dialplan_order::int as dialplan_order, dialplan_enabled,"
    " dialplan_description, dialplan_xml"
    " from v_dialplans where app_uuid = 'b81412e8-7253-91f4-e48e-42fc2c9a38d9'"
)


def tree(xml: str) -> Any:
    def shape(element: Any) -> Any:
        attributes = dict(element.attrib)
        if element.tag == "extension" and not attributes.get("continue"):
            attributes["continue"] = "false"
        return element.tag, attributes, [shape(child) for child in element]

    return shape(fromstring(xml))


def room_of(pbx: Pbx) -> str:
    """What the switch is told to join."""
    return str(tree(pbx.rows(DIALPLANS)[0]["dialplan_xml"])[2][0][2][-1][1]["data"])


def test_a_conference_owns_a_dialplan_as_fusionpbx_makes_it(pbx: Pbx) -> None:
    if not GOLDEN.exists():
        pytest.skip("FusionPBX's recorded pairs are not here: no more_resources.json beside the repository")
    for case in json.loads(GOLDEN.read_text())["dialplans"]:
        if case["resource"] != "conferences":
            continue
        row, expected, xml = case["input"]["row"], case["dialplan_row"], case["dialplan_xml"]
        sent = {n: v for n, v in row.items() if n.startswith("conference_") and n != "conference_uuid"}
        uuid = pbx.client.create("conferences", **sent)
        made = pbx.rows(DIALPLANS)[0]
        wanted = {n: v for n, v in expected.items() if n not in ("domain_uuid", "dialplan_uuid")}
        assert {n: made[n] for n in wanted} == wanted
        xml = xml.replace(row["conference_uuid"], uuid).replace(row["dialplan_uuid"], str(made["dialplan_uuid"]))
        assert tree(made["dialplan_xml"]) == tree(xml)
        assert (
            pbx.rows("select 1 from v_dialplan_details where dialplan_uuid = %(u)s", u=made["dialplan_uuid"]) == []
        )


def test_a_conference_is_made_changed_and_deleted_with_its_dialplan(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("conferences", "create", json=ROOM)
    assert (reply.status, reply.body["message"]) == (201, "Conference created successfully")
    uuid = reply.data["conference_uuid"]
    [made] = pbx.rows(DIALPLANS)
    found = either_client.get("conferences", uuid)
    assert found["dialplan_uuid"] == str(made["dialplan_uuid"])
    assert found["conference_context"] == made["dialplan_context"] == DOMAIN
    assert room_of(pbx) == f"7631@{DOMAIN}@default+flags{{''}}"
    sent = {
        "conference_name": "Board room-2", "conference_extension": "7632", "conference_pin_number": "0815",
        "conference_flags": "mute|wait-mod", "conference_email_address": "a@example.com",
        "conference_account_code": "acc-1", "conference_order": "20", "conference_enabled": "false",
        "conference_description": "Über <&>",
        "conference_users": sorted(str(row["user_uuid"]) for row in own_users(pbx)),
    }  # fmt: skip
    either_client.update("conferences", uuid, **sent)
    assert sent.items() <= either_client.get("conferences", uuid).items()
    [changed] = pbx.rows(DIALPLANS)
    assert changed["dialplan_uuid"] == made["dialplan_uuid"]
    assert (changed["dialplan_name"], changed["dialplan_number"]) == ("Board room-2", "7632")
    assert (changed["dialplan_enabled"], changed["dialplan_description"]) == (False, "Über <&>")
    assert room_of(pbx) == f"7632@{DOMAIN}@default+0815+flags{{'mute|wait-mod'}}"
    reply = either_client.delete("conferences", uuid)
    assert reply.body["message"] == "Conference deleted successfully"
    for table in ("v_conferences", "v_conference_users"):
        assert pbx.rows(f"select 1 from {table}") == []
    assert pbx.rows(DIALPLANS) == []


def own_users(pbx: Pbx) -> list[dict[str, Any]]:
    return pbx.rows("select user_uuid from v_users where domain_uuid = %(d)s", d=uuid_of("domain", DOMAIN))


def test_users_are_replaced_when_they_are_sent_and_kept_when_not(pbx: Pbx, client: Client) -> None:
    user = str(own_users(pbx)[0]["user_uuid"])
    uuid = client.create("conferences", **ROOM, conference_users=[user, user])
    client.update("conferences", uuid, conference_description="kept")
    assert client.get("conferences", uuid)["conference_users"] == [user]
    client.update("conferences", uuid, conference_users=[])
    assert client.get("conferences", uuid)["conference_users"] == []


def test_a_deleted_or_edited_dialplan_is_made_again_without_details(pbx: Pbx, client: Client) -> None:
    uuid = client.create("conferences", **ROOM)
    made = pbx.rows(DIALPLANS)[0]
    pbx.run(
        "insert into v_dialplan_details (dialplan_detail_uuid, domain_uuid, dialplan_uuid)"
        " select gen_random_uuid(), domain_uuid, dialplan_uuid from v_dialplans where dialplan_uuid = %(u)s",
        u=made["dialplan_uuid"],
    )
    pbx.run("update v_dialplans set dialplan_xml = 'edited' where dialplan_uuid = %(u)s", u=made["dialplan_uuid"])
    client.update("conferences", uuid, conference_description="")
    assert pbx.rows(DIALPLANS)[0]["dialplan_xml"] == made["dialplan_xml"]
    assert pbx.rows("select 1 from v_dialplan_details where dialplan_uuid = %(u)s", u=made["dialplan_uuid"]) == []
    pbx.run("delete from v_dialplans where dialplan_uuid = %(u)s", u=made["dialplan_uuid"])
    client.update("conferences", uuid, conference_description="again")
    assert pbx.rows(DIALPLANS)[0] == {**made, "dialplan_description": "again"}


def test_a_save_clears_what_the_switch_remembers_of_the_context_and_writes_the_file(
    pbx: Pbx, client: Client
) -> None:
    served = pbx.folders["cache"] / f"dialplan.{DOMAIN}"
    folder = pbx.folders["dialplan"] / DOMAIN
    uuid = None
    steps = (
        {},
        {"conference_name": "Other"},
        {"conference_enabled": "false"},
        {"conference_enabled": "true"},
        None,
    )
    for changes in steps:
        served.write_text("<section/>")
        if changes is None:
            reply = client.delete("conferences", uuid or "")
        elif uuid:
            reply = client.update("conferences", uuid, **changes)
        else:
            reply = client.call("conferences", "create", json=ROOM)
            uuid = reply.data["conference_uuid"]
        pbx.apply()
        assert pbx.change(reply)["state"] == "applied"
        assert not served.exists(), changes
        names = [file.name.partition("_v_")[2].rpartition("_")[0] for file in folder.glob("333_v_*")]
        there = changes is not None and changes.get("conference_enabled") != "false"
        assert names == ([] if not there else ["Board_room"] if changes == {} else ["Other"]), changes


def test_a_conference_moved_between_contexts_clears_both(pbx: Pbx, client: Client) -> None:
    uuid = client.create("conferences", **ROOM)
    pbx.apply()
    files = [pbx.folders["cache"] / f"dialplan.{context}" for context in (DOMAIN, f"public@{DOMAIN}")]
    for file in files:
        file.write_text("x")
    client.update("conferences", uuid, conference_context=f"public@{DOMAIN}")
    pbx.apply()
    assert [file.exists() for file in files] == [False, False]


def test_a_number_means_one_thing_in_a_domain(pbx: Pbx, client: Client) -> None:
    reply = client.call("conferences", "create", json={**ROOM, "conference_extension": "1001"})
    assert (reply.status, reply.error["code"], reply.error["field"]) == (
        409, "DUPLICATE_ERROR", "conference_extension",
    )  # fmt: skip
    assert reply.error["message"] == "The number 1001 is taken by a extension"
    uuid = client.create("conferences", **ROOM)
    reply = client.call("conferences", "create", json=ROOM)
    assert (reply.status, reply.error["message"]) == (409, "Conference already exists")
    assert client.call("extensions", "create", json={"extension": "7631"}).status == 409
    assert client.call("conferences", "update", uuid, {"conference_extension": "1001"}).status == 409
    client.update("conferences", uuid, **ROOM)
    client.of(pbx.other_domain).create("conferences", **ROOM)
    assert len(pbx.rows(DIALPLANS)) == 2


NONSENSE: list[tuple[str, Any]] = [
    ("conference_name", ""), ("conference_name", "a&b"), ("conference_name", "a\nb"), ("conference_name", []),
    ("conference_extension", ""), ("conference_extension", f"900@{SECOND_DOMAIN}@default"),
    ("conference_extension", "*7602"), ("conference_extension", "٣"), ("conference_extension", "7" * 40),
    ("conference_pin_number", "12+flags{moderator}"), ("conference_pin_number", "1\x002"),
    ("conference_flags", "mute|'}"), ("conference_flags", "admin"), ("conference_flags", "${system(id)}"),
    ("conference_profile", "nobody"), ("conference_profile", "sla"), ("conference_profile", "default+1234"),
    ("conference_email_address", "a b"), ("conference_account_code", "x\r\ny"), ("conference_order", "first"),
    ("conference_context", SECOND_DOMAIN), ("conference_context", "global"),
    ("conference_context", "${domain_name}"), ("conference_enabled", "yes"), ("conference_users", "all"),
]  # fmt: skip


def test_what_would_reach_another_room_or_run_something_is_refused(pbx: Pbx, client: Client) -> None:
    for name in ("sla", "video"):
        pbx.run(
            "insert into v_conference_profiles (conference_profile_uuid, profile_name, profile_enabled)"
            " values (%(uuid)s, %(name)s, true)",
            uuid=uuid4(),
            name=name,
        )
    for field, value in NONSENSE:
        reply = client.call("conferences", "create", json={**ROOM, field: value})
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR"), (field, value)
        assert reply.error["field"] == field, (field, value)
    assert pbx.rows(DIALPLANS) == []
    client.create("conferences", **ROOM, conference_profile="video")
    assert room_of(pbx) == f"7631@{DOMAIN}@video+flags{{''}}"


def test_a_pin_is_in_no_list_and_no_audit_row(pbx: Pbx, client: Client) -> None:
    uuid = client.create("conferences", **ROOM, conference_pin_number="90210733")
    client.update("conferences", uuid, conference_pin_number="90210734")
    assert client.get("conferences", uuid)["conference_pin_number"] == "90210734"
    assert "902107" not in str(client.list("conferences"))
    assert "902107" not in str(pbx.rows("select transaction_old, transaction_new from v_database_transactions"))
