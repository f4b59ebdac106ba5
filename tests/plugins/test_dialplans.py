"""Dialplans: the XML that the switch gets, the fence around it, and what a change takes along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from pbxapi.app import create_app
from pbxapi.sandbox.sample import DOMAIN_UUID, SECOND_DOMAIN_UUID, uuid_of
from pbxapi.testing import Client, Pbx, Reply

GLOBAL = {"X-Allow-Global": "true"}
RING_GROUPS = "1d61fb65-1eec-bc73-a6ee-a6203b4fe6f2"
TIME_CONDITIONS = "4b821450-926b-175a-af93-a03c441818b1"
DOCUMENTED_TIME_CONDITIONS = "4b821450-926b-175a-af93-a03c441f8c30"


def detail(tag: str, type_: str, data: str = "", **more: Any) -> dict[str, Any]:
    named = {f"dialplan_detail_{name.rstrip('_')}": value for name, value in more.items()}
    return {"dialplan_detail_tag": tag, "dialplan_detail_type": type_, "dialplan_detail_data": data, **named}


def dialled(expression: str) -> dict[str, Any]:
    return detail("condition", "destination_number", expression)


def action(application: str, data: str = "") -> dict[str, Any]:
    return detail("action", application, data)


TRANSFER = [dialled("^123$"), action("answer"), action("transfer", "1001 XML pbx.example.com")]


def row(pbx: Pbx, uuid: str) -> dict[str, Any]:
    return pbx.rows("select * from v_dialplans where dialplan_uuid = %(u)s", u=uuid)[0]


def refused(reply: Reply, field: str) -> None:
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "VALIDATION_ERROR", field), (
        reply.body
    )


def actions_of(xml: str) -> list[tuple[str, str]]:
    return [(a.get("application", ""), a.get("data", "")) for a in fromstring(xml).iter("action")]


def cached(pbx: Pbx, *keys: str) -> list[Path]:
    """Cache files of these keys, as the switch's script names them."""
    files = [pbx.folders["cache"] / key.replace(":", ".") for key in keys]
    for file in files:
        file.write_text("<document/>")
    return files


def files(pbx: Pbx) -> list[str]:
    root = pbx.folders["dialplan"]
    return sorted(str(path.relative_to(root)) for path in root.rglob("*_v_*.xml"))


def served(pbx: Pbx, context: str) -> dict[str, str]:
    """What the switch has read from files: name -> the condition's expression, in their order."""
    pbx.socket.api("reloadxml")
    with pbx.switch._xml_lock:
        tree = pbx.switch._read_tree()
    return {
        extension.get("name", ""): condition.get("expression", "")
        for found in tree.iterfind(f"section[@name='dialplan']/context[@name='{context}']")
        for extension in found.iterfind("extension")
        for condition in extension.findall("condition")[:1]
    }


