"""Domains: who sees which, and what a changed setting does and must not do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from pbxapi.sandbox.sample import CLOSED_DOMAIN, CLOSED_DOMAIN_UUID, DOMAIN_UUID, SECOND_DOMAIN_UUID
from pbxapi.testing import Client, Family, Pbx, Reply

ZONE = {"category": "domain", "subcategory": "time_zone", "name": "name", "value": "Europe/Paris"}
VARIABLES_APP = "9f356fe7-8cf8-4c14-8fe2-6daf89304458"


def settings(client: Client, uuid: object) -> Reply:
    if client.family == "php":
        return client.request("GET", "/domains/settings.php", query={"uuid": uuid})
    return client.request("GET", f"/domains/{uuid}/settings")


def put(client: Client, uuid: object, *sent: Any, headers: dict[str, str] | None = None) -> Reply:
    body = {"settings": list(sent)}
    if client.family == "php":
        return client.request("PUT", "/domains/settings.php", body, query={"uuid": uuid}, headers=headers)
    return client.request("PUT", f"/domains/{uuid}/settings", body, headers=headers)


def setting(name: str, value: Any, **more: Any) -> dict[str, Any]:
    category, subcategory, type_ = name.split("/")
    return {"category": category, "subcategory": subcategory, "name": type_, "value": value, **more}


def bound(client: Client, *domains: str, scopes: tuple[str, ...] = ("*",)) -> Client:
    """A client with a key that is good for some domains only."""
    body = {"name": "bound", "domains": list(domains), "scopes": list(scopes)}
    key = client.call("api-keys", "create", json=body).data["key"]
    return Client(client.app, domains[0], key, client.family)


def test_the_systems_key_sees_every_domain(pbx: Pbx, either_client: Client) -> None:
    assert either_client.list("domains") == [
        {
            "domain_uuid": str(CLOSED_DOMAIN_UUID),
            "domain_name": CLOSED_DOMAIN,
            "domain_enabled": "false",
            "domain_description": "A tenant that has left",
        },
        {
            "domain_uuid": str(DOMAIN_UUID),
            "domain_name": pbx.domain,
            "domain_enabled": "true",
            "domain_description": "Head office",
        },
        {
            "domain_uuid": str(SECOND_DOMAIN_UUID),
            "domain_name": pbx.other_domain,
            "domain_enabled": "true",
            "domain_description": "Another tenant",
        },
    ]
    page = either_client.call("domains", "list", per_page=2, search="example").body["pagination"]
    assert page == {"page": 1, "per_page": 2, "total": 3, "total_pages": 2}


def test_a_bound_key_sees_its_own_domains_and_no_others(pbx: Pbx, either_client: Client) -> None:
    key = bound(either_client, pbx.domain, pbx.other_domain)
    assert [row["domain_name"] for row in key.list("domains")] == [pbx.domain, pbx.other_domain]
    key = bound(either_client, pbx.domain)
    reply = key.call("domains", "list", search="example")
    assert [row["domain_name"] for row in reply.data] == [pbx.domain]
    assert reply.body["pagination"]["total"] == 1
    assert key.get("domains", DOMAIN_UUID)["domain_name"] == pbx.domain
    for uuid in (SECOND_DOMAIN_UUID, CLOSED_DOMAIN_UUID, uuid4()):
        for reply in (key.call("domains", "get", uuid), settings(key, uuid), put(key, uuid, ZONE)):
            assert (reply.status, reply.error["message"]) == (404, "Domain not found")


def test_a_domain_tells_how_much_it_holds(pbx: Pbx, either_client: Client) -> None:
    domain = either_client.get("domains", SECOND_DOMAIN_UUID)
    tables = ("extensions", "users", "gateways", "devices", "voicemails", "destinations")
    assert domain["counts"] == {
        table: pbx.rows(f"select count(*) as n from v_{table} where domain_uuid = %(d)s", d=SECOND_DOMAIN_UUID)[0][
            "n"
        ]
        for table in tables
    }
    assert domain["counts"]["extensions"] > 0


def test_settings_are_changed_and_added_and_the_rest_is_kept(pbx: Pbx, either_client: Client) -> None:
    first = put(
        either_client,
        SECOND_DOMAIN_UUID,
        setting("voicemail/enabled/voicemail_enabled", "true", enabled="true"),
        setting("limit/users/numeric", 7, order=5, description="for now"),
    )
    assert (first.status, first.body["message"]) == (200, "Domain settings updated successfully")
    second = put(either_client, SECOND_DOMAIN_UUID, setting("limit/users/numeric", "8"))
    found = settings(either_client, SECOND_DOMAIN_UUID).data
    assert found == second.data
    assert [{n: v for n, v in s.items() if n != "domain_setting_uuid"} for s in found] == [
        setting("domain/time_zone/name", "Europe/Berlin", order="", enabled="true", description=""),
        setting("limit/users/numeric", "8", order="5", enabled="true", description="for now"),
        setting("voicemail/enabled/voicemail_enabled", "true", order="", enabled="true", description=""),
    ]
    assert {s["domain_setting_uuid"] for s in first.data} == {s["domain_setting_uuid"] for s in found}
    assert settings(either_client, DOMAIN_UUID).data == []


def test_a_disabled_setting_stays_disabled_while_its_value_changes(client: Client) -> None:
    put(client, DOMAIN_UUID, setting("limit/users/numeric", "7", enabled="false"))
    (found,) = put(client, DOMAIN_UUID, setting("limit/users/numeric", "8")).data
    assert (found["value"], found["enabled"]) == ("8", "false")
    (found,) = put(
        client,
        DOMAIN_UUID,
        {"category": "limit", "subcategory": "users", "name": "numeric", "enabled": True},
    ).data
    assert (found["value"], found["enabled"]) == ("8", "true")


def test_each_value_of_an_array_is_a_setting_of_its_own(client: Client) -> None:
    values = [setting("fax/allowed_extension/array", value) for value in (".pdf", ".tif")]
    put(client, DOMAIN_UUID, *values)
    found = put(client, DOMAIN_UUID, {**values[0], "enabled": "false"}).data
    assert [(s["value"], s["enabled"]) for s in found] == [(".pdf", "false"), (".tif", "true")]


def test_rows_that_stand_for_one_setting_get_one_value(pbx: Pbx, client: Client) -> None:
    for _ in range(2):
        pbx.run(
            "insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category, "
            "domain_setting_subcategory, domain_setting_name, domain_setting_value, domain_setting_enabled) "
            "values (%(u)s, %(d)s, 'limit', 'users', 'numeric', '1', true)",
            u=uuid4(),
            d=DOMAIN_UUID,
        )
    found = put(client, DOMAIN_UUID, setting("limit/users/numeric", "9")).data
    assert [s["value"] for s in found] == ["9", "9"]


def test_a_setting_counts_at_once(client: Client) -> None:
    put(client, DOMAIN_UUID, setting("limit/users/numeric", "4"))
    reply = client.call("users", "create", json={"username": "fifth", "password": "Secure-Passw0rd"})
    assert (reply.status, reply.error["message"]) == (403, "User limit reached (4)")


def test_all_of_it_is_written_or_nothing(pbx: Pbx, client: Client) -> None:
    good = setting("voicemail/enabled/text", "true")
    bad = [
        ("settings.1.value", {**ZONE, "value": "Mars/Olympus"}),
        ("settings.1.category", {**ZONE, "category": "../etc"}),
        ("settings.1.subcategory", setting("domain/time\nzone/name", "UTC")),
        ("settings.1.subcategory", {**ZONE, "subcategory": ".."}),
        ("settings.1.name", {"category": "a", "subcategory": "b", "value": "c"}),
        ("settings.1.value", setting("voicemail/keep_local/boolean", "maybe")),
        ("settings.1.value", setting("extension/limit_max/numeric", "1e400")),
        ("settings.1.value", setting("limit/users/text", "inf")),
        ("settings.1.value", setting("domain/menu/uuid", "b4750c3f")),
        ("settings.1.value", setting("domain/language/code", "<script>")),
        ("settings.1.value", setting("theme/title/text", "a\0b")),
        ("settings.1.value", setting("theme/title/text", ["a"])),
        ("settings.1.value", setting("theme/title/text", "x" * 65_537)),
        ("settings.1.enabled", setting("theme/title/text", "x", enabled="yes")),
        ("settings.1.order", setting("theme/title/text", "x", order="first")),
        ("settings.1.colour", setting("theme/title/text", "x", colour="red")),
        ("settings.1", good),
        ("settings.1", "theme/title/text"),
    ]
    for field, sent in bad:
        reply = put(client, DOMAIN_UUID, good, sent)
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR"), sent
        assert reply.error["field"] == field, reply.error
    for body in ({}, {"settings": None}, {"settings": {}}, {"settings": "x"}, {"settings": [good] * 501}):
        reply = client.request("PUT", f"/domains/{DOMAIN_UUID}/settings", body)
        assert (reply.status, reply.error["field"]) == (400, "settings"), body
    assert settings(client, DOMAIN_UUID).data == []
    assert pbx.rows("select 1 from pbxapi.change") == []
    assert put(client, DOMAIN_UUID).data == []


def test_json_true_is_a_boolean_settings_value(client: Client) -> None:
    found = put(
        client,
        DOMAIN_UUID,
        setting("voicemail/keep_local/boolean", False),
        setting("voicemail/remote_access/boolean", "TRUE"),
    ).data
    assert [s["value"] for s in found] == ["false", "true"]


def test_the_change_names_the_settings_and_the_switch_forgets_them(pbx: Pbx, either_client: Client) -> None:
    cache = pbx.folders["cache"]
    own = [cache / f"setting.{pbx.other_domain}.{n}" for n in ("voicemail.keep_local.boolean", "a.b.text")]
    others = [
        cache / f"setting.{n}" for n in (f"{pbx.domain}.a.b.text", f"{pbx.other_domain}.c.d.text", ".a.b.text")
    ]
    for file in (*own, *others):
        file.write_text("old")
    put(
        either_client, SECOND_DOMAIN_UUID, setting("a/b/text", "same"), setting("theme/title/text", "secret words")
    )
    for file in own:
        file.write_text("old")
    pbx.apply()
    # What stays as it is is no change: only what differs is named, and never a value.
    reply = put(
        either_client,
        SECOND_DOMAIN_UUID,
        setting("a/b/text", "same"),
        setting("voicemail/keep_local/boolean", "false"),
    )
    (row,) = pbx.rows("select * from pbxapi.change where change_id = %(c)s", c=reply.headers["X-Change-Id"])
    assert row["old"] == {"settings": ["voicemail/keep_local/boolean"]}
    assert (row["domain_uuid"], row["domain_name"]) == (SECOND_DOMAIN_UUID, pbx.other_domain)
    own[1].write_text("old")
    pbx.apply()
    assert [file.exists() for file in own] == [False, True]
    assert all(file.exists() for file in others)
    assert "secret words" not in str(pbx.rows("select old::text, changed::text from pbxapi.change"))
    state = either_client.of(pbx.other_domain).get("changes", reply.headers["X-Change-Id"])["state"]
    assert state == "applied"
    unchanged = put(either_client, SECOND_DOMAIN_UUID, setting("a/b/text", "same"))
    assert "X-Change-Id" not in unchanged.headers


def test_the_audit_row_is_the_domains_and_tells_no_secret(pbx: Pbx, client: Client) -> None:
    put(
        client,
        SECOND_DOMAIN_UUID,
        setting("provision/http_auth_password/text", "hunter2"),
        setting("a/b/text", "c"),
    )
    put(client, SECOND_DOMAIN_UUID, setting("provision/http_auth_password/text", "hunter3"))
    rows = pbx.rows("select * from v_database_transactions order by transaction_date")
    assert {row["domain_uuid"] for row in rows} == {SECOND_DOMAIN_UUID}
    text = "".join(f"{row['transaction_old']}{row['transaction_new']}" for row in rows)
    assert "hunter" not in text
    assert '"subcategory": "http_auth_password"' in text
    assert "a/b" not in rows[1]["transaction_new"]


def test_a_secret_setting_is_shown_only_to_who_may_read_secrets(pbx: Pbx, client: Client) -> None:
    secrets = [
        "email/smtp_password/text",
        "a/private_key/text",
        "a/api_token/text",
        "sms/x/secret",
        "a/pin/numeric",
    ]
    plain = ["extension/password_length/numeric", "provision/feature_key_sync/text", "a/keyboard/text"]
    put(client, DOMAIN_UUID, *(setting(name, "4711") for name in (*secrets, *plain)))
    assert {s["value"] for s in settings(client, DOMAIN_UUID).data} == {"4711"}
    reader = bound(client, pbx.domain, scopes=("domains:read", "domains:write"))
    shown = {
        f"{s['category']}/{s['subcategory']}/{s['name']}": s["value"] for s in settings(reader, DOMAIN_UUID).data
    }
    assert shown == {**dict.fromkeys(secrets, "********"), **dict.fromkeys(plain, "4711")}
    answered = put(reader, DOMAIN_UUID, setting("a/keyboard/text", "qwertz"))
    assert "********" in {s["value"] for s in answered.data}
    back = put(reader, DOMAIN_UUID, setting("email/smtp_password/text", "********"))
    assert (back.status, back.error["field"]) == (400, "settings.0.value")
    kept = {"category": "email", "subcategory": "smtp_password", "name": "text", "enabled": "false"}
    assert put(reader, DOMAIN_UUID, kept).status == 200
    stored = pbx.rows(
        "select domain_setting_value as v from v_domain_settings "
        "where domain_setting_subcategory = 'smtp_password'"
    )
    assert stored == [{"v": "4711"}]


@pytest.mark.parametrize("family", ["clean", "php"])
def test_a_bound_key_stays_within_its_domain(pbx: Pbx, family: Family) -> None:
    key = bound(pbx.client.through(family), pbx.domain)
    everything = {"X-Allow-Global": "true"}
    for name in ("limit/extensions/numeric", "switch/recordings/dir", "cache/location/text", "login/message/text",
                 "fax/storage_path/text", "Limit/users/numeric", "my/own/dir", "users/unique/text"):  # fmt: skip
        reply = put(key, DOMAIN_UUID, setting(name, "100"), headers=everything)
        assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN"), name
    for name, value in (
        ("domain/dial_string/text", "user/900@second.example.com"),
        ("fax/variable/array", "api_hangup_hook=system id"),
        ("ring_group/default_ringback/text", "${system(id)}"),
        ("recordings/recording_prefix/text", "../second.example.com/"),
    ):
        reply = put(key, DOMAIN_UUID, setting(name, value), headers=everything)
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR"), name
    assert put(key, DOMAIN_UUID, setting("voicemail/message_max_length/numeric", "60")).status == 200
    assert [s["subcategory"] for s in settings(key, DOMAIN_UUID).data] == ["message_max_length"]


def test_a_bound_key_may_send_back_what_is_there_but_not_change_it(pbx: Pbx, client: Client) -> None:
    names = ("limit/extensions/numeric", "ring_group/default_ringback/text")
    put(client, DOMAIN_UUID, setting(names[0], "100"), setting(names[1], "${us-ring}", enabled="false"))
    key = bound(client, pbx.domain)
    found = settings(key, DOMAIN_UUID).data
    sent = [{n: v for n, v in s.items() if n != "domain_setting_uuid"} for s in found]
    assert put(key, DOMAIN_UUID, *sent, setting("a/b/text", "new")).status == 200
    assert put(key, DOMAIN_UUID, {**sent[0], "enabled": "false"}).status == 403
    assert put(key, DOMAIN_UUID, {**sent[1], "enabled": "true"}).status == 400
    assert settings(client, DOMAIN_UUID).data[1:] == found


def test_what_the_switch_executes_takes_the_systems_key_and_its_word(pbx: Pbx, client: Client) -> None:
    dial_string = setting(
        "domain/dial_string/text", "{leg_timeout=5}${sofia_contact(*/${dialed_user}@${dialed_domain})}"
    )
    assert put(client, DOMAIN_UUID, dial_string).status == 400
    client.create("extensions", extension="7001")
    pbx.apply()
    assert pbx.socket.api(f"user_exists id 7001 {pbx.domain}") == "true"
    entry = pbx.folders["cache"] / f"directory.7001@{pbx.domain}"
    assert entry.exists()
    assert put(client, DOMAIN_UUID, dial_string, headers={"X-Allow-Global": "true"}).status == 200
    pbx.apply()
    assert not entry.exists()
    assert "{leg_timeout=5}" in (pbx.folders["extensions"] / pbx.domain / "v_7001.xml").read_text()


def add_variables_dialplan(pbx: Pbx, *details: tuple[str, str, str]) -> str:
    """The dialplan that FusionPBX gives to each domain, which its settings page keeps the time zone in."""
    uuid = uuid4()
    pbx.run(
        "insert into v_dialplans (dialplan_uuid, domain_uuid, app_uuid, dialplan_context, dialplan_name, "
        "dialplan_continue, dialplan_xml, dialplan_order, dialplan_enabled) values "
        "(%(u)s, %(d)s, %(app)s, %(context)s, 'domain-variables', true, '<extension/>', 20, true)",
        u=uuid,
        d=DOMAIN_UUID,
        app=VARIABLES_APP,
        context=pbx.domain,
    )
    for place, (tag, type_, data) in enumerate(details):
        pbx.run(
            "insert into v_dialplan_details (dialplan_detail_uuid, domain_uuid, dialplan_uuid, "
            "dialplan_detail_tag, dialplan_detail_type, dialplan_detail_data, "
            "dialplan_detail_group, dialplan_detail_order) "
            "values (%(u)s, %(d)s, %(dialplan)s, %(tag)s, %(type)s, %(data)s, 0, %(place)s)",
            u=uuid4(),
            d=DOMAIN_UUID,
            dialplan=uuid,
            tag=tag,
            type=type_,
            data=data,
            place=place * 5,
        )
    return str(uuid)


def dialplan_xml(pbx: Pbx, uuid: str) -> str:
    (row,) = pbx.rows("select dialplan_xml from v_dialplans where dialplan_uuid = %(u)s", u=uuid)
    return str(row["dialplan_xml"])


def test_calls_learn_the_domains_time_zone(pbx: Pbx, client: Client) -> None:
    dialplan = add_variables_dialplan(pbx, ("condition", "", ""), ("action", "set", "operator=1000"))
    entry = pbx.folders["cache"] / f"dialplan.{pbx.domain}"
    entry.write_text("old")
    reply = put(client, DOMAIN_UUID, ZONE)
    assert "warnings" not in reply.body
    pbx.apply()
    assert not entry.exists()
    xml = dialplan_xml(pbx, dialplan)
    assert 'data="timezone=Europe/Paris" inline="true"' in xml
    assert 'data="operator=1000"' in xml
    put(client, DOMAIN_UUID, {**ZONE, "value": "Asia/Tokyo"})
    xml = dialplan_xml(pbx, dialplan)
    assert "Paris" not in xml
    assert xml.count("timezone=Asia/Tokyo") == 1
    # Without a zone of its own the domain follows the default settings.
    put(client, DOMAIN_UUID, {**ZONE, "enabled": "false"})
    assert "timezone=UTC" in dialplan_xml(pbx, dialplan)


def test_a_dialplan_that_cannot_be_built_is_left_alone_and_said(pbx: Pbx, client: Client) -> None:
    bare = add_variables_dialplan(pbx)
    reply = put(client, DOMAIN_UUID, ZONE)
    assert (reply.status, len(reply.body["warnings"])) == (200, 1)
    assert dialplan_xml(pbx, bare) == "<extension/>"
    pbx.run("delete from v_dialplans where dialplan_uuid = %(u)s", u=bare)
    broken = add_variables_dialplan(pbx, ("condition", "", ""), ("nonsense", "set", "a=b"))
    reply = put(client, DOMAIN_UUID, {**ZONE, "value": "Asia/Tokyo"})
    assert (reply.status, len(reply.body["warnings"])) == (200, 1)
    assert dialplan_xml(pbx, broken) == "<extension/>"
    assert settings(client, DOMAIN_UUID).data[0]["value"] == "Asia/Tokyo"


def test_menus_and_queues_are_read_anew_where_their_settings_changed(pbx: Pbx, client: Client) -> None:
    menus = [uuid4(), uuid4()]
    for menu, domain in zip(menus, (DOMAIN_UUID, SECOND_DOMAIN_UUID), strict=True):
        pbx.run("insert into v_ivr_menus (ivr_menu_uuid, domain_uuid) values (%(m)s, %(d)s)", m=menu, d=domain)
    cache = pbx.folders["cache"]
    entries = [cache / f"configuration.ivr.conf.{menu}" for menu in menus]
    queues = [cache / name for name in ("configuration.callcenter.conf", "switch1.configuration.callcenter.conf")]
    for file in (*entries, *queues):
        file.write_text("old")
    put(client, DOMAIN_UUID, setting("ivr_menu/direct_dial_digits_max/numeric", "4"))
    pbx.apply()
    assert [file.exists() for file in entries] == [False, True]
    assert all(file.exists() for file in queues)
    put(client, DOMAIN_UUID, setting("call_center/queue_login/text", "dynamic"))
    pbx.apply()
    assert not any(file.exists() for file in queues)


def test_domains_are_not_made_or_deleted_here(either_client: Client) -> None:
    replies = [
        either_client.call("domains", "create", json={"domain_name": "new.example.com"}),
        either_client.call("domains", "update", DOMAIN_UUID, {"domain_enabled": "false"}),
        either_client.call("domains", "delete", DOMAIN_UUID),
    ]
    assert {reply.status for reply in replies} == {501 if either_client.family == "php" else 405}
    posted = either_client.request("POST", f"/domains/{DOMAIN_UUID}/settings", {"settings": []})
    assert (posted.status, posted.headers["Allow"]) == (405, "GET, PATCH, PUT")
