"""Extensions: the phones of a domain, each with its voicemail box and its link to a user."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from pbxapi_plugins.voicemails.boxes import Voicemail, box_number, folder, new_box_defaults, new_pin

from pbxapi.plugin import (
    Call,
    Change,
    Effect,
    MakeFolder,
    MessageWaiting,
    MoveFolder,
    Plugin,
    Refresh,
    RemoveFile,
    RemoveFolder,
    Resource,
    WriteFile,
    clear_cache,
    invalid,
)
from pbxapi.plugin.dialling import check_context
from pbxapi.xml.directory import call_groups, domain_file, extension_file, extension_file_name

from .schemas import Extension

_BOX_FIELDS = ("voicemail_enabled", "voicemail_password", "voicemail_mail_to")


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what was left out, and check what schemas cannot."""
    if old is None:
        record["password"] = record["password"] or secrets.token_hex(8)
        record["user_context"] = record["user_context"] or call.caller.domain_name
        for name in ("effective_caller_id_name", "effective_caller_id_number"):
            if name not in call.data or not call.data[name]:
                record[name] = record["extension"]
    elif not record["password"]:
        raise invalid("Password is required", "password")
    if record["number_alias"] == record["extension"]:
        raise invalid("number_alias must differ from the extension", "number_alias")
    if old is None or record["user_context"] != old["user_context"]:
        check_context(call, record["user_context"], "user_context")
    dial_string_before = old["dial_string"] if old else ""
    if record["dial_string"] != dial_string_before and record["dial_string"] and not call.caller.allow_global:
        raise invalid("dial_string reaches beyond the domain; only the system's key may set it", "dial_string")
    if _wants_box(call) and not box_number(record):
        raise invalid("a voicemail box needs a number in digits", "voicemail_enabled")


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The box, the link to a user, and the phones that register as this extension."""
    _store_box(call, record, old)
    uuid = record["extension_uuid"]
    if "user_uuid" in call.data and (old is not None or call.data["user_uuid"]):
        call.run("unlink_users", extension_uuid=uuid)
        if call.data["user_uuid"]:
            call.run(
                "link_user", extension_user_uuid=uuid4(), extension_uuid=uuid, user_uuid=call.data["user_uuid"]
            )
    if old is None:
        return
    number, old_number = record["extension"], old["extension"]
    if number != old_number or record["password"] != old["password"]:
        call.run("update_device_lines", old_number=old_number, number=number, password=record["password"])
    label = record["effective_caller_id_name"]
    if number != old_number or label != old["effective_caller_id_name"]:
        call.run("update_device_keys", old_number=old_number, number=number, label=label)


def _wants_box(call: Call) -> bool:
    return bool(call.data.get("voicemail_enabled") == "true")


def _store_box(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    box = _box_of(call, record, old)
    changed = {name: call.data[name] for name in _BOX_FIELDS if name in call.data}
    if box is not None:
        if changed.get("voicemail_password") == "":
            del changed["voicemail_password"]
        if changed and {**box, **changed} != box:
            call.run("voicemails/update", **{**box, **changed})
    elif _wants_box(call):
        new = {**Voicemail().load({"voicemail_id": box_number(record)}), **new_box_defaults(call), **changed}
        new["voicemail_password"] = new["voicemail_password"] or new_pin()
        call.run("voicemails/create", voicemail_uuid=uuid4(), **new)


def _box_of(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The box of the extension, which follows it to a new number."""
    number = box_number(record)
    old_number = box_number(old) if old else number
    if not number:
        return None
    for voicemail_id in sorted({number, old_number} - {""}):
        call.lock("voicemail", call.caller.domain_uuid, voicemail_id)
    uuid = call.value("voicemails/find", voicemail_id=old_number)
    if uuid is None:
        uuid = call.value("voicemails/find", voicemail_id=number)
    elif number != old_number:
        if call.value("voicemails/find", voicemail_id=number) is not None:
            raise invalid(f"there is a voicemail box {number} already", "extension")
        call.run("voicemails/renumber", voicemail_uuid=uuid, old_id=old_number, voicemail_id=number)
    return call.row("voicemails/get", voicemail_uuid=uuid) if uuid else None


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """What FusionPBX's own delete takes along: links, follow me, ring group destinations, settings, the box."""
    uuid = record["extension_uuid"]
    call.run("delete_follow_me", extension_uuid=uuid)
    call.run("unlink_users", extension_uuid=uuid)
    call.run("delete_settings", extension_uuid=uuid)
    numbers = [number for number in (record["extension"], record["number_alias"]) if number]
    call.run("delete_ring_group_destinations", numbers=numbers)
    for number in numbers:
        box = call.value("voicemails/find", voicemail_id=number)
        if box is not None:
            call.run("voicemails/delete_contents", voicemail_uuid=box, voicemail_id=number)
            call.run("voicemails/delete", voicemail_uuid=box)


