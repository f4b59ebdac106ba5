"""Destinations: a number, the dialplan that it owns, and how the switch finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from pbxapi.data.database import Database
from pbxapi.data.migrations import builtin_migrations, migrate
from pbxapi.sandbox.sample import DOMAIN_UUID, uuid_of
from pbxapi.testing import API_KEY, Client, Pbx, Reply, close_pbx, make_pbx

RESOURCE = "destinations"
TRANSFER = {"destination_app": "transfer", "destination_data": "1001 XML pbx.example.com"}
BUSY = {"destination_app": "hangup", "destination_data": "USER_BUSY"}
NUMBER: dict[str, Any] = {
    "destination_number": "5551234567",
    "destination_prefix": "1",
    "destination_context": "public",
    "destination_actions": [TRANSFER],
}
LIST_FIELDS = [
    f"destination_{name}"
    for name in ("uuid", "type", "number", "prefix", "context", "enabled", "description", "order")
] + ["dialplan_uuid"]
INBOUND_APP, LOCAL_APP = "c03b422e-13a8-bd1b-e42b-b6b9b4d27ce4", "b5242951-686f-448f-8b4e-5031ba0601a4"


def refused(reply: Reply, field: str) -> None:
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "VALIDATION_ERROR", field), (
        reply.body
    )


def taken(reply: Reply) -> None:
    error = (reply.status, reply.error["code"], reply.error["message"], reply.error["field"])
    assert error == (409, "DUPLICATE_ERROR", "Destination already exists", "destination_number")


def dialplan(pbx: Pbx, uuid: str) -> dict[str, Any]:
    return pbx.rows(
        "select p.* from v_dialplans p join v_destinations d using (dialplan_uuid)"
        " where d.destination_uuid = %(u)s",
        u=uuid,
    )[0]


def actions_of(xml: str) -> list[tuple[str, str]]:
    return [(a.get("application", ""), a.get("data", "")) for a in fromstring(xml).iter("action")]


def found_by(pbx: Pbx, number: str) -> list[dict[str, Any]]:
    """What the switch's script finds for a number from outside in the mode single: every form, no context."""
    return pbx.rows(
        "select p.dialplan_xml, p.domain_uuid, p.dialplan_name from v_dialplans as p"
        " where p.dialplan_enabled and p.hostname is null and p.dialplan_uuid in ("
        "  select d.dialplan_uuid from v_destinations as d,"
        "   lateral (select coalesce(destination_prefix, '') as p, coalesce(destination_trunk_prefix, '') as t,"
        "                   coalesce(destination_area_code, '') as a, coalesce(destination_number, '') as n) as x"
        "   where %(number)s in (p || a || n, t || a || n, p || n, '+' || p || n, '+' || p || a || n, a || n, n))"
        " order by p.dialplan_order",
        number=number,
    )


def cached(pbx: Pbx, *keys: str) -> list[Path]:
    files = [pbx.folders["cache"] / key.replace(":", ".") for key in keys]
    for file in files:
        file.write_text("<document/>")
    return files


def setting(pbx: Pbx, category: str, subcategory: str, value: str) -> None:
    pbx.run(
        "update v_default_settings set default_setting_value = %(value)s"
        " where default_setting_category = %(category)s and default_setting_subcategory = %(subcategory)s",
        category=category, subcategory=subcategory, value=value,
    )  # fmt: skip


