"""Devices: the phones of a domain with their lines, keys and settings, and their provisioning files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from pbxapi.plugin import (
    Call,
    Change,
    Effect,
    Note,
    Plugin,
    Refresh,
    RemoveFile,
    Resource,
    Settings,
    Sort,
    Unique,
    WriteFile,
    invalid,
)

from .provisioning import has_address, templates
from .schemas import Device
from .vendors import NO_ADDRESS, default_vendor, family, key_vendors, model

_PARTS = {"device_lines": "lines", "device_keys": "keys", "device_settings": "settings"}
"""Lists of a device as get answers them, and the short names under which they may be sent."""

_STATEMENTS = {
    "lines": ("delete_lines", "create_lines"),
    "keys": ("delete_keys", "create_keys"),
    "settings": ("delete_settings", "create_settings"),
}

_TRANSPORTS = ("udp", "tcp", "tls", "dns srv")
_PROXIES = (
    "server_address_primary",
    "server_address_secondary",
    "outbound_proxy_primary",
    "outbound_proxy_secondary",
)
_LINE_SETTINGS = ("line_sip_port", "line_sip_transport", "line_register_expires", *_PROXIES)

_LINE_VARIABLES = (
    "user_id",
    "auth_id",
    "display_name",
    "server_address",
    "outbound_proxy_primary",
    "outbound_proxy_secondary",
    "sip_port",
    "sip_transport",
    "register_expires",
)
"""Of a key's line, what ``${...}`` in the key may stand for, as in FusionPBX."""

Part = dict[str, Any]


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Complete the vendor, the lines, keys and settings that were sent."""
    for part, short in _PARTS.items():
        if part in call.data and short in call.data:
            raise invalid(f"send {short} or {part}, not both", short)
        sent = record.pop(short, [])
        if short in call.data:
            record[part] = sent
    vendor_was_default = old is not None and old["device_vendor"] == default_vendor(old)
    if not record["device_vendor"] or (vendor_was_default and "device_vendor" not in call.data):
        record["device_vendor"] = default_vendor(record)
    if call.uuid is not None and record["device_uuid_alternate"] == str(call.uuid):
        raise invalid("device_uuid_alternate must be another device", "device_uuid_alternate")
    before: Mapping[str, Any] = old or {part: [] for part in _PARTS}
    if name := _sent(call, "device_lines"):
        record["device_lines"] = _lines(call, name, record["device_lines"], before["device_lines"])
    if _sent(call, "device_keys"):
        vendor = record["device_vendor"].lower()
        record["device_keys"] = _keys(record["device_keys"], before["device_keys"], vendor)
    if _sent(call, "device_settings"):
        record["device_settings"] = _settings(record["device_settings"], before["device_settings"])


def _sent(call: Call, part: str) -> str:
    """The name under which a list was sent; "" if it was not."""
    return next((name for name in (part, _PARTS[part]) if name in call.data), "")


def _lines(call: Call, name: str, lines: Sequence[Part], before: Sequence[Part]) -> list[Part]:
    """Lines as they are stored: a list that is sent replaces the old one.

    A line is an old one again if it has its uuid, else if it has its number. Then it keeps its password, unless
    another one is sent or it registers as somebody else now.
    """
    settings = call.settings(*(f"provision/{setting}" for setting in _LINE_SETTINGS))
    numbers: set[str] = set()
    for place, line in enumerate(lines):
        number = line["line_number"] = line["line_number"] or "1"
        if number in numbers:
            raise invalid(f"Line {number} is there twice", f"{name}.{place}.line_number")
        numbers.add(number)
    for line, old in _match(lines, before, "device_line_uuid", "line_number"):
        line["server_address"] = line.get("server_address") or call.caller.domain_name
        line["auth_id"] = line.get("auth_id") or line["user_id"]
        for proxy in _PROXIES:
            line.setdefault(proxy, settings.get(f"provision/{proxy}", ""))
        line["sip_port"] = line.get("sip_port") or _number(settings, "line_sip_port", 5060)
        line["register_expires"] = line.get("register_expires") or _number(settings, "line_register_expires", 120)
        transport = (line.get("sip_transport") or settings.get("provision/line_sip_transport", "")).lower()
        line["sip_transport"] = transport if transport in _TRANSPORTS else "tcp"
        if "password" not in line:
            same = old and all(old[field] == line[field] for field in ("user_id", "server_address"))
            line["password"] = old["password"] if old and same else ""
    return list(lines)


def _keys(keys: Sequence[Part], before: Sequence[Part], vendor: str) -> list[Part]:
    for place, (key, _) in enumerate(_match(keys, before, "device_key_uuid"), start=1):
        key["device_key_id"] = key.get("device_key_id") or str(place)
        key["device_key_vendor"] = key.get("device_key_vendor") or vendor
    return list(keys)


def _settings(settings: Sequence[Part], before: Sequence[Part]) -> list[Part]:
    for setting, old in _match(settings, before, "device_setting_uuid", "device_setting_subcategory"):
        setting.setdefault("device_setting_value", old["device_setting_value"] if old else "")
    return list(settings)


def _match(
    parts: Sequence[Part], before: Iterable[Part], uuid: str, name: str = ""
) -> list[tuple[Part, Part | None]]:
    """Each entry with the old one that it stands for: of its uuid, else of its name; each old one once.

    The entry gets that one's uuid, or a new one: never one that is somebody else's.
    """
    left = {str(old[uuid]): old for old in before}
    found = [left.pop(str(part.get(uuid)), None) for part in parts]
    for place, part in enumerate(parts):
        if found[place] is None and name:
            same = (old for old in left.values() if str(old[name]) == part[name])
            found[place] = next(same, None)
        old = found[place]
        part[uuid] = str(old[uuid]) if old else str(uuid4())
        left.pop(part[uuid], None)
    return list(zip(parts, found, strict=True))


def _number(settings: Settings, name: str, default: int) -> str:
    number = settings.number(f"provision/{name}")
    return str(default if number is None else number)


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """Replace the lists that were sent."""
    uuid = record["device_uuid"]
    for part, short in _PARTS.items():
        if not _sent(call, part):
            continue
        delete, create = _STATEMENTS[short]
        if old is not None:
            call.do(delete, device_uuid=uuid)
        rows = [{name: None if value == "" else value for name, value in row.items()} for row in record[part]]
        call.do(create, device_uuid=uuid, **{short: json.dumps(rows)})


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """Lines, keys and settings go; devices that took theirs from this one have their own again."""
    uuid = record["device_uuid"]
    for delete, _ in _STATEMENTS.values():
        call.do(delete, device_uuid=uuid)
    for other in call.rows("unlink_alternates", device_uuid=uuid):
        call.note_change("update", other["device_uuid"])


def effects(change: Change) -> Iterator[Effect]:
    """The device's files are written, and those that it had under another address or vendor are removed."""
    if "provision" not in change.folders:
        return
    device = change.current
    for other in change.rows("alternates", device_uuid=change.uuid):
        yield Refresh("devices", other["device_uuid"])
    files: dict[str, str] = {}
    found = templates(change.config.provision_templates)
    if device is not None and device["device_enabled"] == "true":
        files = found.render(device, _values(change, device))
        if not files:
            yield Note(_why_none(device))
    for past in ({**(device or {}), **change.old}, device):
        gone = found.names(past) - files.keys() if past else set()
        if past and gone and not _used_elsewhere(change, past["device_address"]):
            yield from (RemoveFile("provision", name) for name in sorted(gone))
    for name, text in files.items():
        yield WriteFile("provision", name, text)