def effects(change: Change) -> Iterator[Effect]:
    """Directory entries of the old and the new number go; files and folders follow."""
    domain = change.domain_name
    contexts = dict.fromkeys([*change.values("user_context"), domain])
    for number in dict.fromkeys([*change.values("extension"), *change.values("number_alias")]):
        for context in contexts:
            yield clear_cache(f"directory:{number}@{context}")
    if change.values("call_group"):
        yield clear_cache(f"directory:groups:{domain}")
    yield from _folders(change)
    if "extensions" in change.folders:
        yield from _files(change)


def _folders(change: Change) -> Iterator[Effect]:
    current = change.current
    old_box = box_number(change.old)
    box = box_number(current) if current and current["voicemail"] else ""
    if old_box and old_box != box:
        taken = change.row("voicemails/find", voicemail_id=old_box) is not None
        if box:
            old, new = folder(change.domain_name, old_box), folder(change.domain_name, box)
            yield MoveFolder("voicemail", old, new, unless_there=taken)
        elif current is None and not taken:
            yield RemoveFolder("voicemail", folder(change.domain_name, old_box))
        yield MessageWaiting(f"{old_box}@{change.domain_name}")
    if box:
        yield MakeFolder("voicemail", folder(change.domain_name, box))


def _files(change: Change) -> Iterator[Effect]:
    domain, current = change.domain_name, change.current
    name = extension_file_name(current["extension"]) if current and current["enabled"] == "true" else None
    for number in change.values("extension"):
        file = extension_file_name(number)
        if file == name:
            continue
        # Somebody else may have the number by now, or share the file's name: *101 and 101.
        owner = change.row("file_owner", number=number.replace("*", ""))
        if owner is None:
            yield RemoveFile("extensions", f"{domain}/{file}")
        elif owner["extension_uuid"] != change.uuid:
            yield Refresh("extensions", owner["extension_uuid"])
    if current and name:
        settings = change.settings("domain/dial_string")
        uuid: UUID = change.uuid
        user = current["user"] or {}
        follow_me = change.row("follow_me", extension_uuid=uuid) or {}
        row = {**current, **follow_me, "domain_uuid": change.domain_uuid}
        text = extension_file(
            row,
            current["voicemail"]
            and change.row("voicemails/get", voicemail_uuid=current["voicemail"]["voicemail_uuid"]),
            domain_name=domain,
            dial_string=settings.get("domain/dial_string"),
            settings=change.rows("settings", extension_uuid=uuid),
            user_uuid=user.get("user_uuid"),
        )
        yield WriteFile("extensions", f"{domain}/{name}", text)
    groups: dict[str, list[str]] = {}
    for member in change.rows("call_groups"):
        for group in call_groups(member["call_group"]):
            groups.setdefault(group, []).append(member["extension"])
    yield WriteFile("extensions", f"{domain}.xml", domain_file(domain, groups))


extensions = Resource(
    name="extensions",
    label="Extension",
    id="extension_uuid",
    schema=Extension,
    table="v_extensions",
    app_uuid=UUID("e68d9689-2769-e013-28fa-6214bf47fca3"),
    row=(
        "extension_uuid",
        "extension",
        "number_alias",
        "effective_caller_id_name",
        "effective_caller_id_number",
        "outbound_caller_id_name",
        "outbound_caller_id_number",
        "user_context",
        "enabled",
        "description",
    ),
    uses=("voicemails",),
    search=("extension", "number_alias", "effective_caller_id_name", "description"),
    sort=("extension", "effective_caller_id_name", "description"),
    filters=("extension", "number_alias", "user_context", "call_group", "enabled"),
    numbers=("extension", "number_alias"),
    limit="extensions",
    prepare=prepare,
    store=store,
    remove=remove,
    keep=("extension", "number_alias", "user_context", "call_group"),
    effects=effects,
)

plugin = Plugin(name="extensions", version="1.0.0", resources=(extensions,))
