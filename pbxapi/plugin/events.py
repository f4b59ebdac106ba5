"""Types of events: those that follow from a resource's declaration, and which of them a caller may read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pbxapi.data.events import like_of
from pbxapi.errors import forbidden, invalid
from pbxapi.plugin.call import Caller
from pbxapi.plugin.declaration import EventType
from pbxapi.plugin.resource import PAST

if TYPE_CHECKING:
    from pbxapi.plugin.loader import LoadedResource

__all__ = ["change_events", "like_of", "readable_types", "type_pattern"]

_UUID = {"type": "string", "format": "uuid"}


def change_events(resource: LoadedResource) -> Iterator[EventType]:
    """One for each of create, update and delete that a resource offers."""
    declaration = resource.declaration
    for action in declaration.changes:
        words = f"{declaration.label} {PAST[action]}."
        yield EventType(declaration.event(action), words, _schema(resource, action), f"{declaration.name}:read")


_PATTERN = re.compile(r"[a-z0-9.-]{0,80}(?:\*[a-z0-9.-]{0,80}){0,2}")


def type_pattern(pattern: str) -> re.Pattern[str]:
    """``extension.*`` as an expression that is matched with a type's full name.

    Raises:
        ApiError: 400 where it is no pattern.
    """
    if not _PATTERN.fullmatch(pattern):
        raise invalid(
            "types must be names such as extension.created, or patterns such as extension.* with at most two *",
            "types",
        )
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.S)


def readable_types(
    types: Mapping[str, EventType], caller: Caller, patterns: Sequence[str] = ()
) -> tuple[str, ...] | None:
    """The types that a caller asks for and may read, or patterns of them; None for every type.

    Args:
        types: all that may be told, by name.
        patterns: such as ``extension.*``; empty for all that may be read.

    Raises:
        ApiError: 400 for a pattern that is none or means nothing, 403 for one of which the key may read nothing.
    """
    found: dict[str, None] = {}
    for pattern in patterns or ("*",):
        matches = type_pattern(pattern).fullmatch
        named = [event for name, event in types.items() if matches(name)]
        if not named:
            raise invalid(f"there is no type of event {pattern}: GET /events/types names all", "types")
        readable = [event.name for event in named if caller.may(event.scope)]
        if not readable and patterns:
            raise forbidden(f"The key lacks the scope {named[0].scope}", "types")
        found |= dict.fromkeys(readable)
    if caller.scopes is None:
        # What an older version has told may have a type that nobody declares any more.
        return tuple(patterns) or None
    return tuple(found)


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