def test_a_destination_comes_with_the_dialplan_that_the_switch_runs(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call(RESOURCE, "create", json={**NUMBER, "dialplan_name": "Main Reception"})
    assert (reply.status, reply.body["message"]) == (201, "Destination created successfully")
    uuid = reply.data["destination_uuid"]
    found, row = either_client.get(RESOURCE, uuid), dialplan(pbx, uuid)
    assert found["dialplan_uuid"] == str(row["dialplan_uuid"])
    assert (found["dialplan_name"], row["dialplan_name"]) == ("Main Reception", "Main Reception")
    assert found["destination_number_regex"] == r"^\+?1?(5551234567)$"
    assert (str(row["app_uuid"]), row["dialplan_context"]) == (INBOUND_APP, "public")
    assert (row["dialplan_order"], row["dialplan_enabled"], row["dialplan_number"]) == (100, True, "5551234567")
    extension = fromstring(row["dialplan_xml"])
    assert [c.get("expression") for c in extension.iter("condition")] == [r"^\+?1?(5551234567)$"]
    assert actions_of(row["dialplan_xml"]) == [
        ("export", "call_direction=inbound"),
        ("set", f"domain_uuid={DOMAIN_UUID}"),
        ("set", f"domain_name={pbx.domain}"),
        ("transfer", "1001 XML pbx.example.com"),
    ]
    details = pbx.rows(
        "select dialplan_detail_order::int as o, dialplan_detail_data as data from v_dialplan_details"
        " where dialplan_uuid = %(u)s order by 1",
        u=row["dialplan_uuid"],
    )
    assert details[0] == {"o": 20, "data": r"^\+?1?(5551234567)$"}
    assert details[-1]["data"] == "1001 XML pbx.example.com"


def test_what_is_left_out_gets_the_contracts_defaults(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, destination_number="100", destination_context="pbx.example.com")
    found = client.get(RESOURCE, uuid)
    assert {n: v for n, v in found.items() if v not in ("", [], "false")} == {
        "destination_uuid": uuid,
        "dialplan_uuid": found["dialplan_uuid"],
        "destination_type": "inbound",
        "destination_number": "100",
        "destination_context": "pbx.example.com",
        "destination_enabled": "true",
        "destination_order": "100",
        "destination_number_regex": "^(100)$",
        "destination_type_voice": "true",
        "dialplan_name": "100",
    }
    row = pbx.rows("select * from v_destinations where destination_uuid = %(u)s", u=uuid)[0]
    assert (row["destination_prefix"], row["destination_actions"], row["destination_type_fax"]) == (
        None,
        None,
        None,
    )
    assert row["destination_type_voice"] == 1


def test_every_field_comes_back_as_it_was_sent(pbx: Pbx, client: Client) -> None:
    pbx.run("insert into v_fax (fax_uuid, domain_uuid, fax_extension) values (%(u)s, %(d)s, '8000')",
            u=uuid_of("fax"), d=DOMAIN_UUID)  # fmt: skip
    sent = {
        **NUMBER, "destination_type": "local", "destination_context": "pbx.example.com", "destination_order": "7",
        "destination_enabled": "false", "destination_description": "☎ <&>", "dialplan_name": "a <&> 'b'",
        "destination_actions": [TRANSFER, BUSY, {"destination_app": "answer", "destination_data": ""}],
        "destination_trunk_prefix": "0", "destination_area_code": "208",
        "destination_condition_field": "${sip_to_user}", "destination_caller_id_name": "Name",
        "destination_caller_id_number": "5550100", "destination_cid_name_prefix": "Sales",
        "destination_record": "true", "destination_hold_music": "local_stream://default",
        "destination_distinctive_ring": "ring1", "destination_ringback": "${us-ring}",
        "destination_accountcode": "acme", "destination_type_voice": "false", "destination_type_fax": "true",
        "destination_type_text": "true", "destination_type_emergency": "true", "destination_email": "true",
        "destination_conditions": [{
            "condition_field": "caller_id_number", "condition_expression": "5550199", "condition_app": "hangup",
            "condition_data": "", "condition_description": "x"}],
        "fax_uuid": str(uuid_of("fax")), "user_uuid": str(uuid_of("user", pbx.domain, "admin")),
        "group_uuid": str(uuid_of("group", "user")), "provider_uuid": str(uuid_of("provider")),
    }  # fmt: skip
    uuid = client.create(RESOURCE, **sent)
    assert sent.items() <= client.get(RESOURCE, uuid).items()
    xml = dialplan(pbx, uuid)["dialplan_xml"]
    made = actions_of(xml)
    for expected in (
        ("hangup", ""),
        ("set", "effective_caller_id_name=Sales#${caller_id_name}"),
        ("record_session", "${record_path}/${record_name}"),
        ("export", "hold_music=local_stream://default"),
        ("export", "ringback=${us-ring}"),
        ("export", "accountcode=acme"),
        ("set", "execute_on_tone_detect=transfer 8000 XML ${domain_name}"),
    ):
        assert expected in made
    assert [c.get("field") for c in fromstring(xml).findall("condition")][-1] == "${sip_to_user}"
    assert str(dialplan(pbx, uuid)["app_uuid"]) == LOCAL_APP


def test_the_list_shows_the_contracts_fields(either_client: Client) -> None:
    rows = either_client.list(RESOURCE)
    assert [row["destination_number"] for row in rows] == [str(2025550101 + n) for n in range(5)]
    assert all(list(row) == LIST_FIELDS for row in rows)
    assert {row["destination_order"] for row in rows} == {100}
    assert len(either_client.list(RESOURCE, destination_order="100", destination_type="inbound")) == 5
    assert [r["destination_number"] for r in either_client.list(RESOURCE, search="0103")] == ["2025550103"]


def test_the_list_of_actions_and_the_older_columns_say_the_same(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **{**NUMBER, "destination_actions": [TRANSFER, BUSY]})
    columns = "destination_actions, destination_app, destination_alternate_app"
    select = f"select {columns} from v_destinations where destination_uuid = %(u)s"
    row = pbx.rows(select, u=uuid)[0]
    assert row["destination_actions"] == [TRANSFER, BUSY]
    assert (row["destination_app"], row["destination_alternate_app"]) == ("transfer", "hangup")
    client.update(RESOURCE, uuid, destination_app="voicemail", destination_data="default pbx.example.com 1001")
    found = client.get(RESOURCE, uuid)
    assert found["destination_actions"][0]["destination_app"] == "voicemail"
    assert found["destination_actions"][1] == BUSY
    client.update(RESOURCE, uuid, destination_actions=[])
    row = pbx.rows(select, u=uuid)[0]
    assert row == {"destination_actions": None, "destination_app": None, "destination_alternate_app": None}
    assert [name for name, _ in actions_of(dialplan(pbx, uuid)["dialplan_xml"])] == ["export", "set", "set"]
    pbx.run("update v_destinations set destination_app = 'transfer', destination_data = '1001 XML pbx.example.com'"
            " where destination_uuid = %(u)s", u=uuid)  # fmt: skip
    assert client.get(RESOURCE, uuid)["destination_actions"] == [TRANSFER]


def test_an_update_rebuilds_the_dialplan_only_where_it_shows(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **NUMBER)
    own = dialplan(pbx, uuid)["dialplan_uuid"]
    pbx.run(
        "update v_dialplans set dialplan_xml = '<extension/>', hostname = 'h' where dialplan_uuid = %(u)s", u=own
    )
    client.update(RESOURCE, uuid, destination_description="x", destination_enabled="false", destination_order="5")
    row = dialplan(pbx, uuid)
    assert (row["dialplan_xml"], row["dialplan_description"], row["hostname"]) == ("<extension/>", "x", "h")
    assert (row["dialplan_enabled"], row["dialplan_order"]) == (False, 5)
    client.update(RESOURCE, uuid, destination_number="5550000000")
    row = dialplan(pbx, uuid)
    assert row["dialplan_uuid"] == own
    assert "5550000000" in row["dialplan_xml"]
    assert (row["dialplan_name"], row["dialplan_number"]) == ("5550000000", "5550000000")
    client.update(RESOURCE, uuid, dialplan_name="Sales")
    client.update(RESOURCE, uuid, destination_number="5550000001")
    assert dialplan(pbx, uuid)["dialplan_name"] == "Sales"


def test_a_dialplan_that_is_gone_is_made_again(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **NUMBER)
    own = dialplan(pbx, uuid)["dialplan_uuid"]
    reply = client.delete("dialplans", own)
    assert "destination" in reply.body["warnings"][0]
    client.update(RESOURCE, uuid, destination_description="x")
    assert actions_of(dialplan(pbx, uuid)["dialplan_xml"])[-1][0] == "transfer"


def test_an_outbound_destination_has_no_dialplan(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **{**NUMBER, "destination_type": "outbound", "dialplan_name": "x"})
    found = client.get(RESOURCE, uuid)
    assert (found["dialplan_uuid"], found["dialplan_name"]) == ("", "")
    client.update(RESOURCE, uuid, destination_type="inbound")
    own = dialplan(pbx, uuid)["dialplan_uuid"]
    client.update(RESOURCE, uuid, destination_type="outbound")
    assert pbx.rows("select 1 from v_dialplans where dialplan_uuid = %(u)s", u=own) == []
    assert pbx.rows("select 1 from v_dialplan_details where dialplan_uuid = %(u)s", u=own) == []
    client.delete(RESOURCE, uuid)


def test_delete_takes_the_dialplan_and_its_details_along(pbx: Pbx, either_client: Client) -> None:
    uuid = either_client.create(RESOURCE, **NUMBER)
    own = dialplan(pbx, uuid)["dialplan_uuid"]
    reply = either_client.delete(RESOURCE, uuid)
    assert reply.body == {"success": True, "message": "Destination deleted successfully"}
    for table in ("v_dialplans", "v_dialplan_details"):
        assert pbx.rows(f"select 1 from {table} where dialplan_uuid = %(u)s", u=own) == []
    assert either_client.call(RESOURCE, "get", uuid).error["message"] == "Destination not found"


def test_details_are_left_out_where_the_setting_says_so(pbx: Pbx, client: Client) -> None:
    setting(pbx, "destinations", "dialplan_details", "false")
    uuid = client.create(RESOURCE, **NUMBER)
    own = dialplan(pbx, uuid)
    assert pbx.rows("select 1 from v_dialplan_details where dialplan_uuid = %(u)s", u=own["dialplan_uuid"]) == []
    assert actions_of(own["dialplan_xml"])[-1][0] == "transfer"


# One number, once


def test_a_number_is_a_destination_once_on_the_whole_system(pbx: Pbx, either_client: Client) -> None:
    client = either_client
    uuid = client.create(RESOURCE, **NUMBER)
    plain = {**NUMBER, "destination_prefix": ""}
    for body in (
        NUMBER,
        {**plain, "destination_number": "15551234567"},
        {**plain, "destination_number": "+15551234567"},
        plain,
        {**NUMBER, "destination_prefix": "+1"},
        {**NUMBER, "destination_number": "1234567", "destination_area_code": "555"},
    ):
        taken(client.call(RESOURCE, "create", json=body))
        body = {**body, "destination_actions": []}
        taken(client.of(pbx.other_domain).call(RESOURCE, "create", json=body))
    free = client.create(RESOURCE, **{**NUMBER, "destination_prefix": "44"})
    taken(client.call(RESOURCE, "update", free, {"destination_prefix": "1"}))
    client.update(RESOURCE, free, destination_description="mine", destination_number="5551234567")
    client.update(RESOURCE, uuid, destination_prefix="1", destination_description="mine")


def test_a_number_without_a_country_code_takes_the_one_with_it(client: Client) -> None:
    client.create(RESOURCE, **{**NUMBER, "destination_prefix": ""})
    taken(client.call(RESOURCE, "create", json=NUMBER))


def test_a_local_destination_cannot_take_another_tenants_calls_from_outside(pbx: Pbx, client: Client) -> None:
    """The switch looks at neither the context nor the type, only at the number."""
    client.create(RESOURCE, **NUMBER)
    other = client.of(pbx.other_domain)
    local = {"destination_type": "local", "destination_context": pbx.other_domain}
    taken(
        other.call(
            RESOURCE, "create", json={**local, "destination_number": "15551234567", "destination_order": "1"}
        )
    )
    other.create(RESOURCE, **local, destination_number="100")
    client.create(RESOURCE, destination_type="local", destination_number="100", destination_context=pbx.domain)
    taken(client.call(RESOURCE, "create", json={**NUMBER, "destination_number": "100", "destination_prefix": ""}))
    outbound = {**local, "destination_type": "outbound", "destination_number": "5551234567"}
    assert other.call(RESOURCE, "create", json=outbound).status == 201


def test_numbers_may_be_there_twice_where_the_operator_says_so(pbx: Pbx, client: Client) -> None:
    client.create(RESOURCE, **NUMBER)
    pbx.run(
        "insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category,"
        " domain_setting_subcategory, domain_setting_name, domain_setting_value, domain_setting_enabled)"
        " values (gen_random_uuid(), %(d)s, 'destinations', 'unique', 'boolean', 'false', true)",
        d=DOMAIN_UUID,
    )
    taken(client.call(RESOURCE, "create", json=NUMBER))
    setting(pbx, "destinations", "unique", "false")
    assert client.call(RESOURCE, "create", json=NUMBER).status == 201


def test_of_many_at_once_one_gets_the_number(pbx: Pbx, client: Client) -> None:
    bodies = [NUMBER, {**NUMBER, "destination_prefix": "", "destination_number": "15551234567"}] * 3
    clients = [client, client.of(pbx.other_domain)] * 3
    for body in bodies:
        body["destination_actions"] = []
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda c, b: c.call(RESOURCE, "create", json=b).status, clients, bodies))
    NUMBER["destination_actions"] = [TRANSFER]
    assert sorted(replies) == [201, 409, 409, 409, 409, 409]