def _why_none(device: Mapping[str, Any]) -> str:
    if not has_address(device):
        address = device["device_address"]
        return "no file without an address" if address == NO_ADDRESS else f"no file: {address!r} is no MAC address"
    if not family(device):
        return "no template: the vendor is not known"
    return f"no template for vendor {device['device_vendor'] or family(device)}"


def _used_elsewhere(change: Change, address: str) -> bool:
    """Whether the files of an address are another device's by now."""
    return change.row("address_used", device_uuid=change.uuid, device_address=address) is not None


def _values(change: Change, device: Mapping[str, Any]) -> dict[str, Any]:
    """What templates see; docs/provisioning.md lists it.

    A device with an alternate shows that one's lines, keys, settings and labels while it is enabled, as in
    FusionPBX: somebody works at another desk today.
    """
    source = device
    if device["device_uuid_alternate"]:
        alternate = change.row("get", device_uuid=UUID(device["device_uuid_alternate"]))
        if alternate is not None and alternate["device_enabled"] == "true":
            source = alternate
    names = {"domain_name": change.domain_name}
    profile = UUID(source["device_profile_uuid"]) if source["device_profile_uuid"] else None
    of_source = {"device_uuid": source["device_uuid"], "device_profile_uuid": profile}
    settings = {
        row["name"]: _expand(row["value"].replace("{$domain_name}", "${domain_name}"), names)
        for row in change.rows("provision_settings", **of_source)
    }
    accounts = _accounts(source["device_lines"])
    keys = _phone_keys(change.rows("provision_keys", vendors=key_vendors(device), **of_source), accounts, names)
    address = str(device["device_address"]).lower()
    shown = ("device_label", "device_location", "device_description", "device_firmware_version")
    return {
        "mac": address,
        "MAC": address.upper(),
        "model": model(device),
        "domain_name": change.domain_name,
        "device": {
            **{name: value for name, value in device.items() if name not in _PARTS},
            **{name: source[name] for name in shown},
        },
        "lines": list(accounts.values()),
        "accounts": accounts,
        "keys": keys,
        "settings": settings,
        "admin": {
            "name": device["device_username"] or settings.get("admin_name", ""),
            "password": device["device_password"] or settings.get("admin_password", ""),
        },
    }


