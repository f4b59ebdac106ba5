"""Events: what happened in the domain, for whoever listens."""

from __future__ import annotations

from typing import Any

from pbxapi.plugin import (
    Answer,
    Call,
    Digits,
    EventStream,
    EventType,
    Nested,
    Operation,
    Plugin,
    Record,
    Resource,
    Rows,
    Sort,
    Text,
    TrueFalse,
    fields,
    list_records,
)
from pbxapi.plugin.events import like_of, readable_types

from .switch import EVENTS

STREAM = "text/event-stream"

_UUID = {"type": "string", "format": "uuid"}


def _applied(state: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "change_id": _UUID,
            "resource": {"type": "string"},
            "action": {"enum": ["create", "update", "delete"]},
            "uuid": _UUID,
            "state": {"const": state},
            "nodes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "node": {"type": "string"},
                        "state": {"enum": ["applied", "failed"]},
                        "error": {"type": ["string", "null"]},
                    },
                },
            },
        },
        "required": ["change_id", "resource", "action", "uuid", "state", "nodes"],
    }


class EventDomain(Record):
    uuid = fields.UUID()
    name = Text()


class Event(Record):
    id = fields.UUID(dump_only=True)
    type = Text(dump_only=True)
    timestamp = Text(dump_only=True)
    sequence = fields.Integer(dump_only=True, metadata={"description": "Its position: larger is later."})
    domain = Nested(EventDomain, dump_only=True, allow_none=True)
    data = fields.Dict(dump_only=True, metadata={"description": "As the schema of its type has it."})


class Which(Record):
    after = Digits(high=2**63 - 1, metadata={"description": "A `sequence`: only what came after it."})
    types = Text(
        max=4000,
        metadata={"description": "Types or patterns, such as `extension.*,change.failed`; all when left out."},
    )
    all_domains = TrueFalse(metadata={"description": "Of every domain that the key opens, instead of one."})


class Type(Record):
    type = Text()
    description = Text()
    scope = Text(metadata={"description": "What a key needs to read it."})
    schema = fields.Dict(metadata={"description": "JSON schema of its `data`."})


def list_events(call: Call) -> Answer:
    """A page of past events, or a stream of those to come; a key reads those types that it has the scopes of."""
    patterns = tuple(part.strip() for part in (call.query.get("types") or "").split(",") if part.strip())
    after = call.query.get("after")
    if call.media == STREAM:
        return EventStream(
            patterns=patterns,
            all_domains=call.query.get("all_domains") == "true",
            after=int(after) if after else None,
        )
    types = readable_types(call.registry.events, call.caller, patterns)
    call.query = {**call.query, "types": None if types is None else [like_of(name) for name in types]}
    return list_records(call)


def list_types(call: Call) -> Answer:
    """The catalogue: every type that may be told."""
    return Answer(
        [
            {"type": event.name, "description": event.description, "scope": event.scope, "schema": event.schema}
            for event in call.registry.events.values()
        ]
    )


events = Resource(
    name="events",
    label="Event",
    id="id",
    schema=Event,
    standard=(),
    operations=(
        Operation(
            "list",
            list_events,
            rows=Rows(
                statement="list",
                id="id",
                schema=Event,
                row=("id", "type", "timestamp", "sequence", "domain", "data"),
                sort={"sequence": Sort("sequence", "whole")},
                query=Which,
                count_most=10_000,
            ),
            media=(STREAM,),
            summary="List past events, or stream those to come",
        ),
        Operation(
            "types", list_types, path="types", answer=Type, many=True, summary="The catalogue of types of events"
        ),
    ),
)

plugin = Plugin(
    name="events",
    version="1.0.0",
    resources=(events,),
    events=(
        EventType("change.applied", "A change is on every switch node.", _applied("applied"), "changes:read"),
        EventType("change.failed", "A change was set aside on a switch node.", _applied("failed"), "changes:read"),
        *EVENTS,
    ),
)
