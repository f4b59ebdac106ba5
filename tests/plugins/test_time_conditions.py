"""Time conditions: in plain words, for the switch, and back in plain words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree.ElementTree import fromstring

from pbxapi.sandbox.sample import DOMAIN_UUID, uuid_of
from pbxapi.testing import Client, Pbx, Reply

RESOURCE = "time-conditions"
REAL, DOCUMENTED = "4b821450-926b-175a-af93-a03c441818b1", "4b821450-926b-175a-af93-a03c441f8c30"
COLUMNS = ("dialplan_detail_tag", "dialplan_detail_type", "dialplan_detail_data")
OPEN = {"app": "transfer", "data": "1001 XML pbx.example.com"}
CLOSED = {"app": "transfer", "data": "*991001 XML pbx.example.com"}
HOURS: dict[str, Any] = {
    "name": "Office hours",
    "extension": "7000",
    "timezone": "Europe/Berlin",
    "conditions": [
        {"mon": "12", "mday": "24-26", "actions": [CLOSED]},
        {"wday": "mon-fri", "time-of-day": "09:00-17:00", "actions": [OPEN]},
    ],
    "otherwise": [CLOSED],
}


def refused(reply: Reply, field: str) -> None:
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "VALIDATION_ERROR", field), (
        reply.body
    )


def times(xml: str) -> list[dict[str, str]]:
    """The conditions on time, in their order."""
    ignored = {"field", "expression", "break"}
    found = [{n: v for n, v in c.attrib.items() if n not in ignored} for c in fromstring(xml).iter("condition")]
    return [condition for condition in found if condition]


def test_plain_words_become_what_the_switch_compares_and_come_back(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call(RESOURCE, "create", json=HOURS)
    assert (reply.status, reply.body["message"]) == (201, "Time condition created successfully")
    uuid = reply.data["dialplan_uuid"]
    found = either_client.get(RESOURCE, uuid)
    assert times(found["dialplan_xml"]) == [
        {"mon": "12", "mday": "24-26"},
        {"wday": "2-6", "minute-of-day": "541-1020"},
    ]
    assert 'data="timezone=Europe/Berlin" inline="true"' in found["dialplan_xml"]
    assert (found["dialplan_name"], found["dialplan_number"]) == ("Office hours", "7000")
    assert (found["dialplan_context"], found["dialplan_order"]) == (pbx.domain, "300")
    assert {name: found[name] for name in ("extension", "timezone", "otherwise")} == {
        name: HOURS[name] for name in ("extension", "timezone", "otherwise")
    }
    assert found["conditions"] == [
        {"mon": "dec", "mday": "24-26", "actions": [CLOSED]},
        {"wday": "mon-fri", "time-of-day": "09:00-17:00", "actions": [OPEN]},
    ]
    assert pbx.rows("select app_uuid::text from v_dialplans where dialplan_uuid = %(u)s", u=uuid) == [
        {"app_uuid": REAL}
    ]


def test_an_update_of_one_word_keeps_the_others(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **HOURS)
    client.update(RESOURCE, uuid, timezone="America/Boise")
    found = client.get(RESOURCE, uuid)
    assert (found["timezone"], len(found["conditions"]), found["otherwise"]) == ("America/Boise", 2, [CLOSED])
    client.update(RESOURCE, uuid, conditions=[{"hour": "9-17", "actions": [OPEN]}])
    found = client.get(RESOURCE, uuid)
    assert (found["timezone"], times(found["dialplan_xml"])) == ("America/Boise", [{"hour": "9-17"}])
    client.update(RESOURCE, uuid, otherwise=[], timezone="")
    found = client.get(RESOURCE, uuid)
    assert (found["timezone"], found["otherwise"]) == ("", [])
    assert "timezone" not in found["dialplan_xml"]


def test_a_new_number_is_dialled_and_the_old_one_is_not(client: Client) -> None:
    uuid = client.create(RESOURCE, **HOURS)
    client.update(RESOURCE, uuid, extension="*7100")
    found = client.get(RESOURCE, uuid)
    assert (found["extension"], found["dialplan_number"]) == ("*7100", "*7100")
    assert "7000" not in found["dialplan_xml"]
    assert len(found["conditions"]) == 2
    # A whole record put back, with the number changed under its other name.
    client.update(RESOURCE, uuid, extension="*7100", dialplan_number="7101")
    assert client.get(RESOURCE, uuid)["extension"] == "7101"
    refused(client.call(RESOURCE, "update", uuid, {"extension": "7102", "dialplan_number": "7103"}), "extension")
    refused(client.call(RESOURCE, "update", uuid, {"extension": ""}), "extension")


def test_a_whole_record_can_be_put_back(client: Client) -> None:
    for uuid in (client.create(RESOURCE, **HOURS), client.create(RESOURCE, dialplan_name="empty")):
        found = client.get(RESOURCE, uuid)
        ignored = ("dialplan_uuid", "app_uuid")
        client.update(RESOURCE, uuid, **{n: v for n, v in found.items() if n not in ignored})
        assert client.get(RESOURCE, uuid) == found


def test_what_plain_words_cannot_say_is_answered_as_details_and_stays(pbx: Pbx, client: Client) -> None:
    rows = [
        ("condition", "destination_number", "^7200$"),
        ("condition", "${toll_allow}", "x"),
        ("action", "hangup", ""),
    ]
    details = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    uuid = client.create(RESOURCE, dialplan_name="odd", dialplan_number="7200", details=details)
    found = client.get(RESOURCE, uuid)
    assert (found["conditions"], found["otherwise"], found["timezone"]) == ([], [], "")
    assert len(found["details"]) == 3
    client.update(RESOURCE, uuid, extension="7201", conditions=[], dialplan_description="y")
    found = client.get(RESOURCE, uuid)
    assert [d["dialplan_detail_data"] for d in found["details"]] == ["^7201$", "x", ""]


def test_rows_with_the_contracts_application_are_shown_and_stored_as_the_real_one(
    pbx: Pbx, client: Client
) -> None:
    uuid = client.create(RESOURCE, **HOURS)
    select = "select app_uuid::text from v_dialplans where dialplan_uuid = %(u)s"
    pbx.run("update v_dialplans set app_uuid = %(app)s where dialplan_uuid = %(u)s", u=uuid, app=DOCUMENTED)
    assert client.get(RESOURCE, uuid)["app_uuid"] == REAL
    assert {row["dialplan_name"] for row in client.list(RESOURCE)} == {"Office hours", "office-hours"}
    refused_number = client.call("extensions", "create", json={"extension": "7000"})
    assert refused_number.status == 409
    client.update(RESOURCE, uuid, dialplan_description="x")
    assert pbx.rows(select, u=uuid) == [{"app_uuid": REAL}]


def test_a_number_means_one_thing(pbx: Pbx, either_client: Client) -> None:
    client = either_client
    client.create(RESOURCE, **HOURS)
    for field in ("extension", "dialplan_number"):
        body = {"name": "x", field: "1001", "conditions": HOURS["conditions"]}
        reply = client.call(RESOURCE, "create", json=body)
        assert (reply.status, reply.error["code"], reply.error["field"]) == (409, "DUPLICATE_ERROR", field)
        assert "extension" in reply.error["message"]
    taken = client.call(RESOURCE, "create", json=HOURS)
    assert (taken.status, taken.error["message"]) == (409, "Time condition already exists")
    assert client.call("extensions", "create", json={"extension": "7000"}).status == 409
    disguised = {"dialplan_name": "x", "app_uuid": DOCUMENTED, "dialplan_number": "1001"}
    assert client.call("dialplans", "create", json=disguised).status == 409
    other = client.of(pbx.other_domain)
    assert other.call(RESOURCE, "create", json={"name": "x", "extension": "7000"}).status == 201


def test_of_two_at_once_one_gets_the_number(client: Client) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: client.call(RESOURCE, "create", json=HOURS).status, range(4)))
    assert sorted(replies) == [201, 409, 409, 409]


def test_a_time_condition_that_cannot_work_is_refused_with_its_place(client: Client) -> None:
    def with_condition(**times: Any) -> dict[str, Any]:
        return {**HOURS, "conditions": [{"actions": [OPEN], **times}]}

    for body, field in (
        ({**HOURS, "name": ""}, "dialplan_name"),
        ({**HOURS, "extension": ""}, "extension"),
        ({**HOURS, "extension": "7 000"}, "extension"),
        ({**HOURS, "timezone": "Mars/Olympus"}, "timezone"),
        ({**HOURS, "timezone": "../etc/passwd"}, "timezone"),
        ({**HOURS, "timezone": 7}, "timezone"),
        (with_condition(hour="25"), "conditions.0.hour"),
        (with_condition(wday="someday"), "conditions.0.wday"),
        (with_condition(**{"time-of-day": "17:00-09:00"}), "conditions.0.time-of-day"),
        (with_condition(**{"date-time": "yesterday"}), "conditions.0.date-time"),
        (with_condition(hour=[9]), "conditions.0.hour"),
        (with_condition(fortnight="1"), "conditions.0.fortnight"),
        (with_condition(), "conditions.0"),
        (with_condition(hour="9", actions=[]), "conditions.0.actions"),
        (with_condition(hour="9", actions=[{"app": "system", "data": "id"}]), "conditions.0.actions.0.app"),
        (
            with_condition(hour="9", actions=[{"app": "transfer", "data": "9 XML x"}]),
            "conditions.0.actions.0.data",
        ),
        ({**HOURS, "otherwise": [{"app": "lua", "data": "x.lua"}]}, "otherwise.0.data"),
        ({**HOURS, "otherwise": [{}]}, "otherwise.0.app"),
        ({**HOURS, "conditions": "mon-fri"}, "conditions"),
        ({**HOURS, "conditions": [7]}, "conditions.0"),
        ({**HOURS, "conditions": [{"hour": "9", "actions": [OPEN]}] * 50}, "conditions"),
        ({**HOURS, "details": [{"dialplan_detail_tag": "action"}]}, "details"),
    ):
        refused(client.call(RESOURCE, "create", json=body), field)


def test_a_changed_time_condition_takes_effect(pbx: Pbx, client: Client) -> None:
    uuid = client.create(RESOURCE, **HOURS)
    pbx.apply()
    entry = pbx.folders["cache"] / f"dialplan.{pbx.domain}"
    entry.write_text("<document/>")
    reply = client.update(RESOURCE, uuid, timezone="UTC")
    pbx.apply()
    assert not entry.exists()
    assert pbx.change(reply)["state"] == "applied"
    file = pbx.folders["dialplan"] / pbx.domain / f"300_v_Office_hours_{uuid}.xml"
    assert "timezone=UTC" in file.read_text()


def test_a_time_condition_made_by_fusionpbx_is_read_in_words(pbx: Pbx, client: Client) -> None:
    uuid = str(uuid_of("dialplan", pbx.domain, "office-hours"))
    found = client.get(RESOURCE, uuid)
    assert found["extension"] == "500"
    assert found["conditions"] == [{"wday": "mon-fri", "hour": "8-17", "actions": [OPEN]}]
    assert found["otherwise"] == [CLOSED]
    assert pbx.rows("select 1 from v_dialplans where dialplan_uuid = %(u)s and domain_uuid = %(d)s",
                    u=uuid, d=DOMAIN_UUID)  # fmt: skip
