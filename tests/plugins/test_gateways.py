"""Gateways: the rows as FusionPBX writes them, and what the switch makes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pbxapi.app import create_app
from pbxapi.testing import Client, Pbx

TRUNK = {"gateway": "Twilio", "proxy": "sip.twilio.example", "username": "AC1", "password": "trunk-secret"}
LIST_FIELDS = ["gateway_uuid", "gateway", "username", "proxy", "register", "profile", "enabled", "description"]


def trunk(client: Client, **fields: Any) -> str:
    return client.create("gateways", **{**TRUNK, "register": "true", **fields})


def known(pbx: Pbx, uuid: str) -> bool:
    return uuid in pbx.socket.api("sofia xmlstatus gateway")


def sofia(pbx: Pbx) -> list[str]:
    """The commands that SIP profiles got since the last look."""
    found = [command for command in pbx.switch.commands if command.startswith("sofia profile")]
    pbx.switch.commands.clear()
    return found


def file(pbx: Pbx, uuid: str, profile: str = "external") -> Any:
    return pbx.folders["sip_profiles"] / profile / f"v_{uuid}.xml"


def test_a_new_gateway_registers_once_its_change_is_applied(pbx: Pbx, either_client: Client) -> None:
    pbx.socket.api("sofia profile external rescan")
    cached = pbx.folders["cache"] / "switch1.configuration.sofia.conf"
    assert cached.exists()
    reply = either_client.call("gateways", "create", json={**TRUNK, "register": "true"})
    assert (reply.status, reply.body["message"]) == (201, "Gateway created successfully")
    uuid = reply.data["gateway_uuid"]
    assert either_client.get("gateways", uuid)["registration_status"] == "stopped"
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    found = either_client.get("gateways", uuid)
    assert (found["registration_status"], found["registration_state"]) == ("running", "REGED")
    assert found["password"] == "trunk-secret"
    assert uuid in cached.read_text()
    assert f'<gateway name="{uuid}">' in file(pbx, uuid).read_text()


def test_what_is_left_out_gets_the_contracts_defaults(client: Client, pbx: Pbx) -> None:
    uuid = client.create("gateways", gateway="Plain", proxy="192.0.2.1:5060")
    found = client.get("gateways", uuid)
    assert {n: v for n, v in found.items() if v not in ("", None)} == {
        "gateway_uuid": uuid,
        "gateway": "Plain",
        "proxy": "192.0.2.1:5060",
        "register": "false",
        "profile": "external",
        "enabled": "true",
        "expire_seconds": "800",
        "retry_seconds": "30",
        "channels": "0",
        "registration_status": "stopped",
    }
    row = pbx.rows("select hostname, context, distinct_to from v_gateways where gateway_uuid = %(u)s", u=uuid)
    assert row == [{"hostname": None, "context": None, "distinct_to": None}]


def test_every_field_comes_back_as_it_was_sent(client: Client) -> None:
    sent = {
        **TRUNK, "register": "true", "profile": "internal", "enabled": "false", "description": "über ☎ <&>",
        "auth_username": "auth", "realm": "carrier realm", "from_user": "+15550100", "from_domain": "a.example",
        "register_proxy": "reg.example:5061", "outbound_proxy": "sip:out.example;lr", "expire_seconds": "3600",
        "register_transport": "tls", "retry_seconds": "15", "extension": "auto_to_user", "ping": "30",
        "ping_min": "2", "ping_max": "5", "contact_in_ping": "true", "context": "public", "hostname": "sw.example",
        "distinct_to": "false", "contact_params": "transport=tls;user=phone", "caller_id_in_from": "true",
        "supress_cng": "true", "sip_cid_type": "pid", "extension_in_contact": "true", "codec_prefs": "PCMA,G722",
        "channels": "10",
    }  # fmt: skip
    uuid = client.create("gateways", **sent)
    found = client.get("gateways", uuid)
    assert {name: found[name] for name in sent} == sent
    changed = {
        name: "" for name in sent if sent[name] in ("true", "false") and name not in ("register", "enabled")
    }
    client.update("gateways", uuid, **changed)
    assert {**sent, **changed}.items() <= client.get("gateways", uuid).items()


def test_the_list_shows_the_contracts_fields_and_no_secret(either_client: Client) -> None:
    rows = either_client.list("gateways", sort="gateway")
    assert [row["gateway"] for row in rows] == ["backup", "carrier", "retired"]
    assert all(list(row) == LIST_FIELDS for row in rows)
    assert [row["gateway"] for row in either_client.list("gateways", register="false")] == ["backup"]
    assert [row["gateway"] for row in either_client.list("gateways", search="RETIRED.example")] == ["retired"]


def test_a_changed_gateway_is_killed_and_found_again(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client)
    pbx.apply()
    sofia(pbx)
    client.update("gateways", uuid, proxy="sip2.twilio.example")
    pbx.apply()
    assert sofia(pbx) == [f"sofia profile external killgw {uuid}", "sofia profile external rescan"]
    assert "sip2.twilio.example" in pbx.socket.api(f"sofia xmlstatus gateway {uuid}")
    assert "sip2.twilio.example" in file(pbx, uuid).read_text()


def test_a_changed_password_takes_effect_and_stands_in_no_row_but_its_own(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client)
    pbx.apply()
    sofia(pbx)
    client.update("gateways", uuid, password="a-new-secret")
    pbx.apply()
    assert sofia(pbx) == [f"sofia profile external killgw {uuid}", "sofia profile external rescan"]
    client.delete("gateways", uuid)
    noted = pbx.rows("select to_jsonb(c) as row from pbxapi.change as c")
    audited = pbx.rows("select transaction_type, transaction_old, transaction_new from v_database_transactions")
    assert [row["transaction_type"] for row in audited] == ["add", "update", "delete"]
    assert json.loads(audited[1]["transaction_new"])["v_gateways"][0]["password"] == "********"
    for secret in ("trunk-secret", "a-new-secret"):
        assert secret not in str(noted)
        assert secret not in str(audited)


@pytest.mark.parametrize("name", ["description", "gateway", "channels", "codec_prefs"])
def test_a_change_that_no_switch_sees_ends_no_registration(pbx: Pbx, client: Client, name: str) -> None:
    uuid = trunk(client)
    pbx.apply()
    sofia(pbx)
    reply = client.update("gateways", uuid, **{name: "7"})
    pbx.apply()
    assert sofia(pbx) == []
    assert pbx.change(reply)["state"] == "applied"


def test_sending_the_same_again_rescans_without_killing(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client)
    pbx.apply()
    sofia(pbx)
    client.update("gateways", uuid, **TRUNK)
    pbx.apply()
    assert sofia(pbx) == ["sofia profile external rescan"]


def test_a_gateway_moves_to_another_profile(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client)
    pbx.apply()
    sofia(pbx)
    client.update("gateways", uuid, profile="internal")
    pbx.apply()
    assert sofia(pbx) == [
        f"sofia profile external killgw {uuid}",
        "sofia profile external rescan",
        "sofia profile internal rescan",
    ]
    assert pbx.switch.gateways[uuid].profile == "internal"
    assert not file(pbx, uuid).exists()
    assert file(pbx, uuid, "internal").exists()


def test_a_disabled_gateway_is_gone_and_comes_back_enabled(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client)
    pbx.apply()
    sofia(pbx)
    client.update("gateways", uuid, enabled="false")
    pbx.apply()
    assert sofia(pbx) == [f"sofia profile external killgw {uuid}"]
    assert not known(pbx, uuid)
    assert not file(pbx, uuid).exists()
    assert client.get("gateways", uuid)["registration_status"] == "stopped"
    client.update("gateways", uuid, enabled="true")
    pbx.apply()
    assert client.get("gateways", uuid)["registration_status"] == "running"


def test_a_deleted_gateway_is_killed(pbx: Pbx, either_client: Client) -> None:
    uuid = trunk(either_client)
    pbx.apply()
    sofia(pbx)
    reply = either_client.delete("gateways", uuid)
    assert reply.body == {"success": True, "message": "Gateway deleted successfully"}
    pbx.apply()
    assert sofia(pbx) == [f"sofia profile external killgw {uuid}"]
    assert not known(pbx, uuid)
    assert not file(pbx, uuid).exists()
    assert pbx.rows("select 1 from v_gateways where gateway_uuid = %(u)s", u=uuid) == []
    missing = either_client.call("gateways", "get", uuid)
    assert (missing.status, missing.error["message"]) == (404, "Gateway not found")


def test_a_gateway_of_another_switch_is_not_served_here(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client, hostname="switch2")
    pbx.apply()
    assert not known(pbx, uuid)
    assert not file(pbx, uuid).exists()
    client.update("gateways", uuid, hostname="switch1")
    pbx.apply()
    assert known(pbx, uuid)
    client.update("gateways", uuid, hostname="switch2")
    pbx.apply()
    assert not known(pbx, uuid)
    assert not file(pbx, uuid).exists()


def test_a_profile_that_runs_elsewhere_fails_no_change(pbx: Pbx, client: Client) -> None:
    pbx.run("update v_sip_profiles set sip_profile_hostname = 'switch2' where sip_profile_name = 'internal'")
    uuid = trunk(client, profile="internal")
    pbx.apply()
    reply = client.update("gateways", uuid, profile="external")
    sofia(pbx)
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert sofia(pbx) == [f"sofia profile external killgw {uuid}", "sofia profile external rescan"]


def test_changes_in_any_order_leave_the_last_state(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client)
    client.update("gateways", uuid, proxy="b.example")
    client.update("gateways", uuid, enabled="false")
    client.update("gateways", uuid, enabled="true", proxy="c.example")
    sofia(pbx)
    pbx.apply()
    assert sofia(pbx) == [f"sofia profile external killgw {uuid}", "sofia profile external rescan"]
    assert "c.example" in pbx.socket.api(f"sofia xmlstatus gateway {uuid}")


@pytest.mark.parametrize("way", ["go_away", "mute"])
def test_get_answers_in_time_when_the_switch_does_not(pbx: Pbx, client: Client, way: str) -> None:
    uuid = trunk(client)
    getattr(pbx.switch, way)()
    started = time.monotonic()
    found = client.get("gateways", uuid)
    assert time.monotonic() - started < 2.2
    assert found["registration_status"] is found["registration_state"] is None
    assert found["gateway"] == "Twilio"


def test_the_state_of_the_registration_is_the_switchs(pbx: Pbx, client: Client) -> None:
    uuid = trunk(client)
    pbx.apply()
    for state, status, expected in [
        ("NOREG", "UP", "running"),
        ("FAIL_WAIT", "DOWN", "error"),
        ("EXPIRED", "DOWN", "error"),
        ("TRYING", "DOWN", "error"),
        ("NOREG", "DOWN", "error"),
    ]:
        pbx.switch.set_gateway_state(uuid, state, status)
        found = client.get("gateways", uuid)
        assert (found["registration_status"], found["registration_state"]) == (expected, state)


def test_of_several_nodes_the_one_counts_where_it_runs(pbx: Pbx) -> None:
    failing = {"state": "FAIL_WAIT", "status": "DOWN"}
    running = {"state": "REGED", "status": "UP"}
    uuid = trunk(pbx.client)

    def status(*answers: Mapping[str, str] | None) -> tuple[str, str]:
        app = create_app(pbx.config, lambda *_: dict(enumerate(answers)))
        found = Client(app, pbx.domain).get("gateways", uuid)
        app.extensions["pbxapi"].database.close()
        return found["registration_status"], found["registration_state"]

    assert status(None, failing, running) == ("running", "REGED")
    assert status(None, failing) == ("error", "FAIL_WAIT")
    assert status(None, None) == ("stopped", None)


def test_waiting_for_the_switch_holds_no_connection(pbx: Pbx) -> None:
    uuid = trunk(pbx.client)
    app = create_app(pbx.config, lambda *_: asked())
    database = app.extensions["pbxapi"].database
    database._max_size = 1

    def asked() -> dict[str, Any]:
        with database.reading() as session:
            return {"node1": session.row("select 'REGED' as state, 'UP' as status")}

    assert Client(app, pbx.domain).get("gateways", uuid)["registration_state"] == "REGED"
    database.close()


REFUSED: list[tuple[str, Any]] = [
    ("gateway", ""),
    ("gateway", None),
    ("gateway", "a\nb"),
    ("gateway", "x" * 256),
    ("gateway", "${system rm}"),
    ("gateway", ["a"]),
    ("proxy", ""),
    ("proxy", "host name"),
    ("proxy", 'a"/><param name="context" value="x'),
    ("username", "a b"),
    ("username", 'a"b'),
    ("password", "a\x00b"),
    ("password", "********"),
    ("expire_seconds", "0"),
    ("expire_seconds", "soon"),
    ("expire_seconds", "9" * 30),
    ("retry_seconds", -1),
    ("retry_seconds", 1.5),
    ("register", "yes"),
    ("register", None),
    ("enabled", ""),
    ("register_transport", "sctp"),
    ("profile", ""),
    ("profile", "nosuch"),
    ("profile", "external\n\napi system"),
    ("profile", "../external"),
    ("extension", "${caller_id_number}"),
    ("extension", "1 XML other"),
    ("context", "second.example.com"),
    ("context", "global"),
    ("context", "${domain_name}"),
    ("hostname", "switch/1"),
    ("contact_params", "a=b>"),
    ("sip_cid_type", "other"),
    ("ping", "a"),
    ("channels", "70000"),
    ("codec_prefs", {"a": 1}),
    ("description", "a\x07"),
]


def test_a_value_that_no_switch_could_take_is_refused(client: Client) -> None:
    for field, value in REFUSED:
        reply = client.call("gateways", "create", json={**TRUNK, field: value})
        found = (reply.status, reply.body["error"]["code"], reply.body["error"].get("field"))
        assert found == (400, "VALIDATION_ERROR", field), (field, value)


def test_name_and_proxy_are_required(either_client: Client) -> None:
    reply = either_client.call("gateways", "create", json={})
    assert reply.error["message"] == "Gateway name is required"
    assert [error["field"] for error in reply.error["errors"]] == ["gateway", "proxy"]


def test_only_the_system_may_name_a_foreign_context(client: Client) -> None:
    sent = {**TRUNK, "context": "second.example.com"}
    assert client.call("gateways", "create", json=sent).status == 400
    allowed = client.call("gateways", "create", json=sent, headers={"X-Allow-Global": "true"})
    assert allowed.status == 201
    # What the system allowed stays when something else is changed.
    client.update("gateways", allowed.data["gateway_uuid"], description="kept")
    for own in ("pbx.example.com", "public@pbx.example.com", "public", ""):
        client.update("gateways", allowed.data["gateway_uuid"], context=own)


def test_registering_without_an_account_is_warned_of(client: Client) -> None:
    reply = client.call("gateways", "create", json={"gateway": "G", "proxy": "p.example", "register": True})
    assert reply.status == 201
    assert "username" in reply.body["warnings"][0]


def test_a_name_is_unique_in_the_domain_in_any_letter_case(client: Client, pbx: Pbx) -> None:
    uuid = trunk(client)
    for name in ("Twilio", "TWILIO"):
        reply = client.call("gateways", "create", json={**TRUNK, "gateway": name})
        assert (reply.status, reply.error["code"]) == (409, "DUPLICATE_ERROR")
        assert (reply.error["message"], reply.error["field"]) == ("Gateway already exists", "gateway")
    client.update("gateways", uuid, gateway="twilio")
    trunk(client.of(pbx.other_domain))


def test_one_of_many_gateways_of_a_name_made_at_once_wins(client: Client) -> None:
    with ThreadPoolExecutor(20) as threads:
        replies = list(threads.map(lambda _: client.call("gateways", "create", json=TRUNK), range(20)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 19


def test_the_limit_of_the_settings_holds(pbx: Pbx, client: Client) -> None:
    pbx.run(
        "update v_default_settings set default_setting_enabled = true, default_setting_value = '4'"
        " where default_setting_category = 'limit' and default_setting_subcategory = 'gateways'"
    )
    trunk(client)
    reply = client.call("gateways", "create", json={**TRUNK, "gateway": "one too many"})
    assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN")
    assert reply.error["message"] == "Gateway limit reached (4)"


def test_gateways_of_others_and_shared_ones_do_not_exist(pbx: Pbx, either_client: Client) -> None:
    foreign = pbx.rows("select gateway_uuid from v_gateways where domain_uuid is distinct from %(d)s",
                       d=pbx.rows("select domain_uuid from v_domains where domain_name = %(n)s",
                                  n=pbx.domain)[0]["domain_uuid"])  # fmt: skip
    assert len(foreign) == 2
    before = pbx.rows("select * from v_gateways order by gateway_uuid")
    for row in foreign:
        uuid = row["gateway_uuid"]
        assert either_client.call("gateways", "get", uuid).status == 404
        assert either_client.call("gateways", "update", uuid, {"proxy": "x.example"}).status == 404
        assert either_client.call("gateways", "delete", uuid).status == 404
    assert pbx.rows("select * from v_gateways order by gateway_uuid") == before