def test_details_become_the_xml_that_the_switch_gets(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("dialplans", "create", json={"dialplan_name": "reception", "details": TRANSFER})
    assert (reply.status, reply.body["message"]) == (201, "Dialplan created successfully")
    uuid = reply.data["dialplan_uuid"]
    found = either_client.get("dialplans", uuid)
    assert found["dialplan_xml"] == row(pbx, uuid)["dialplan_xml"]
    assert found["dialplan_xml"] == (
        f'<extension name="reception" continue="false" uuid="{uuid}">\n'
        '\t<condition field="destination_number" expression="^123$">\n'
        '\t\t<action application="answer" data=""/>\n'
        '\t\t<action application="transfer" data="1001 XML pbx.example.com"/>\n'
        "\t</condition>\n"
        "</extension>\n"
    )
    assert [d["dialplan_detail_order"] for d in found["details"]] == ["10", "20", "30"]
    assert list(found["details"][0]) == [
        f"dialplan_detail_{name}"
        for name in ("tag", "type", "data", "break", "inline", "group", "order", "enabled")
    ]


def test_what_is_left_out_gets_the_defaults_of_fusionpbx(pbx: Pbx, client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="plain")
    found = client.get("dialplans", uuid)
    assert {n: v for n, v in found.items() if v not in ("", [])} == {
        "dialplan_uuid": uuid,
        "app_uuid": "742714e5-8cdf-32fd-462c-cbe7e3d655db",
        "dialplan_context": pbx.domain,
        "dialplan_name": "plain",
        "dialplan_destination": "false",
        "dialplan_continue": "false",
        "dialplan_order": "200",
        "dialplan_enabled": "true",
        "dialplan_xml": f'<extension name="plain" continue="false" uuid="{uuid}"/>\n',
    }
    # The switch's script compares the host name with NULL; '' would never match.
    assert row(pbx, uuid)["hostname"] is None


def test_every_field_comes_back_as_it_was_sent(client: Client) -> None:
    sent = {
        "app_uuid": "11111111-2222-4333-8444-555555555555", "hostname": "switch1", "dialplan_context": "public",
        "dialplan_name": "über <&> 'x'", "dialplan_number": "*98[ext]", "dialplan_destination": "true",
        "dialplan_continue": "true", "dialplan_order": "7", "dialplan_enabled": "false",
        "dialplan_description": "☎ <&>",
        "details": [
            detail("condition", "regex", "all", order="5", group="3", enabled="true", inline="", break_="never"),
            detail("regex", "caller_id_number", "^1$", order="6", group="3", enabled="true", inline="", break_=""),
            detail("action", "set", "a=b", order="7", group="3", enabled="true", inline="true", break_=""),
            detail("anti-action", "hangup", "", order="8", group="3", enabled="false", inline="", break_=""),
        ],
    }  # fmt: skip
    uuid = client.create("dialplans", **sent)
    assert sent.items() <= client.get("dialplans", uuid).items()


def test_an_update_with_details_replaces_them_and_rebuilds_the_xml(pbx: Pbx, client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="reception", details=TRANSFER)
    client.update("dialplans", uuid, details=[dialled("^9$"), action("hangup")])
    found = client.get("dialplans", uuid)
    assert actions_of(found["dialplan_xml"]) == [("hangup", "")]
    stored = pbx.rows("select dialplan_detail_type from v_dialplan_details where dialplan_uuid = %(u)s", u=uuid)
    assert len(stored) == len(found["details"]) == 2


def test_a_new_name_context_or_continue_rebuilds_the_xml_from_the_stored_details(pbx: Pbx, client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="reception", details=TRANSFER)
    client.update("dialplans", uuid, dialplan_name="front desk", dialplan_continue="true")
    extension = fromstring(row(pbx, uuid)["dialplan_xml"])
    assert (extension.get("name"), extension.get("continue")) == ("front desk", "true")
    client.update("dialplans", uuid, dialplan_context="public")
    assert actions_of(row(pbx, uuid)["dialplan_xml"])[:3] == [
        ("export", "call_direction=inbound"),
        ("set", f"domain_uuid={DOMAIN_UUID}"),
        ("set", f"domain_name={pbx.domain}"),
    ]


def test_a_dialplan_without_details_keeps_its_xml_under_a_new_name(pbx: Pbx, client: Client) -> None:
    """Such are those of ring groups, menus and the like."""
    uuid = str(uuid_of("dialplan", "test", "sales"))
    xml = '<extension name="sales" continue="" uuid="x"><condition field="destination_number" expression="^700$">'
    xml += '<action application="lua" data="app.lua ring_groups"/></condition></extension>'
    pbx.run(
        "insert into v_dialplans (dialplan_uuid, domain_uuid, app_uuid, dialplan_context, dialplan_name,"
        " dialplan_xml, dialplan_enabled) values (%(u)s, %(d)s, %(app)s, %(context)s, 'sales', %(xml)s, true)",
        u=uuid, d=DOMAIN_UUID, app=RING_GROUPS, context=pbx.domain, xml=xml,
    )  # fmt: skip
    client.update("dialplans", uuid, dialplan_description="no word for the switch")
    assert row(pbx, uuid)["dialplan_xml"] == xml
    reply = client.update("dialplans", uuid, dialplan_name="support")
    assert "ring group" in reply.body["warnings"][0]
    extension = fromstring(row(pbx, uuid)["dialplan_xml"])
    assert (extension.get("name"), extension.get("continue"), extension.get("uuid")) == ("support", "false", uuid)
    assert actions_of(row(pbx, uuid)["dialplan_xml"]) == [("lua", "app.lua ring_groups")]
    pbx.run(
        "update v_dialplans set dialplan_xml = '<extension name=\"a & b\"' where dialplan_uuid = %(u)s", u=uuid
    )
    reply = client.update("dialplans", uuid, dialplan_name="broken")
    assert any("stays as it is" in warning for warning in reply.body["warnings"])
    assert row(pbx, uuid)["dialplan_name"] == "broken"


def test_xml_can_be_given_instead_of_details(pbx: Pbx, client: Client) -> None:
    xml = '<extension name="mine" continue="true"><condition field="network_addr" expression="^1$"/></extension>'
    uuid = client.create("dialplans", dialplan_name="given", dialplan_xml=xml)
    found = client.get("dialplans", uuid)
    extension = fromstring(found["dialplan_xml"])
    assert (extension.get("name"), extension.get("continue"), extension.get("uuid")) == ("given", "true", uuid)
    assert (found["dialplan_continue"], found["details"]) == ("true", [])
    client.update("dialplans", uuid, details=TRANSFER)
    assert len(client.get("dialplans", uuid)["details"]) == 3
    client.update("dialplans", uuid, dialplan_xml=xml)
    assert client.get("dialplans", uuid)["details"] == []
    assert pbx.rows("select 1 from v_dialplan_details where dialplan_uuid = %(u)s", u=uuid) == []


NO_XML = [
    "no xml",
    "<extension>",
    "<extension/><extension/>",
    "<context><extension/></context>",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><extension name='&e;'/>",
    "<extension>" + "<condition>" * 30 + "</condition>" * 30 + "</extension>",
    "<extension><condition field='x' expression='${system(id)}'/></extension>",
    "<extension><condition><action application='system' data='id'/></condition></extension>",
    "<extension><condition><action application='transfer' data='9 XML x.example'/></condition></extension>",
    "<extension><condition><anti-action application='bridge'>user/1@x.test</anti-action></condition></extension>",
]


def test_xml_that_is_not_one_sound_extension_of_ones_own_is_refused(client: Client) -> None:
    for xml in NO_XML:
        refused(
            client.call("dialplans", "create", json={"dialplan_name": "x", "dialplan_xml": xml}), "dialplan_xml"
        )


def test_new_xml_and_new_details_cannot_stand_together_but_a_whole_record_can_be_put_back(client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="reception", details=TRANSFER)
    found = client.get("dialplans", uuid)
    whole = {name: value for name, value in found.items() if name != "dialplan_uuid"}
    client.update("dialplans", uuid, **whole)
    assert client.get("dialplans", uuid) == found
    both = {"dialplan_xml": "<extension/>", "details": [dialled("^1$")]}
    refused(client.call("dialplans", "update", uuid, both), "dialplan_xml")


def test_delete_takes_the_details_along(pbx: Pbx, either_client: Client) -> None:
    uuid = either_client.create("dialplans", dialplan_name="reception", details=TRANSFER)
    reply = either_client.delete("dialplans", uuid)
    assert reply.body == {"success": True, "message": "Dialplan deleted successfully"}
    assert pbx.rows("select 1 from v_dialplan_details where dialplan_uuid = %(u)s", u=uuid) == []
    assert either_client.call("dialplans", "get", uuid).error["message"] == "Dialplan not found"


def test_the_list_can_be_filtered_by_application(either_client: Client) -> None:
    client = either_client
    uuid = client.create("dialplans", dialplan_name="hours", app_uuid=DOCUMENTED_TIME_CONDITIONS)
    assert client.get("dialplans", uuid)["app_uuid"] == TIME_CONDITIONS
    for app in (TIME_CONDITIONS, DOCUMENTED_TIME_CONDITIONS, TIME_CONDITIONS.upper()):
        assert {r["dialplan_name"] for r in client.list("dialplans", app_uuid=app)} == {"hours", "office-hours"}
    orders = [int(r["dialplan_order"]) for r in client.list("dialplans")]
    assert orders == sorted(orders)


# The fence


FOREIGN_CONTEXTS = [
    *("second.example.com", "global", "${domain_name}", "default", "public@second.example.com"),
    *("second.example.com.public", "x/../public", "*"),
]


def test_a_context_that_is_not_ones_own_is_refused(client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="mine")
    for context in FOREIGN_CONTEXTS:
        body = {"dialplan_name": "x", "dialplan_context": context}
        refused(client.call("dialplans", "create", json=body), "dialplan_context")
        refused(client.call("dialplans", "update", uuid, {"dialplan_context": context}), "dialplan_context")


def test_a_context_that_carries_the_domain_is_ones_own(client: Client) -> None:
    for context in ("pbx.example.com", "public", "public@pbx.example.com", "pbx.example.com.public"):
        uuid = client.create("dialplans", dialplan_name="x", dialplan_context=context)
        assert client.get("dialplans", uuid)["dialplan_context"] == context


def foreign_gateway() -> str:
    return str(uuid_of("gateway", "second.example.com", "carrier"))


BEYOND = [
    (action("system", "id"), "type"),
    (action("transfer", "900 XML second.example.com"), "data"),
    (action("bridge", f"sofia/gateway/{foreign_gateway()}/900"), "data"),
    (action("bridge", f"sofia/gateway/{uuid_of('nobody')}/900"), "data"),
    (action("set", f"domain_uuid={SECOND_DOMAIN_UUID}"), "data"),
    (action("set", "presence_id=900@Second.example.com"), "data"),
    (action("set", "api_hangup_hook=lua x.lua"), "data"),
    (detail("anti-action", "voicemail", "default second.example.com 1"), "data"),
    (detail("action", "system", "id", enabled="false"), "type"),
    (detail("condition", "${system(id)}", "x"), "type"),
    (detail("condition", "destination_number", "$${system(id)}"), "data"),
]


def test_an_action_that_reaches_beyond_the_domain_is_refused_with_its_place(
    pbx: Pbx, either_client: Client
) -> None:
    before = pbx.rows("select count(*) as n from v_dialplans")
    for given, column in BEYOND:
        body = {"dialplan_name": "x", "details": [dialled("^1$"), given]}
        refused(either_client.call("dialplans", "create", json=body), f"details.1.dialplan_detail_{column}")
    assert pbx.rows("select count(*) as n from v_dialplans") == before


def test_ones_own_gateways_and_those_of_all_domains_can_be_dialled(client: Client) -> None:
    for gateway in (uuid_of("gateway", "pbx.example.com", "carrier"), uuid_of("gateway", None, "shared")):
        details = [dialled("^1$"), action("bridge", f"sofia/gateway/{gateway}/$1")]
        client.create("dialplans", dialplan_name="x", details=details)


def test_what_was_entered_as_a_bridge_of_the_domain_can_be_dialled(pbx: Pbx, client: Client) -> None:
    body = {"dialplan_name": "x", "details": [dialled("^1$"), action("bridge", "sofia/external/1@192.0.2.1")]}
    insert = (
        "insert into v_bridges (bridge_uuid, domain_uuid, bridge_destination)"
        " values (gen_random_uuid(), %(d)s, 'sofia/external/1@192.0.2.1')"
    )
    pbx.run(insert, d=SECOND_DOMAIN_UUID)
    refused(client.call("dialplans", "create", json=body), "details.1.dialplan_detail_data")
    pbx.run(insert, d=DOMAIN_UUID)
    assert client.call("dialplans", "create", json=body).status == 201


def test_the_systems_key_can_lift_the_fence_and_a_key_of_a_domain_cannot(pbx: Pbx, client: Client) -> None:
    body = {
        "dialplan_name": "x",
        "dialplan_context": "global",
        "details": [dialled("^1$"), action("system", "id")],
    }
    made = client.call("api-keys", "create", json={"name": "tenant", "scopes": ["*"], "domains": [pbx.domain]})
    tenant = replace(client, key=made.data["key"])
    refused(tenant.call("dialplans", "create", json=body, headers=GLOBAL), "dialplan_context")
    reply = client.call("dialplans", "create", json=body, headers=GLOBAL)
    assert reply.status == 201
    # What the operator put there stays where it is when everything else is changed, or sent again.
    uuid = reply.data["dialplan_uuid"]
    details = client.get("dialplans", uuid)["details"]
    tenant.update("dialplans", uuid, dialplan_description="mine", details=details)
    refused(
        tenant.call("dialplans", "update", uuid, {"details": [*details, action("hangup")]}),
        "details.1.dialplan_detail_type",
    )


def test_the_operators_list_adds_applications(pbx: Pbx) -> None:
    app = create_app(replace(pbx.config, dialplan_applications=("speak",)), lambda *_: {})
    client = replace(pbx.client, app=app)
    body = {"dialplan_name": "x", "details": [dialled("^1$"), action("speak", "flite|kal|hello")]}
    refused(pbx.client.call("dialplans", "create", json=body), "details.1.dialplan_detail_type")
    assert client.call("dialplans", "create", json=body).status == 201
    app.extensions["pbxapi"].database.close()


# Input


def one(*details: Any) -> dict[str, Any]:
    return {"dialplan_name": "x", "details": list(details)}


WRONG: list[tuple[Any, str]] = [
    ({}, "dialplan_name"),
    *(
        ({"dialplan_name": name}, "dialplan_name")
        for name in ("", None, "a\nb", "a\0b", "\uffff", "x" * 256, "${system(id)}", ["x"], {"a": 1}, True)
    ),
    *(({"dialplan_name": "x", "dialplan_order": n}, "dialplan_order") for n in ("first", 10**30, "-1", 1.5, [])),
    ({"dialplan_name": "x", "dialplan_continue": "maybe"}, "dialplan_continue"),
    ({"dialplan_name": "x", "dialplan_number": "x" * 300}, "dialplan_number"),
    ({"dialplan_name": "x", "app_uuid": "nonsense"}, "app_uuid"),
    ({"dialplan_name": "x", "hostname": "a b"}, "hostname"),
    ({"dialplan_name": "x", "details": {}}, "details"),
    (one("x"), "details.0"),
    (one({}), "details.0.dialplan_detail_tag"),
    (one(detail("nonsense", "x")), "details.0.dialplan_detail_tag"),
    (one({**action("x"), "dialplan_detail_type": {"a": 1}}), "details.0.dialplan_detail_type"),
    (one(action("set", "a\nb")), "details.0.dialplan_detail_data"),
    (one(action("set", "x" * 5000)), "details.0.dialplan_detail_data"),
    (one(detail("action", "answer", group="x")), "details.0.dialplan_detail_group"),
    (one(detail("action", "answer", order=10**12)), "details.0.dialplan_detail_order"),
    (one(detail("action", "answer", inline="x")), "details.0.dialplan_detail_inline"),
    (one(detail("condition", "x", break_="x")), "details.0.dialplan_detail_break"),
    (one(detail("regex", "x", "y")), "details.0.dialplan_detail_tag"),
    (one(*[action("answer")] * 501), "details"),
]


def test_what_no_dialplan_can_hold_is_refused_with_its_field(either_client: Client) -> None:
    path = "/dialplans/create.php" if either_client.family == "php" else "/dialplans"
    for body, field in WRONG:
        refused(either_client.request("POST", path, body=json.dumps(body).encode()), field)


# What reaches the switch


def test_the_entry_of_the_old_and_the_new_context_goes(pbx: Pbx, client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="x", details=TRANSFER)
    pbx.apply()
    old, new, other = cached(
        pbx, f"dialplan:{pbx.domain}", f"dialplan:public@{pbx.domain}", f"dialplan:{pbx.other_domain}"
    )
    client.update("dialplans", uuid, dialplan_context=f"public@{pbx.domain}")
    pbx.apply()
    assert (old.exists(), new.exists(), other.exists()) == (False, False, True)


def test_in_a_context_of_all_domains_every_entry_goes(pbx: Pbx, client: Client) -> None:
    body = {"dialplan_name": "x", "dialplan_context": "global"}
    reply = client.call("dialplans", "create", json=body, headers=GLOBAL)
    entries = cached(pbx, f"dialplan:{pbx.domain}", f"dialplan:{pbx.other_domain}", "dialplan:public:5551234")
    pbx.apply()
    assert not any(entry.exists() for entry in entries)
    assert files(pbx) == []
    assert pbx.change(reply)["state"] == "applied"


@pytest.mark.parametrize(("mode", "gone"), [("single", True), ("multiple", False)])
def test_calls_from_outside_are_looked_up_again_by_number(pbx: Pbx, client: Client, mode: str, gone: bool) -> None:
    pbx.run("update v_default_settings set default_setting_value = %(mode)s"
            " where default_setting_subcategory = 'dialplan_mode'", mode=mode)  # fmt: skip
    by_number, by_context = cached(pbx, "dialplan:public:5551234", "dialplan:public")
    client.create("dialplans", dialplan_name="x", dialplan_context="public", details=TRANSFER)
    pbx.apply()
    assert not by_context.exists()
    assert by_number.exists() != gone


def test_a_dialplan_has_one_file_that_follows_it(pbx: Pbx, client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="Front/desk 1", dialplan_order="15", details=TRANSFER)
    pbx.apply()
    assert files(pbx) == [f"pbx.example.com/015_v_Front_desk_1_{uuid}.xml"]
    assert served(pbx, pbx.domain) == {"Front/desk 1": "^123$"}
    client.update("dialplans", uuid, dialplan_order="1500", dialplan_name="Reception")
    pbx.apply()
    assert files(pbx) == [f"pbx.example.com/999_v_Reception_{uuid}.xml"]
    client.update("dialplans", uuid, dialplan_context="public")
    pbx.apply()
    assert files(pbx) == [f"public/pbx.example.com/999_v_Reception_{uuid}.xml"]
    client.update("dialplans", uuid, dialplan_enabled="false")
    pbx.apply()
    assert files(pbx) == []
    client.update("dialplans", uuid, dialplan_enabled="true", hostname="switch2")
    pbx.apply()
    assert files(pbx) == []
    client.update("dialplans", uuid, hostname="switch1")
    pbx.apply()
    assert len(files(pbx)) == 1
    client.delete("dialplans", uuid)
    pbx.apply()
    assert files(pbx) == []


def test_dialplans_of_one_name_and_order_do_not_overwrite_each_other(pbx: Pbx, client: Client) -> None:
    for number in ("1", "2"):
        client.create("dialplans", dialplan_name="same", details=[dialled(f"^{number}$"), action("hangup")])
    pbx.apply()
    assert len(files(pbx)) == 2


def test_xml_that_cannot_be_read_has_no_file_and_the_change_says_so(pbx: Pbx, client: Client) -> None:
    uuid = client.create("dialplans", dialplan_name="x", details=TRANSFER)
    pbx.apply()
    pbx.run("update v_dialplans set dialplan_xml = '<extension' where dialplan_uuid = %(u)s", u=uuid)
    reply = client.update("dialplans", uuid, dialplan_description="y")
    pbx.apply()
    assert files(pbx) == []
    change = pbx.change(reply)
    assert (change["state"], "has no file" in change["nodes"][0]["error"]) == ("applied", True)


@pytest.fixture
def nothing_served(pbx: Pbx) -> Iterator[None]:
    yield
    assert served(pbx, pbx.other_domain) == {}


@pytest.mark.usefixtures("nothing_served")
def test_another_tenants_files_and_entries_stay_as_they_are(pbx: Pbx, client: Client) -> None:
    entry = cached(pbx, f"dialplan:{pbx.other_domain}")[0]
    client.create("dialplans", dialplan_name="x", details=TRANSFER)
    pbx.apply()
    assert entry.exists()
    assert all(name.startswith("pbx.example.com/") for name in files(pbx))
