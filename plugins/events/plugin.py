"""Events: what happened in the domain, for whoever listens."""

from __future__ import annotations

from typing import Any

from pbxapi.plugin import EventType, Plugin

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


plugin = Plugin(
    name="events",
    version="1.0.0",
    events=(
        EventType("change.applied", "A change is on every switch node.", _applied("applied")),
        EventType("change.failed", "A change was set aside on a switch node.", _applied("failed")),
    ),
)
