"""Inbound and outbound routes: dialplans of one application each, made of details or of a few plain words."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import fromstring

from pbxapi.sandbox.sample import DOMAIN_UUID, uuid_of
from pbxapi.testing import Client, Pbx, Reply

CARRIER = str(uuid_of("gateway", "pbx.example.com", "carrier"))
BACKUP = str(uuid_of("gateway", "pbx.example.com", "backup"))
SHARED = str(uuid_of("gateway", None, "shared"))
FOREIGN = str(uuid_of("gateway", "second.example.com", "carrier"))
TRANSFER = {"app": "transfer", "data": "1001 XML pbx.example.com"}
INBOUND, OUTBOUND = "inbound-routes", "outbound-routes"


def refused(reply: Reply, field: str) -> None:
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "VALIDATION_ERROR", field), (
        reply.body
    )


def actions_of(xml: str) -> list[tuple[str, str]]:
    return [(a.get("application", ""), a.get("data", "")) for a in fromstring(xml).iter("action")]


def names(client: Client, resource: str) -> set[str]:
    return {row["dialplan_name"] for row in client.list(resource)}


def set_mode(pbx: Pbx, mode: str) -> None:
    pbx.run(
        "update v_default_settings set default_setting_value = %(mode)s"
        " where default_setting_category = 'destinations' and default_setting_subcategory = 'dialplan_mode'",
        mode=mode,
    )


def test_an_inbound_route_is_made_of_a_number_and_actions(pbx: Pbx, either_client: Client) -> None:
    body = {"name": "main", "number": "5551234", "actions": [TRANSFER], "limit": "5"}
    reply = either_client.call(INBOUND, "create", json=body)
    assert (reply.status, reply.body["message"]) == (201, "Inbound route created successfully")
    found = either_client.get(INBOUND, reply.data["dialplan_uuid"])
    assert (found["dialplan_name"], found["dialplan_number"]) == ("main", "5551234")
    assert (found["dialplan_context"], found["dialplan_order"]) == ("public", "100")
    assert found["app_uuid"] == "c03b422e-13a8-bd1b-e42b-b6b9b4d27ce4"
    extension = fromstring(found["dialplan_xml"])
    assert [c.get("expression") for c in extension.iter("condition")] == ["^(5551234)$"]
    assert actions_of(found["dialplan_xml"]) == [
        ("export", "call_direction=inbound"),
        ("set", f"domain_uuid={DOMAIN_UUID}"),
        ("set", f"domain_name={pbx.domain}"),
        ("limit", "hash ${domain_name} inbound 5 !USER_BUSY"),
        ("transfer", "1001 XML pbx.example.com"),
    ]


def test_a_number_that_nothing_names_is_warned_of_where_the_switch_looks_up_by_number(
    pbx: Pbx, client: Client
) -> None:
    body = {"dialplan_name": "main", "dialplan_number": "5551234", "actions": [TRANSFER]}
    warnings = client.call(INBOUND, "create", json=body).body["warnings"]
    assert len(warnings) == 1
    assert "destination" in warnings[0]
    inside = client.call(INBOUND, "create", json={**body, "dialplan_context": pbx.domain})
    assert "warnings" not in inside.body
    set_mode(pbx, "multiple")
    assert "warnings" not in client.call(INBOUND, "create", json=body).body


def test_new_actions_rebuild_an_inbound_route(client: Client) -> None:
    uuid = client.create(INBOUND, number="5551234", actions=[TRANSFER])
    assert client.get(INBOUND, uuid)["dialplan_name"] == "5551234"
    client.update(INBOUND, uuid, actions=[{"app": "hangup", "data": "USER_BUSY"}], number="5550000")
    xml = client.get(INBOUND, uuid)["dialplan_xml"]
    assert actions_of(xml)[-1] == ("hangup", "USER_BUSY")
    assert "^(5550000)$" in xml


def test_an_inbound_route_that_cannot_be_made_is_refused(client: Client) -> None:
    for body, field in (
        ({}, "dialplan_name"),
        ({"name": "x", "actions": [TRANSFER]}, "number"),
        ({"number": "1", "limit": "5"}, "limit"),
        ({"number": "1", "limit": "0", "actions": [TRANSFER]}, "limit"),
        ({"number": "1", "actions": [{"data": "x"}]}, "actions.0.app"),
        ({"number": "1", "actions": [TRANSFER, {"app": "system", "data": "id"}]}, "actions.1.app"),
        ({"number": "1", "actions": [{"app": "transfer", "data": "9 XML second.example.com"}]}, "actions.0.data"),
        ({"number": "1", "actions": "transfer"}, "actions"),
        ({"number": "1\n2", "actions": [TRANSFER]}, "number"),
        ({"number": "1", "actions": [TRANSFER], "dialplan_context": "global"}, "dialplan_context"),
    ):
        refused(client.call(INBOUND, "create", json=body), field)


def test_an_outbound_route_is_two_dialplans_for_each_expression(pbx: Pbx, either_client: Client) -> None:
    body = {"gateway_uuid": CARRIER, "gateway_2_uuid": SHARED, "expressions": [r"^(\d{10})$", r"^(\d{7})$"],
            "prefix": "999", "limit": "3", "pin_numbers": "database", "toll_allow": "domestic",
            "accountcode": "acme"}  # fmt: skip
    reply = either_client.call(OUTBOUND, "create", json=body)
    assert (reply.status, reply.body["message"]) == (201, "Outbound route created successfully")
    main, uuids = reply.data["dialplan_uuid"], reply.data["dialplan_uuids"]
    assert len(uuids) == len(set(uuids)) == 4
    found = [either_client.get(OUTBOUND, uuid) for uuid in uuids]
    assert [(d["dialplan_name"], d["dialplan_order"], d["dialplan_continue"]) for d in found] == [
        ("call_direction-outbound.10d", "22", "true"),
        ("carrier.10d", "300", "false"),
        ("call_direction-outbound.7d", "22", "true"),
        ("carrier.7d", "300", "false"),
    ]
    assert main == uuids[1]
    assert {d["dialplan_context"] for d in found} == {pbx.domain}
    made = actions_of(found[1]["dialplan_xml"])
    assert made[-2:] == [
        ("bridge", f"sofia/gateway/{CARRIER}/999$1"),
        ("bridge", f"sofia/gateway/{SHARED}/999$1"),
    ]
    for expected in (
        ("set", "sip_h_accountcode=acme"),
        ("set", "limit_max=3"),
        ("set", "pin_number=database"),
        ("lua", "pin_number.lua"),
        ("set", "provider_prefix=999"),
    ):
        assert expected in made
    pbx.apply()
    assert pbx.change(reply)["record_uuid"] == main
    applied = pbx.rows("select c.record_uuid::text as uuid from pbxapi.change c join pbxapi.change_node n"
                       " using (change_id) where n.state = 'applied'")  # fmt: skip
    assert {row["uuid"] for row in applied} >= set(uuids)


def test_an_outbound_route_has_the_name_that_it_is_given(client: Client) -> None:
    one = {"name": "My trunk", "gateway_uuid": CARRIER, "expressions": [r"^(\d{10})$"]}
    reply = client.call(OUTBOUND, "create", json=one)
    assert client.get(OUTBOUND, reply.data["dialplan_uuid"])["dialplan_name"] == "My trunk"
    client.call(OUTBOUND, "create", json={**one, "expressions": [r"^(\d{10})$", r"^(\d{7})$"]})
    assert {"My trunk", "My trunk.10d", "My trunk.7d"} <= names(client, OUTBOUND)


def test_details_of_an_outbound_route_can_be_sent_again(client: Client) -> None:
    """What the plain words make is inside the fence."""
    body = {"gateway_uuid": CARRIER, "expressions": ["(^911$|^933$)"], "pin_numbers": "1234", "limit": "2"}
    uuids = client.call(OUTBOUND, "create", json=body).data["dialplan_uuids"]
    for uuid in uuids:
        details = client.get(OUTBOUND, uuid)["details"]
        client.update(
            OUTBOUND, uuid, details=[*details, {"dialplan_detail_tag": "action", "dialplan_detail_type": "answer"}]
        )


def test_each_dialplan_of_an_outbound_route_is_changed_and_deleted_by_itself(client: Client) -> None:
    body = {"gateway_uuid": CARRIER, "expressions": [r"^(\d{10})$"], "dialplan_description": "trunk"}
    direction, main = client.call(OUTBOUND, "create", json=body).data["dialplan_uuids"]
    client.update(OUTBOUND, main, dialplan_enabled="false")
    assert client.get(OUTBOUND, direction)["dialplan_enabled"] == "true"
    client.delete(OUTBOUND, main)
    assert client.get(OUTBOUND, direction)["dialplan_description"] == "trunk"
    refused(client.call(OUTBOUND, "update", direction, {"expressions": ["^1$"]}), "expressions")
    refused(client.call(OUTBOUND, "update", direction, {"gateway_uuid": BACKUP}), "gateway_uuid")


def test_an_outbound_route_that_cannot_be_made_is_refused_and_nothing_is_stored(pbx: Pbx, client: Client) -> None:
    before = pbx.rows("select count(*) as n from v_dialplans")
    good: dict[str, Any] = {"gateway_uuid": CARRIER, "expressions": [r"^(\d{10})$"]}
    for change, field in (
        ({"expressions": []}, "dialplan_name"),
        ({"expressions": [""]}, "expressions.0"),
        ({"expressions": [r"^(\d{10})$"] * 2}, "expressions.1"),
        ({"expressions": ["^1$\n^2$"]}, "expressions.0"),
        ({"expressions": ["${system(id)}"]}, "expressions.0"),
        ({"expressions": "^1$"}, "expressions"),
        ({"expressions": [["^1$"]]}, "expressions.0"),
        ({"gateway_uuid": ""}, "gateway_uuid"),
        ({"gateway_uuid": FOREIGN}, "gateway_uuid"),
        ({"gateway_2_uuid": FOREIGN}, "gateway_2_uuid"),
        ({"gateway_uuid": "carrier"}, "gateway_uuid"),
        ({"prefix": "9 XML"}, "prefix"),
        ({"pin_numbers": "secret"}, "pin_numbers"),
        ({"limit": "-1"}, "limit"),
        ({"toll_allow": "${system(id)}"}, "toll_allow"),
        ({"accountcode": "a\nb"}, "accountcode"),
        ({"dialplan_context": "second.example.com"}, "dialplan_context"),
        ({"details": [{"dialplan_detail_tag": "action"}]}, "details"),
        ({"dialplan_xml": "<extension/>"}, "dialplan_xml"),
    ):
        reply = client.call(OUTBOUND, "create", json={**good, **change})
        if change == {"expressions": []}:
            assert reply.status == 400
        else:
            refused(reply, field)
    assert pbx.rows("select count(*) as n from v_dialplans") == before


def test_a_route_does_not_see_dialplans_of_other_applications(pbx: Pbx, either_client: Client) -> None:
    client = either_client
    inbound = str(uuid_of("dialplan", pbx.domain, "main-line"))
    outbound = str(uuid_of("dialplan", pbx.domain, "carrier.10d"))
    plain = str(uuid_of("dialplan", pbx.domain, "extensions"))
    for resource, own, label in ((INBOUND, inbound, "Inbound route"), (OUTBOUND, outbound, "Outbound route")):
        for uuid in {inbound, outbound, plain} - {own}:
            for operation in ("get", "update", "delete"):
                reply = client.call(resource, operation, uuid, {} if operation == "update" else None)
                assert (reply.status, reply.error["message"]) == (404, f"{label} not found")
        assert client.get(resource, own)["dialplan_uuid"] == own
        assert client.get("dialplans", own)["dialplan_uuid"] == own
    assert "main-line" in names(client, INBOUND)
    assert names(client, INBOUND).isdisjoint(names(client, OUTBOUND))
    assert (
        len(pbx.rows("select 1 from v_dialplans where dialplan_uuid = any(%(u)s)", u=[inbound, outbound, plain]))
        == 3
    )


def test_the_application_of_a_route_cannot_be_sent(client: Client) -> None:
    uuid = client.create(INBOUND, number="1", actions=[TRANSFER])
    other = "742714e5-8cdf-32fd-462c-cbe7e3d655db"
    refused(client.call(INBOUND, "update", uuid, {"app_uuid": other}), "app_uuid")
    assert client.through("php").call(INBOUND, "update", uuid, {"app_uuid": other}).status == 200
    assert client.get(INBOUND, uuid)["app_uuid"] == "c03b422e-13a8-bd1b-e42b-b6b9b4d27ce4"
