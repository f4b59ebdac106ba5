"""Call blocks: callers, or numbers called, that a domain or one extension turns away.

FusionPBX's script (app/call_block/index.lua) reads the rows at every call, where the domain's dialplan
`call_block` runs it; that one is shipped disabled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pbxapi.plugin import (
    Call,
    Change,
    Digits,
    Effect,
    Link,
    Plugin,
    Record,
    Refresh,
    Resource,
    Sort,
    Text,
    TrueFalse,
    clear_cache,
    fields,
    invalid,
)

_ENDS = ("reject", "busy", "hold")
_PLACES = ("extension", "ivr", "ring_group", "voicemail")
_CACHED_NUMBER = re.compile(r"[0-9.]{1,64}")


class BlockedNumber(Text):
    """A number, or how numbers begin. The switch compares it with and without a plus: it is stored without."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.removeprefix("+")


class CallBlock(Record):
    call_block_uuid = fields.UUID(dump_only=True)
    call_block_direction = Text(
        label="Direction", pattern="inbound|outbound", expected="inbound or outbound",
        load_default="inbound", metadata={"enum": ["inbound", "outbound"]},
    )  # fmt: skip
    extension_uuid = Link("v_extensions", "extension_uuid", load_default="", label="Extension")
    call_block_name = Text(label="Caller ID name", load_default="")
    call_block_country_code = Digits(label="Country code", low=1, high=9999, load_default="")
    call_block_number = BlockedNumber(
        label="Number", max=32, pattern=r"\+?[0-9]{1,31}", expected="digits, with or without a leading +",
        load_default="",
    )  # fmt: skip
    call_block_app = Text(
        label="Action", pattern="|".join((*_ENDS, *_PLACES)), expected=f"one of {', '.join((*_ENDS, *_PLACES))}",
        load_default="reject", metadata={"enum": [*_ENDS, *_PLACES]},
    )  # fmt: skip
    call_block_data = Text(
        label="Destination", max=64, pattern=r"[0-9A-Za-z*#+._-]+", expected="a number", load_default=""
    )
    call_block_enabled = TrueFalse(load_default="true")
    call_block_description = Text(load_default="")
    call_block_count = fields.Integer(dump_only=True, metadata={"description": "Calls that it turned away."})
    date_added = Text(dump_only=True, metadata={"description": "Seconds since 1970, when it was made."})


def prepare(call: Call, record: dict[str, Any], old: Mapping[str, Any] | None) -> None:
    """What schemas cannot check: that it means something, and that the calls stay in the domain."""
    for name, default in (("call_block_direction", "inbound"), ("call_block_app", "reject")):
        record[name] = record[name] or default
    if not (record["call_block_name"] or record["call_block_number"]):
        raise invalid("Number is required where there is no caller ID name", "call_block_number")
    target = (record["call_block_app"], record["call_block_data"])
    if old is not None and target == (old["call_block_app"], old["call_block_data"]):
        return
    app, data = target
    if app in _ENDS and "call_block_data" in call.data and data:
        raise invalid(f"Destination must be empty where the action is {app}", "call_block_data")
    if app in _ENDS:
        record["call_block_data"] = ""
    elif not data:
        raise invalid(f"Destination is required where the action is {app}", "call_block_data")
    elif call.row("destination", app=app, number=data) is None:
        raise invalid(f"Destination is no {app.replace('_', ' ')} of this domain", "call_block_data")


def store(call: Call, record: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """An enabled block needs the dialplan that runs the script."""
    if record["call_block_enabled"] != "true":
        return
    if call.run("enable_dialplans"):
        call.warn("The dialplan call_block of the domain was disabled, and is enabled now")
    elif not call.rows("dialplans"):
        call.warn("The domain has no dialplan call_block: without it no call is blocked")


def effects(change: Change) -> Iterator[Effect]:
    """What FusionPBX clears for a number, and what serves the dialplan that may have been enabled."""
    for number in cached_numbers(change):
        yield clear_cache(f"app:call_block:{change.domain_name}:{number}")
    if change.current is None or change.current["call_block_enabled"] != "true":
        return
    for dialplan in change.rows("dialplans"):
        if dialplan["dialplan_context"]:
            yield clear_cache(f"dialplan:{dialplan['dialplan_context']}")
        yield Refresh("dialplans", dialplan["dialplan_uuid"])


def cached_numbers(change: Change) -> list[str]:
    """The numbers before and after, with their country codes; of older rows only what can be part of a key."""
    found = [f"{r.get('call_block_country_code') or ''}{r.get('call_block_number') or ''}"
             for r in (change.old, change.current or {})]  # fmt: skip
    return [number for number in dict.fromkeys(found) if _CACHED_NUMBER.fullmatch(number)]


call_block = Resource(
    name="call-block",
    label="Call block",
    id="call_block_uuid",
    schema=CallBlock,
    table="v_call_block",
    sql="call_block",
    app_uuid=UUID("9ed63276-e085-4897-839c-4f2e36d92d6c"),
    row=(
        "call_block_uuid",
        "call_block_direction",
        "extension_uuid",
        "call_block_name",
        "call_block_country_code",
        "call_block_number",
        "call_block_app",
        "call_block_data",
        "call_block_count",
        "call_block_enabled",
        "call_block_description",
    ),
    search=("call_block_number", "call_block_name", "call_block_description"),
    sort={
        "call_block_number": Sort("call_block_number"),
        "call_block_name": Sort("call_block_name"),
        "call_block_direction": Sort("call_block_direction"),
        "call_block_app": Sort("call_block_app"),
        "call_block_description": Sort("call_block_description"),
        "call_block_count": Sort("call_block_count", "number"),
    },
    filters=(
        "call_block_direction",
        "extension_uuid",
        "call_block_name",
        "call_block_number",
        "call_block_app",
        "call_block_enabled",
    ),
    prepare=prepare,
    store=store,
    keep=("call_block_country_code", "call_block_number"),
    effects=effects,
)

plugin = Plugin(name="call-block", version="1.0.0", resources=(call_block,))
