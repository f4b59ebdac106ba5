"""Extensions: the phones of a domain, each with its voicemail box and its link to a user."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from pbxapi_plugins.voicemails.boxes import (
    BOX_SETTINGS,
    Voicemail,
    box_number,
    folder,
    hold_numbers,
    is_box_number,
    new_box_defaults,
    new_pin,
)

from pbxapi.plugin import (
    Call,
    Change,
    Effect,
    Expectation,
    Made,
    MakeFolder,
    MessageWaiting,
    MoveFolder,
    Plugin,
    Refresh,
    ReloadAcl,
    RemoveFile,
    RemoveFolder,
    Resource,
    UserExists,
    WriteFile,
    clear_cache,
    duplicate,
    invalid,
    natural,
)
from pbxapi.plugin.dialling import check_action, check_context
from pbxapi.xml import call_groups, domain_file, extension_file, extension_file_name

from .schemas import Extension

_ORDER = natural("coalesce(extension, '')")
_NEW_BOX = Voicemail().load({"voicemail_id": "0"})
_BOX_FIELDS = ("voicemail_enabled", "voicemail_password", "voicemail_mail_to")
_FORWARDS = ("forward_all", "forward_busy", "forward_no_answer", "forward_user_not_registered")
_ACL = frozenset({"cidr", "extension", "enabled"})
"""Fields that decide from where the switch's access lists let the extension in."""


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what was left out, and check what schemas cannot."""
    if old is None:
        record["password"] = record["password"] or secrets.token_hex(8)
        for name in ("effective_caller_id_name", "effective_caller_id_number"):
            if name not in call.data or not call.data[name]:
                record[name] = record["extension"]
    elif call.data.get("password") == "":
        raise invalid("Password is required", "password")
    if record["number_alias"] == record["extension"]:
        raise invalid("number_alias must differ from the extension", "number_alias")
    record["user_context"] = record["user_context"] or call.caller.domain_name
    changed = {name for name, value in call.data.items() if value and (old is None or old.get(name) != value)}
    if old is None or "user_context" in changed:
        check_context(call, record["user_context"], "user_context")
    if not call.caller.allow_global:
        _check_fence(call, record, changed)
    if "cidr" in changed:
        _check_networks(record["cidr"])
    for forward in _FORWARDS:
        on, destination = f"{forward}_enabled", f"{forward}_destination"
        if {on, destination} & call.data.keys() and record[on] == "true" and not record[destination]:
            raise invalid(f"{destination} is required where {on} is true", destination)
    if _wants_box(call) and not box_number(record):
        raise invalid("a voicemail box needs a number in digits", "voicemail_enabled")


def _check_fence(call: Call, record: Mapping[str, Any], changed: set[str]) -> None:
    """Refuse what reaches another tenant: dial strings, and the names of its boxes and sounds."""
    domain = call.caller.domain_name
    if "dial_string" in changed:
        raise invalid("dial_string reaches beyond the domain; only the system's key may set it", "dial_string")
    box, _, owner = record["mwi_account"].partition("@")
    if "mwi_account" in changed and not (box and owner in ("", domain)):
        raise invalid(f"mwi_account must be a box of this domain, as in 101@{domain}", "mwi_account")
    if "hold_music" in changed and call.row("stream", stream_location=record["hold_music"]) is None:
        check_action(call, "set", f"hold_music={record['hold_music']}", "hold_music")


def _check_networks(cidr: str) -> None:
    try:
        for network in cidr.split(","):
            ipaddress.ip_network(network.strip(), strict=False)
    except ValueError:
        raise invalid("Cidr must be networks such as 192.0.2.0/24, separated by commas", "cidr") from None


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The box, the link to a user, and the phones that register as this extension."""
    assert old is not None
    _store_box(call, record, _box_of(call, record, old))
    uuid = record["extension_uuid"]
    if "user_uuid" in call.data:
        call.do("unlink_users", extension_uuid=uuid)
        _link_user(call, uuid)
    if call.data.get("follow_me_enabled"):
        call.do("set_follow_me", extension_uuid=uuid, follow_me_enabled=record["follow_me_enabled"])
    number, old_number = record["extension"], old["extension"]
    if number != old_number or record["password"] != old["password"]:
        call.do("update_device_lines", old_number=old_number, number=number, password=record["password"])
    label = record["effective_caller_id_name"]
    if number != old_number or label != old["effective_caller_id_name"]:
        call.do("update_device_keys", old_number=old_number, number=number, label=label)


