"""The events that follow from a resource's declaration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pbxapi.plugin.declaration import EventType
from pbxapi.plugin.resource import PAST

if TYPE_CHECKING:
    from pbxapi.plugin.loader import LoadedResource

_UUID = {"type": "string", "format": "uuid"}


def change_events(resource: LoadedResource) -> Iterator[EventType]:
    """One for each of create, update and delete that a resource offers."""
    declaration = resource.declaration
    for action in declaration.changes:
        words = f"{declaration.label} {PAST[action]}."
        yield EventType(declaration.event(action), words, _schema(resource, action))


def _schema(resource: LoadedResource, action: str) -> dict[str, Any]:
    record: dict[str, Any] = {name: {} for name in resource.told}
    return {
        "type": "object",
        "properties": {
            "change_id": _UUID,
            "resource": {"const": resource.declaration.name},
            "action": {"const": action},
            "uuid": _UUID,
            "changed": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Names of the fields that an update changed.",
            },
            "record": {
                "type": "object",
                "properties": record,
                "description": "What a list shows of the record, as far as the write knows it; before a delete.",
            },
        },
        "required": ["change_id", "resource", "action", "uuid", "changed", "record"],
    }
