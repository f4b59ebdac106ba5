"""Extensions: the rows as FusionPBX writes them, and what the switch gets to see."""

from __future__ import annotations

from pbxapi.testing import Client, Pbx


def test_a_new_extension_can_register_once_its_change_is_applied(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("extensions", "create", json={"extension": "7001", "voicemail_enabled": "true"})
    assert reply.status == 201
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert pbx.socket.api("user_exists id 7001 pbx.example.com") == "true"
    assert (pbx.folders["voicemail"] / "default" / pbx.domain / "7001").is_dir()
    assert (pbx.folders["extensions"] / pbx.domain / "v_7001.xml").exists()


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
