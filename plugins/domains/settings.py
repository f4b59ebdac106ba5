"""A domain's settings: listed, and written all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pbxapi.plugin import REDACTED, TIME_ZONE, Answer, Call, Change, Effect, Refresh, clear_cache, invalid
from pbxapi.xml import Detail, InvalidValue, from_details

from .fence import check_reach, check_value, is_secret

Setting = dict[str, Any]

_NEW = {"value": "", "order": "", "enabled": "true", "description": ""}


def list_settings(call: Call) -> Answer:
    """All settings that the domain has of its own."""
    _act_for_domain(call)
    return Answer(_shown(call))


def put_settings(call: Call) -> Answer:
    """Change and add what was sent, keep the rest; answers all."""
    _act_for_domain(call)
    written = _write(call)
    if written:
        assert call.uuid is not None
        old, new = ([setting for setting in side if setting] for side in zip(*written, strict=True))
        changed = list(dict.fromkeys("/".join(_key(setting)[:3]) for setting in new))
        if any(key.startswith(f"{TIME_ZONE}/") for key in changed):
            _set_zone(call)
        call.audit("update", _document(call, old), _document(call, new))
        call.note_change("update", call.uuid, {"settings": changed})
    return Answer(_shown(call), message="Domain settings updated successfully", warnings=call.warnings)


def effects(change: Change) -> Iterator[Effect]:
    """What FusionPBX's scripts remember of the settings, and what was made of them, goes."""
    changed: list[str] = change.old.get("settings", [])
    for key in changed:
        yield clear_cache(f"setting:{change.domain_name}:{key.replace('/', ':')}")
    settings = {key.rpartition("/")[0] for key in changed}
    if "domain/dial_string" in settings:
        for extension in change.rows("extensions"):
            yield Refresh("extensions", extension["extension_uuid"])
    if TIME_ZONE in settings:
        for dialplan in change.rows("variables_dialplan"):
            yield clear_cache(f"dialplan:{dialplan['context']}")
            yield Refresh("dialplans", dialplan["dialplan_uuid"])
    if any(setting.startswith(("ivr_menu/", "recordings/storage_")) for setting in settings):
        for menu in change.rows("ivr_menus"):
            yield clear_cache(f"configuration:ivr.conf:{menu['ivr_menu_uuid']}")
    if any(setting.startswith("call_center/") for setting in settings):
        yield clear_cache("configuration:callcenter.conf")


def _act_for_domain(call: Call) -> None:
    """From here on the request is one for the domain that it names, which `get.sql` let the key see."""
    assert call.uuid is not None
    call.caller = replace(call.caller, domain_uuid=call.uuid, domain_name=call.record["domain_name"])


def _shown(call: Call) -> list[Setting]:
    hidden = call.config.redact_secrets or not call.caller.may("secrets:read")
    return _masked(call.rows("settings")) if hidden else call.rows("settings")


def _document(call: Call, settings: list[Setting]) -> dict[str, Any]:
    return {"domain_uuid": call.uuid, "domain_settings": _masked(settings)}


def _masked(settings: list[Setting]) -> list[Setting]:
    return [{**s, "value": REDACTED} if s["value"] and is_secret(s) else s for s in settings]


def _key(setting: Mapping[str, Any]) -> tuple[str, ...]:
    """What a setting is known by; of an array each value is a row of its own."""
    key = (setting["category"], setting["subcategory"], setting["name"])
    return (*key, setting.get("value", "")) if setting["name"] == "array" else key


def _write(call: Call) -> list[tuple[Setting | None, Setting]]:
    """Write what was sent; the settings that this changed, each before and after."""
    stored = call.rows("settings")
    written: list[tuple[Setting | None, Setting]] = []
    seen: set[tuple[str, ...]] = set()
    for place, sent in enumerate(call.data["settings"]):
        field = f"settings.{place}"
        if sent["name"] == "boolean" and "value" in sent:
            sent["value"] = sent["value"].lower()
        key = _key(sent)
        if key in seen:
            raise invalid(f"{'/'.join(key[:3])} is there twice", field)
        seen.add(key)
        rows: list[Setting | None] = [row for row in stored if _key(row) == key]
        for row in rows or [None]:
            new = {**(row or {**_NEW, "domain_setting_uuid": uuid4()}), **sent}
            if new == row:
                continue
            check_reach(call, new, field)
            check_value(sent, field)
            call.do("change_setting" if row else "add_setting", **new)
            written.append((row, new))
    return written


def _set_zone(call: Call) -> None:
    """Tell calls the time zone too: FusionPBX keeps it in the dialplan of the domain's variables."""
    zone = call.settings(TIME_ZONE).get(TIME_ZONE, "UTC")
    dialplan = call.row("claim_variables_dialplan")
    if dialplan is None:
        return
    uuid = dialplan["dialplan_uuid"]
    if not call.rows("dialplan_details", dialplan_uuid=uuid):
        call.warn(f"The dialplan {dialplan['name']} has no details: calls keep the time zone that they had")
        return
    call.do("set_zone_detail", dialplan_uuid=uuid, dialplan_detail_uuid=uuid4(), time_zone=zone)
    try:
        xml = from_details(
            dialplan["name"],
            [Detail.from_row(row) for row in call.rows("dialplan_details", dialplan_uuid=uuid)],
            uuid=uuid,
            context=dialplan["context"],
            continue_=dialplan["continue"] == "true",
            domain_uuid=call.caller.domain_uuid,
            domain_name=call.caller.domain_name,
        )
    except InvalidValue as error:
        call.warn(f"The dialplan {dialplan['name']} cannot be built ({error}): calls keep their time zone")
        return
    call.do("set_dialplan_xml", dialplan_uuid=uuid, dialplan_xml=xml)