def store_new(call: Call, made: Sequence[Made]) -> Generator[None, Sequence[Made], None]:
    """The boxes of new extensions, or what is sent for a box that is there already; and the links to users."""
    numbers = {number for one in made if (number := box_number(one.record))}
    hold_numbers(call, *numbers)
    boxes = call.soon("voicemails/there", numbers=list(numbers)) if numbers else list
    made = yield
    there = {row["voicemail_id"] for row in boxes()}
    defaults = new_box_defaults(call) if any(_wants_box(one.call) for one in made) else {}
    new: list[dict[str, Any]] = []
    for one in made:
        box = _box_of(one.call, one.record, one.record) if box_number(one.record) in there else None
        if box is None and _wants_box(one.call):
            new.append(_new_box(one.call, one.record, defaults))
        else:
            _store_box(one.call, one.record, box)
        _link_user(one.call, one.uuid)
    call.do_all("voicemails/create", new)


def _link_user(call: Call, uuid: UUID) -> None:
    if call.data.get("user_uuid"):
        call.do("link_user", extension_user_uuid=uuid4(), extension_uuid=uuid, user_uuid=call.data["user_uuid"])


def _wants_box(call: Call) -> bool:
    return bool(call.data.get("voicemail_enabled") == "true")


def _store_box(call: Call, record: Mapping[str, Any], box: Mapping[str, Any] | None) -> None:
    changed = _sent_for_box(call)
    if box is not None:
        if changed.get("voicemail_password") == "":
            del changed["voicemail_password"]
        if changed and {**box, **changed} != box:
            call.do("voicemails/update", **{**box, **changed})
    elif _wants_box(call):
        call.do("voicemails/create", **_new_box(call, record, new_box_defaults(call)))
    elif any(changed.get(name) for name in ("voicemail_password", "voicemail_mail_to")):
        call.warn("There is no voicemail box: send voicemail_enabled to make one")


def _sent_for_box(call: Call) -> dict[str, Any]:
    return {name: call.data[name] for name in _BOX_FIELDS if name in call.data}


def _new_box(call: Call, record: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, Any]:
    new = {**_NEW_BOX, **defaults, **_sent_for_box(call), "voicemail_id": box_number(record)}
    new["voicemail_password"] = new["voicemail_password"] or new_pin()
    return {**new, "voicemail_uuid": uuid4()}


def _box_of(call: Call, record: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any] | None:
    """The box of the extension, which follows it to a new number."""
    number, old_number = box_number(record), box_number(old)
    if not number:
        return None
    hold_numbers(call, number, old_number)
    uuid = call.value("voicemails/find", voicemail_id=old_number)
    if uuid is None:
        uuid = call.value("voicemails/find", voicemail_id=number)
    elif number != old_number:
        if call.value("voicemails/find", voicemail_id=number) is not None:
            raise duplicate(f"The number {number} has a voicemail box of its own", "extension")
        call.do("voicemails/renumber", voicemail_uuid=uuid, old_id=old_number, voicemail_id=number)
    if uuid is None or call.row("voicemails/hold", voicemail_uuid=uuid) is None:
        return None
    return call.row("voicemails/get", voicemail_uuid=uuid)


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """What FusionPBX's own delete takes along: links, follow me, ring group destinations, settings, the box."""
    uuid = record["extension_uuid"]
    call.do("delete_follow_me", extension_uuid=uuid)
    call.do("unlink_users", extension_uuid=uuid)
    call.do("delete_settings", extension_uuid=uuid)
    numbers = [number for number in (record["extension"], record["number_alias"]) if number]
    call.do("delete_ring_group_destinations", numbers=numbers)
    for number in numbers:
        box = call.value("voicemails/find", voicemail_id=number)
        if box is not None:
            call.do("voicemails/delete_contents", voicemail_uuid=box, voicemail_id=number)
            call.do("voicemails/delete", voicemail_uuid=box)