def test_the_limit_of_the_settings_holds(pbx: Pbx, client: Client) -> None:
    setting(pbx, "limit", "destinations", "6")
    pbx.run("update v_default_settings set default_setting_enabled = true")
    client.create(RESOURCE, **NUMBER)
    reply = client.call(RESOURCE, "create", json={**NUMBER, "destination_number": "5550000"})
    assert (reply.status, reply.error["message"]) == (403, "Destination limit reached (6)")


# Input and the fence


def wrong() -> Iterator[tuple[dict[str, Any], str]]:
    action, condition = "destination_actions.0.destination_", "destination_conditions.0.condition_"
    yield {"destination_number": None}, "destination_number"
    yield {"destination_context": None}, "destination_context"
    for number in (
        "",
        "555 1234",
        "5551000-5551999",
        "a/b",
        "../x",
        "1\n2",
        "\0",
        "x" * 129,
        ["1"],
        {},
        "é",
        "${a}",
    ):
        yield {"destination_number": number}, "destination_number"
    for context in ("", "second.example.com", "global", "${domain_name}", "a b", 7):
        yield {"destination_context": context}, "destination_context"
    yield {"destination_type": "sideways"}, "destination_type"
    yield {"destination_prefix": "x1"}, "destination_prefix"
    yield {"destination_order": "first"}, "destination_order"
    yield {"destination_order": 10**40}, "destination_order"
    yield {"destination_enabled": "perhaps"}, "destination_enabled"
    yield {"dialplan_name": "a\nb"}, "dialplan_name"
    yield {"dialplan_name": "\uffff"}, "dialplan_name"
    yield {"destination_actions": {}}, "destination_actions"
    yield {"destination_actions": ["x"]}, "destination_actions.0"
    yield {"destination_actions": [{}]}, f"{action}app"
    yield {"destination_actions": [{"destination_app": ""}]}, f"{action}app"
    yield {"destination_actions": [{"destination_app": ["x"]}]}, f"{action}app"
    yield {"destination_actions": [TRANSFER] * 51}, "destination_actions"
    foreign = uuid_of("gateway", "second.example.com", "carrier")
    for app, data, column in (
        ("system", "id", "app"),
        ("lua", "~x", "data"),
        ("transfer", "900 XML second.example.com", "data"),
        ("voicemail", "default second.example.com 900", "data"),
        ("playback", "/etc/passwd", "data"),
        ("bridge", f"sofia/gateway/{foreign}/900", "data"),
        ("set", "api_hangup_hook=system x", "data"),
        ("transfer", "a\nb", "data"),
    ):
        given = {"destination_app": app, "destination_data": data}
        yield {"destination_actions": [given]}, f"{action}{column}"
    yield {"destination_actions": [], "destination_app": "system", "destination_data": "id"}, "destination_app"
    yield {"destination_actions": [], "destination_data": "id"}, "destination_app"
    for change, column in (
        ({"condition_expression": "x"}, "expression"),
        ({"condition_field": "network_addr"}, "field"),
        ({"condition_app": "system"}, "data"),
        ({"condition_app": "", "condition_data": "x"}, "data"),
    ):
        given = {"condition_expression": "5550199", "condition_app": "hangup", **change}
        yield {"destination_conditions": [given]}, f"{condition}{column}"
    yield {"destination_hold_music": "/etc/passwd"}, "destination_hold_music"
    yield {"destination_ringback": "shell_stream://x"}, "destination_ringback"
    yield {"destination_condition_field": "${system(id)}"}, "destination_condition_field"
    yield {"destination_cid_name_prefix": "${system(id)}"}, "destination_cid_name_prefix"
    yield {"provider_uuid": "x"}, "provider_uuid"
    yield {"user_uuid": str(uuid_of("user", "second.example.com", "nobody"))}, "user_uuid"


