"""Call records: whose, of which days, in which order, and how soon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from pbxapi.data.database import Session
from pbxapi.data.statements import Statement
from pbxapi.sandbox.sample import DOMAIN_UUID, SECOND_DOMAIN_UUID, uuid_of
from pbxapi.testing import Client, Pbx

INDEX = "create index cdr_by_start on v_xml_cdr (domain_uuid, start_stamp desc, xml_cdr_uuid desc)"


def add_call(pbx: Pbx, start: str, domain: UUID = DOMAIN_UUID, **columns: Any) -> str:
    """A call as FusionPBX's import writes one; `start` in UTC."""
    row = {
        "xml_cdr_uuid": uuid4(),
        "domain_uuid": domain,
        "direction": "inbound",
        "start_stamp": datetime.fromisoformat(start).replace(tzinfo=UTC),
        "hangup_cause": "NORMAL_CLEARING",
        **columns,
    }
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    pbx.run(f"insert into v_xml_cdr ({names}) values ({values})", **row)
    return str(row["xml_cdr_uuid"])


def set_zone(pbx: Pbx, domain: UUID, zone: str) -> None:
    pbx.run(
        "insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category, "
        "domain_setting_subcategory, domain_setting_name, domain_setting_value, domain_setting_enabled) "
        "values (%(uuid)s, %(domain)s, 'domain', 'time_zone', 'name', %(zone)s, true)",
        uuid=uuid4(),
        domain=domain,
        zone=zone,
    )


def uuids(client: Client, **query: Any) -> list[str]:
    return [row["xml_cdr_uuid"] for row in client.list("cdr", **query)]


def test_a_row_is_what_the_contract_says(pbx: Pbx, either_client: Client) -> None:
    uuid = add_call(
        pbx,
        "2020-02-04 10:30:00.75",
        caller_id_name="John Smith",
        caller_id_number="5551234567",
        destination_number="101",
        answer_stamp=datetime(2020, 2, 4, 10, 30, 5, tzinfo=UTC),
        end_stamp=datetime(2020, 2, 4, 10, 35, 15, tzinfo=UTC),
        duration=315,
        billsec=310,
        record_path="/var/lib/freeswitch/recordings/2020/02/04/",
        record_name="call_12345.wav",
    )
    assert either_client.list("cdr", start_date="2020-02-01", end_date="2020-02-04") == [
        {
            "xml_cdr_uuid": uuid,
            "direction": "inbound",
            "caller_id_name": "John Smith",
            "caller_id_number": "5551234567",
            "caller_destination": "",
            "destination_number": "101",
            "start_stamp": "2020-02-04 10:30:00",
            "answer_stamp": "2020-02-04 10:30:05",
            "end_stamp": "2020-02-04 10:35:15",
            "duration": 315,
            "billsec": 310,
            "hangup_cause": "NORMAL_CLEARING",
            "recording_file": "/var/lib/freeswitch/recordings/2020/02/04/call_12345.wav",
        }
    ]


def test_a_call_that_was_never_answered_has_empty_stamps(pbx: Pbx, client: Client) -> None:
    add_call(pbx, "2020-02-04 10:30:00")
    (row,) = client.list("cdr", end_date="2020-12-31")
    assert (row["answer_stamp"], row["end_stamp"], row["duration"], row["recording_file"]) == ("", "", 0, "")


def test_days_begin_and_end_where_the_domain_lives(pbx: Pbx, client: Client) -> None:
    set_zone(pbx, DOMAIN_UUID, "Asia/Tokyo")
    before = add_call(pbx, "2020-01-31 14:59:59")
    first = add_call(pbx, "2020-01-31 15:00:00")
    last = add_call(pbx, "2020-02-02 14:59:59.999")
    after = add_call(pbx, "2020-02-02 15:00:00")
    assert uuids(client, start_date="2020-02-01", end_date="2020-02-02") == [last, first]
    assert uuids(client, end_date="2020-01-31") == [before]
    assert after in uuids(client, start_date="2020-02-03", sort="start_stamp", per_page=1)
    shown = [row["start_stamp"] for row in client.list("cdr", end_date="2020-02-29", sort="start_stamp")]
    assert shown == ["2020-01-31 23:59:59", "2020-02-01 00:00:00", "2020-02-02 23:59:59", "2020-02-03 00:00:00"]
    assert client.get("cdr", first)["start_stamp"] == "2020-02-01 00:00:00"


def test_a_day_on_which_the_clocks_change_is_whole(pbx: Pbx, client: Client) -> None:
    other = client.of(pbx.other_domain)  # in Europe/Berlin
    calls = [
        add_call(pbx, stamp, SECOND_DOMAIN_UUID)
        for stamp in ("2020-03-28 22:59:59", "2020-03-28 23:00:00", "2020-03-29 21:59:59", "2020-03-29 22:00:00")
    ]
    assert uuids(other, start_date="2020-03-29", end_date="2020-03-29") == [calls[2], calls[1]]
    shown = [row["start_stamp"] for row in other.list("cdr", end_date="2020-03-30")]
    assert shown == ["2020-03-30 00:00:00", "2020-03-29 23:59:59", "2020-03-29 00:00:00", "2020-03-28 23:59:59"]


