"""Voicemails: boxes as FusionPBX writes them, their messages, and what the switch gets to see."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from pbxapi.testing import Client, Pbx, Reply

MESSAGE_FIELDS = [
    "voicemail_message_uuid",
    "created_epoch",
    "caller_id_name",
    "caller_id_number",
    "message_length",
    "message_status",
    "message_priority",
]


def box(pbx: Pbx, number: str) -> str:
    """The uuid of a box of the sample."""
    found = pbx.rows(
        "select v.voicemail_uuid from v_voicemails as v join v_domains as d using (domain_uuid)"
        " where v.voicemail_id = %(number)s and d.domain_name = %(domain)s",
        number=number,
        domain=pbx.domain,
    )
    return str(found[0]["voicemail_uuid"])


def messages(client: Client, uuid: str, **query: Any) -> Reply:
    if client.family == "php":
        return client.request("GET", "/voicemails/messages.php", query={"uuid": uuid, **query})
    return client.request("GET", f"/voicemails/{uuid}/messages", query=query)


def leave(pbx: Pbx, uuid: str, count: int, **columns: Any) -> None:
    """Messages in a box, one a second."""
    row = {"message_status": None, "message_priority": None, "caller_id_number": "5550100", **columns}
    pbx.run(
        "insert into v_voicemail_messages (voicemail_message_uuid, domain_uuid, voicemail_uuid, created_epoch,"
        "  message_length, message_status, message_priority, caller_id_number)"
        " select gen_random_uuid(), domain_uuid, voicemail_uuid, 1700000000 + n, 7, %(message_status)s,"
        "        %(message_priority)s, %(caller_id_number)s"
        "   from v_voicemails, generate_series(1, %(count)s) as n where voicemail_uuid = %(uuid)s",
        uuid=uuid,
        count=count,
        **row,
    )


def mailboxes_told(pbx: Pbx) -> list[str]:
    """The mailboxes whose phones were told of messages since the last look."""
    start = "luarun app.lua voicemail mwi "
    found = [command.removeprefix(start) for command in pbx.switch.commands if command.startswith(start)]
    pbx.switch.commands.clear()
    return found


def test_a_new_box_has_a_pin_of_six_digits_and_a_folder(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("voicemails", "create", json={"voicemail_id": "8001"})
    assert (reply.status, reply.body["message"]) == (201, "Voicemail created successfully")
    uuid = reply.data["voicemail_uuid"]
    found = either_client.get("voicemails", uuid)
    assert len(found["voicemail_password"]) == 6
    assert found["voicemail_password"].isdigit()
    assert {n: v for n, v in found.items() if n not in ("voicemail_uuid", "voicemail_password") and v != ""} == {
        "voicemail_id": "8001",
        "voicemail_enabled": "true",
        "voicemail_attach_file": "true",
        "voicemail_file": "attach",
        "voicemail_local_after_email": "true",
        "voicemail_local_after_forward": "true",
        "voicemail_tutorial": "true",
        "voicemail_recording_instructions": "true",
        "voicemail_recording_options": "true",
        "voicemail_transcription_enabled": "false",
        "voicemail_transcription_prompt_enabled": "false",
        "alternate_voicemail_enabled": "false",
        "voicemail_options": [],
        "voicemail_copies": [],
        "new_message_count": 0,
        "saved_message_count": 0,
    }
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert (pbx.folders["voicemail"] / "default" / pbx.domain / "8001").is_dir()


def test_the_settings_of_the_domain_decide_what_is_left_out(pbx: Pbx, client: Client) -> None:
    for name, value in [
        ("voicemail_file", "link"),
        ("keep_local", "false"),
        ("transcription_enabled_default", "true"),
    ]:
        pbx.run(
            "insert into v_domain_settings (domain_setting_uuid, domain_uuid, domain_setting_category,"
            " domain_setting_subcategory, domain_setting_value, domain_setting_enabled)"
            " select gen_random_uuid(), domain_uuid, 'voicemail', %(name)s, %(value)s, true from v_domains"
            " where domain_name = %(domain)s",
            name=name,
            value=value,
            domain=pbx.domain,
        )
    found = client.get("voicemails", client.create("voicemails", voicemail_id="8001"))
    assert found["voicemail_file"] == "link"
    assert found["voicemail_local_after_email"] == "false"
    assert found["voicemail_transcription_enabled"] == "true"
    sent = {"voicemail_file": "attach", "voicemail_local_after_email": "true"}
    found = client.get("voicemails", client.create("voicemails", voicemail_id="8002", **sent))
    assert sent.items() <= found.items()


def test_every_field_comes_back_as_it_was_sent(pbx: Pbx, client: Client) -> None:
    sent = {
        "voicemail_id": "08001", "voicemail_password": "0042", "voicemail_enabled": "false",
        "voicemail_mail_to": "a.b@example.com,c@example.com", "voicemail_sms_to": "+15550100,15550101",
        "voicemail_attach_file": "false", "voicemail_file": "listen", "voicemail_local_after_email": "false",
        "voicemail_local_after_forward": "false", "voicemail_tutorial": "false",
        "voicemail_recording_instructions": "false", "voicemail_recording_options": "false",
        "voicemail_transcription_enabled": "true", "voicemail_transcription_prompt_enabled": "true",
        "voicemail_transcription_prompt": "line one\nline two", "greeting_id": "3",
        "voicemail_alternate_greet_id": "200", "alternate_voicemail_enabled": "true",
        "alternate_voicemail_destination": "2000", "voicemail_description": "über <&> ☎",
        "voicemail_copies": sorted([box(pbx, "1002"), box(pbx, "1003")]),
    }  # fmt: skip
    uuid = client.create("voicemails", **sent)
    assert sent.items() <= client.get("voicemails", uuid).items()


def test_the_list_shows_the_contracts_fields_and_counts(pbx: Pbx, either_client: Client) -> None:
    rows = either_client.list("voicemails", voicemail_id="1001")
    assert rows == [
        {
            "voicemail_uuid": box(pbx, "1001"),
            "voicemail_id": "1001",
            "voicemail_enabled": "true",
            "new_message_count": 2,
        }
    ]
    numbers = [row["voicemail_id"] for row in either_client.list("voicemails", per_page=3)]
    assert numbers == ["710", "1001", "1002"]
    leave(pbx, box(pbx, "1005"), 5)
    assert either_client.list("voicemails", sort="-new_message_count")[0]["voicemail_id"] == "1005"
    assert len(either_client.list("voicemails", search="adler", per_page=100)) > 0


def test_messages_come_newest_first_without_deleted_ones(pbx: Pbx, either_client: Client) -> None:
    uuid = box(pbx, "1001")
    leave(pbx, uuid, 1, message_status="", message_priority="urgent")
    reply = messages(either_client, uuid)
    assert reply.status == 200
    assert all(list(row) == MESSAGE_FIELDS for row in reply.data)
    epochs = [row["created_epoch"] for row in reply.data]
    assert epochs == sorted(epochs, reverse=True)
    assert all(isinstance(epoch, int) for epoch in epochs)
    assert sorted(row["message_status"] for row in reply.data) == ["new", "new", "new", "read"]
    assert reply.data[-1]["message_priority"] == "urgent"
    assert {row["message_priority"] for row in reply.data[:-1]} == {"normal"}
    assert reply.body["pagination"] == {"page": 1, "per_page": 50, "total": 4, "total_pages": 1}
    found = either_client.get("voicemails", uuid)
    assert (found["new_message_count"], found["saved_message_count"]) == (3, 1)


def test_messages_are_filtered_by_status(pbx: Pbx, either_client: Client) -> None:
    uuid = box(pbx, "1001")
    for status, expected in [("unread", ["new", "new"]), ("read", ["read"]), ("", ["new", "new", "read"])]:
        reply = messages(either_client, uuid, status=status)
        assert sorted(row["message_status"] for row in reply.data) == expected
        assert reply.body["pagination"]["total"] == len(expected)
    refused = messages(either_client, uuid, status="burnt")
    assert (refused.status, refused.error["field"]) == (400, "status")


def test_messages_are_paged_like_every_list(pbx: Pbx, either_client: Client) -> None:
    uuid = either_client.create("voicemails", voicemail_id="8001")
    leave(pbx, uuid, 7)
    leave(pbx, uuid, 4, caller_id_number="5550199")
    whole = [row["voicemail_message_uuid"] for row in messages(either_client, uuid).data]
    assert len(set(whole)) == 11
    pages = [messages(either_client, uuid, page=page, per_page=4) for page in (1, 2, 3, 4)]
    assert [row["voicemail_message_uuid"] for page in pages for row in page.data] == whole
    assert [len(page.data) for page in pages] == [4, 4, 3, 0]
    assert pages[0].body["pagination"] == {"page": 1, "per_page": 4, "total": 11, "total_pages": 3}
    walked, cursor = [], ""
    while cursor is not None:
        reply = messages(either_client, uuid, per_page=4, cursor=cursor)
        walked += [row["voicemail_message_uuid"] for row in reply.data]
        cursor = reply.body["pagination"]["next_cursor"]
    assert walked == whole
    assert messages(either_client, uuid, search="0199").body["pagination"]["total"] == 4
    oldest = messages(either_client, uuid, sort="created_epoch", per_page=1).data[0]
    assert oldest["created_epoch"] == 1700000001


def test_messages_need_a_box_of_the_domain(pbx: Pbx, either_client: Client) -> None:
    foreign = pbx.rows(
        "select v.voicemail_uuid from v_voicemails as v join v_domains as d using (domain_uuid)"
        " where d.domain_name = %(name)s",
        name=pbx.other_domain,
    )[0]["voicemail_uuid"]
    for uuid in (foreign, uuid4()):
        reply = messages(either_client, str(uuid))
        assert (reply.status, reply.error["message"]) == (404, "Voicemail not found")
        for operation in ("get", "update", "delete"):
            body = {"voicemail_description": "mine"} if operation == "update" else None
            assert either_client.call("voicemails", operation, uuid, body).status == 404
    assert messages(either_client, "x").error["field"] == "uuid"


def test_options_are_replaced_by_those_that_are_sent(pbx: Pbx, either_client: Client) -> None:
    options = [
        {"voicemail_option_digits": "2", "voicemail_option_param": "1002", "voicemail_option_order": 5},
        {
            "voicemail_option_digits": 1,
            "voicemail_option_param": "transfer 1001 XML pbx.example.com",
            "voicemail_option_description": "reception",
        },
    ]
    uuid = either_client.create("voicemails", voicemail_id="8001", voicemail_options=options)

    def stored() -> list[tuple[str, str, str]]:
        found = either_client.get("voicemails", uuid)["voicemail_options"]
        assert all(o["voicemail_option_action"] == "menu-exec-app" for o in found)
        names = ("voicemail_option_digits", "voicemail_option_param", "voicemail_option_order")
        return [tuple(o[name] for name in names) for o in found]

    both = [
        ("1", "transfer 1001 XML pbx.example.com", "0"),
        ("2", "transfer 1002 XML pbx.example.com", "5"),
    ]
    assert stored() == both
    either_client.update("voicemails", uuid, voicemail_description="the rest stays")
    assert stored() == both
    either_client.update("voicemails", uuid, voicemail_options=options[:1])
    assert stored() == both[1:]
    either_client.update("voicemails", uuid, voicemail_options=[])
    assert stored() == []
    assert pbx.rows("select 1 from v_voicemail_options where voicemail_uuid = %(u)s", u=uuid) == []


def test_an_option_cannot_leave_the_domain(client: Client) -> None:
    for param in [
        "transfer 1001 XML second.example.com",
        "transfer 1001 XML global",
        "bridge user/1001@second.example.com",
        "lua ~os.execute('id')",
        "system reboot",
        "transfer 1001 XML ${domain_name}",
        "transfer set:x=1 XML pbx.example.com",
    ]:
        option = {"voicemail_option_digits": "1", "voicemail_option_param": param}
        reply = client.call("voicemails", "create", json={"voicemail_id": "8001", "voicemail_options": [option]})
        assert reply.status == 400, param
        assert reply.error["field"] == "voicemail_options.0.voicemail_option_param"
    option = {"voicemail_option_digits": "1", "voicemail_option_param": "transfer 1001 XML second.example.com"}
    assert (
        client.call("voicemails", "create", json={"voicemail_id": "8001", "voicemail_options": [option]}).status
        == 400
    )
    allowed = client.call(
        "voicemails",
        "create",
        json={"voicemail_id": "8001", "voicemail_options": [option]},
        headers={"X-Allow-Global": "true"},
    )
    assert allowed.status == 201


def test_copies_go_to_other_boxes_of_the_domain(pbx: Pbx, client: Client) -> None:
    other = [box(pbx, "1001"), box(pbx, "1002")]
    uuid = client.create("voicemails", voicemail_id="8001", voicemail_copies=[*other, other[0]])
    assert sorted(client.get("voicemails", uuid)["voicemail_copies"]) == sorted(other)
    client.update("voicemails", uuid, voicemail_copies=other[:1])
    assert client.get("voicemails", uuid)["voicemail_copies"] == other[:1]
    foreign = client.of(pbx.other_domain).create("voicemails", voicemail_id="8001")
    for copies, field in [
        ([foreign], "voicemail_copies.0"),
        ([other[0], str(uuid4())], "voicemail_copies.1"),
        ([uuid], "voicemail_copies"),
        (["x"], "voicemail_copies.0"),
        ("x", "voicemail_copies"),
        (other * 60, "voicemail_copies"),
    ]:
        reply = client.call("voicemails", "update", uuid, {"voicemail_copies": copies})
        assert (reply.status, reply.error["field"]) == (400, field)
    # A box that goes leaves no copy to nowhere.
    client.delete("voicemails", other[0])
    assert client.get("voicemails", uuid)["voicemail_copies"] == []


def test_a_number_is_unique_in_the_domain(pbx: Pbx, client: Client) -> None:
    uuid = client.create("voicemails", voicemail_id="8001")
    for reply in (
        client.call("voicemails", "create", json={"voicemail_id": "8001"}),
        client.call("voicemails", "update", box(pbx, "1001"), {"voicemail_id": "8001"}),
    ):
        assert (reply.status, reply.error["code"]) == (409, "DUPLICATE_ERROR")
        assert (reply.error["message"], reply.error["field"]) == ("Voicemail already exists", "voicemail_id")
    client.update("voicemails", uuid, voicemail_id="8001")
    client.of(pbx.other_domain).create("voicemails", voicemail_id="8001")


def test_a_box_made_in_two_ways_at_once_is_one_box(pbx: Pbx, client: Client) -> None:
    def make(place: int) -> int:
        if place % 2:
            return client.call("voicemails", "create", json={"voicemail_id": "8001"}).status
        sent = {"extension": "8001", "voicemail_enabled": "true"}
        return client.call("extensions", "create", json=sent).status

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(make, range(16)))
    assert statuses[::2].count(201) == 1
    assert {*statuses} <= {201, 409}
    assert len(pbx.rows("select 1 from v_voicemails where voicemail_id = '8001'")) == 1


def test_a_changed_number_takes_folder_messages_and_greetings_along(pbx: Pbx, either_client: Client) -> None:
    uuid = either_client.create("voicemails", voicemail_id="8001")
    leave(pbx, uuid, 2)
    pbx.run(
        "insert into v_voicemail_greetings (voicemail_greeting_uuid, domain_uuid, voicemail_id, greeting_id)"
        " select gen_random_uuid(), domain_uuid, voicemail_id, 1 from v_voicemails where voicemail_uuid = %(u)s",
        u=uuid,
    )
    pbx.apply()
    home = pbx.folders["voicemail"] / "default" / pbx.domain
    (home / "8001" / "msg_1.wav").write_bytes(b"RIFF")
    pbx.switch.commands.clear()
    either_client.update("voicemails", uuid, voicemail_id="8002")
    pbx.apply()
    assert not (home / "8001").exists()
    assert (home / "8002" / "msg_1.wav").read_bytes() == b"RIFF"
    assert mailboxes_told(pbx) == ["8001@pbx.example.com", "8002@pbx.example.com"]
    assert len(messages(either_client, uuid).data) == 2
    greetings = pbx.rows("select voicemail_id from v_voicemail_greetings where greeting_id = 1")
    assert greetings == [{"voicemail_id": "8002"}]


def test_a_deleted_box_leaves_nothing_behind(pbx: Pbx, either_client: Client) -> None:
    option = {"voicemail_option_digits": "1", "voicemail_option_param": "1001"}
    uuid = either_client.create(
        "voicemails", voicemail_id="8001", voicemail_options=[option], voicemail_copies=[box(pbx, "1002")]
    )
    either_client.update("voicemails", box(pbx, "1003"), voicemail_copies=[uuid])
    leave(pbx, uuid, 3)
    pbx.apply()
    folder = pbx.folders["voicemail"] / "default" / pbx.domain / "8001"
    (folder / "msg_1.wav").write_bytes(b"RIFF")
    mailboxes_told(pbx)
    reply = either_client.delete("voicemails", uuid)
    assert reply.body == {"success": True, "message": "Voicemail deleted successfully"}
    pbx.apply()
    for table in ("voicemails", "voicemail_messages", "voicemail_options", "voicemail_destinations"):
        assert pbx.rows(f"select 1 from v_{table} where voicemail_uuid = %(u)s", u=uuid) == []
    assert pbx.rows("select 1 from v_voicemail_destinations where voicemail_uuid_copy = %(u)s", u=uuid) == []
    assert not folder.exists()
    assert mailboxes_told(pbx) == ["8001@pbx.example.com"]


def test_a_folder_stays_when_the_number_has_a_new_box(pbx: Pbx, client: Client) -> None:
    uuid = client.create("voicemails", voicemail_id="8001")
    pbx.apply()
    client.delete("voicemails", uuid)
    client.create("voicemails", voicemail_id="8001")
    pbx.apply()
    assert (pbx.folders["voicemail"] / "default" / pbx.domain / "8001").is_dir()


def test_directory_entries_of_the_extension_and_its_alias_follow(pbx: Pbx, client: Client) -> None:
    # In the sample 1010 has the alias 710, whose box it uses.
    for number in ("1010", "710", "1001"):
        pbx.socket.api(f"user_exists id {number} pbx.example.com")
    cache = pbx.folders["cache"]
    old_spelling = cache / "switch1.directory.710@pbx.example.com"
    old_spelling.write_text("<document/>")
    reply = client.update("voicemails", box(pbx, "710"), voicemail_mail_to="new@example.com")
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert not (cache / "directory.1010@pbx.example.com").exists()
    assert not (cache / "directory.710@pbx.example.com").exists()
    assert not old_spelling.exists()
    assert (cache / "directory.1001@pbx.example.com").exists()
    text = (pbx.folders["extensions"] / pbx.domain / "v_1010.xml").read_text()
    assert '<param name="vm-mailto" value="new@example.com"/>' in text


def test_phones_are_told_where_it_depends_on_the_change(pbx: Pbx, client: Client) -> None:
    uuid = box(pbx, "1001")
    client.update("voicemails", uuid, voicemail_description="x", voicemail_password="1234")
    pbx.apply()
    assert mailboxes_told(pbx) == []
    client.update("voicemails", uuid, voicemail_local_after_email="false")
    pbx.apply()
    assert mailboxes_told(pbx) == ["1001@pbx.example.com"]


def test_an_update_leaves_unset_flags_as_the_switch_took_them(pbx: Pbx, client: Client) -> None:
    # The sample's boxes have no word on recording instructions: FusionPBX's script plays them then.
    uuid = box(pbx, "1001")
    assert client.get("voicemails", uuid)["voicemail_recording_instructions"] == "true"
    client.update("voicemails", uuid, voicemail_description="x")
    assert client.get("voicemails", uuid)["voicemail_recording_instructions"] == "true"
    found = pbx.rows(
        "select voicemail_recording_instructions as x from v_voicemails where voicemail_uuid = %(u)s", u=uuid
    )
    assert found[0]["x"] is not False


def test_no_pin_stands_in_the_audit_or_the_change(pbx: Pbx, client: Client) -> None:
    uuid = client.create("voicemails", voicemail_id="8001", voicemail_password="739512846")
    client.update("voicemails", uuid, voicemail_password="846739512")
    client.delete("voicemails", uuid)
    audited = pbx.rows("select transaction_type, transaction_old, transaction_new from v_database_transactions")
    assert [row["transaction_type"] for row in audited] == ["add", "update", "delete"]
    assert json.loads(audited[0]["transaction_new"])["v_voicemails"][0]["voicemail_password"] == "********"
    for secret in ("739512846", "846739512"):
        assert secret not in str(audited)
        assert secret not in str(pbx.rows("select to_jsonb(c) as row from pbxapi.change as c"))


REFUSED: list[tuple[str, Any]] = [
    ("voicemail_id", ""),
    ("voicemail_id", "abc"),
    ("voicemail_id", "10 01"),
    ("voicemail_id", "../1001"),
    ("voicemail_id", "١٢٣"),
    ("voicemail_id", "1" * 33),
    ("voicemail_id", 1.5),
    ("voicemail_id", ["1"]),
    ("voicemail_password", "12a4"),
    ("voicemail_password", "********"),
    ("voicemail_enabled", "maybe"),
    ("voicemail_enabled", 1),
    ("voicemail_mail_to", "nobody"),
    ("voicemail_mail_to", "a@example.com;reboot"),
    ("voicemail_mail_to", "a@example.com|id"),
    ("voicemail_mail_to", "`id`@example.com"),
    ("voicemail_mail_to", "a@example.com\nBcc: b@example.com"),
    ("voicemail_sms_to", "$(id)"),
    ("voicemail_file", "mp3"),
    ("voicemail_local_after_email", ""),
    ("greeting_id", "one"),
    ("greeting_id", 1000),
    ("voicemail_alternate_greet_id", "a b"),
    ("alternate_voicemail_destination", "1 XML x"),
    ("voicemail_transcription_prompt", "x" * 2001),
    ("voicemail_description", "a\x00b"),
    ("voicemail_options", "x"),
    ("voicemail_options", [{"voicemail_option_digits": "1", "voicemail_option_param": "1"}] * 51),
]  # fmt: skip


def test_what_no_box_could_hold_is_refused(client: Client) -> None:
    for field, value in REFUSED:
        reply = client.call("voicemails", "create", json={"voicemail_id": "8001", field: value})
        assert reply.status == 400, (field, value)
        assert (reply.error["code"], reply.error["field"]) == ("VALIDATION_ERROR", field), (field, value)
    nested = [
        ({"voicemail_option_param": "1"}, "voicemail_option_digits"),
        ({"voicemail_option_digits": "1"}, "voicemail_option_param"),
        ({"voicemail_option_digits": "*", "voicemail_option_param": "1"}, "voicemail_option_digits"),
        (
            {"voicemail_option_digits": "1", "voicemail_option_param": "1", "voicemail_option_action": "x"},
            "voicemail_option_action",
        ),
    ]
    for option, field in nested:
        reply = client.call("voicemails", "create", json={"voicemail_id": "8001", "voicemail_options": [option]})
        assert (reply.status, reply.error["field"]) == (400, f"voicemail_options.0.{field}")


def test_an_update_cannot_take_the_pin_away(client: Client) -> None:
    uuid = client.create("voicemails", voicemail_id="8001", voicemail_password="1234")
    reply = client.call("voicemails", "update", uuid, {"voicemail_password": ""})
    assert (reply.status, reply.error["message"]) == (400, "Voicemail password is required")
    client.update("voicemails", uuid, voicemail_mail_to="a@example.com, b@example.com")
    found = client.get("voicemails", uuid)
    assert (found["voicemail_password"], found["voicemail_mail_to"]) == ("1234", "a@example.com,b@example.com")