def test_what_no_destination_can_hold_is_refused_with_its_field(pbx: Pbx, either_client: Client) -> None:
    before = pbx.rows("select count(*) as n from v_destinations")
    path = f"/{RESOURCE}/create.php" if either_client.family == "php" else f"/{RESOURCE}"
    for change, field in wrong():
        body = json.dumps({**NUMBER, **change}).encode()
        refused(either_client.request("POST", path, body=body), field)
    assert pbx.rows("select count(*) as n from v_destinations") == before


def test_an_update_is_fenced_too(client: Client) -> None:
    uuid = client.create(RESOURCE, **NUMBER)
    for change, field in wrong():
        if change.get("destination_actions") == []:
            del change["destination_actions"]
            change.setdefault("destination_app", "")
        refused(client.request("PATCH", f"/{RESOURCE}/{uuid}", body=json.dumps(change).encode()), field)
    assert client.get(RESOURCE, uuid)["destination_actions"] == [TRANSFER]


def test_what_the_operator_lets_in_stays_when_a_whole_record_is_put_back(client: Client) -> None:
    lua = {"destination_app": "lua", "destination_data": "operator.lua"}
    body = {**NUMBER, "destination_actions": [lua]}
    reply = client.call(RESOURCE, "create", json=body, headers={"X-Allow-Global": "true"})
    uuid = reply.data["destination_uuid"]
    found = client.get(RESOURCE, uuid)
    ignored = ("destination_uuid", "dialplan_uuid", "destination_number_regex")
    client.update(RESOURCE, uuid, **{n: v for n, v in found.items() if n not in ignored})
    assert client.get(RESOURCE, uuid) == found


