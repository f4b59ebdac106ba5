"""Destinations: the numbers that callers dial, each with the dialplan that it owns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

from pbxapi_plugins.dialplans.dialplans import (
    as_rows,
    clear_contexts,
    fault,
    file_effects,
    is_single,
    write_details,
)
from pbxapi_plugins.dialplans.schemas import INBOUND_APP

from pbxapi.plugin import (
    Call,
    Change,
    ClearCacheBelow,
    Effect,
    Operation,
    Plugin,
    Resource,
    Rows,
    Sort,
    clear_cache,
    duplicate,
    invalid,
    list_records,
)
from pbxapi.plugin.dialling import check_action, check_actions, check_context
from pbxapi.xml import InvalidValue, destination_details, destination_dialplan, is_public, number_regex

from .numbers import bare_number, dialled_forms, is_pattern, outside_contexts, whole_forms
from .schemas import Destination, DestinationRow

LOCAL_APP = UUID("b5242951-686f-448f-8b4e-5031ba0601a4")

_FIRST_TWO = (
    ("destination_app", "destination_data"),
    ("destination_alternate_app", "destination_alternate_data"),
)
_NUMBER = ("destination_number", "destination_prefix", "destination_trunk_prefix", "destination_area_code")
_SETTINGS = ("destinations/dialplan_details", "dialplan/destination", "call_recordings/record_extension")
_VARIABLES = {
    "destination_hold_music": "hold_music",
    "destination_ringback": "ringback",
    "destination_accountcode": "accountcode",
}
_NOT_IN_THE_XML = frozenset(
    {
        "destination_enabled",
        "destination_description",
        "destination_order",
        "destination_caller_id_name",
        "destination_caller_id_number",
        "destination_type_voice",
        "destination_type_fax",
        "destination_type_text",
        "destination_type_emergency",
        "destination_email",
        "user_uuid",
        "group_uuid",
    }
)


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what was left out, check what schemas cannot, and claim the number."""
    context = record["destination_context"]
    if not context:
        raise invalid("Destination context is required", "destination_context")
    if old is None or context != old["destination_context"]:
        check_context(call, context, "destination_context")
    _complete_actions(call, record, old)
    _check_fence(call, record, old)
    try:
        record["destination_number_regex"] = number_regex(*(record.get(column, "") for column in _NUMBER))
    except InvalidValue as error:
        raise fault(error, "destination_number") from None
    if record["destination_type"] == "outbound":
        record["dialplan_uuid"] = record["dialplan_name"] = ""
    else:
        record["dialplan_uuid"] = record.get("dialplan_uuid") or str(uuid4())
        record["dialplan_name"] = _dialplan_name(record, old)
        _claim_number(call, record, old)


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The lists, and the dialplan that the destination owns."""
    changed = {name for name, value in record.items() if old is None or old.get(name) != value}
    if changed & {"destination_actions", "destination_conditions"}:
        actions, conditions = record["destination_actions"], record["destination_conditions"]
        call.do(
            "set_lists",
            destination_uuid=record["destination_uuid"],
            actions=json.dumps(actions) if actions else None,
            conditions=json.dumps(conditions) if conditions else None,
        )
    if record["destination_type"] != "outbound":
        _write_dialplan(call, record, rebuild=not changed <= _NOT_IN_THE_XML)
    elif old is not None and old["dialplan_uuid"]:
        _delete_dialplan(call, old["dialplan_uuid"])


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """The dialplan goes with the destination."""
    if record["dialplan_uuid"]:
        _delete_dialplan(call, record["dialplan_uuid"])


def effects(change: Change) -> Iterator[Effect]:
    """The cache entries of the old and the new context and number go; the dialplan's file follows."""
    current = change.current
    rows = [row for row in (change.old, current) if row]
    yield from clear_contexts(change.values("destination_context"))
    if is_single(change.row("dialplans/mode")):
        for row in rows:
            for context in outside_contexts(change.domain_name, row["destination_context"]):
                if is_pattern(row["destination_number"]):
                    yield ClearCacheBelow(f"dialplan:{context}:")
                for number in dialled_forms(row):
                    yield clear_cache(f"dialplan:{context}:{number}")
    if "dialplan" in change.folders:
        for uuid in change.values("dialplan_uuid"):
            dialplan = change.row("dialplans/get", dialplan_uuid=UUID(uuid), apps=None)
            places = [_place(row) for row in rows if row["dialplan_uuid"] == uuid]
            yield from file_effects(change, UUID(uuid), places, dialplan)


def _place(destination: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dialplan_context": destination["destination_context"],
        "dialplan_order": destination["destination_order"],
        "dialplan_name": destination["dialplan_name"],
    }


