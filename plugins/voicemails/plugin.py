"""Voicemails: the boxes of a domain, and the messages in them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import (
    SOUND_MEDIA,
    Answer,
    Call,
    Change,
    Effect,
    FileAnswer,
    LinkRequest,
    MakeFolder,
    MessageWaiting,
    MoveFolder,
    Operation,
    Plugin,
    Record,
    Refresh,
    RemoveFolder,
    Resource,
    Rows,
    SignedLink,
    Sort,
    Text,
    fields,
    find_sound,
    invalid,
    list_records,
    make_link,
    not_found,
)
from pbxapi.plugin.dialling import NUMBER, check_action

from .boxes import BOX_SETTINGS, Voicemail, folder, hold_numbers, new_box_defaults, new_pin

_COUNTED = frozenset({"voicemail_id", "voicemail_enabled", "voicemail_local_after_email"})
"""Fields on which it depends whether phones are told of messages."""


_AUDIO = "messages/<voicemail_message_uuid>/audio"


class Message(Record):
    voicemail_message_uuid = fields.UUID(dump_only=True)
    created_epoch = fields.Integer(dump_only=True)
    caller_id_name = Text(dump_only=True)
    caller_id_number = Text(dump_only=True)
    message_length = fields.Integer(dump_only=True, metadata={"description": "Seconds."})
    message_status = Text(dump_only=True, metadata={"enum": ["new", "read"]})
    message_priority = Text(dump_only=True)


class MessageQuery(Record):
    status = Text(
        pattern="read|unread", expected="read or unread", metadata={"description": "`read` or `unread`."}
    )


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what was left out, and check what schemas cannot."""
    if old is None:
        record |= {name: value for name, value in new_box_defaults(call).items() if not record[name]}
        record["voicemail_password"] = record["voicemail_password"] or new_pin()
    elif call.data.get("voicemail_password") == "":
        raise invalid("Voicemail password is required", "voicemail_password")
    if old is None or record["voicemail_id"] != old["voicemail_id"]:
        hold_numbers(call, record["voicemail_id"], old["voicemail_id"] if old else "")
    for place, option in enumerate(call.data.get("voicemail_options", ())):
        field = f"voicemail_options.{place}.voicemail_option_param"
        option["voicemail_option_param"] = _option_param(call, option["voicemail_option_param"], field)
    record["voicemail_copies"] = list(dict.fromkeys(record["voicemail_copies"]))
    if str(record["voicemail_uuid"]) in record["voicemail_copies"]:
        raise invalid("A box cannot copy to itself", "voicemail_copies")


def _option_param(call: Call, param: str, field: str) -> str:
    """What FusionPBX's script executes when the key is pressed: an application and data, or a number to dial."""
    if re.fullmatch(NUMBER, param):
        return f"transfer {param} XML {call.caller.domain_name}"
    application, _, data = param.partition(" ")
    check_action(call, application, data, field)
    return param


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """Keys and copies, which replace those that were there; greetings follow the number."""
    uuid = record["voicemail_uuid"]
    if old is not None and record["voicemail_id"] != old["voicemail_id"]:
        ids = {"old_id": old["voicemail_id"], "voicemail_id": record["voicemail_id"]}
        call.do("renumber", voicemail_uuid=uuid, **ids)
    if "voicemail_options" in call.data:
        call.do("delete_options", voicemail_uuid=uuid)
        for option in call.data["voicemail_options"]:
            call.do("add_option", voicemail_uuid=uuid, voicemail_option_uuid=uuid4(), **option)
    if "voicemail_copies" in call.data:
        call.do("delete_copies", voicemail_uuid=uuid)
        for copy in record["voicemail_copies"]:
            ids = {"voicemail_destination_uuid": uuid4(), "voicemail_uuid_copy": copy}
            call.do("add_copy", voicemail_uuid=uuid, **ids)