def effects(change: Change) -> Iterator[Effect]:
    """Directory entries of the old and the new number go; files and folders follow."""
    domain = change.domain_name
    contexts = dict.fromkeys([*change.values("user_context"), domain])
    for number in dict.fromkeys([*change.values("extension"), *change.values("number_alias")]):
        for context in contexts:
            yield clear_cache(f"directory:{number}@{context}")
    if change.values("call_group"):
        yield clear_cache(f"directory:groups:{domain}")
    if change.values("cidr") and (change.action != "update" or change.changed & _ACL):
        yield ReloadAcl()
    yield from _folders(change)
    if "extensions" in change.folders:
        yield from _files(change)
    if "provision" in change.folders and change.current:
        for device in change.own("devices"):
            yield Refresh("devices", device["device_uuid"])


def expects(change: Change) -> Iterator[Expectation]:
    """The switch finds it by its number and by its alias, once it is enabled."""
    enabled = change.current is not None and change.current["enabled"] == "true"
    for number in [*change.values("extension"), *change.values("number_alias")]:
        yield UserExists(number, change.domain_name, enabled)


def _folders(change: Change) -> Iterator[Effect]:
    domain, current = change.domain_name, change.current
    if current is None:
        for number in filter(is_box_number, (*change.values("extension"), *change.values("number_alias"))):
            if change.row("voicemails/find", voicemail_id=number) is None:
                yield RemoveFolder("voicemail", folder(domain, number))
                yield MessageWaiting(f"{number}@{domain}")
    elif current["voicemail"]:
        box, old_box = box_number(current), box_number(change.old)
        if old_box and old_box != box:
            taken = change.row("voicemails/find", voicemail_id=old_box) is not None
            yield MoveFolder("voicemail", folder(domain, old_box), folder(domain, box), unless_there=taken)
            yield MessageWaiting(f"{old_box}@{domain}")
            yield MessageWaiting(f"{box}@{domain}")
        yield MakeFolder("voicemail", folder(domain, box))


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
        for directory in change.own("directory"):
            text = extension_file(
                {**current, "domain_uuid": change.domain_uuid},
                directory["voicemail"],
                domain_name=domain,
                dial_string=settings.get("domain/dial_string"),
                settings=directory["settings"],
                user_uuid=directory["user_uuid"],
                contact_uuid=directory["contact_uuid"],
            )
            yield WriteFile("extensions", f"{domain}/{name}", text)
    yield _domain_file(change)


def _domain_file(change: Change) -> Effect:
    """The domain's own file; made once for all changes of the domain that are applied together."""
    key = ("domain_file", change.domain_uuid)
    if key not in change.known:
        groups: dict[str, list[str]] = {}
        for member in change.once("call_groups"):
            for group in call_groups(member["call_group"]):
                groups.setdefault(group, []).append(member["extension"])
        domain = change.domain_name
        change.known[key] = WriteFile("extensions", f"{domain}.xml", domain_file(domain, groups))
    made: Effect = change.known[key]
    return made


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
    indexes=(
        f"v_extensions (domain_uuid, {_ORDER}, extension_uuid)",
        "v_extensions (domain_uuid, extension)",
        "v_extensions (domain_uuid, number_alias)",
        "v_voicemails (domain_uuid, voicemail_id)",
    ),
    limit="extensions",
    settings=BOX_SETTINGS,
    bulk=("import", "export"),
    prepare=prepare,
    store=store,
    store_new=store_new,
    remove=remove,
    keep=("extension", "number_alias", "user_context", "call_group", "cidr"),
    effects=effects,
    expects=expects,
)

plugin = Plugin(name="extensions", version="1.0.0", resources=(extensions,))
