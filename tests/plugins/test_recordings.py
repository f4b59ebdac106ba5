"""Recordings: uploaded through the database to every node, renamed and removed with their files."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from pbxapi.sandbox.sample import DOMAIN, uuid_of
from pbxapi.testing import Client, Pbx, Reply

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x00\xff\x80\r\n" + bytes(range(256))
OTHER_WAV = WAV + b"more"


def encoded(sound: bytes) -> str:
    return base64.b64encode(sound).decode()


WELCOME = {"recording_filename": "welcome.wav", "recording_base64": encoded(WAV)}


def download(client: Client, uuid: str) -> Reply:
    if client.family == "php":
        return client.request("GET", "/recordings/content.php", query={"uuid": uuid})
    return client.request("GET", f"/recordings/{uuid}/content")


def test_an_uploaded_recording_is_a_file_on_the_switch_and_comes_back(pbx: Pbx, either_client: Client) -> None:
    reply = either_client.call("recordings", "create", json=WELCOME)
    assert (reply.status, reply.body["message"]) == (201, "Recording created successfully")
    uuid = reply.data["recording_uuid"]
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert (pbx.folders["recordings"] / DOMAIN / "welcome.wav").read_bytes() == WAV
    assert either_client.get("recordings", uuid) == {
        "recording_uuid": uuid, "recording_filename": "welcome.wav", "recording_name": "welcome",
        "recording_voice": "", "recording_message": "", "recording_description": "", "recording_stored": "true",
    }  # fmt: skip
    assert download(either_client, uuid).data == WELCOME
    sent = {"recording_name": "Welcome!", "recording_description": "über", "recording_message": "a\nb"}
    either_client.update("recordings", uuid, **sent)
    assert sent.items() <= either_client.get("recordings", uuid).items()
    assert download(either_client, uuid).data == WELCOME


def test_new_content_and_a_new_name_replace_the_file(pbx: Pbx, client: Client) -> None:
    folder = pbx.folders["recordings"] / DOMAIN
    uuid = client.create("recordings", **WELCOME)
    client.update("recordings", uuid, recording_base64=encoded(OTHER_WAV))
    pbx.apply()
    assert (folder / "welcome.wav").read_bytes() == OTHER_WAV
    client.update("recordings", uuid, recording_filename="hello.wav")
    pbx.apply()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"hello.wav": OTHER_WAV}
    reply = client.delete("recordings", uuid)
    pbx.apply()
    assert (list(folder.iterdir()), pbx.change(reply)["state"]) == ([], "applied")
    assert pbx.rows("select 1 from v_recordings") == []


def test_what_was_recorded_anew_by_phone_stays(pbx: Pbx, client: Client) -> None:
    uuid = client.create("recordings", **WELCOME)
    pbx.apply()
    file = pbx.folders["recordings"] / DOMAIN / "welcome.wav"
    file.write_bytes(b"by phone")
    client.update("recordings", uuid, recording_description="other words")
    pbx.apply()
    assert file.read_bytes() == b"by phone"


def test_a_file_that_is_on_the_switch_alone_is_listed_and_can_be_replaced(pbx: Pbx, client: Client) -> None:
    uuid = client.create("recordings", **WELCOME)
    pbx.apply()
    pbx.run("update v_recordings set recording_base64 = null")
    assert client.list("recordings")[0]["recording_stored"] == "false"
    assert (download(client, uuid).status, download(client, uuid).error["code"]) == (404, "NOT_FOUND")
    reply = client.call("recordings", "update", uuid, {"recording_filename": "other.wav"})
    assert (reply.status, reply.error["field"]) == (400, "recording_filename")
    client.update("recordings", uuid, recording_filename="other.wav", recording_base64=encoded(OTHER_WAV))
    pbx.apply()
    assert [file.name for file in (pbx.folders["recordings"] / DOMAIN).iterdir()] == ["other.wav"]


def test_a_name_that_has_a_new_owner_keeps_its_file(pbx: Pbx, client: Client) -> None:
    first = client.create("recordings", **WELCOME)
    client.update("recordings", first, recording_filename="first.wav")
    client.create("recordings", **{**WELCOME, "recording_base64": encoded(OTHER_WAV)})
    pbx.apply()
    folder = pbx.folders["recordings"] / DOMAIN
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        "first.wav": WAV, "welcome.wav": OTHER_WAV,
    }  # fmt: skip


def test_two_of_a_domain_cannot_share_a_file_but_two_domains_can(pbx: Pbx, client: Client) -> None:
    client.create("recordings", **WELCOME)
    reply = client.call("recordings", "create", json={**WELCOME, "recording_filename": "Welcome.wav"})
    assert (reply.status, reply.error["field"]) == (409, "recording_filename")
    client.of(pbx.other_domain).create("recordings", **WELCOME)


def test_whoever_deletes_or_renames_is_told_what_plays_it(pbx: Pbx, client: Client) -> None:
    uuid = client.create("recordings", **WELCOME)
    pbx.run(
        "insert into v_ivr_menus (ivr_menu_uuid, domain_uuid, ivr_menu_name, ivr_menu_greet_long)"
        " values (gen_random_uuid(), %(domain)s, 'main', 'welcome.wav')",
        domain=uuid_of("domain", DOMAIN),
    )
    said = ["The IVR menu main plays welcome.wav, and finds it no more"]
    renamed = client.update("recordings", uuid, recording_filename="hello.wav")
    assert renamed.body["warnings"] == said
    client.update("recordings", uuid, recording_filename="welcome.wav")
    assert client.delete("recordings", uuid).body["warnings"] == said


def test_the_documents_of_the_menus_that_play_it_are_made_anew(pbx: Pbx, client: Client) -> None:
    menu = {"ivr_menu_name": "main", "ivr_menu_extension": "7701", "ivr_menu_greet_long": "other.wav"}
    top = client.create("ivr-menus", **menu)
    low = client.create(
        "ivr-menus",
        **{
            **menu,
            "ivr_menu_extension": "7702",
            "ivr_menu_greet_long": "welcome.wav",
            "ivr_menu_parent_uuid": top,
        },
    )
    apart = client.create("ivr-menus", **{**menu, "ivr_menu_extension": "7703"})
    pbx.apply()
    cached = {uuid: pbx.folders["cache"] / f"configuration.ivr.conf.{uuid}" for uuid in (top, low, apart)}

    def stay(write: Callable[[], Any]) -> list[str]:
        for file in cached.values():
            file.write_text("<x/>")
        write()
        pbx.apply()
        return [uuid for uuid, file in cached.items() if file.exists()]

    made: list[str] = []
    assert stay(lambda: made.append(client.create("recordings", **WELCOME))) == [apart]
    uuid = made[0]
    assert stay(lambda: client.update("recordings", uuid, recording_description="x")) == [top, low, apart]
    assert stay(lambda: client.update("recordings", uuid, recording_filename="hello.wav")) == [apart]
    assert stay(lambda: client.update("recordings", uuid, recording_filename="welcome.wav")) == [apart]
    assert stay(lambda: client.delete("recordings", uuid)) == [apart]


NONSENSE: list[tuple[str, Any]] = [
    ("recording_filename", ""), ("recording_filename", "/etc/passwd"), ("recording_filename", "../welcome.wav"),
    ("recording_filename", "a/b.wav"), ("recording_filename", "a..wav"), ("recording_filename", ".wav"),
    ("recording_filename", "a.php"), ("recording_filename", "a b.wav"), ("recording_filename", "a\n.wav"),
    ("recording_filename", "tone_stream://x.wav"), ("recording_filename", "a" * 130 + ".wav"),
    ("recording_filename", "-rf.wav"), ("recording_filename", ["a.wav"]),
    ("recording_base64", ""), ("recording_base64", "not base64!"), ("recording_base64", "QUJD="),
    ("recording_base64", encoded(b"<?php system($_GET[0]);")), ("recording_base64", 7), ("recording_base64", None),
    ("recording_name", "a\x00b"), ("recording_description", "${system(id)}"),
]  # fmt: skip


def test_what_is_no_sound_file_or_would_leave_the_folder_is_refused(pbx: Pbx, client: Client) -> None:
    for field, value in NONSENSE:
        reply = client.call("recordings", "create", json={**WELCOME, field: value})
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR"), (field, value)
        assert reply.error["field"] == field, (field, value)
    reply = client.call(
        "recordings", "create", json={**WELCOME, "recording_base64": encoded(WAV + bytes(760_000))}
    )
    assert (reply.status, reply.error["field"]) == (400, "recording_base64")
    for name, start in (("a.mp3", b"ID3"), ("b.mp3", b"\xff\xfb"), ("c.ogg", b"OggS")):
        client.create("recordings", recording_filename=name, recording_base64=encoded(start + b"sound"))


def test_the_audit_row_and_the_change_do_not_hold_the_sound(pbx: Pbx, client: Client) -> None:
    uuid = client.create("recordings", **WELCOME)
    client.update("recordings", uuid, recording_base64=encoded(OTHER_WAV))
    rows = pbx.rows("select transaction_old, transaction_new from v_database_transactions")
    assert encoded(WAV)[:40] not in str(rows)
    assert "sha256" in str(rows)