# What reaches the switch


def test_every_form_of_the_old_and_the_new_number_is_looked_up_again(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **NUMBER)
    pbx.apply()
    gone = cached(
        pbx, "dialplan:public", "dialplan:public:5551234567", "dialplan:public:15551234567",
        "dialplan:public:+15551234567", "dialplan:public:5559999999", "dialplan:public:+15559999999",
        f"dialplan:public@{pbx.domain}:5551234567", f"dialplan:{pbx.domain}.public:5559999999",
    )  # fmt: skip
    stay = cached(pbx, "dialplan:public:2025550101", f"dialplan:{pbx.domain}", f"dialplan:{pbx.other_domain}")
    client.update(RESOURCE, uuid, destination_number="5559999999")
    pbx.apply()
    assert [file.name for file in gone if file.exists()] == []
    assert all(file.exists() for file in stay)


def test_a_new_context_and_a_pattern_clear_what_they_touch(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **NUMBER)
    pbx.apply()
    inside = cached(pbx, f"dialplan:{pbx.domain}", "dialplan:public", "dialplan:public:5551234567")
    client.update(RESOURCE, uuid, destination_context=pbx.domain)
    pbx.apply()
    assert not any(file.exists() for file in inside)
    outside = cached(pbx, "dialplan:public:9", f"dialplan:{pbx.other_domain}")
    reply = client.call(RESOURCE, "create", json={**NUMBER, "destination_number": r"^(9\d*)$"})
    assert "pattern" in reply.body["warnings"][0]
    pbx.apply()
    assert [file.exists() for file in outside] == [False, True]