def _complete_actions(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """The list of actions and FusionPBX's older columns for the first two say the same."""
    actions = record["destination_actions"]
    columns = {name for pair in _FIRST_TWO for name in pair}
    listed = actions != (old["destination_actions"] if old is not None else [])
    if not listed and any(record[name] != (old[name] if old is not None else "") for name in columns):
        for app, data in _FIRST_TWO:
            if record[data] and not record[app]:
                raise invalid(f"{data} needs {app}", app)
        first = [
            {"destination_app": record[app], "destination_data": record[data]}
            for app, data in _FIRST_TWO
            if record[app]
        ]
        record["destination_actions"] = actions = first + actions[2:]
        listed = True
    if listed:
        for place, (app, data) in enumerate(_FIRST_TWO):
            action = actions[place] if place < len(actions) else {}
            record[app] = action.get("destination_app", "")
            record[data] = action.get("destination_data", "")


def _check_fence(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    before: Mapping[str, Any] = old or {}
    actions = record["destination_actions"]
    if actions != before.get("destination_actions"):
        listed = bool(call.data.get("destination_actions"))

        def fields(number: int) -> tuple[str, str]:
            place = f"destination_actions.{number}."
            return (f"{place}destination_app", f"{place}destination_data") if listed else _FIRST_TWO[number]

        check_actions(call, [(a["destination_app"], a["destination_data"]) for a in actions], fields)
    conditions = record["destination_conditions"]
    if conditions != before.get("destination_conditions"):
        for place, condition in enumerate(conditions):
            field = f"destination_conditions.{place}.condition_data"
            check_action(call, condition["condition_app"], condition["condition_data"], field)
    for column, variable in _VARIABLES.items():
        value = record.get(column)
        if value and value != before.get(column):
            check_actions(call, [("export", f"{variable}={value}")], column)


def _dialplan_name(record: Mapping[str, Any], old: Mapping[str, Any] | None) -> str:
    """The name that was given, else the number; it follows the number until somebody gives one."""
    name = str(record["dialplan_name"])
    if old is not None and name in (old["dialplan_name"], "") and old["dialplan_name"] in ("", _shown(old)):
        return _shown(record)
    return name or _shown(record)


def _shown(destination: Mapping[str, Any]) -> str:
    return f"{destination.get('destination_area_code', '')}{destination['destination_number']}"


def _claim_number(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """409 where the number is a destination already, on the whole system."""
    parts = ("destination_type", *_NUMBER)
    if old is not None and all(record.get(part) == old.get(part) for part in parts):
        return
    unique = call.row("unique")
    if unique is not None and unique["value"] == "true":
        call.lock("destinations")
        taken = call.row(
            "taken",
            own=call.uuid,
            local="true" if record["destination_type"] == "local" else "false",
            whole=whole_forms(record),
            number=bare_number(record),
        )
        if taken is not None:
            raise duplicate("Destination already exists", "destination_number")
    outside = record["destination_type"] == "inbound" and is_public(record["destination_context"])
    if outside and is_pattern(record["destination_number"]) and is_single(call.row("dialplans/mode")):
        call.warn(
            "The switch looks calls from outside up by their exact number (setting destinations/dialplan_mode is "
            "single): a pattern is never found"
        )


def _write_dialplan(call: Call, record: Mapping[str, Any], *, rebuild: bool) -> None:
    uuid = record["dialplan_uuid"]
    dialplan: dict[str, Any] = {
        "dialplan_uuid": uuid,
        "app_uuid": LOCAL_APP if record["destination_type"] == "local" else INBOUND_APP,
        "dialplan_context": record["destination_context"],
        "dialplan_name": record["dialplan_name"],
        "dialplan_number": _shown(record),
        "dialplan_order": record["destination_order"],
        "dialplan_enabled": record["destination_enabled"],
        "dialplan_description": record["destination_description"],
    }
    if not rebuild and call.run("update_dialplan", **dialplan, dialplan_xml=None):
        return
    settings = call.settings(*_SETTINGS)
    fax = call.row("fax", fax_uuid=record["fax_uuid"]) if record["fax_uuid"] else None
    made: dict[str, Any] = {
        "domain_uuid": call.caller.domain_uuid,
        "domain_name": call.caller.domain_name,
        "fax_extension": fax["fax_extension"] if fax else None,
        "condition_field": settings.get("dialplan/destination"),
        "record_extension": settings.get("call_recordings/record_extension", "mp3"),
    }
    try:
        xml = destination_dialplan(record, name=record["dialplan_name"], dialplan_uuid=uuid, **made)
        details = as_rows(destination_details(record, **made))
    except InvalidValue as error:
        raise fault(error, "destination_actions") from None
    if not call.run("update_dialplan", **dialplan, dialplan_xml=xml):
        new = {"hostname": "", "dialplan_destination": "false", "dialplan_continue": "false", "dialplan_xml": xml}
        call.do("dialplans/create", **new, **dialplan)
    write_details(call, uuid, details if settings.on("destinations/dialplan_details") else [], "dialplans/")


def _delete_dialplan(call: Call, uuid: str) -> None:
    call.do("dialplans/delete_details", dialplan_uuid=uuid)
    call.do("dialplans/delete", dialplan_uuid=uuid)


rows = Rows(
    statement="list",
    id="destination_uuid",
    schema=DestinationRow,
    row=(
        "destination_uuid",
        "destination_type",
        "destination_number",
        "destination_prefix",
        "destination_context",
        "destination_enabled",
        "destination_description",
        "destination_order",
        "dialplan_uuid",
    ),
    search=("destination_number", "destination_prefix", "destination_context", "destination_description"),
    sort={
        "destination_number": Sort("destination_number"),
        "destination_type": Sort("destination_type"),
        "destination_context": Sort("destination_context"),
        "destination_description": Sort("destination_description"),
        "destination_order": Sort("destination_order", "number"),
    },
    filters=(
        "destination_type",
        "destination_number",
        "destination_prefix",
        "destination_context",
        "destination_enabled",
        "destination_order",
        "dialplan_uuid",
    ),
)

destinations = Resource(
    name="destinations",
    label="Destination",
    id="destination_uuid",
    schema=Destination,
    table="v_destinations",
    app_uuid=UUID("5ec89622-b19c-3559-64f0-afde802ab139"),
    uses=("dialplans",),
    limit="destinations",
    settings=_SETTINGS,
    operations=(Operation("list", list_records, rows=rows, summary="List destinations"),),
    prepare=prepare,
    store=store,
    remove=remove,
    keep=(
        "destination_number",
        "destination_prefix",
        "destination_trunk_prefix",
        "destination_area_code",
        "destination_context",
        "destination_order",
        "dialplan_uuid",
        "dialplan_name",
    ),
    effects=effects,
)

plugin = Plugin(name="destinations", version="1.0.0", resources=(destinations,))