def _accounts(lines: Iterable[Mapping[str, str]]) -> dict[int, dict[str, str]]:
    """The enabled lines by number, completed."""
    accounts = {}
    for line in lines:
        if line["enabled"] != "true" or not re.fullmatch(r"[1-9][0-9]{0,2}", line["line_number"]):
            continue
        transport = line["sip_transport"].lower()
        whole = {
            **line,
            "auth_id": line["auth_id"] or line["user_id"],
            "label": line["label"] or line["display_name"] or line["user_id"],
            "sip_transport": transport if transport in _TRANSPORTS else "tcp",
            "sip_port": "" if transport == "dns srv" else line["sip_port"] or "5060",
            "register_expires": line["register_expires"] or "120",
            "line_keys": "1",
        }
        port = whole["sip_port"]
        whole["registrar"] = _with_port(line["server_address_primary"] or line["server_address"], port)
        whole["registrar_secondary"] = _with_port(line["server_address_secondary"], port)
        whole["proxy"] = _with_port(line["outbound_proxy_primary"], port)
        whole["proxy_secondary"] = _with_port(line["outbound_proxy_secondary"], port)
        accounts[int(line["line_number"])] = whole
    return dict(sorted(accounts.items()))


def _with_port(host: str, port: str) -> str:
    """``host:port``, where the host does not bring its own."""
    if not host or not port or re.search(r"[^:]:\d+$|\]:\d+$", host):
        return host
    return f"{host}:{port}"


def _phone_keys(
    rows: Iterable[Mapping[str, str]], accounts: Mapping[int, dict[str, str]], names: Mapping[str, str]
) -> list[dict[str, str]]:
    """The keys by category and number, the device's own instead of the profile's, with variables filled in."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        if not row["device_key_id"]:
            continue
        key = dict(row)
        line = key["device_key_line"]
        account = accounts.get(int(line), {}) if line.isdecimal() else {}
        known = {name: account[name] for name in _LINE_VARIABLES if account} | dict(names)
        if key["device_key_type"] == "line" and account:
            account["line_keys"] = key["device_key_value"] or "1"
        number = key["device_key_value"] if key["device_key_value"].isdecimal() else ""
        caller = key.pop("caller_id_name") if number else ""
        label = {"caller_id_name": caller, "extension": number, "user": number}
        key["device_key_label"] = _expand(key["device_key_label"], label)
        for column in ("device_key_value", "device_key_extension", "device_key_label", "device_key_icon"):
            key[column] = _expand(key[column], known)
        category, _, module = key["device_key_category"].partition("-")
        key["module"] = (module or "1") if category == "expansion" else ""
        found[key["device_key_category"], key["device_key_id"]] = key
    return list(found.values())


def _expand(text: str, names: Mapping[str, str]) -> str:
    """Fill in ``${name}`` where the name is known."""
    return re.sub(r"\$\{(\w+)\}", lambda match: names.get(match[1], match[0]), text)


devices = Resource(
    name="devices",
    label="Device",
    id="device_uuid",
    schema=Device,
    table="v_devices",
    app_uuid=UUID("4efa1a1a-32e7-bf83-534b-6c8299958a8e"),
    row=(
        "device_uuid",
        "device_address",
        "device_vendor",
        "device_model",
        "device_enabled",
        "device_label",
        "device_description",
    ),
    search=(
        "address_spellings",
        "device_label",
        "device_vendor",
        "device_model",
        "device_template",
        "device_description",
    ),
    sort={
        "device_address": Sort("device_address", "text"),
        "device_label": Sort("device_label"),
        "device_vendor": Sort("device_vendor"),
        "device_model": Sort("device_model"),
        "device_template": Sort("device_template"),
        "device_description": Sort("device_description"),
    },
    filters=(
        "device_address",
        "device_vendor",
        "device_model",
        "device_label",
        "device_template",
        "device_location",
        "device_serial_number",
        "device_enabled",
        "device_profile_uuid",
        "device_user_uuid",
    ),
    indexes=(
        "v_devices (lower(device_address))",
        "v_device_lines (domain_uuid, user_id)",
        "v_device_keys (domain_uuid, device_key_value)",
    ),
    unique=(Unique(("device_address",), everywhere=True, free=(NO_ADDRESS,)),),
    limit="devices",
    prepare=prepare,
    store=store,
    remove=remove,
    keep=("device_address", "device_vendor", "device_template", "device_model"),
    effects=effects,
)

plugin = Plugin(name="devices", version="1.0.0", resources=(devices,))