def audio(call: Call) -> Answer:
    """The sound of a message: from the database where that holds it, else from the box's folder.

    It stays new or read, as it was. FusionPBX's script names the file msg_<uuid> (app/voicemail/index.lua).
    """
    message = call.row("message", voicemail_uuid=call.uuid, voicemail_message_uuid=call.part)
    if message is None:
        raise not_found("Voicemail message not found")
    name = f"msg_{call.part}"
    if message["message_base64"]:
        content = base64.b64decode(message["message_base64"])
        ending = "wav" if content[:4] == b"RIFF" else "mp3"
        return FileAnswer(media=SOUND_MEDIA[ending], name=f"{name}.{ending}", content=content)
    below = folder(call.caller.domain_name, call.record["voicemail_id"])
    return find_sound(call, "voicemail", below, [f"{below}/{name}.{ending}" for ending in ("wav", "mp3")])


def link(call: Call) -> Answer:
    """A link to the sound of a message."""
    if call.row("message", voicemail_uuid=call.uuid, voicemail_message_uuid=call.part) is None:
        raise not_found("Voicemail message not found")
    return make_link(call, _AUDIO)


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """Messages, keys, copies and greetings go with the box."""
    ids = {"voicemail_uuid": record["voicemail_uuid"], "voicemail_id": record["voicemail_id"]}
    call.do("delete_contents", **ids)


def effects(change: Change) -> Iterator[Effect]:
    """The folder follows, phones are told, and so is the directory, which holds the box's PIN and address."""
    domain, current = change.domain_name, change.current
    now = current["voicemail_id"] if current else ""
    former = [number for number in change.values("voicemail_id") if number != now]
    for row in [*change.own("own_extensions"), *(change.rows("extensions", numbers=former) if former else ())]:
        yield Refresh("extensions", row["extension_uuid"])
    for number in former:
        taken = change.row("find", voicemail_id=number) is not None
        if now:
            yield MoveFolder("voicemail", folder(domain, number), folder(domain, now), unless_there=taken)
        elif not taken:
            yield RemoveFolder("voicemail", folder(domain, number))
        yield MessageWaiting(f"{number}@{domain}")
    if now:
        yield MakeFolder("voicemail", folder(domain, now))
        if change.changed & _COUNTED:
            yield MessageWaiting(f"{now}@{domain}")


voicemails = Resource(
    name="voicemails",
    label="Voicemail",
    id="voicemail_uuid",
    schema=Voicemail,
    table="v_voicemails",
    app_uuid=UUID("b523c2d2-64cd-46f1-9520-ca4b4098e044"),
    row=("voicemail_uuid", "voicemail_id", "voicemail_enabled", "new_message_count"),
    search=("voicemail_id", "voicemail_mail_to", "voicemail_description"),
    sort={
        "voicemail_id": Sort("voicemail_id"),
        "voicemail_mail_to": Sort("voicemail_mail_to"),
        "voicemail_description": Sort("voicemail_description"),
        "new_message_count": Sort("new_message_count", "number"),
    },
    filters=("voicemail_id", "voicemail_mail_to", "voicemail_enabled"),
    unique=("voicemail_id",),
    settings=BOX_SETTINGS,
    operations=(
        Operation(
            "messages",
            list_records,
            on="item",
            path="messages",
            rows=Rows(
                statement="messages",
                id="voicemail_message_uuid",
                schema=Message,
                search=("caller_id_name", "caller_id_number"),
                sort={
                    "created_epoch": Sort("created_epoch", "number"),
                    "message_length": Sort("message_length", "number"),
                    "caller_id_name": Sort("caller_id_name"),
                    "caller_id_number": Sort("caller_id_number"),
                },
                order="-created_epoch",
                filters=("caller_id_name", "caller_id_number", "message_status", "message_priority"),
                query=MessageQuery,
            ),
            summary="List the messages of a voicemail",
        ),
        Operation(
            "audio",
            audio,
            on="item",
            path=_AUDIO,
            scope="voicemails:audio",
            files=(SOUND_MEDIA["wav"], SOUND_MEDIA["mp3"]),
            summary="Listen to a message",
        ),
        Operation(
            "audio_link",
            link,
            ("POST",),
            "item",
            path=f"{_AUDIO}/link",
            scope="voicemails:audio",
            body=LinkRequest,
            answer=SignedLink,
            summary="Make a link to listen to a message, without a key and for a while",
        ),
    ),
    prepare=prepare,
    store=store,
    remove=remove,
    keep=("voicemail_id",),
    effects=effects,
)

plugin = Plugin(name="voicemails", version="1.0.0", resources=(voicemails,), scopes=("voicemails:audio",))