def test_a_time_zone_that_there_is_not_counts_as_utc(pbx: Pbx, client: Client) -> None:
    set_zone(pbx, DOMAIN_UUID, "../Mars")
    add_call(pbx, "2020-02-04 10:30:00")
    assert client.list("cdr", end_date="2020-12-31")[0]["start_stamp"] == "2020-02-04 10:30:00"


def test_a_bad_date_or_direction_is_refused_with_its_field(either_client: Client) -> None:
    refused = {
        "start_date": [
            "yesterday",
            "2026-02-30",
            "20260201",
            "2026-2-1",
            "2026-W05-1",
            "0000-01-01",
            "٢٠٢٦-01-01",
        ],
        "end_date": ["2026-02-01T10:00", "2026-13-01", "1e9", "2026-02-01\n"],
        "direction": ["sideways", "Inbound", "inbound|outbound"],
        "extension": ["1" * 65, "1\x002"],
    }
    for field, values in refused.items():
        for value in values:
            reply = either_client.call("cdr", "list", **{field: value})
            assert (reply.status, reply.error["field"]) == (400, field), value
    for dates in ({"start_date": "0001-01-01"}, {"end_date": "9999-12-31"}, {"start_date": "", "end_date": ""}):
        assert len(either_client.list("cdr", **dates)) == 50
    assert either_client.list("cdr", start_date="2026-02-02", end_date="2026-02-01") == []


def test_direction_keeps_the_calls_of_one_direction(either_client: Client) -> None:
    for direction in ("inbound", "outbound", "local"):
        rows = either_client.list("cdr", direction=direction)
        assert {row["direction"] for row in rows} == {direction}


def test_an_extension_has_the_calls_that_it_made_took_or_was_found_in(pbx: Pbx, client: Client) -> None:
    extension = uuid_of("extension", pbx.domain, "1010")  # its alias is 710
    own = [
        add_call(pbx, "2020-01-01 00:00:01", caller_id_number="1010"),
        add_call(pbx, "2020-01-01 00:00:02", destination_number="1010"),
        add_call(pbx, "2020-01-01 00:00:03", extension_uuid=extension, destination_number="5551234"),
    ]
    for number in ("10100", "91010", "%1010", "101_"):
        add_call(pbx, "2020-01-01 00:00:04", caller_id_number=number, destination_number=number)
    add_call(pbx, "2020-01-01 00:00:05", SECOND_DOMAIN_UUID, caller_id_number="1010", extension_uuid=extension)
    year = {"start_date": "2020-01-01", "end_date": "2020-12-31"}
    assert uuids(client, extension="1010", sort="start_stamp", **year) == own
    assert uuids(client, extension="710", **year) == [own[2]]
    assert uuids(client, extension="nobody") == []


def test_a_caller_id_is_found_by_part_and_literally(pbx: Pbx, client: Client) -> None:
    percent = add_call(pbx, "2020-01-01 00:00:01", caller_id_name="100% Sure_Ltd\\Co")
    plain = add_call(pbx, "2020-01-01 00:00:02", caller_id_name="1000 Surely", caller_id_number="+15551234567")
    year = {"start_date": "2020-01-01", "end_date": "2020-12-31"}
    assert uuids(client, caller_id="sure", **year) == [plain, percent]
    assert uuids(client, caller_id="0%", **year) == [percent]
    assert uuids(client, caller_id="E_L", **year) == [percent]
    assert uuids(client, caller_id="\\", **year) == [percent]
    assert uuids(client, caller_id="+1555", **year) == [plain]
    assert uuids(client, caller_id="", **year) == [plain, percent]


def test_no_filter_reaches_another_tenants_calls(pbx: Pbx, either_client: Client) -> None:
    theirs = add_call(
        pbx,
        "2020-01-01 00:00:01",
        SECOND_DOMAIN_UUID,
        caller_id_name="Theirs",
        extension_uuid=None,
        status="answered",
    )
    for query in ({}, {"caller_id": "Theirs"}, {"search": "Theirs"}, {"status": "answered"}):
        assert uuids(either_client, end_date="2020-12-31", **query) == []
    assert either_client.call("cdr", "get", theirs).status == 404


def test_a_cursor_walks_calls_of_the_same_second_once_each(pbx: Pbx, client: Client) -> None:
    made = {add_call(pbx, "2020-01-01 00:00:01") for _ in range(7)}
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        reply = client.call("cdr", "list", end_date="2020-12-31", per_page=3, cursor=cursor)
        seen += [row["xml_cdr_uuid"] for row in reply.data]
        cursor = reply.body["pagination"]["next_cursor"]
    assert seen == sorted(made, reverse=True)


