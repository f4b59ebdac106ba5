"""Devices: the rows as FusionPBX writes them, and the files that phones ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from defusedxml.ElementTree import fromstring

from pbxapi.sandbox.database import scratch_database
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN, DOMAIN_UUID, SECOND_DOMAIN_UUID, uuid_of
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx

NASTY = """Tom & "Jerry" <b>'x'</b> ]]> ${user} {{ mac }} ü"""


@pytest.fixture(scope="module")
def refusing(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """A system for all tests that change nothing, because they are refused."""
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("refusing"))
        yield system
        close_pbx(system)


def line(**fields: Any) -> dict[str, Any]:
    return {"line_number": "1", "user_id": "1001", "password": "secret1", **fields}


def files(pbx: Pbx) -> set[str]:
    return {path.name for path in pbx.folders["provision"].iterdir()}


def text(pbx: Pbx, name: str) -> str:
    return (pbx.folders["provision"] / name).read_text("utf-8")


def config(pbx: Pbx, name: str) -> dict[str, str]:
    """A file of ``name = value`` lines."""
    pairs = (entry.partition(" = ") for entry in text(pbx, name).splitlines() if entry and entry[0] != "#")
    return {key: value for key, _, value in pairs}


def xml_values(pbx: Pbx, name: str) -> str:
    """All texts and attributes of an XML file."""
    root = fromstring(text(pbx, name))
    return " ".join([*root.itertext(), *(value for element in root.iter() for value in element.attrib.values())])


def node(pbx: Pbx, reply: Reply) -> Mapping[str, Any]:
    """What became of a write on the only node."""
    (state,) = pbx.change(reply)["nodes"]
    return dict(state)


def test_a_new_device_is_stored_with_its_lines_completed(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call(
        "devices",
        "create",
        json={
            "device_address": "A0:B1:C2:D3:E4:F5",
            "device_vendor": "Yealink",
            "device_model": "SIP-T46U",
            "device_label": "Front Desk Phone",
            "lines": [{"line_number": "1", "display_name": "Front Desk", "user_id": "101", "password": "p"}],
        },
    )
    assert (reply.status, reply.body["message"]) == (201, "Device created successfully")
    uuid = reply.data["device_uuid"]
    found = either_client.get("devices", uuid)
    assert (found["device_address"], found["device_vendor"], found["device_enabled"]) == (
        "a0b1c2d3e4f5",
        "Yealink",
        "true",
    )
    (stored,) = found["device_lines"]
    assert len(stored.pop("device_line_uuid")) == 36
    assert stored == {
        "line_number": "1",
        "server_address": pbx.domain,
        "display_name": "Front Desk",
        "user_id": "101",
        "auth_id": "101",
        "password": "p",
        "label": "",
        "enabled": "true",
        "server_address_primary": "",
        "server_address_secondary": "",
        "outbound_proxy_primary": "",
        "outbound_proxy_secondary": "",
        "sip_port": "5060",
        "sip_transport": "tcp",
        "register_expires": "120",
        "shared_line": "",
    }
    (row,) = pbx.rows("select domain_uuid, enabled, label from v_device_lines where device_uuid = %(u)s", u=uuid)
    assert row == {"domain_uuid": DOMAIN_UUID, "enabled": True, "label": None}


def test_lines_take_their_defaults_from_the_settings(pbx: Pbx, client: Client) -> None:
    for name, value in {
        "line_sip_port": "5080",
        "line_sip_transport": "TLS",
        "line_register_expires": "600",
        "outbound_proxy_primary": "sbc.example.com",
    }.items():
        pbx.run(
            "insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category,"
            " domain_setting_subcategory, domain_setting_name, domain_setting_value, domain_setting_enabled)"
            " values (%(u)s, %(d)s, 'provision', %(n)s, 'text', %(v)s, true)",
            u=uuid4(),
            d=DOMAIN_UUID,
            n=name,
            v=value,
        )
    lines = [line(), line(line_number="2", sip_port="5070", sip_transport="UDP", outbound_proxy_primary="")]
    made = client.create("devices", device_address="001565000001", lines=lines)
    one, two = client.get("devices", made)["device_lines"]
    assert [one[n] for n in ("sip_port", "sip_transport", "register_expires")] == ["5080", "tls", "600"]
    assert [two[n] for n in ("sip_port", "sip_transport", "register_expires")] == ["5070", "udp", "600"]
    assert (one["outbound_proxy_primary"], two["outbound_proxy_primary"]) == ("sbc.example.com", "")


def test_an_update_without_lines_leaves_them(client: Client) -> None:
    made = client.create(
        "devices", device_address="001565000001", lines=[line()], keys=[{"device_key_value": "1002"}]
    )
    before = client.get("devices", made)
    client.update("devices", made, device_label="New")
    assert client.get("devices", made) == {**before, "device_label": "New"}


def test_lines_that_are_sent_replace_the_old_ones(either_client: Client) -> None:
    made = either_client.create(
        "devices", device_address="001565000001", lines=[line(), line(line_number="2", user_id="1002")]
    )
    old = either_client.get("devices", made)["device_lines"]
    either_client.update("devices", made, lines=[line(line_number="2", user_id="1002", label="Two")])
    (left,) = either_client.get("devices", made)["device_lines"]
    assert (left["line_number"], left["label"]) == ("2", "Two")
    assert left["device_line_uuid"] == old[1]["device_line_uuid"]
    either_client.update("devices", made, lines=[])
    assert either_client.get("devices", made)["device_lines"] == []


@pytest.mark.parametrize(
    ("sent", "password"),
    [
        ({"display_name": "Tom"}, "secret1"),
        ({"password": ""}, ""),
        ({"password": "new"}, "new"),
        ({"user_id": "1002"}, ""),
        ({"server_address": "sip.elsewhere.example"}, ""),
    ],
)
def test_a_line_keeps_its_password_while_it_registers_as_the_same(
    client: Client, sent: dict[str, str], password: str
) -> None:
    made = client.create("devices", device_address="001565000001", lines=[line()])
    client.update("devices", made, lines=[{"line_number": "1", "user_id": "1001", **sent}])
    assert client.get("devices", made)["device_lines"][0]["password"] == password


def test_a_line_is_known_by_its_uuid_when_its_number_changes(client: Client) -> None:
    made = client.create("devices", device_address="001565000001", lines=[line()])
    (old,) = client.get("devices", made)["device_lines"]
    moved = {"device_line_uuid": old["device_line_uuid"], "line_number": "3", "user_id": "1001"}
    client.update("devices", made, lines=[moved])
    (new,) = client.get("devices", made)["device_lines"]
    assert new == {**old, "line_number": "3"}


def test_no_two_lines_become_the_same_old_one(client: Client) -> None:
    made = client.create("devices", device_address="001565000001", lines=[line()])
    (old,) = client.get("devices", made)["device_lines"]
    uuid = old["device_line_uuid"]
    swapped = [line(user_id="1002"), {"device_line_uuid": uuid, "line_number": "2", "user_id": "1001"}]
    client.update("devices", made, lines=swapped)
    one, two = client.get("devices", made)["device_lines"]
    assert one["device_line_uuid"] != uuid
    assert (two["device_line_uuid"], two["password"]) == (uuid, "secret1")
    twice = [line(device_line_uuid=uuid), line(device_line_uuid=uuid, line_number="2")]
    client.update("devices", made, lines=twice)
    assert len({entry["device_line_uuid"] for entry in client.get("devices", made)["device_lines"]}) == 2
    same = [{"device_setting_subcategory": "x", "device_setting_value": value} for value in ("a", "b")]
    for _ in range(2):
        client.update("devices", made, settings=same)
    assert [s["device_setting_value"] for s in client.get("devices", made)["device_settings"]].count("a") == 1


def test_another_devices_line_cannot_be_taken_over(client: Client, pbx: Pbx) -> None:
    victim = client.create("devices", device_address="001565000001", lines=[line()])
    (theirs,) = client.get("devices", victim)["device_lines"]
    for caller, address in ((client, "001565000002"), (client.of(pbx.other_domain), "001565000003")):
        made = caller.create("devices", device_address=address, lines=[theirs])
        caller.update("devices", made, lines=[theirs])
        assert caller.get("devices", made)["device_lines"][0]["device_line_uuid"] != theirs["device_line_uuid"]
    assert client.get("devices", victim)["device_lines"] == [theirs]


def test_what_get_answers_can_be_sent_back(client: Client) -> None:
    made = client.create(
        "devices",
        device_address="001565000001",
        lines=[line()],
        keys=[
            {"device_key_type": "16", "device_key_value": "1002", "device_key_label": "${caller_id_name}"},
            {"device_key_id": "7", "device_key_category": "expansion-2"},
        ],
        settings=[{"device_setting_subcategory": "voicemail_number", "device_setting_value": "*97"}],
    )
    found = client.get("devices", made)
    lists = {name: found[name] for name in ("device_lines", "device_keys", "device_settings")}
    assert [len(entries) for entries in lists.values()] == [1, 2, 1]
    assert [found["device_keys"][0][f"device_key_{n}"] for n in ("id", "category", "vendor")] == [
        "1",
        "line",
        "yealink",
    ]
    client.update("devices", made, **lists)
    assert client.get("devices", made) == found


def test_a_list_may_be_sent_under_one_of_its_names_only(client: Client) -> None:
    body = {"device_address": "001565000001", "lines": [line()], "device_lines": [line()]}
    reply = client.call("devices", "create", json=body)
    assert (reply.status, reply.error["field"]) == (400, "lines")


@pytest.mark.parametrize(
    "address", ["a0:b1:c2:d3:e4:f5", "A0-B1-C2-D3-E4-F5", "a0b1.c2d3.e4f5", "A0B1C2D3E4F5", "a0b1c2d3e4f5"]
)
def test_an_address_is_taken_with_any_separators(client: Client, address: str) -> None:
    made = client.create("devices", device_address=address)
    assert client.get("devices", made)["device_address"] == "a0b1c2d3e4f5"
    assert [row["device_uuid"] for row in client.list("devices", device_address=address)] == [made]


@pytest.mark.parametrize(
    "address",
    [
        "a0b1c2d3e4f",
        "a0b1c2d3e4f5a",
        "g0b1c2d3e4f5",
        "a0b1c2d3e4f5\n",
        "a0 b1 c2 d3 e4 f5",
        "../../etc/pw",
        1.5,
        [],
        {},
    ],
)
def test_an_address_of_another_form_is_refused(refusing: Pbx, address: Any) -> None:
    reply = refusing.client.call("devices", "create", json={"device_address": address})
    assert (reply.status, reply.error["message"], reply.error["field"]) == (
        400,
        "Invalid MAC address format",
        "device_address",
    )


@pytest.mark.parametrize("body", [{}, {"device_address": ""}, {"device_address": None}])
def test_an_address_is_required(refusing: Pbx, body: dict[str, Any]) -> None:
    reply = refusing.client.call("devices", "create", json=body)
    assert (reply.status, reply.error["message"]) == (400, "MAC address is required")


def test_an_address_belongs_to_one_device_of_all_tenants(client: Client, pbx: Pbx) -> None:
    client.create("devices", device_address="001565000001")
    for caller in (client, client.of(pbx.other_domain)):
        reply = caller.call("devices", "create", json={"device_address": "00:15:65:00:00:01"})
        assert (reply.status, reply.error["code"], reply.error["message"]) == (
            409,
            "DUPLICATE_ERROR",
            "Device already exists",
        )


def test_any_number_of_devices_may_wait_for_their_address(client: Client, pbx: Pbx) -> None:
    reply = client.call("devices", "create", json={"device_address": "000000000000"})
    client.create("devices", device_address="00:00:00:00:00:00")
    client.of(pbx.other_domain).create("devices", device_address="000000000000")
    pbx.apply()
    assert (node(pbx, reply)["state"], node(pbx, reply)["error"]) == ("applied", "no file without an address")
    assert files(pbx) == set()


@pytest.mark.parametrize(
    ("body", "vendor"),
    [
        ({"device_address": "001565000001", "device_template": "grandstream/gxp2160"}, "grandstream"),
        ({"device_address": "001565000001"}, "yealink"),
        ({"device_address": "0004f2000001"}, "polycom"),
        ({"device_address": "02005e999999"}, ""),
        ({"device_address": "001565000001", "device_vendor": "Snom"}, "Snom"),
    ],
)
def test_the_vendor_comes_from_the_template_else_from_the_address(
    client: Client, body: dict[str, str], vendor: str
) -> None:
    assert client.get("devices", client.create("devices", **body))["device_vendor"] == vendor


def test_a_vendor_that_nobody_chose_follows_the_template(client: Client) -> None:
    followed = client.create("devices", device_address="001565000001", device_template="yealink/t46u")
    chosen = client.create("devices", device_address="001565000002", device_vendor="Yealink")
    for made in (followed, chosen):
        client.update("devices", made, device_template="snom/D785")
    assert client.get("devices", followed)["device_vendor"] == "snom"
    assert client.get("devices", chosen)["device_vendor"] == "Yealink"


@pytest.mark.parametrize("path", ["yealink", "../etc", "a/../b", "yealink/..", "/etc/passwd", "a/b/c", "a\\b/c"])
def test_a_template_is_a_vendor_and_a_model_and_no_path(refusing: Pbx, path: str) -> None:
    body = {"device_address": "001565000001", "device_template": path}
    reply = refusing.client.call("devices", "create", json=body)
    assert (reply.status, reply.error["field"]) == (400, "device_template")


def test_links_stay_in_the_domain(client: Client, pbx: Pbx) -> None:
    own = uuid_of("device profile", DOMAIN, "desk")
    shared, theirs = uuid4(), uuid4()
    for uuid, domain in ((shared, None), (theirs, SECOND_DOMAIN_UUID)):
        pbx.run(
            "insert into v_device_profiles (device_profile_uuid, domain_uuid) values (%(u)s, %(d)s)",
            u=uuid,
            d=domain,
        )
    made = client.create("devices", device_address="001565000001", device_profile_uuid=str(own))
    client.update("devices", made, device_profile_uuid=str(shared))
    neighbour = client.of(pbx.other_domain).create("devices", device_address="001565000002")
    for field, uuid in {
        "device_profile_uuid": str(theirs),
        "device_uuid_alternate": neighbour,
        "device_user_uuid": str(uuid4()),
    }.items():
        reply = client.call("devices", "update", made, {field: uuid})
        assert (reply.status, reply.error["field"]) == (400, field)
    reply = client.call("devices", "update", made, {"device_uuid_alternate": made})
    assert (reply.status, reply.error["field"]) == (400, "device_uuid_alternate")
    assert client.get("devices", made)["device_profile_uuid"] == str(shared)


def test_a_domain_has_no_more_devices_than_its_limit(client: Client, pbx: Pbx) -> None:
    pbx.run(
        "update v_default_settings set default_setting_enabled = true, default_setting_value = '12'"
        " where default_setting_category = 'limit' and default_setting_subcategory = 'devices'"
    )
    reply = client.call("devices", "create", json={"device_address": "001565000001"})
    assert (reply.status, reply.error["message"]) == (403, "Device limit reached (12)")


def test_delete_takes_lines_keys_and_settings_along(client: Client, pbx: Pbx) -> None:
    made = client.create(
        "devices",
        device_address="001565000001",
        lines=[line()],
        keys=[{"device_key_value": "1002"}],
        settings=[{"device_setting_subcategory": "x", "device_setting_value": "y"}],
    )
    other = client.create("devices", device_address="001565000002", device_uuid_alternate=made)
    reply = client.delete("devices", made)
    assert reply.body["message"] == "Device deleted successfully"
    for table in ("v_devices", "v_device_lines", "v_device_keys", "v_device_settings"):
        assert pbx.rows(f"select 1 from {table} where device_uuid = %(u)s", u=made) == []
    assert client.get("devices", other)["device_uuid_alternate"] == ""


def test_secrets_stay_out_of_lists_audit_rows_and_change_rows(client: Client, pbx: Pbx) -> None:
    body = {
        "device_address": "001565000001",
        "device_password": "topsecret-a",
        "lines": [line(password="topsecret-b")],
        "settings": [{"device_setting_subcategory": "admin_password", "device_setting_value": "topsecret-c"}],
    }
    made = client.create("devices", **body)
    client.update("devices", made, lines=[line(password="topsecret-d")], device_password="topsecret-e")
    client.delete("devices", made)
    assert "topsecret" not in str(client.list("devices"))
    written = pbx.rows("select * from v_database_transactions") + pbx.rows("select * from pbxapi.change")
    assert written
    assert "topsecret" not in str(written)


def test_secrets_that_are_left_out_stay(database_url: str, tmp_path: Path) -> None:
    pbx = make_pbx(database_url, tmp_path / "pbx", redact_secrets=True)
    client = pbx.client
    made = client.create(
        "devices",
        device_address="001565000001",
        device_password="aaa",
        lines=[line(password="bbb")],
        settings=[{"device_setting_subcategory": "admin_password", "device_setting_value": "ccc"}],
    )
    found = client.get("devices", made)
    for secrets, name in (
        (found["device_lines"][0], "password"),
        (found["device_settings"][0], "device_setting_value"),
    ):
        assert secrets.pop(name) == "********"
    client.update("devices", made, **{n: found[n] for n in ("device_lines", "device_settings")})
    stored = pbx.rows(
        "select d.device_password, l.password, s.device_setting_value from v_devices as d"
        " join v_device_lines as l using (device_uuid) join v_device_settings as s using (device_uuid)"
        " where d.device_uuid = %(u)s",
        u=made,
    )
    close_pbx(pbx)
    assert stored == [{"device_password": "aaa", "password": "bbb", "device_setting_value": "ccc"}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lines": [line(), line()]}, "lines.1.line_number"),
        ({"device_lines": [line(), line()]}, "device_lines.1.line_number"),
        ({"lines": [line(line_number="x")]}, "lines.0.line_number"),
        ({"lines": [line(line_number="0")]}, "lines.0.line_number"),
        ({"lines": [line(display_name="a\nb")]}, "lines.0.display_name"),
        ({"lines": [line(password="a\r\nb")]}, "lines.0.password"),
        ({"lines": [line(label="a\0b")]}, "lines.0.label"),
        ({"lines": [line(user_id="a b")]}, "lines.0.user_id"),
        ({"lines": [line(server_address="a/../b")]}, "lines.0.server_address"),
        ({"lines": [line(sip_port="65536")]}, "lines.0.sip_port"),
        ({"lines": [line(sip_transport="sctp")]}, "lines.0.sip_transport"),
        ({"lines": [line(register_expires="-1")]}, "lines.0.register_expires"),
        ({"lines": [line(enabled="maybe")]}, "lines.0.enabled"),
        ({"lines": [line(device_line_uuid="x")]}, "lines.0.device_line_uuid"),
        ({"lines": [[]]}, "lines.0"),
        ({"lines": "x"}, "lines"),
        ({"lines": None}, "lines"),
        ({"lines": [line(line_number=str(n)) for n in range(1, 70)]}, "lines"),
        ({"keys": [{"device_key_category": "other"}]}, "keys.0.device_key_category"),
        ({"keys": [{"device_key_id": "9" * 30}]}, "keys.0.device_key_id"),
        ({"keys": [{"device_key_value": "a\u2028b"}]}, "keys.0.device_key_value"),
        ({"settings": [{}]}, "settings.0.device_setting_subcategory"),
        ({"settings": [{"device_setting_subcategory": "a b"}]}, "settings.0.device_setting_subcategory"),
        ({"device_enabled": "maybe"}, "device_enabled"),
        ({"device_vendor": "x" * 65}, "device_vendor"),
        ({"device_label": {"a": 1}}, "device_label"),
        ({"device_profile_uuid": "x"}, "device_profile_uuid"),
        ({"device_password": "a\nb"}, "device_password"),
        ({"device_provisioned_ip": "1.2.3.4"}, "device_provisioned_ip"),
    ],
)
def test_bad_input_is_refused_with_its_field(refusing: Pbx, body: dict[str, Any], field: str) -> None:
    reply = refusing.client.call("devices", "create", json={"device_address": "001565000001", **body})
    assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "VALIDATION_ERROR", field)


def test_a_list_finds_addresses_as_they_are_printed_on_the_phone(client: Client, pbx: Pbx) -> None:
    made = client.create("devices", device_address="001565abcdef", device_vendor="Yealink")
    client.of(pbx.other_domain).create("devices", device_address="001565abcdee")
    for text_ in ("00:15:65:AB", "65-ab-cd", "5abcde"):
        (row,) = client.list("devices", search=text_)
        assert list(row) == [
            "device_uuid",
            "device_address",
            "device_vendor",
            "device_model",
            "device_enabled",
            "device_label",
            "device_description",
        ]
        assert row["device_uuid"] == made


def test_a_device_of_fusionpbx_own_is_served_and_changed(client: Client, pbx: Pbx) -> None:
    uuid = str(uuid4())
    pbx.run(
        "insert into v_devices (device_uuid, domain_uuid, device_address, device_template) values"
        " (%(u)s, %(d)s, '001565/77', 'yealink/t46u')",
        u=uuid,
        d=DOMAIN_UUID,
    )
    pbx.run(
        "insert into v_device_lines (device_line_uuid, device_uuid, domain_uuid, line_number, user_id) values"
        " (%(l)s, %(u)s, %(d)s, '1', '1001')",
        l=uuid4(),
        u=uuid,
        d=DOMAIN_UUID,
    )
    found = client.get("devices", uuid)
    assert (found["device_enabled"], found["device_lines"][0]["enabled"]) == ("false", "true")
    reply = client.update("devices", uuid, device_enabled="true")
    pbx.apply()
    assert node(pbx, reply)["error"] == "no file: '001565/77' is no MAC address"
    assert files(pbx) == set()


# Provisioning files


def yealink(pbx: Pbx, mac: str) -> list[str]:
    found = config(pbx, f"{mac}.cfg")
    assert text(pbx, f"{mac}.cfg").startswith("#!version:1.0.0.1\n")
    assert (found["account.1.enable"], found["account.2.enable"]) == ("1", "0")
    return [
        found[f"account.1.{name}"]
        for name in ("user_name", "auth_name", "password", "display_name", "sip_server.1.address")
    ]


def grandstream(pbx: Pbx, mac: str) -> list[str]:
    root = fromstring(text(pbx, f"cfg{mac}.xml"))
    assert (root.tag, root.findtext("mac"), root.findtext("config/P401")) == ("gs_provision", mac, "0")
    assert root.findtext("config/P47") == f"{DOMAIN}:5060"
    return [root.findtext(f"config/{p}").removesuffix(":5060") for p in ("P35", "P36", "P34", "P3", "P47")]


def poly(pbx: Pbx, mac: str) -> list[str]:
    assert fromstring(text(pbx, f"{mac}.cfg")).get("CONFIG_FILES") == f"{mac}-registration.cfg"
    found = fromstring(text(pbx, f"{mac}-registration.cfg")).find("ALL").attrib
    user, _, server = found["reg.1.address"].partition("@")
    return [
        user,
        found["reg.1.auth.userId"],
        found["reg.1.auth.password"],
        found["reg.1.displayName"],
        found["reg.1.server.1.address"].replace(server, server),
    ]


def snom(pbx: Pbx, mac: str) -> list[str]:
    name = f"{mac.upper()}.xml"
    assert text(pbx, f"snomD785-{mac.upper()}.htm") == text(pbx, name)
    settings = fromstring(text(pbx, name)).find("phone-settings")
    found = {(e.tag, e.get("idx")): e.text or "" for e in settings}
    assert (found["user_active", "1"], found["user_active", "2"]) == ("on", "off")
    return [found[f"user_{n}", "1"] for n in ("name", "pname", "pass", "realname", "host")]


def fanvil(pbx: Pbx, mac: str) -> list[str]:
    root = fromstring(text(pbx, f"{mac}.cfg"))
    one, two = root.findall("sip/line")[:2]
    assert (root.tag, one.get("index"), two.findtext("EnableReg")) == ("sysConf", "1", "0")
    names = ("PhoneNumber", "RegisterUser", "RegisterPswd", "DisplayName", "RegisterAddr")
    return [one.findtext(name) for name in names]


def cisco_spa(pbx: Pbx, mac: str) -> list[str]:
    root = fromstring(text(pbx, f"spa{mac}.xml"))
    assert (root.tag, root.findtext("Line_Enable_1_"), root.findtext("Line_Enable_2_")) == (
        "flat-profile",
        "Yes",
        "No",
    )
    names = ("User_ID_1_", "Auth_ID_1_", "Password_1_", "Display_Name_1_", "Proxy_1_")
    return [root.findtext(name).removesuffix(":5060") for name in names]


VENDORS: Mapping[str, tuple[dict[str, str], Callable[[Pbx, str], list[str]], set[str]]] = {
    "yealink": ({"device_address": "001565ABCDEF"}, yealink, {"001565abcdef.cfg"}),
    "grandstream": ({"device_address": "000b82abcdef"}, grandstream, {"cfg000b82abcdef.xml"}),
    "poly": (
        {"device_address": "0004f2abcdef", "device_template": "poly/edge-e550"},
        poly,
        {"0004f2abcdef.cfg", "0004f2abcdef-registration.cfg"},
    ),
    "polycom": (
        {"device_address": "0004f2abcdef", "device_template": "polycom/5.x"},
        poly,
        {"0004f2abcdef.cfg", "0004f2abcdef-registration.cfg"},
    ),
    "snom": (
        {"device_address": "000413abcdef", "device_vendor": "Snom", "device_model": "snom D785"},
        snom,
        {"000413ABCDEF.xml", "snomD785-000413ABCDEF.htm"},
    ),
    "fanvil": ({"device_address": "0c383eabcdef", "device_vendor": "Fanvil"}, fanvil, {"0c383eabcdef.cfg"}),
    "cisco spa": (
        {"device_address": "000e08abcdef", "device_template": "cisco/spa504g"},
        cisco_spa,
        {"spa000e08abcdef.xml"},
    ),
    "linksys": ({"device_address": "000e08abcdef"}, cisco_spa, {"spa000e08abcdef.xml"}),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendors_phone_finds_its_file_with_the_values_as_they_are(
    client: Client, pbx: Pbx, vendor: str
) -> None:
    body, read, names = VENDORS[vendor]
    display = NASTY.replace("${user} ", "")
    lines = [line(password=NASTY, display_name=display, auth_id="1001x")]
    reply = client.call("devices", "create", json={**body, "lines": lines})
    pbx.apply()
    assert (node(pbx, reply)["state"], node(pbx, reply)["error"]) == ("applied", "")
    assert files(pbx) == names
    mac = body["device_address"].lower()
    assert read(pbx, mac) == ["1001", "1001x", NASTY, display, DOMAIN]
    client.delete("devices", reply.data["device_uuid"])
    pbx.apply()
    assert files(pbx) == set()


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendors_file_has_the_keys_the_voicemail_number_and_the_password_for_its_pages(
    client: Client, pbx: Pbx, vendor: str
) -> None:
    body, _, names = VENDORS[vendor]
    types = {"grandstream": "blf", "yealink": "16", "fanvil": "bc", "poly": "automata", "polycom": "automata"}
    client.create(
        "devices",
        **body,
        device_username="boss",
        device_password="<&pages>",
        lines=[line(), line(line_number="2", user_id="1002", sip_transport="dns srv", shared_line="shared")],
        keys=[
            {
                "device_key_type": types.get(vendor, "blf"),
                "device_key_value": "sub=1003&x",
                "device_key_label": NASTY,
            },
            {"device_key_category": "expansion", "device_key_id": "2", "device_key_value": "1004"},
        ],
        settings=[
            {"device_setting_subcategory": "voicemail_number", "device_setting_value": "*97<"},
            {"device_setting_subcategory": "ntp_server_primary", "device_setting_value": "ntp.example.com"},
        ],
    )
    pbx.apply()
    assert files(pbx) == names
    read = " ".join(text(pbx, name) if vendor == "yealink" else xml_values(pbx, name) for name in names)
    for value in ("<&pages>", "*97<", "ntp.example.com", "sub=1003&x", 'Tom & "Jerry" <b>'):
        assert value in read, value
    assert ("1004" in read) is (vendor in ("yealink", "cisco spa", "linksys"))


def test_a_file_is_written_anew_with_each_change(client: Client, pbx: Pbx) -> None:
    made = client.create("devices", device_address="001565000001", lines=[line()])
    pbx.apply()
    client.update("devices", made, lines=[line(password="other", enabled="true"), line(line_number="2")])
    pbx.apply()
    found = config(pbx, "001565000001.cfg")
    assert (found["account.1.password"], found["account.2.enable"]) == ("other", "1")
    client.update("devices", made, lines=[line(enabled="false")])
    pbx.apply()
    assert config(pbx, "001565000001.cfg")["account.1.enable"] == "0"


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"device_address": "001565000002"}, {"001565000002.cfg"}),
        ({"device_vendor": "grandstream"}, {"cfg001565000001.xml"}),
        ({"device_template": "snom/D785"}, {"001565000001.xml", "snomD785-001565000001.htm"}),
        ({"device_vendor": "Avaya"}, set()),
        ({"device_enabled": "false"}, set()),
    ],
)
def test_files_under_an_old_name_go(client: Client, pbx: Pbx, change: dict[str, str], left: set[str]) -> None:
    made = client.create("devices", device_address="001565000001", lines=[line()])
    pbx.apply()
    assert files(pbx) == {"001565000001.cfg"}
    client.update("devices", made, **change)
    pbx.apply()
    assert files(pbx) == left


def test_files_that_were_never_ours_stay(client: Client, pbx: Pbx) -> None:
    for name in ("001565000001.xml", "cfg001565000001.xml", "y000000000000.boot"):
        (pbx.folders["provision"] / name).write_text("by hand")
    made = client.create("devices", device_address="001565000001")
    pbx.apply()
    client.delete("devices", made)
    pbx.apply()
    assert files(pbx) == {"001565000001.xml", "cfg001565000001.xml", "y000000000000.boot"}


def test_a_late_change_leaves_the_addresses_new_owner_its_file(client: Client, pbx: Pbx) -> None:
    first = client.create("devices", device_address="001565000001", lines=[line(display_name="first")])
    pbx.apply()
    late = client.update("devices", first, device_address="001565000002").headers["X-Change-Id"]
    pbx.run("update pbxapi.change_node set due_at = now() + interval '1 hour' where change_id = %(c)s", c=late)
    other = client.of(pbx.other_domain)
    other.create("devices", device_address="001565000001", lines=[line(display_name="second")])
    pbx.apply()
    pbx.run("update pbxapi.change_node set due_at = now() where change_id = %(c)s", c=late)
    pbx.apply()
    assert config(pbx, "001565000001.cfg")["account.1.display_name"] == "second"
    assert config(pbx, "001565000002.cfg")["account.1.display_name"] == "first"


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ({"device_vendor": "Avaya"}, "no template for vendor Avaya"),
        ({"device_template": "avaya/J179"}, "no template for vendor avaya"),
        ({"device_template": "cisco/8841"}, "no template for vendor cisco"),
        ({"device_address": "02005e999999"}, "no template: the vendor is not known"),
    ],
)
def test_a_change_says_that_there_is_no_template_for_a_vendor(
    client: Client, pbx: Pbx, body: dict[str, str], note: str
) -> None:
    reply = client.call("devices", "create", json={"device_address": "00040d000001", **body, "lines": [line()]})
    pbx.apply()
    assert (node(pbx, reply)["state"], node(pbx, reply)["error"]) == ("applied", note)
    assert files(pbx) == set()


def test_a_value_of_fusionpbx_own_that_would_break_out_of_its_line_fails_its_change_only(
    client: Client, pbx: Pbx
) -> None:
    made = client.create("devices", device_address="001565000001", lines=[line()])
    pbx.apply()
    pbx.run(
        "update v_device_lines set display_name = E'x\\naccount.1.sip_server.1.address = evil.example'"
        " where device_uuid = %(u)s",
        u=made,
    )
    broken = client.update("devices", made, device_label="new")
    good = client.call("devices", "create", json={"device_address": "001565000002", "lines": [line()]})
    pbx.apply()
    assert "evil" not in text(pbx, "001565000001.cfg")
    assert node(pbx, broken)["state"] == "pending"
    assert node(pbx, broken)["error"] == (
        "TemplateFault: yealink/{mac}.cfg.j2, line 11: a value holds a line break or another control character"
    )
    assert node(pbx, good)["state"] == "applied"
    assert "001565000002.cfg" in files(pbx)


def test_a_character_that_xml_cannot_hold_fails_its_change(client: Client, pbx: Pbx) -> None:
    made = client.create("devices", device_address="000b82000001", lines=[line()])
    pbx.run("update v_device_lines set display_name = E'a\\x01b' where device_uuid = %(u)s", u=made)
    reply = client.update("devices", made, device_label="new")
    pbx.apply()
    assert "U+0001 cannot stand in XML" in node(pbx, reply)["error"]


def test_the_files_of_an_extensions_phones_follow_its_number_and_its_password(client: Client, pbx: Pbx) -> None:
    extension = client.create("extensions", extension="7001", password="old-password")
    client.create(
        "devices",
        device_address="001565000001",
        lines=[line(user_id="7001", auth_id="7001", password="old-password")],
    )
    client.create(
        "devices",
        device_address="001565000002",
        keys=[{"device_key_type": "16", "device_key_value": "7001", "device_key_label": "x"}],
    )
    client.create("devices", device_address="00040d000003", lines=[line(user_id="7001")])
    pbx.apply()
    reply = client.update(
        "extensions", extension, extension="7002", password="new-password", effective_caller_id_name="Tom"
    )
    pbx.apply()
    found = config(pbx, "001565000001.cfg")
    names = ("user_name", "auth_name", "password")
    assert [found[f"account.1.{name}"] for name in names] == ["7002", "7002", "new-password"]
    key = config(pbx, "001565000002.cfg")
    assert (key["linekey.1.value"], key["linekey.1.label"]) == ("7002", "Tom")
    assert (node(pbx, reply)["state"], node(pbx, reply)["error"]) == ("applied", "")


def test_a_phone_shows_its_alternates_lines_while_that_is_enabled(client: Client, pbx: Pbx) -> None:
    desk = client.create("devices", device_address="001565000001", lines=[line(display_name="Tom")])
    guest = client.create(
        "devices", device_address="001565000002", lines=[line(display_name="Guest")], device_uuid_alternate=desk
    )

    def shown() -> str:
        pbx.apply()
        return config(pbx, "001565000002.cfg")["account.1.display_name"]

    assert shown() == "Tom"
    client.update("devices", desk, lines=[line(display_name="Tim")])
    assert shown() == "Tim"
    client.update("devices", desk, device_enabled="false")
    assert shown() == "Guest"
    client.update("devices", desk, device_enabled="true", device_uuid_alternate=guest)
    assert shown() == "Tim"
    client.delete("devices", desk)
    assert shown() == "Guest"


def test_profile_keys_and_settings_stand_behind_the_devices_own(client: Client, pbx: Pbx) -> None:
    profile = uuid_of("device profile", DOMAIN, "desk")
    for key, value, vendor in (("1", "1001", "yealink"), ("2", "1002", "yealink"), ("3", "1003", "polycom")):
        pbx.run(
            "insert into v_device_profile_keys (device_profile_key_uuid, domain_uuid, device_profile_uuid,"
            " profile_key_id, profile_key_category, profile_key_vendor, profile_key_type, profile_key_value,"
            " profile_key_line, profile_key_label)"
            " values (%(u)s, %(d)s, %(p)s, %(k)s, 'line', %(v)s, '16', %(x)s, 1,"
            " '${caller_id_name} ${extension} ${display_name} ${domain_name} ${password} ${other}')",
            u=uuid4(),
            d=DOMAIN_UUID,
            p=profile,
            k=key,
            v=vendor,
            x=value,
        )
    for name, value in (("voicemail_number", "*97"), ("ntp_server_primary", "{$domain_name}")):
        pbx.run(
            "insert into v_device_profile_settings (device_profile_setting_uuid, domain_uuid, device_profile_uuid,"
            " profile_setting_name, profile_setting_value, profile_setting_enabled)"
            " values (%(u)s, %(d)s, %(p)s, %(n)s, %(v)s, true)",
            u=uuid4(),
            d=DOMAIN_UUID,
            p=profile,
            n=name,
            v=value,
        )
    client.create(
        "devices",
        device_address="001565000001",
        device_profile_uuid=str(profile),
        lines=[line(display_name="Tom")],
        keys=[{"device_key_id": "2", "device_key_type": "13", "device_key_value": "1009"}],
        settings=[{"device_setting_subcategory": "voicemail_number", "device_setting_value": "*98"}],
    )
    pbx.apply()
    found = config(pbx, "001565000001.cfg")
    (name,) = pbx.rows(
        "select effective_caller_id_name as name from v_extensions"
        " where extension = '1001' and domain_uuid = %(d)s",
        d=DOMAIN_UUID,
    )
    assert found["linekey.1.label"] == f"{name['name']} 1001 Tom {DOMAIN} ${{password}} ${{other}}"
    assert (found["linekey.2.type"], found["linekey.2.value"]) == ("13", "1009")
    assert "linekey.3.value" not in found
    assert (found["voice_mail.number.1"], found["local_time.ntp_server1"]) == ("*98", DOMAIN)


# The operator's templates


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    return folder


@pytest.fixture
def operator(database_url: str, tmp_path: Path, own: Path) -> Iterator[Pbx]:
    """A system whose operator has templates of their own."""
    system = make_pbx(database_url, tmp_path / "pbx", provision_templates=own)
    yield system
    close_pbx(system)


def put(own: Path, name: str, content: str) -> None:
    (own / name).parent.mkdir(parents=True, exist_ok=True)
    (own / name).write_text(content)


def test_the_operators_template_wins_for_a_vendor_and_the_models_own_over_it(operator: Pbx, own: Path) -> None:
    put(own, "yealink/{mac}.cfg.j2", "{# format: lines #}\nvendor = {{ lines[0].user_id }}\n")
    put(own, "yealink/t46u/{mac}.cfg.j2", "{# format: lines #}\nmodel = {{ model }}\n")
    put(own, "yealink/{mac}-extra.xml.j2", "{# format: xml #}\n<x a='{{ device.device_label }}'/>")
    client = operator.client
    client.create("devices", device_address="001565000001", lines=[line()], device_label="<'\"&")
    client.create("devices", device_address="001565000002", device_template="yealink/t46u")
    operator.apply()
    assert config(operator, "001565000001.cfg") == {"vendor": "1001"}
    assert config(operator, "001565000002.cfg") == {"model": "t46u"}
    assert fromstring(text(operator, "001565000001-extra.xml")).get("a") == "<'\"&"
    client.create("devices", device_address="000b82000003")
    operator.apply()
    assert "cfg000b82000003.xml" in files(operator)


def test_the_operator_can_build_on_our_template_and_bring_another_vendor(operator: Pbx, own: Path) -> None:
    put(own, "avaya/shared.j2", "SET X {{ domain_name }}\n")
    put(
        own,
        "avaya/J100-{MAC}.txt.j2",
        '{# format: lines #}\n{% include "yealink/{mac}.cfg.j2" %}\n{% include "avaya/shared.j2" %}\n',
    )
    reply = operator.client.call(
        "devices", "create", json={"device_address": "00040d00000a", "lines": [line(display_name="Tom")]}
    )
    operator.apply()
    assert node(operator, reply)["error"] == ""
    assert files(operator) == {"J100-00040D00000A.txt"}
    written = text(operator, "J100-00040D00000A.txt")
    assert "account.1.display_name = Tom\n" in written
    assert f"SET X {DOMAIN}\n" in written
    operator.client.delete("devices", reply.data["device_uuid"])
    operator.apply()
    assert files(operator) == set()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("no format", "the first line must be {# format: xml #} or {# format: lines #}"),
        ("{# format: ini #}\n", "the first line must be"),
        ("{# format: lines #}\n\n{{ settings.nothing }}", "line 3: 'dict object' has no attribute 'nothing'"),
        ("{# format: lines #}\n{% if %}", "line 2: Expected an expression, got 'end of statement block'"),
        ("{# format: lines #}\n{% include 'nowhere' %}", "line 2: there is no template nowhere"),
        ("{# format: lines #}\n{{ ''.__class__.__mro__ }}", "is unsafe"),
        ("{# format: lines #}\n{{ lines.append(1) }}", "is unsafe"),
        ("{# format: lines #}\n{{ lines[0].password | safe }}", "No filter named 'safe'"),
        ("{# format: xml #}\n<a b='{{ lines[0].password | tojson }}'/>", "No filter named 'tojson'"),
        ("{# format: lines #}\n{{ lines[0].password.index('x') }}", "line 2: ValueError"),
        ("{# format: lines #}\n{{ 1 // 0 }}", "line 2: ZeroDivisionError"),
        ("{# format: xml #}\n<a>{{ mac }}</b>", "what it makes is no XML: mismatched tag"),
        ("{# format: xml #}\n<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "what it makes declares entities"),
    ],
)
def test_a_wrong_template_fails_its_change_with_the_reason_and_no_other(
    operator: Pbx, own: Path, content: str, reason: str
) -> None:
    put(own, "yealink/{mac}.cfg.j2", content)
    client = operator.client
    broken = client.call("devices", "create", json={"device_address": "001565000001", "lines": [line()]})
    good = client.call("devices", "create", json={"device_address": "000b82000001", "lines": [line()]})
    operator.apply()
    state = node(operator, broken)
    assert state["state"] == "pending"
    assert state["error"].startswith("TemplateFault: yealink/{mac}.cfg.j2")
    assert reason in state["error"]
    assert "secret1" not in state["error"]
    assert (node(operator, good)["state"], files(operator)) == ("applied", {"cfg000b82000001.xml"})


def test_a_fault_is_told_where_it_is_be_it_in_an_included_template(operator: Pbx, own: Path) -> None:
    put(own, "yealink/t46u/{mac}.cfg.j2", '{# format: lines #}\n{% include "yealink/part.j2" %}\n')
    put(own, "yealink/part.j2", "\n\n{{ lines[0].display_name }}\n")
    body = {"device_address": "001565000001", "device_template": "yealink/t46u"}
    made = operator.client.create("devices", **body, lines=[line()])
    operator.run("update v_device_lines set display_name = E'a\\nb' where device_uuid = %(u)s", u=made)
    reply = operator.client.update("devices", made, device_label="x")
    operator.apply()
    assert node(operator, reply)["error"] == (
        "TemplateFault: yealink/part.j2, line 3: a value holds a line break or another control character"
    )


def test_an_extensions_change_is_not_held_up_by_its_phones_template(operator: Pbx, own: Path) -> None:
    client = operator.client
    extension = client.create("extensions", extension="7001")
    client.create("devices", device_address="001565000001", lines=[line(user_id="7001")])
    operator.apply()
    put(own, "yealink/{mac}.cfg.j2", "{# format: lines #}\n{{ nothing }}")
    reply = client.update("extensions", extension, extension="7002")
    operator.apply()
    assert operator.socket.api(f"user_exists id 7002 {DOMAIN}") == "true"
    assert operator.socket.api(f"user_exists id 7001 {DOMAIN}") == "false"
    assert node(operator, reply)["error"] == "TemplateFault: yealink/{mac}.cfg.j2, line 2: 'nothing' is undefined"


def test_a_folder_of_templates_that_is_not_there_is_told(operator: Pbx, own: Path) -> None:
    own.rmdir()
    reply = operator.client.call("devices", "create", json={"device_address": "001565000001"})
    operator.apply()
    assert node(operator, reply)["error"] == f"TemplateFault: the folder of templates {own} is not there"


# Where files are written


def test_the_first_folder_of_the_setting_is_used(database_url: str, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    pbx = make_pbx(database_url, tmp_path / "pbx", provision_dir=None)
    pbx.run(
        "insert into v_default_settings (default_setting_uuid, default_setting_category,"
        " default_setting_subcategory, default_setting_name, default_setting_value, default_setting_enabled)"
        " values (%(u)s, 'provision', 'path', 'text', %(v)s, true)",
        u=uuid4(),
        v=";".join(map(str, folders)),
    )
    pbx.client.create("devices", device_address="001565000001", lines=[line()])
    pbx.apply()
    close_pbx(pbx)
    assert [[path.name for path in folder.iterdir()] for folder in folders] == [["001565000001.cfg"], []]


def test_no_file_is_written_where_no_folder_is_named_and_a_domain_cannot_name_one(
    database_url: str, tmp_path: Path
) -> None:
    pbx = make_pbx(database_url, tmp_path / "pbx", provision_dir=None)
    pbx.run(
        "insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category,"
        " domain_setting_subcategory, domain_setting_name, domain_setting_value, domain_setting_enabled)"
        " values (%(u)s, %(d)s, 'provision', 'path', 'text', %(v)s, true)",
        u=uuid4(),
        d=DOMAIN_UUID,
        v=str(tmp_path),
    )
    reply = pbx.client.call("devices", "create", json={"device_address": "00040d000001", "lines": [line()]})
    pbx.apply()
    state = node(pbx, reply)
    close_pbx(pbx)
    assert (state["state"], state["error"]) == ("applied", "")
    assert not list(tmp_path.rglob("*00040d*"))


def test_a_file_that_cannot_be_written_fails_its_change(client: Client, pbx: Pbx) -> None:
    (pbx.folders["provision"] / "001565000001.cfg").mkdir()
    reply = client.call("devices", "create", json={"device_address": "001565000001"})
    pbx.apply()
    assert node(pbx, reply)["state"] == "pending"
    assert re.search("Is a directory|not empty", node(pbx, reply)["error"])