def test_by_context_only_the_context_is_cleared(pbx: Pbx, client: Client) -> None:
    setting(pbx, "destinations", "dialplan_mode", "multiple")
    by_context, by_number = cached(pbx, "dialplan:public", "dialplan:public:5551234567")
    client.create(RESOURCE, **NUMBER)
    pbx.apply()
    assert (by_context.exists(), by_number.exists()) == (False, True)


def test_the_file_follows_the_destination(pbx: Pbx, client: Client) -> None:
    root = pbx.folders["dialplan"]

    def files() -> list[str]:
        return sorted(str(path.relative_to(root)) for path in root.rglob("*_v_*.xml"))

    uuid = client.create(RESOURCE, **NUMBER, destination_order="90")
    own = client.get(RESOURCE, uuid)["dialplan_uuid"]
    pbx.apply()
    assert files() == [f"public/pbx.example.com/090_v_5551234567_{own}.xml"]
    client.update(RESOURCE, uuid, destination_context=pbx.domain, dialplan_name="Sales")
    pbx.apply()
    assert files() == [f"pbx.example.com/090_v_Sales_{own}.xml"]
    client.update(RESOURCE, uuid, destination_enabled="false")
    pbx.apply()
    assert files() == []
    client.update(RESOURCE, uuid, destination_enabled="true", destination_type="local")
    pbx.apply()
    assert len(files()) == 1
    reply = client.delete(RESOURCE, uuid)
    pbx.apply()
    assert files() == []
    assert pbx.change(reply)["state"] == "applied"


