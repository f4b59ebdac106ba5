"""Call flows: their rows, the dialplan that each owns, and what no script may be made to run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from pbxapi.sandbox.sample import DOMAIN, SECOND_DOMAIN
from pbxapi.testing import Client, Pbx

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "facts" / "golden" / "more_resources.json"

FLOW: dict[str, Any] = {
    "call_flow_extension": "7621", "call_flow_app": "transfer", "call_flow_data": f"1001 XML {DOMAIN}",
}  # fmt: skip


def dialplans(pbx: Pbx) -> list[dict[str, Any]]:
    return pbx.rows(
        "select dialplan_uuid, dialplan_context, dialplan_name, dialplan_number, dialplan_order, dialplan_enabled,"
        " dialplan_continue, dialplan_xml from v_dialplans"
        " where app_uuid = 'b1b70f85-6b42-429b-8c5a-60c8b02b7d14'"
    )


def refused(client: Client, **fields: Any) -> tuple[int, str]:
    reply = client.call("call-flows", "create", json={**FLOW, **fields})
    assert reply.status >= 400, f"{fields} was taken"
    return reply.status, reply.error.get("field", "")


def test_a_call_flow_is_made_changed_and_deleted_without_a_trace(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("call-flows", "create", json=FLOW)
    assert (reply.status, reply.body["message"]) == (201, "Call flow created successfully")
    uuid = reply.data["call_flow_uuid"]
    (dialplan,) = dialplans(pbx)
    assert (dialplan["dialplan_order"], dialplan["dialplan_enabled"]) == (333, True)
    sent = {
        "call_flow_name": "Day & Night", "call_flow_extension": "*7622", "call_flow_feature_code": "*30",
        "call_flow_status": "false", "call_flow_label": "Day", "call_flow_sound": "day.wav",
        "call_flow_app": "playback", "call_flow_data": "tone_stream://%(300,0,500)",
        "call_flow_alternate_label": "Night", "call_flow_alternate_sound": "night.wav",
        "call_flow_alternate_app": "transfer", "call_flow_alternate_data": f"*991001 XML {DOMAIN}",
        "call_flow_enabled": "false", "call_flow_description": "why",
    }  # fmt: skip
    either_client.update("call-flows", uuid, **sent, call_flow_pin_number="4711")
    assert sent.items() <= either_client.get("call-flows", uuid).items()
    (dialplan,) = dialplans(pbx)
    assert (dialplan["dialplan_number"], dialplan["dialplan_enabled"]) == ("*7622", False)
    conditions = fromstring(dialplan["dialplan_xml"])
    assert [c.get("expression") for c in conditions] == [r"^(?:flow\+)?\*30$", r"^\*7622$"]
    assert [row["call_flow_uuid"] for row in either_client.list("call-flows", search="*30")] == [uuid]
    assert either_client.delete("call-flows", uuid).body["message"] == "Call flow deleted successfully"
    assert dialplans(pbx) == []
    assert pbx.rows("select 1 from v_call_flows") == []


def test_an_update_leaves_what_a_phone_switched(pbx: Pbx, client: Client) -> None:
    uuid = client.create("call-flows", **FLOW)
    pbx.run("update v_call_flows set call_flow_status = 'false'")
    client.update("call-flows", uuid, call_flow_label="Day")
    assert pbx.rows("select call_flow_status from v_call_flows") == [{"call_flow_status": "false"}]
    pbx.run("update v_call_flows set call_flow_status = null")
    assert client.get("call-flows", uuid)["call_flow_status"] == "true"


def test_the_pin_is_shown_to_nobody(pbx: Pbx, client: Client) -> None:
    uuid = client.create("call-flows", **FLOW, call_flow_pin_number="471147")
    client.update("call-flows", uuid, call_flow_label="Day")
    assert pbx.rows("select call_flow_pin_number from v_call_flows") == [{"call_flow_pin_number": "471147"}]
    pbx.apply()
    stored = pbx.rows(
        "select transaction_old::text as old, transaction_new::text as new from v_database_transactions"
    )
    assert "471147" not in repr(stored)
    assert "471147" not in repr(client.list("call-flows"))


TARGETS_REFUSED = [
    ("transfer", f"7777 XML {SECOND_DOMAIN}"), ("transfer", "7777 XML public"), ("transfer", "7777"),
    ("bridge", f"user/900@{SECOND_DOMAIN}"), ("bridge", f"sofia/internal/900%{SECOND_DOMAIN}"),
    ("lua", "~os.execute('id')"), ("lua", "app.lua voicemail"), ("system", "id"), ("playback", "/etc/passwd"),
    ("phrase", "../x"), ("set", "api_hangup_hook=system id"), ("", "1001"),
]  # fmt: skip


def test_neither_place_is_beyond_the_domain_or_the_call(client: Client) -> None:
    for way in ("call_flow", "call_flow_alternate"):
        for app, data in TARGETS_REFUSED:
            status, field = refused(client, **{f"{way}_app": app, f"{way}_data": data})
            assert status == 400, (way, app, data)
            assert field in (f"{way}_app", f"{way}_data")


def test_what_must_not_stand_is_refused_by_name(client: Client) -> None:
    bad: list[dict[str, Any]] = [
        {"call_flow_context": SECOND_DOMAIN}, {"call_flow_context": "public"}, {"call_flow_extension": ""},
        {"call_flow_extension": "a b"}, {"call_flow_feature_code": "7621"}, {"call_flow_feature_code": "flow+*31"},
        {"call_flow_feature_code": ".*"}, {"call_flow_status": "maybe"}, {"call_flow_pin_number": "12a"},
        {"call_flow_sound": "/etc/passwd"}, {"call_flow_alternate_sound": "../x.wav"}, {"call_flow_label": "a\nb"},
        {"call_flow_name": {}}, {"call_flow_data": "${system(id)}"},
    ]  # fmt: skip
    for fields in bad:
        assert refused(client, **fields) == (400, next(iter(fields))), fields


def test_a_number_means_one_thing_whoever_comes_first(pbx: Pbx, client: Client) -> None:
    assert refused(client, call_flow_extension="1001") == (409, "call_flow_extension")
    assert refused(client, call_flow_feature_code="1001") == (409, "call_flow_feature_code")
    uuid = client.create("call-flows", **FLOW, call_flow_feature_code="*30")
    assert refused(client) == (409, "call_flow_extension")
    other = {"call_flow_extension": "7622"}
    assert refused(client, **other, call_flow_feature_code="*30") == (409, "call_flow_feature_code")
    assert refused(client, **other, call_flow_feature_code="7621") == (409, "call_flow_feature_code")
    for number in ("7621", "*30"):
        reply = client.call("extensions", "create", json={"extension": number})
        assert reply.status in (400, 409)
    group = {"ring_group_name": "x", "ring_group_extension": "*30"}
    assert client.call("ring-groups", "create", json=group).status == 409
    client.update("call-flows", uuid, call_flow_feature_code="*30", call_flow_extension="7621")


def test_a_code_that_a_dialplan_answers_to_is_taken(pbx: Pbx, client: Client) -> None:
    pbx.run(
        "insert into v_dialplans (dialplan_uuid, dialplan_context, dialplan_name, dialplan_number,"
        " dialplan_enabled)"
        " values (gen_random_uuid(), '${domain_name}', 'voicemail', '*98', true)"
    )
    assert refused(client, call_flow_feature_code="*98") == (409, "call_flow_feature_code")
    assert refused(client, call_flow_extension="*98") == (409, "call_flow_extension")


def test_each_save_clears_the_context(pbx: Pbx, client: Client) -> None:
    file = pbx.folders["cache"] / f"dialplan.{DOMAIN}"
    file.write_text("<section/>")
    uuid = client.create("call-flows", **FLOW)
    pbx.apply()
    assert not file.exists()
    for change in ({"call_flow_enabled": "false"}, None):
        file.write_text("<section/>")
        reply = client.update("call-flows", uuid, **change) if change else client.delete("call-flows", uuid)
        pbx.apply()
        assert pbx.change(reply)["state"] == "applied"
        assert not file.exists()


def test_the_dialplan_is_the_one_that_fusionpbx_writes(pbx: Pbx, client: Client) -> None:
    if not GOLDEN.exists():
        pytest.skip("FusionPBX's recorded pairs are not here: no more_resources.json beside the repository")
    cases = [c for c in json.loads(GOLDEN.read_text())["dialplans"] if c["resource"] == "call_flows"]
    assert cases
    for case in cases:
        row = case["input"]["row"]
        names = ("call_flow_name", "call_flow_extension", "call_flow_feature_code")
        uuid = client.create("call-flows", **FLOW | {name: row[name] for name in names if row.get(name)})
        (made,) = dialplans(pbx)
        expected = case["dialplan_xml"].replace(row["call_flow_uuid"], uuid)
        expected = expected.replace(row["dialplan_uuid"], str(made["dialplan_uuid"]))
        assert shape(fromstring(made["dialplan_xml"])) == shape(fromstring(expected))
        assert made["dialplan_order"] == case["dialplan_row"]["dialplan_order"]
        client.delete("call-flows", uuid)


def shape(element: Any) -> Any:
    attributes = {n: v for n, v in element.attrib.items() if n != "continue" or v not in ("", "false")}
    return element.tag, attributes, [shape(child) for child in element]
