"""Extensions: the rows as FusionPBX writes them, and what the switch gets to see."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pbxapi.data.rounds import Asked, Connection
from pbxapi.http import callers
from pbxapi.http.serving import Backlog
from pbxapi.testing import Client, Pbx

FILES = "switch1.directory.{}", "directory.{}"
"""The names of a directory entry in the cache: FusionPBX 5.5 has the switch's name in front, others have not."""


def uuid_of(pbx: Pbx, kind: str, **columns: str) -> str:
    """The uuid of a row of the first domain."""
    same = " and ".join(f"{column} = %({column})s" for column in columns)
    found = pbx.rows(
        f"select {kind}_uuid as uuid from v_{kind}s join v_domains using (domain_uuid)"
        f" where domain_name = %(domain)s and {same}",
        domain=pbx.domain,
        **columns,
    )
    return str(found[0]["uuid"])


def put(pbx: Pbx, table: str, **columns: Any) -> None:
    """A row of the first domain, as FusionPBX's own pages would make it."""
    names = ", ".join(columns)
    values = ", ".join(f"%({name})s" for name in columns)
    pbx.run(
        f"insert into {table} (domain_uuid, {names})"
        f" select domain_uuid, {values} from v_domains where domain_name = %(domain)s",
        domain=pbx.domain,
        **columns,
    )


def user_file(pbx: Pbx, number: str) -> Path:
    return pbx.folders["extensions"] / pbx.domain / f"v_{number}.xml"


def exists(pbx: Pbx, number: str) -> bool:
    return pbx.socket.api(f"user_exists id {number} {pbx.domain}") == "true"