def test_a_disabled_destination_is_not_found_and_an_enabled_one_is(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **NUMBER)
    assert len(found_by(pbx, "+15551234567")) == 1
    client.update(RESOURCE, uuid, destination_enabled="false")
    assert found_by(pbx, "+15551234567") == []


@pytest.fixture
def real(dump_url: str, tmp_path: Path) -> Iterator[Pbx]:
    """FusionPBX as its installer leaves it."""
    database = Database(dump_url)
    migrate(database, builtin_migrations())
    with database.writing() as session:
        session.run(
            "insert into v_default_settings (default_setting_uuid, default_setting_category,"
            " default_setting_subcategory, default_setting_name, default_setting_value, default_setting_enabled)"
            " values (gen_random_uuid(), 'api', 'secret_key', 'text', %(key)s, true)",
            key=API_KEY,
        )
        domain = session.value("select domain_name from v_domains")
    database.close()
    pbx = make_pbx(dump_url, tmp_path / "pbx")
    pbx.domain = domain
    yield pbx
    close_pbx(pbx)


def test_on_a_fresh_fusionpbx_the_switch_finds_a_number_in_every_form_and_runs_its_xml(real: Pbx) -> None:
    client = real.client
    target = f"1001 XML {real.domain}"
    uuid = client.create(
        RESOURCE, destination_number="5551234", destination_prefix="1", destination_area_code="208",
        destination_trunk_prefix="0", destination_context="public",
        destination_actions=[{"destination_app": "transfer", "destination_data": target}],
    )  # fmt: skip
    for dialled in (
        "12085551234",
        "02085551234",
        "2085551234",
        "5551234",
        "+12085551234",
        "+15551234",
        "15551234",
    ):
        rows = found_by(real, dialled)
        assert [actions_of(row["dialplan_xml"])[-1] for row in rows] == [("transfer", target)], dialled
    assert found_by(real, "35551234") == []
    own = client.get(RESOURCE, uuid)["dialplan_uuid"]
    columns = ("dialplan_detail_tag", "dialplan_detail_type", "dialplan_detail_data")
    rows = [("condition", "destination_number", "^(.*)$"), ("action", "hangup", "")]
    details = [dict(zip(columns, row, strict=True)) for row in rows]
    client.update("dialplans", own, details=details)
    assert actions_of(found_by(real, "15551234")[0]["dialplan_xml"])[-1] == ("hangup", "")


def test_the_dialplans_of_a_fresh_fusionpbx_can_be_read_and_put_back_unchanged(real: Pbx) -> None:
    client = real.client

    def stored() -> dict[str, dict[str, Any]]:
        rows = real.rows("select * from v_dialplans where domain_uuid is not null")
        ignored = ("update_date", "update_user")
        return {
            # Nothing and "false" are the same to the switch.
            str(row["dialplan_uuid"]): {n: v or None for n, v in row.items() if n not in ignored}
            for row in rows
        }

    before = stored()
    assert len(before) > 30
    for uuid in before:
        found = client.get("dialplans", uuid)
        client.update("dialplans", uuid, **{n: v for n, v in found.items() if n != "dialplan_uuid"})
        assert client.get("dialplans", uuid) == found
    assert stored() == before
