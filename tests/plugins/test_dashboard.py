"""The dashboard: one domain in figures, and never a glimpse of another's phones or calls."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from pbxapi.app import create_app
from pbxapi.sandbox.sample import DOMAIN_UUID, SECOND_DOMAIN_UUID, uuid_of
from pbxapi.testing import Client, Pbx, Reply


def look(client: Client, what: str) -> Reply:
    return client.request("GET", f"/dashboard/{what}.php" if client.family == "php" else f"/dashboard/{what}")


def test_the_figures_are_the_domains_own(pbx: Pbx, either_client: Client) -> None:
    figures = look(either_client, "stats").data
    (expected,) = pbx.rows(
        """
        select (select count(*) from v_extensions where domain_uuid = %(d)s) as extensions,
               (select count(*) from v_users where domain_uuid = %(d)s) as users,
               (select count(*) from v_gateways where domain_uuid = %(d)s and enabled) as gateways,
               (select count(*) from v_voicemail_messages
                 where domain_uuid = %(d)s and message_status is null) as messages
        """,
        d=DOMAIN_UUID,
    )
    assert {name: next(iter(part.values())) for name, part in figures.items() if name != "calls"} == {
        "extensions": expected["extensions"],
        "users": expected["users"],
        "gateways": expected["gateways"],
        "voicemails": expected["messages"],
    }
    assert list(figures["voicemails"]) == ["new_messages"]
    assert list(figures["calls"]) == ["today_total"]


def test_the_figures_follow_what_is_disabled_heard_and_deleted(pbx: Pbx, client: Client) -> None:
    before = look(client, "stats").data
    pbx.run(
        "update v_users set user_enabled = false where user_uuid = %(u)s", u=uuid_of("user", pbx.domain, "anna")
    )
    pbx.run("update v_users set user_enabled = null where user_uuid = %(u)s", u=uuid_of("user", pbx.domain, "ben"))
    pbx.run("update v_gateways set enabled = false where domain_uuid = %(d)s", d=DOMAIN_UUID)
    for status in ("saved", "deleted"):
        pbx.run(
            "update v_voicemail_messages set message_status = %(status)s where voicemail_message_uuid in "
            "(select voicemail_message_uuid from v_voicemail_messages "
            "where domain_uuid = %(d)s and message_status is null limit 1)",
            status=status,
            d=DOMAIN_UUID,
        )
    after = look(client, "stats").data
    assert after["users"]["total"] == before["users"]["total"] - 1
    assert after["gateways"]["total"] == 0
    assert after["voicemails"]["new_messages"] == before["voicemails"]["new_messages"] - 2


def test_todays_calls_are_counted_from_the_domains_midnight(pbx: Pbx, client: Client) -> None:
    zones = {DOMAIN_UUID: "Pacific/Kiritimati", SECOND_DOMAIN_UUID: "Pacific/Pago_Pago"}  # 25 hours apart
    pbx.run("delete from v_xml_cdr")
    pbx.run("delete from v_domain_settings")
    for domain, zone in zones.items():
        pbx.run(
            "insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category, "
            "domain_setting_subcategory, domain_setting_name, domain_setting_value, domain_setting_enabled) "
            "values (%(u)s, %(d)s, 'domain', 'time_zone', 'name', %(zone)s, true)",
            u=uuid4(),
            d=domain,
            zone=zone,
        )
        for second in (-1, 0, 1):
            pbx.run(
                "insert into v_xml_cdr (xml_cdr_uuid, domain_uuid, start_stamp) values (%(u)s, %(d)s, "
                "date_trunc('day', now() at time zone %(zone)s) at time zone %(zone)s "
                "+ make_interval(secs => %(second)s))",
                u=uuid4(),
                d=domain,
                zone=zone,
                second=second,
            )
    for name in (pbx.domain, pbx.other_domain):
        assert look(client.of(name), "stats").data["calls"] == {"today_total": 2}


def test_a_registered_phone_is_shown_as_the_contract_says(pbx: Pbx, either_client: Client) -> None:
    pbx.switch.register("101", pbx.domain, agent="Yealink SIP-T46U", network_ip="192.0.2.7", network_port="5060")
    pbx.switch.register("102", pbx.domain, agent="Cisco & <Söhne>", profile="external")
    assert look(either_client, "registrations").data == [
        {
            "user": "101",
            "domain": pbx.domain,
            "contact": "sip:101@192.0.2.7:5060",
            "agent": "Yealink SIP-T46U",
            "status": "Registered",
            "profile": "internal",
            "hostname": pbx.switch.switchname,
        },
        {
            "user": "102",
            "domain": pbx.domain,
            "contact": "sip:102@127.0.0.1:5066",
            "agent": "Cisco & <Söhne>",
            "status": "Registered",
            "profile": "external",
            "hostname": pbx.switch.switchname,
        },
    ]


def test_a_phone_is_shown_to_the_domain_that_it_authenticated_in(pbx: Pbx, client: Client) -> None:
    pbx.switch.register("101", pbx.domain, realm=pbx.other_domain)
    pbx.switch.register("102", pbx.other_domain, realm=pbx.domain)
    pbx.switch.register("103", f"{pbx.domain}.evil.example", realm=f"{pbx.domain}.evil.example")
    pbx.switch.register("104", pbx.domain, realm=pbx.domain.upper())
    own = look(client, "registrations").data
    assert [(row["user"], row["domain"]) for row in own] == [("102", pbx.domain), ("104", pbx.domain)]
    others = look(client.of(pbx.other_domain), "registrations").data
    assert [row["user"] for row in others] == ["101"]


def test_only_profiles_that_are_enabled_are_asked(pbx: Pbx, client: Client) -> None:
    pbx.run("update v_sip_profiles set sip_profile_enabled = false where sip_profile_name = 'external'")
    pbx.run(
        "insert into v_sip_profiles (sip_profile_uuid, sip_profile_name, sip_profile_enabled) "
        "values (%(a)s, 'internal reg' || chr(10) || chr(10) || 'api hupall', true), (%(b)s, 'not-running', true)",
        a=uuid4(),
        b=uuid4(),
    )
    pbx.switch.register("101", pbx.domain)
    assert [row["user"] for row in look(client, "registrations").data] == ["101"]
    asked = [command for command in pbx.switch.commands if command.startswith("sofia xmlstatus profile")]
    assert asked == [f"sofia xmlstatus profile {name} reg" for name in ("internal", "not-running")]


def test_an_active_call_is_shown_as_the_contract_says(pbx: Pbx, either_client: Client) -> None:
    uuid = pbx.switch.start_call(
        "8005551234", "101", variables={"domain_uuid": str(DOMAIN_UUID)}, cid_name="Customer Support"
    )
    (call,) = look(either_client, "active-calls").data
    epoch = call["created_epoch"]
    assert abs(epoch - time.time()) < 60
    assert call == {
        "uuid": uuid,
        "direction": "inbound",
        "caller_id_name": "Customer Support",
        "caller_id_number": "8005551234",
        "destination": "101",
        "state": "CS_EXECUTE",
        "created": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S}",
        "created_epoch": epoch,
        "hostname": pbx.switch.switchname,
    }


def test_a_call_is_shown_to_the_domain_that_its_own_dialplan_named(pbx: Pbx, client: Client) -> None:
    own, other = pbx.domain, pbx.other_domain
    # Whatever a caller from a trunk writes into his From header says nothing.
    pbx.switch.start_call("liar", "1", presence_id=f"101@{own}", accountcode=own)
    pbx.switch.start_call(
        "trunk", "2", variables={"domain_uuid": str(DOMAIN_UUID).upper()}, presence_id=f"1@{other}"
    )
    pbx.switch.start_call("theirs", "3", own, variables={"domain_uuid": str(SECOND_DOMAIN_UUID)})
    pbx.switch.start_call("phone", "4", own)
    pbx.switch.start_call("PHONE", "5", own.upper())
    pbx.switch.start_call("like", "6", f"public@{own}")
    pbx.switch.start_call("default", "7", "default")
    shown = {row["caller_id_number"] for row in look(client, "active-calls").data}
    assert shown == {"trunk", "phone", "PHONE"}
    assert {row["caller_id_number"] for row in look(client.of(other), "active-calls").data} == {"theirs"}


def test_a_call_whose_id_its_caller_chose_does_no_harm(pbx: Pbx, client: Client) -> None:
    pbx.switch.start_call("mean", "1", uuid="x\n\napi hupall", variables={"domain_uuid": str(DOMAIN_UUID)})
    pbx.switch.start_call("phone", "2", pbx.domain)
    assert [row["caller_id_number"] for row in look(client, "active-calls").data] == ["phone"]
    assert "hupall" not in pbx.switch.commands


def test_a_call_without_a_readable_start_is_shown_all_the_same(pbx: Pbx, client: Client) -> None:
    pbx.switch.start_call("1", "1", pbx.domain, created_epoch="", created="just now")
    (call,) = look(client, "active-calls").data
    assert (call["created"], call["created_epoch"]) == ("just now", None)


def test_nothing_to_show_is_an_empty_list(either_client: Client) -> None:
    for what in ("registrations", "active-calls"):
        reply = look(either_client, what)
        assert (reply.status, reply.data) == (200, [])
        assert "pagination" not in reply.body


@pytest.mark.parametrize("what", ["registrations", "active-calls"])
def test_a_switch_that_is_away_is_said_to_be(pbx: Pbx, either_client: Client, what: str) -> None:
    pbx.switch.go_away()
    reply = look(either_client, what)
    assert (reply.status, reply.error["code"]) == (503, "SWITCH_UNAVAILABLE")
    assert look(either_client, "stats").status == 200
    pbx.switch.come_back()
    assert look(either_client, what).status == 200


def test_several_nodes_are_shown_together(pbx: Pbx) -> None:
    def ask(question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        phone = {
            "realm": pbx.domain,
            "contact": "sip:1@192.0.2.1",
            "agent": "",
            "status": "Registered(TLS)",
            "profile": "internal",
        }
        call = {
            "domain_uuid": None,
            "context": pbx.domain,
            "direction": "inbound",
            "cid_name": "",
            "cid_num": "1",
            "dest": "2",
            "state": "CS_EXECUTE",
            "created": "",
        }
        if question == "registrations":
            return {
                "b": [{**phone, "user": "1", "host": "host-b"}],
                "a": [{**phone, "user": "1", "host": ""}, {**phone, "user": "2", "host": "host-a"}],
            }
        return {
            "a": [{**call, "uuid": "2", "created_epoch": "1800000002", "hostname": "host-a"}],
            "b": [{**call, "uuid": "1", "created_epoch": "1800000001", "hostname": ""}],
        }

    app = create_app(pbx.config, ask)
    client = Client(app, pbx.domain)
    phones = look(client, "registrations").data
    assert [(row["user"], row["hostname"]) for row in phones] == [("1", "a"), ("1", "host-b"), ("2", "host-a")]
    calls = look(client, "active-calls").data
    assert [(row["uuid"], row["hostname"]) for row in calls] == [("1", "b"), ("2", "host-a")]
    app.extensions["pbxapi"].database.close()


def test_the_dashboard_has_no_records(client: Client) -> None:
    assert client.request("GET", "/dashboard/list.php").status == 501
    assert client.request("GET", "/dashboard/get.php").status == 501
    assert client.request("POST", "/dashboard/create.php", {}).status == 501
    posted = client.request("POST", "/dashboard/stats", {})
    assert (posted.status, posted.headers["Allow"]) == (405, "GET")