def test_a_new_extension_can_register_once_its_change_is_applied(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("extensions", "create", json={"extension": "7001", "voicemail_enabled": "true"})
    assert reply.status == 201
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert pbx.socket.api("user_exists id 7001 pbx.example.com") == "true"
    assert (pbx.folders["voicemail"] / "default" / pbx.domain / "7001").is_dir()
    assert (pbx.folders["extensions"] / pbx.domain / "v_7001.xml").exists()


def test_a_create_with_a_box_is_eleven_statements_in_two_round_trips(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "SECONDS", 60.0)
    monkeypatch.setattr(Backlog, "SECONDS", 60.0)
    client.create("extensions", extension="7001", voicemail_enabled="true")
    rounds: list[list[str]] = []
    ask = Connection.ask

    def asking(connection: Connection, asked: Sequence[Asked]) -> None:
        rounds.append([one.text for one in asked])
        ask(connection, asked)

    monkeypatch.setattr(Connection, "ask", asking)
    client.create("extensions", extension="7002", voicemail_enabled="true")
    written = [re.search(r"insert into (\S+)|commit|lock_shared", text) for text in rounds[1]]
    assert [len(texts) for texts in rounds] == [5, 6], rounds
    assert [found and (found[1] or found[0]) for found in written] == [
        "v_extensions",
        "v_voicemails",
        "v_database_transactions",
        "lock_shared",
        "pbxapi.change",
        "commit",
    ]


def test_a_changed_number_takes_its_voicemail_box_along(pbx: Pbx, either_client: Client) -> None:
    made = either_client.create("extensions", extension="7101", voicemail_enabled="true")
    pbx.apply()
    either_client.update("extensions", made, extension="7102")
    pbx.apply()
    assert either_client.get("extensions", made)["voicemail"]["voicemail_id"] == "7102"
    assert pbx.socket.api("user_exists id 7102 pbx.example.com") == "true"
    assert pbx.socket.api("user_exists id 7101 pbx.example.com") == "false"
    assert not (pbx.folders["extensions"] / pbx.domain / "v_7101.xml").exists()


def test_delete_takes_the_voicemail_box_along(pbx: Pbx, either_client: Client) -> None:
    made = either_client.create("extensions", extension="7201", voicemail_enabled="true")
    pbx.apply()
    either_client.delete("extensions", made)
    pbx.apply()
    assert either_client.call("extensions", "get", made).status == 404
    assert pbx.rows("select 1 from v_voicemails where voicemail_id = '7201'") == []
    assert pbx.socket.api("user_exists id 7201 pbx.example.com") == "false"
    assert not (pbx.folders["voicemail"] / "default" / pbx.domain / "7201").exists()


def test_a_number_of_another_tenant_is_free(client: Client, pbx: Pbx) -> None:
    client.create("extensions", extension="7301")
    client.of(pbx.other_domain).create("extensions", extension="7301")
    assert client.call("extensions", "create", json={"extension": "7301"}).status == 409


def test_a_late_change_does_not_take_the_file_and_the_box_of_a_numbers_new_owner(pbx: Pbx, client: Client) -> None:
    first = client.create("extensions", extension="7401", voicemail_enabled="true")
    pbx.apply()
    boxes, files = pbx.folders["voicemail"] / "default" / pbx.domain, pbx.folders["extensions"] / pbx.domain
    (boxes / "7401" / "msg_first.wav").touch()
    renamed = client.update("extensions", first, extension="7402").headers["X-Change-Id"]
    client.create("extensions", extension="7401", voicemail_enabled="true")
    pbx.apply()
    (boxes / "7401" / "msg_second.wav").touch()
    pbx.run("update pbxapi.change_node set state = 'pending' where change_id = %(id)s", id=renamed)
    pbx.apply()
    assert sorted(path.name for path in boxes.glob("740?/*")) == ["msg_first.wav", "msg_second.wav"]
    assert (boxes / "7402" / "msg_first.wav").exists()
    assert {path.name for path in files.glob("v_740?.xml")} == {"v_7401.xml", "v_7402.xml"}


def test_what_is_left_out_gets_the_contracts_defaults(client: Client) -> None:
    made = [client.create("extensions", extension=number) for number in ("7001", "7002")]
    found = [client.get("extensions", uuid) for uuid in made]
    passwords = {row["password"] for row in found}
    assert len(passwords) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", password) for password in passwords)
    filled = {
        n: v for n, v in found[0].items() if v not in ("", "false") and n not in ("extension_uuid", "password")
    }
    assert filled == {
        "extension": "7001",
        "effective_caller_id_name": "7001",
        "effective_caller_id_number": "7001",
        "directory_visible": "true",
        "directory_exten_visible": "true",
        "max_registrations": "1",
        "limit_max": "5",
        "limit_destination": "error/user_busy",
        "user_context": "pbx.example.com",
        "enabled": "true",
        "call_timeout": "30",
        "extension_type": "default",
    }


def test_every_field_comes_back_as_it_was_sent(client: Client) -> None:
    sent = {
        "extension": "7001", "number_alias": "8001", "password": "p<&>'\"w", "effective_caller_id_name": "Zoë <&>",
        "effective_caller_id_number": "+15550100", "outbound_caller_id_name": "Main", "accountcode": "acc",
        "outbound_caller_id_number": "15550100", "emergency_caller_id_name": "Site",
        "emergency_caller_id_number": "15550911", "directory_first_name": "Zoë", "directory_last_name": "Z",
        "directory_visible": "false", "directory_exten_visible": "false", "max_registrations": "3",
        "limit_max": "9",
        "limit_destination": "!USER_BUSY", "user_context": "public@pbx.example.com", "enabled": "false",
        "description": "☎", "toll_allow": "domestic,local", "call_timeout": "45", "call_group": "sales,support",
        "call_screen_enabled": "true", "user_record": "inbound", "hold_music": "local_stream://default",
        "missed_call_app": "email", "missed_call_data": "a@example.com,b@example.com", "auth_acl": "lan",
        "cidr": "192.0.2.0/24,2001:db8::/32", "sip_force_contact": "NDLB-connectile-dysfunction",
        "sip_force_expires": "300", "nibble_account": "n1", "mwi_account": "8001@pbx.example.com",
        "sip_bypass_media": "proxy-media", "absolute_codec_string": "PCMU,PCMA", "force_ping": "true",
        "do_not_disturb": "true", "forward_all_enabled": "true", "forward_all_destination": "*97",
        "forward_busy_enabled": "true", "forward_busy_destination": "+15550101",
        "forward_no_answer_enabled": "true",
        "forward_no_answer_destination": "7002", "forward_user_not_registered_enabled": "true",
        "forward_user_not_registered_destination": "7003", "follow_me_enabled": "true", "extension_language": "en",
        "extension_dialect": "us", "extension_voice": "callie", "extension_type": "virtual",
    }  # fmt: skip
    uuid = client.create("extensions", **sent)
    assert sent.items() <= client.get("extensions", uuid).items()
    client.update("extensions", uuid, description="the rest stays")
    assert {**sent, "description": "the rest stays"}.items() <= client.get("extensions", uuid).items()


def test_a_number_sent_as_json_number_becomes_text(client: Client) -> None:
    uuid = client.create("extensions", extension=7001, limit_max=3, enabled=True, number_alias=None)
    found = client.get("extensions", uuid)
    assert [found[n] for n in ("extension", "limit_max", "enabled", "number_alias")] == ["7001", "3", "true", ""]


def test_a_box_comes_when_it_is_asked_for_and_obeys_the_extension(pbx: Pbx, either_client: Client) -> None:
    uuid = either_client.create("extensions", extension="7001")
    assert "voicemail" not in either_client.get("extensions", uuid)
    warned = either_client.update("extensions", uuid, voicemail_password="4711")
    assert "voicemail_enabled" in warned.body["warnings"][0]
    either_client.update("extensions", uuid, voicemail_enabled="true")
    made = either_client.get("extensions", uuid)["voicemail"]
    assert re.fullmatch("[0-9]{6}", made.pop("voicemail_password"))
    assert made.pop("voicemail_uuid") == uuid_of(pbx, "voicemail", voicemail_id="7001")
    assert made == {"voicemail_id": "7001", "voicemail_mail_to": "", "voicemail_enabled": "true"}
    either_client.update("extensions", uuid, voicemail_password="4711", voicemail_mail_to="a@example.com")
    either_client.update("extensions", uuid, voicemail_enabled="false", voicemail_password="")
    found = either_client.get("extensions", uuid)["voicemail"]
    assert (found["voicemail_password"], found["voicemail_mail_to"]) == ("4711", "a@example.com")
    assert found["voicemail_enabled"] == "false"
    assert len(pbx.rows("select 1 from v_voicemails where voicemail_id = '7001'")) == 1


def test_a_box_that_is_there_is_taken_over(pbx: Pbx, client: Client) -> None:
    box = client.create("voicemails", voicemail_id="7001", voicemail_password="1234")
    uuid = client.create("extensions", extension="7001", voicemail_enabled="true")
    found = client.get("extensions", uuid)["voicemail"]
    assert (found["voicemail_uuid"], found["voicemail_password"]) == (box, "1234")


def test_the_box_of_an_extension_with_an_alias_is_the_aliass(client: Client, pbx: Pbx) -> None:
    uuid = client.create("extensions", extension="7001", number_alias="8001", voicemail_enabled="true")
    assert client.get("extensions", uuid)["voicemail"]["voicemail_id"] == "8001"
    client.update("extensions", uuid, number_alias="")
    assert client.get("extensions", uuid)["voicemail"]["voicemail_id"] == "7001"
    pbx.apply()
    boxes = pbx.folders["voicemail"] / "default" / pbx.domain
    assert not (boxes / "8001").exists()
    assert (boxes / "7001").is_dir()
    named = client.call("extensions", "create", json={"extension": "anna", "voicemail_enabled": "true"})
    assert (named.status, named.error["field"]) == (400, "voicemail_enabled")


def test_a_new_number_with_a_box_of_its_own_is_taken(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001", voicemail_enabled="true")
    client.create("voicemails", voicemail_id="7002")
    reply = client.call("extensions", "update", uuid, {"extension": "7002"})
    assert (reply.status, reply.error["field"]) == (409, "extension")
    assert "voicemail box" in reply.error["message"]
    assert client.get("extensions", uuid)["extension"] == "7001"


def test_a_box_changed_at_the_same_time_loses_nothing(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001", voicemail_enabled="true")
    with ThreadPoolExecutor(1) as threads:
        with pbx.database.writing() as session:
            session.run("update v_voicemails set voicemail_description = 'kept' where voicemail_id = '7001'")
            late = threads.submit(client.update, "extensions", uuid, voicemail_mail_to="a@example.com")
            threading.Event().wait(0.3)
            assert not late.done()
        assert late.result().status == 200
    row = pbx.rows("select voicemail_description, voicemail_mail_to from v_voicemails where voicemail_id = '7001'")
    assert row == [{"voicemail_description": "kept", "voicemail_mail_to": "a@example.com"}]


def test_an_extension_is_linked_to_one_user_of_its_domain(pbx: Pbx, either_client: Client) -> None:
    anna, ben = (uuid_of(pbx, "user", username=name) for name in ("anna", "ben"))
    uuid = either_client.create("extensions", extension="7001", user_uuid=anna)
    assert either_client.get("extensions", uuid)["user"] == {
        "user_uuid": anna,
        "username": "anna",
        "full_name": "Anna Adler",
    }
    either_client.update("extensions", uuid, user_uuid=ben)
    either_client.update("extensions", uuid, description="still ben's")
    assert either_client.get("extensions", uuid)["user"]["username"] == "ben"
    assert len(pbx.rows("select 1 from v_extension_users where extension_uuid = %(u)s", u=uuid)) == 1
    pbx.apply()
    assert f'<variable name="user_uuid" value="{ben}"/>' in user_file(pbx, "7001").read_text()
    either_client.update("extensions", uuid, user_uuid="")
    assert "user" not in either_client.get("extensions", uuid)


def test_a_user_of_another_domain_cannot_be_linked(pbx: Pbx, client: Client) -> None:
    foreign = pbx.rows(
        "select user_uuid from v_users join v_domains using (domain_uuid) where domain_name = %(name)s",
        name=pbx.other_domain,
    )[0]["user_uuid"]
    for user in (str(foreign), str(uuid4()), "x", 7, ["x"]):
        reply = client.call("extensions", "create", json={"extension": "7001", "user_uuid": user})
        assert (reply.status, reply.error["code"], reply.error["field"]) == (400, "VALIDATION_ERROR", "user_uuid")
    assert pbx.rows("select 1 from v_extensions where extension = '7001'") == []


def test_all_directory_entries_of_old_and_new_go(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001", number_alias="8001", call_group="sales")
    pbx.apply()
    cache = pbx.folders["cache"]
    contexts = (pbx.domain, f"public@{pbx.domain}")
    stale = [
        cache / form.format(f"{number}@{context}")
        for number in ("7001", "8001", "7002", "8002")
        for context in contexts
        for form in FILES
    ]
    stale += [cache / form.format(f"groups.{pbx.domain}") for form in FILES]
    others = [cache / form.format(f"{number}@{pbx.domain}") for number in ("1001", "70011") for form in FILES]
    others += [cache / form.format(f"7001@{pbx.other_domain}") for form in FILES]
    for file in (*stale, *others):
        file.write_text("<document/>")
    changes = {"extension": "7002", "number_alias": "8002", "user_context": contexts[1], "call_group": ""}
    client.update("extensions", uuid, **changes)
    pbx.apply()
    assert [file.name for file in stale if file.exists()] == []
    assert all(file.exists() for file in others)


def test_a_changed_password_is_what_the_switch_checks(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001", password="first")
    pbx.apply()
    assert pbx.socket.api(f"user_data 7001@{pbx.domain} param password") == "first"
    client.update("extensions", uuid, password="second")
    pbx.apply()
    assert pbx.socket.api(f"user_data 7001@{pbx.domain} param password") == "second"
    refused = client.call("extensions", "update", uuid, {"password": ""})
    assert (refused.status, refused.error["message"]) == (400, "Password is required")


def test_a_disabled_extension_is_not_found_and_has_no_file(pbx: Pbx, either_client: Client) -> None:
    uuid = either_client.create("extensions", extension="7001", call_group="night")
    pbx.apply()
    assert exists(pbx, "7001")
    assert user_file(pbx, "7001").exists()
    either_client.update("extensions", uuid, enabled="false")
    pbx.apply()
    assert not exists(pbx, "7001")
    assert not user_file(pbx, "7001").exists()
    assert "7001" not in (pbx.folders["extensions"] / f"{pbx.domain}.xml").read_text()
    either_client.update("extensions", uuid, enabled="true")
    pbx.apply()
    assert exists(pbx, "7001")


def test_call_groups_stand_in_the_domains_file(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001", call_group="night, day")
    client.create("extensions", extension="7002", call_group="night")
    pbx.apply()
    file = pbx.folders["extensions"] / f"{pbx.domain}.xml"

    def members(group: str) -> list[str]:
        found = re.search(rf'<group name="{group}">(.*?)</group>', file.read_text(), re.S)
        return re.findall(r'<user id="(\d+)" type="pointer"', found[1]) if found else []

    assert (members("night"), members("day")) == (["7001", "7002"], ["7001"])
    client.update("extensions", uuid, call_group="day")
    pbx.apply()
    assert (members("night"), members("day")) == (["7002"], ["7001"])
    client.delete("extensions", uuid)
    pbx.apply()
    assert (members("night"), members("day")) == (["7002"], [])


def test_delete_takes_along_what_names_the_extension(pbx: Pbx, either_client: Client) -> None:
    anna = uuid_of(pbx, "user", username="anna")
    uuid = either_client.create(
        "extensions", extension="7001", number_alias="8001", voicemail_enabled="true", user_uuid=anna
    )
    other = either_client.create("extensions", extension="7002")
    either_client.create("voicemails", voicemail_id="7001")
    for extension, follow_me in ((uuid, uuid4()), (other, uuid4())):
        put(pbx, "v_follow_me", follow_me_uuid=follow_me)
        put(
            pbx,
            "v_follow_me_destinations",
            follow_me_destination_uuid=uuid4(),
            follow_me_uuid=follow_me,
            follow_me_destination="9",
        )
        pbx.run(
            "update v_extensions set follow_me_uuid = %(f)s where extension_uuid = %(e)s", f=follow_me, e=extension
        )
        put(pbx, "v_extension_settings", extension_setting_uuid=uuid4(), extension_uuid=extension)
    for number in ("7001", "8001", "7002"):
        put(
            pbx,
            "v_ring_group_destinations",
            ring_group_destination_uuid=uuid4(),
            ring_group_uuid=uuid4(),
            destination_number=number,
        )
    pbx.apply()
    boxes = pbx.folders["voicemail"] / "default" / pbx.domain
    assert {path.name for path in boxes.iterdir()} >= {"7001", "8001"}
    either_client.delete("extensions", uuid)
    pbx.apply()
    left = {
        table: len(pbx.rows(f"select 1 from {table}"))
        for table in (
            "v_follow_me",
            "v_follow_me_destinations",
            "v_extension_settings",
            "v_ring_group_destinations",
        )
    }
    assert set(left.values()) == {1}
    assert pbx.rows("select destination_number as n from v_ring_group_destinations") == [{"n": "7002"}]
    assert pbx.rows("select 1 from v_extension_users where extension_uuid = %(u)s", u=uuid) == []
    assert pbx.rows("select 1 from v_voicemails where voicemail_id in ('7001', '8001')") == []
    assert not {path.name for path in boxes.iterdir()} & {"7001", "8001"}


def test_phones_follow_number_password_and_name(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001", password="first", effective_caller_id_name="Old")
    own, others = {"server_address": pbx.domain}, {"server_address": "elsewhere.example"}
    for place, (user, auth, server) in enumerate(
        [("7001", "7001", own), ("7001", "x", own), ("7001", "", others)]
    ):
        line = {"device_line_uuid": uuid4(), "line_number": str(place), "user_id": user, "auth_id": auth}
        put(pbx, "v_device_lines", **line, password="first", **server)
    put(pbx, "v_device_keys", device_key_uuid=uuid4(), device_key_value="7001", device_key_label="Old")
    client.update("extensions", uuid, extension="7002", password="second", effective_caller_id_name="New")
    lines = pbx.rows(
        "select user_id, auth_id, password from v_device_lines where line_number in ('0', '1', '2')"
        " and user_id in ('7001', '7002') order by line_number"
    )
    assert [tuple(line.values()) for line in lines] == [
        ("7002", "7002", "second"),
        ("7002", "x", "second"),
        ("7001", "", "first"),
    ]
    keys = pbx.rows("select device_key_label as label from v_device_keys where device_key_value = '7002'")
    assert keys == [{"label": "New"}]


def test_follow_me_is_switched_where_fusionpbx_reads_it(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001")
    follow_me = uuid4()
    put(pbx, "v_follow_me", follow_me_uuid=follow_me, follow_me_enabled=False)
    pbx.run("update v_extensions set follow_me_uuid = %(f)s where extension_uuid = %(e)s", f=follow_me, e=uuid)
    client.update("extensions", uuid, follow_me_enabled="true")
    pbx.apply()
    assert pbx.rows("select follow_me_enabled as on from v_follow_me") == [{"on": True}]
    assert '<variable name="follow_me_enabled" value="true"/>' in user_file(pbx, "7001").read_text()
    pbx.run("update v_follow_me set follow_me_enabled = false")
    assert client.get("extensions", uuid)["follow_me_enabled"] == "false"


def test_access_lists_are_read_again_where_networks_changed(pbx: Pbx, client: Client) -> None:
    def reloads(**fields: str) -> int:
        pbx.switch.commands.clear()
        client.update("extensions", uuid, **fields)
        pbx.apply()
        return pbx.switch.commands.count("reloadacl")

    uuid = client.create("extensions", extension="7001")
    pbx.apply()
    assert "reloadacl" not in pbx.switch.commands
    assert reloads(description="x") == 0
    assert reloads(cidr="192.0.2.0/24") == 1
    assert reloads(description="y") == 0
    assert reloads(enabled="false") == 1
    assert reloads(cidr="") == 1


def test_the_limit_of_the_settings_holds(pbx: Pbx, client: Client) -> None:
    put(
        pbx,
        "v_domain_settings",
        domain_setting_uuid=uuid4(),
        domain_setting_category="limit",
        domain_setting_subcategory="extensions",
        domain_setting_value="201",
        domain_setting_enabled=True,
    )
    client.create("extensions", extension="7001")
    reply = client.call("extensions", "create", json={"extension": "7002"})
    assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN")
    assert reply.error["message"] == "Extension limit reached (201)"
    client.of(pbx.other_domain).create("extensions", extension="7002")


def test_one_of_fifty_made_at_once_wins(pbx: Pbx, client: Client) -> None:
    """Half of them want the number as their alias: it means one thing all the same."""

    def make(place: int) -> tuple[int, str]:
        sent = {"extension": "7001"} if place % 2 else {"extension": str(7100 + place), "number_alias": "7001"}
        reply = client.call("extensions", "create", json=sent)
        return reply.status, reply.body.get("error", {}).get("code", "")

    with ThreadPoolExecutor(50) as threads:
        found = sorted(threads.map(make, range(50)))
    assert found == [(201, "")] + [(409, "DUPLICATE_ERROR")] * 49
    rows = pbx.rows("select 1 from v_extensions where extension = '7001' or number_alias = '7001'")
    assert len(rows) == 1


def test_a_limit_is_not_passed_by_many_at_once(pbx: Pbx, client: Client) -> None:
    pbx.run(
        "update v_default_settings set default_setting_enabled = true, default_setting_value = '205'"
        " where default_setting_category = 'limit' and default_setting_subcategory = 'extensions'"
    )
    with ThreadPoolExecutor(20) as threads:
        numbers = [{"extension": str(number)} for number in range(7001, 7021)]
        statuses = list(threads.map(lambda n: client.call("extensions", "create", json=n).status, numbers))
    assert sorted(statuses) == [201] * 5 + [403] * 15


def test_a_number_means_one_thing_in_the_domain(pbx: Pbx, client: Client) -> None:
    uuid = client.create("extensions", extension="7001", number_alias="8001")
    put(pbx, "v_ring_groups", ring_group_uuid=uuid4(), ring_group_extension="7400")
    for sent, field, words in [
        ({"extension": "7001"}, "extension", "Extension already exists"),
        ({"extension": "8001"}, "extension", "Extension already exists"),
        ({"extension": "7002", "number_alias": "7001"}, "number_alias", "Extension already exists"),
        ({"extension": "7002", "number_alias": "8001"}, "number_alias", "Extension already exists"),
        ({"extension": "7400"}, "extension", "The number 7400 is taken by a ring group"),
        (
            {"extension": "7002", "number_alias": "7400"},
            "number_alias",
            "The number 7400 is taken by a ring group",
        ),
    ]:
        reply = client.call("extensions", "create", json=sent)
        assert (reply.status, reply.error["code"]) == (409, "DUPLICATE_ERROR"), sent
        assert (reply.error["field"], reply.error["message"]) == (field, words)
    own = client.call("extensions", "update", uuid, {"number_alias": "7001"})
    assert (own.status, own.error["field"]) == (400, "number_alias")
    client.update("extensions", uuid, extension="8001", number_alias="7001")


def test_only_the_system_may_leave_the_domain(pbx: Pbx, client: Client) -> None:
    put(pbx, "v_streams", stream_uuid=uuid4(), stream_location="shout://radio.example/live?x=1")
    folder = pbx.rows("select default_setting_value as v from v_default_settings"
                      " where default_setting_category = 'switch'"
                      " and default_setting_subcategory = 'recordings'")[0]["v"]  # fmt: skip
    for field, foreign, own in [
        ("user_context", "second.example.com", "pbx.example.com"),
        ("user_context", "global", "public"),
        ("user_context", "public@second.example.com", "pbx.example.com.public"),
        ("dial_string", "user/1001@second.example.com", ""),
        ("mwi_account", "1001@second.example.com", "1001@pbx.example.com"),
        ("mwi_account", "@pbx.example.com", "1001"),
        ("hold_music", "local_stream://second.example.com/jazz", "local_stream://pbx.example.com/jazz"),
        ("hold_music", f"{folder}/second.example.com/secret.wav", f"{folder}/pbx.example.com/hold.wav"),
        ("hold_music", f"{folder}/pbx.example.com/../second.example.com/a.wav", "local_stream://default"),
        ("hold_music", "/etc/freeswitch/vars.xml", ""),
        ("hold_music", "shout://radio.example/other", "shout://radio.example/live?x=1"),
    ]:
        reply = client.call("extensions", "create", json={"extension": "7001", field: foreign})
        assert (reply.status, reply.body["error"].get("field")) == (400, field), foreign
        sent = {"extension": "7001", field: foreign}
        allowed = client.call("extensions", "create", json=sent, headers={"X-Allow-Global": "true"})
        assert allowed.status == 201, foreign
        uuid = allowed.data["extension_uuid"]
        # What the system allowed stays when something else is changed, and can be taken back.
        client.update("extensions", uuid, description="kept", **{field: foreign})
        client.update("extensions", uuid, **{field: own})
        client.delete("extensions", uuid)


REFUSED: list[tuple[str, Any]] = [
    ("extension", "10 01"),
    ("extension", "1/../2"),
    ("extension", "1\n2"),
    ("extension", "1" * 65),
    ("extension", "a@b"),
    ("extension", {"a": 1}),
    ("extension", True),
    ("number_alias", "${x}"),
    ("password", "a\x00b"),
    ("password", "********"),
    ("password", "x" * 129),
    ("effective_caller_id_name", "${system(id)}"),
    ("effective_caller_id_name", "a\r\nb"),
    ("outbound_caller_id_number", ["1"]),
    ("limit_max", "five"),
    ("limit_max", "-1"),
    ("limit_max", "1e3"),
    ("limit_max", 2**63),
    ("limit_destination", "system:reboot"),
    ("call_timeout", "0"),
    ("enabled", "yes"),
    ("enabled", 1),
    ("user_record", "always"),
    ("forward_all_destination", "user/1001@second.example.com"),
    ("forward_all_destination", "1001 XML second.example.com"),
    ("forward_busy_destination", "[x]sofia/external/1"),
    ("forward_no_answer_destination", "a"),
    ("forward_user_not_registered_destination", "${x}"),
    ("missed_call_data", "a@example.com;reboot"),
    ("missed_call_data", "$(id)"),
    ("cidr", "10.0.0.0/99"),
    ("cidr", "1.2.3"),
    ("sip_bypass_media", "both"),
    ("toll_allow", "a;b"),
    ("hold_music", "a|b"),
    ("voicemail_password", "abcd"),
    ("voicemail_mail_to", "a@b@c"),
    ("description", "x" * 1001),
    ("voicemail", {"voicemail_id": "1"}),
]


def test_what_no_extension_could_hold_is_refused(client: Client) -> None:
    for field, value in REFUSED:
        reply = client.call("extensions", "create", json={"extension": "7001", field: value})
        assert reply.status == 400, (field, value)
        assert (reply.error["code"], reply.error["field"]) == ("VALIDATION_ERROR", field), (field, value)


@pytest.mark.parametrize("forward", ["forward_all", "forward_busy", "forward_no_answer"])
def test_forwarding_to_nowhere_is_refused(client: Client, forward: str) -> None:
    on, destination = f"{forward}_enabled", f"{forward}_destination"
    reply = client.call("extensions", "create", json={"extension": "7001", on: "true"})
    assert (reply.status, reply.error["field"]) == (400, destination)
    uuid = client.create("extensions", extension="7001", **{on: "true", destination: "7002"})
    assert client.call("extensions", "update", uuid, {destination: ""}).status == 400
    client.update("extensions", uuid, **{on: "false"})
    client.update("extensions", uuid, **{destination: ""})


def test_no_secret_stands_in_the_audit_or_the_change(pbx: Pbx, client: Client) -> None:
    secrets = ["sip-secret-1", "sip-secret-2", "739512846", "846739512"]
    uuid = client.create(
        "extensions",
        extension="7001",
        password=secrets[0],
        voicemail_enabled="true",
        voicemail_password=secrets[2],
    )
    client.update("extensions", uuid, password=secrets[1], voicemail_password=secrets[3])
    client.delete("extensions", uuid)
    audited = pbx.rows(
        "select transaction_type, app_uuid, transaction_old, transaction_new from v_database_transactions"
        " order by transaction_date"
    )
    assert [row["transaction_type"] for row in audited] == ["add", "update", "delete"]
    new = json.loads(audited[1]["transaction_new"])["v_extensions"][0]
    assert (new["extension"], new["password"], new["voicemail_password"]) == ("7001", "********", "********")
    noted = pbx.rows("select to_jsonb(c) as row from pbxapi.change as c order by created_at")
    assert [row["row"]["action"] for row in noted] == ["create", "update", "delete"]
    assert {"password", "voicemail_password"} <= set(noted[1]["row"]["changed"])
    for secret in secrets:
        assert secret not in str(audited)
        assert secret not in str(noted)


def test_extensions_of_others_do_not_exist(pbx: Pbx, either_client: Client) -> None:
    foreign = either_client.of(pbx.other_domain)
    uuid = foreign.create("extensions", extension="7001", voicemail_enabled="true")
    before = pbx.rows("select * from v_extensions where extension_uuid = %(u)s", u=uuid)
    assert either_client.call("extensions", "get", uuid).status == 404
    assert either_client.call("extensions", "update", uuid, {"password": "mine"}).status == 404
    assert either_client.call("extensions", "delete", uuid).status == 404
    assert either_client.list("extensions", extension="7001") == []
    assert pbx.rows("select * from v_extensions where extension_uuid = %(u)s", u=uuid) == before
    pbx.apply()
    # The same number, deleted here, takes nothing of the other tenant's.
    own = either_client.create("extensions", extension="7001", voicemail_enabled="true")
    pbx.apply()
    either_client.delete("extensions", own)
    pbx.apply()
    assert foreign.get("extensions", uuid)["voicemail"]["voicemail_id"] == "7001"
    assert (pbx.folders["voicemail"] / "default" / pbx.other_domain / "7001").is_dir()
    assert pbx.socket.api(f"user_exists id 7001 {pbx.other_domain}") == "true"