def test_a_long_list_is_counted_up_to_a_bound_and_estimated_above(pbx: Pbx, client: Client) -> None:
    add_many(pbx, 100_000)
    reply = client.call("cdr", "list", per_page=1)
    total = reply.body["pagination"]["total"]
    assert reply.body["pagination"]["total_is_estimate"] is True
    assert total >= 100_000
    exact = client.call("cdr", "list", per_page=1, count="exact").body["pagination"]
    assert "total_is_estimate" not in exact
    assert exact["total"] == 102_700
    few = client.call("cdr", "list", per_page=1, direction="outbound").body["pagination"]
    assert "total_is_estimate" not in few


def add_many(pbx: Pbx, count: int) -> None:
    pbx.run(
        "insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, direction, start_stamp) "
        "select gen_random_uuid(), %(domain)s, 'inbound', now() - n * interval '1 minute' "
        "from generate_series(1, %(count)s) as n",
        domain=DOMAIN_UUID,
        count=count,
    )
    pbx.run("analyze v_xml_cdr")


def test_every_page_by_time_is_read_from_the_index(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    add_many(pbx, 20_000)
    pbx.run(INDEX)
    pbx.run("analyze v_xml_cdr")
    pages: list[tuple[str, Mapping[str, Any]]] = []
    ask = Session.ask

    def watched(session: Session, statement: Statement | str, /, **parameters: Any) -> Any:
        if isinstance(statement, str) and "v_xml_cdr" in statement and "order by" in statement:
            pages.append((statement, parameters))
        return ask(session, statement, **parameters)

    monkeypatch.setattr(Session, "ask", watched)
    days = {"start_date": "2020-01-01", "end_date": "2030-12-31"}
    pbx.client.list("cdr", **days)
    pbx.client.list("cdr", sort="start_stamp", page=3)
    first = pbx.client.call("cdr", "list", cursor="", **days)
    pbx.client.list("cdr", cursor=first.body["pagination"]["next_cursor"], **days)
    assert len(pages) == 4
    for statement, parameters in pages:
        for plan in plans(pbx, statement, parameters):
            assert "using cdr_by_start" in plan, plan
            assert "Sort" not in plan, plan
            condition = next(line for line in plan.splitlines() if "Index Cond" in line)
            assert "domain_uuid" in condition
            assert "start_stamp" in condition


def plans(pbx: Pbx, statement: str, parameters: Mapping[str, Any]) -> list[str]:
    """How PostgreSQL runs a statement with these values, and with any, as it does with what it has prepared."""
    places = {name: f"${place}" for place, name in enumerate(parameters, 1)}
    numbered = re.sub(r"%\((\w+)\)s", lambda found: places[found[1]], statement)
    with pbx.database.dedicated() as connection:
        cursors = (
            connection.execute("explain " + statement, parameters),
            connection.execute("explain (generic_plan) " + numbered),
        )
        return ["\n".join(row["QUERY PLAN"] for row in cursor.fetchall()) for cursor in cursors]


def test_get_tells_all_details_and_the_extension(pbx: Pbx, either_client: Client) -> None:
    uuid = add_call(
        pbx,
        "2020-02-04 10:30:00",
        extension_uuid=uuid_of("extension", pbx.domain, "1001"),
        status="answered",
        leg="a",
        read_codec="PCMU",
        rtp_audio_in_mos=4.5,
        accountcode="acme",
        hangup_cause_q850=16,
        sip_hangup_disposition="recv_bye",
        last_arg="x" * 5000,
        json='{"variables": {"huge": true}}',
    )
    call = either_client.get("cdr", uuid)
    assert call["extension"]["extension"] == "1001"
    assert (call["status"], call["leg"], call["read_codec"]) == ("answered", "a", "PCMU")
    assert (call["rtp_audio_in_mos"], call["hangup_cause_q850"]) == (4.5, 16)
    assert call["sip_hangup_disposition"] == "recv_bye"
    assert len(call["last_arg"]) == 1000
    assert "json" not in call
    foreign = add_call(pbx, "2020-02-04 10:30:00", extension_uuid=uuid_of("extension", pbx.other_domain, "1001"))
    assert "extension" not in either_client.get("cdr", foreign)


def test_digits_that_a_caller_typed_are_a_secret(pbx: Pbx, client: Client) -> None:
    uuid = add_call(pbx, "2020-02-04 10:30:00", digits_dialed="4711", pin_number="0815")
    assert client.get("cdr", uuid)["pin_number"] == "0815"
    made = client.call("api-keys", "create", json={"name": "reader", "scopes": ["cdr:read"]})
    reader = Client(client.app, client.domain, made.data["key"])
    hidden = reader.get("cdr", uuid)
    assert (hidden["digits_dialed"], hidden["pin_number"]) == ("********", "********")


def test_calls_are_read_only(either_client: Client) -> None:
    uuid = either_client.list("cdr")[0]["xml_cdr_uuid"]
    create = either_client.call("cdr", "create", json={})
    update = either_client.call("cdr", "update", uuid, {})
    delete = either_client.call("cdr", "delete", uuid)
    if either_client.family == "php":
        assert {reply.status for reply in (create, update, delete)} == {501}
    else:
        assert {reply.status for reply in (create, update, delete)} == {405}
        assert delete.headers["Allow"] == "GET"
