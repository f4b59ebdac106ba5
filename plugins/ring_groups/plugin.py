"""Ring groups: a number that rings several others, and the dialplan that makes it one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid4

from pbxapi_plugins.dialplans.owned import OwnedDialplan
from pbxapi_plugins.dialplans.targets import check_own_context, check_sound, check_target

from pbxapi.plugin import Call, Plugin, Resource, Sort, invalid
from pbxapi.plugin.dialling import check_actions
from pbxapi.xml import ring_group_dialplan

from .schemas import RingGroup

APP = UUID("1d61fb65-1eec-bc73-a6ee-a6203b4fe6f2")

_TIMEOUT = ("ring_group_timeout_app", "ring_group_timeout_data")


def _xml(call: Call, record: Mapping[str, Any]) -> str:
    ready = call.settings("ring_group/ring_ready").get("ring_group/ring_ready") != "false"
    return ring_group_dialplan(record, ring_ready=ready)


dialplan = OwnedDialplan(prefix="ring_group", app=APP, order=101, xml=_xml)


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what must not be empty, and check what the script dials, plays and executes."""
    before: Mapping[str, Any] = old or {}
    record["ring_group_strategy"] = record["ring_group_strategy"] or "simultaneous"
    record["ring_group_call_timeout"] = record["ring_group_call_timeout"] or "30"
    # A colon would end the name in the script's dial string.
    record["ring_group_caller_id_name"] = record["ring_group_caller_id_name"].replace(":", "")
    _complete_missed_call(call, record, old)
    if not record["ring_group_forward_destination"]:
        record["ring_group_forward_enabled"] = "false"
    for destination in call.data.get("ring_group_destinations", ()):
        # The script dies of an empty one, and with it the whole group.
        destination["destination_delay"] = destination["destination_delay"] or "0"
        destination["destination_timeout"] = destination["destination_timeout"] or "30"
    record["ring_group_users"] = list(dict.fromkeys(record["ring_group_users"]))
    check_own_context(call, record, before, "ring_group_context")
    _check_numbers(call, record, before)
    if any(record[column] != before.get(column) for column in _TIMEOUT):
        check_target(call, record[_TIMEOUT[0]], record[_TIMEOUT[1]], _TIMEOUT)
    for column in ("ring_group_greeting", "ring_group_wait_announcement"):
        if record[column] != before.get(column):
            check_sound(call, record[column], column)
    ringback = record["ring_group_ringback"]
    if ringback and ringback != before.get("ring_group_ringback"):
        check_actions(call, [("set", f"ringback={ringback}")], "ring_group_ringback")
    dialplan.prepare(call, record, old)


def _complete_missed_call(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    app, data = "ring_group_missed_call_app", "ring_group_missed_call_data"
    if old is not None and call.data.get(app) == "":
        record[data] = ""
    record[app] = (record[app] or "email") if record[data] else ""


def _check_numbers(call: Call, record: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """What is not digits must be an extension: the script takes anything else for a dial string."""
    numbers: dict[str, str] = {}
    if record["ring_group_destinations"] != before.get("ring_group_destinations"):
        for place, destination in enumerate(record["ring_group_destinations"]):
            numbers[f"ring_group_destinations.{place}.destination_number"] = destination["destination_number"]
    if record["ring_group_forward_destination"] != before.get("ring_group_forward_destination", ""):
        numbers["ring_group_forward_destination"] = record["ring_group_forward_destination"]
    for field, number in numbers.items():
        if number == record["ring_group_extension"]:
            raise invalid(f"{field} must not be the ring group's own number: the call would go round", field)
    named = {number for number in numbers.values() if number and not _is_digits(number)}
    known = {row["number"] for row in call.rows("extensions", numbers=list(named))} if named else set()
    for field, number in numbers.items():
        if number in named - known:
            raise invalid(f"{field} must be digits, or an extension of this domain", field)


def _is_digits(number: str) -> bool:
    return number.isascii() and number.isdigit()


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The dialplan, and the lists as far as they were sent."""
    uuid = record["ring_group_uuid"]
    dialplan.store(call, record)
    if old is None or "ring_group_destinations" in call.data:
        call.do("delete_destinations", ring_group_uuid=uuid)
        if rows := _rows(record["ring_group_destinations"]):
            call.do("create_destinations", ring_group_uuid=uuid, rows=json.dumps(rows))
    if old is None or record["ring_group_users"] != old["ring_group_users"]:
        users = [{"ring_group_user_uuid": str(uuid4()), "user_uuid": user} for user in record["ring_group_users"]]
        call.do("delete_users", ring_group_uuid=uuid)
        if users:
            call.do("create_users", ring_group_uuid=uuid, rows=json.dumps(users))


def _rows(destinations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    new = ({**destination, "ring_group_destination_uuid": str(uuid4())} for destination in destinations)
    return [{column: value or None for column, value in row.items()} for row in new]


def remove(call: Call, record: Mapping[str, Any]) -> None:
    """Destinations, users and the dialplan go with the group."""
    uuid = record["ring_group_uuid"]
    call.do("delete_destinations", ring_group_uuid=uuid)
    call.do("delete_users", ring_group_uuid=uuid)
    dialplan.remove(call, record)


ring_groups = Resource(
    name="ring-groups",
    label="Ring group",
    id="ring_group_uuid",
    schema=RingGroup,
    table="v_ring_groups",
    sql="ring_groups",
    uses=OwnedDialplan.USES,
    app_uuid=APP,
    row=(
        "ring_group_uuid",
        "ring_group_name",
        "ring_group_extension",
        "ring_group_strategy",
        "ring_group_forward_enabled",
        "ring_group_forward_destination",
        "ring_group_enabled",
        "ring_group_description",
    ),
    search=("ring_group_name", "ring_group_extension", "ring_group_description"),
    sort={
        "ring_group_name": Sort("ring_group_name"),
        "ring_group_extension": Sort("ring_group_extension"),
        "ring_group_strategy": Sort("ring_group_strategy"),
        "ring_group_description": Sort("ring_group_description"),
    },
    filters=(
        "ring_group_name",
        "ring_group_extension",
        "ring_group_strategy",
        "ring_group_forward_enabled",
        "ring_group_enabled",
    ),
    numbers=("ring_group_extension",),
    limit="ring_groups",
    settings=("ring_group/ring_ready",),
    prepare=prepare,
    store=store,
    remove=remove,
    keep=dialplan.kept,
    effects=dialplan.effects,
)

plugin = Plugin(name="ring-groups", version="1.0.0", resources=(ring_groups,))
