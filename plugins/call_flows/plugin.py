"""Call flows: a number that leads to one of two places, and a feature code that switches between them.

FusionPBX's script (call_flow.lua) reads the row at every call and executes what stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pbxapi_plugins.dialplans.owned import OwnedDialplan
from pbxapi_plugins.dialplans.targets import check_own_context, check_sound, check_target

from pbxapi.plugin import Call, Plugin, Record, Resource, Sort, Text, TrueFalse, fields, invalid
from pbxapi.plugin.dialling import NUMBER
from pbxapi.xml import call_flow_dialplan

APP = UUID("b1b70f85-6b42-429b-8c5a-60c8b02b7d14")

_TARGETS = (("call_flow_app", "call_flow_data"), ("call_flow_alternate_app", "call_flow_alternate_data"))
_SOUNDS = ("call_flow_sound", "call_flow_alternate_sound")


class CallFlow(Record):
    call_flow_uuid = fields.UUID(dump_only=True)
    call_flow_name = Text(load_default="")
    call_flow_extension = Text(required=True, max=64, pattern=NUMBER, expected="a number that can be dialled")
    call_flow_feature_code = Text(
        max=64,
        pattern=r"[0-9*#][0-9A-Za-z*#._-]*",
        expected="a code that can be dialled, such as *30",
        load_default="",
    )
    call_flow_status = TrueFalse(
        load_default="true",
        metadata={"description": "Which place counts: `true` the first, `false` the alternate."},
    )
    call_flow_pin_number = Text(
        max=32, pattern="[0-9]+", expected="digits", secret=True, load_default="", label="Call flow PIN number"
    )
    call_flow_label = Text(load_default="")
    call_flow_sound = Text(load_default="")
    call_flow_app = Text(required=True, max=64)
    call_flow_data = Text(max=1000, load_default="")
    call_flow_alternate_label = Text(load_default="")
    call_flow_alternate_sound = Text(load_default="")
    call_flow_alternate_app = Text(max=64, load_default="")
    call_flow_alternate_data = Text(max=1000, load_default="")
    call_flow_context = Text(load_default="")
    call_flow_enabled = TrueFalse(load_default="true")
    call_flow_description = Text(load_default="")
    dialplan_uuid = fields.UUID(dump_only=True)


dialplan = OwnedDialplan(prefix="call_flow", app=APP, order=333, xml=lambda _, record: call_flow_dialplan(record))


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """Fill what was left out, and check the code, the places and the sounds."""
    before: Mapping[str, Any] = old or {}
    record["call_flow_name"] = record["call_flow_name"] or record["call_flow_extension"]
    check_own_context(call, record, before, "call_flow_context")
    code = record["call_flow_feature_code"]
    if code and code == record["call_flow_extension"]:
        raise invalid("call_flow_feature_code must differ from the extension", "call_flow_feature_code")
    for target in _TARGETS:
        if any(record[column] != before.get(column) for column in target):
            check_target(call, record[target[0]], record[target[1]], target)
    for sound in _SOUNDS:
        if record[sound] != before.get(sound):
            check_sound(call, record[sound], sound)
    dialplan.prepare(call, record, old)


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """The dialplan."""
    dialplan.store(call, record)


call_flows = Resource(
    name="call-flows",
    label="Call flow",
    id="call_flow_uuid",
    schema=CallFlow,
    table="v_call_flows",
    sql="call_flows",
    uses=OwnedDialplan.USES,
    app_uuid=APP,
    row=(
        "call_flow_uuid",
        "call_flow_name",
        "call_flow_extension",
        "call_flow_feature_code",
        "call_flow_status",
        "call_flow_label",
        "call_flow_alternate_label",
        "call_flow_enabled",
        "call_flow_description",
    ),
    search=("call_flow_name", "call_flow_extension", "call_flow_feature_code", "call_flow_description"),
    sort={
        "call_flow_name": Sort("call_flow_name"),
        "call_flow_extension": Sort("call_flow_extension"),
        "call_flow_feature_code": Sort("call_flow_feature_code"),
        "call_flow_description": Sort("call_flow_description"),
    },
    filters=(
        "call_flow_name",
        "call_flow_extension",
        "call_flow_feature_code",
        "call_flow_status",
        "call_flow_enabled",
    ),
    numbers=("call_flow_extension", "call_flow_feature_code"),
    prepare=prepare,
    store=store,
    remove=dialplan.remove,
    keep=dialplan.kept,
    effects=dialplan.effects,
)

plugin = Plugin(name="call-flows", version="1.0.0", resources=(call_flows,))
