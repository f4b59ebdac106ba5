"""Plugins: what serves the resources, and what is left out and why."""

from pbxapi.plugin import Answer, Call, Operation, Plugin, Record, Resource, Text, fields


class Found(Record):
    name = Text(dump_only=True)
    version = Text(dump_only=True)
    state = Text(dump_only=True, metadata={"enum": ["serves", "left out"]})
    builtin = Text(dump_only=True, metadata={"enum": ["true", "false"]})
    resources = fields.List(Text(), dump_only=True)
    events = fields.List(Text(), dump_only=True)
    origin = Text(dump_only=True)
    error = Text(dump_only=True)


def list_plugins(call: Call) -> Answer:
    """Every plugin; a key that is bound to domains learns nothing of this host's folders, nor of its faults."""
    rows = []
    for found in call.registry.plugins:
        row = {
            "name": found.name,
            "version": found.plugin.version if found.plugin else "",
            "state": "left out" if found.error else "serves",
            "builtin": "true" if found.builtin else "false",
            "resources": [resource.declaration.name for resource in found.resources],
            "events": [event.name for event in found.plugin.events] if found.plugin and not found.error else [],
        }
        if call.caller.domains is None:
            row |= {"origin": found.origin, "error": found.faults}
        rows.append(row)
    return Answer(rows)


plugins = Resource(
    name="plugins",
    label="Plugin",
    id="name",
    schema=Found,
    standard=(),
    operations=(
        Operation("list", list_plugins, answer=Found, many=True, summary="List plugins and what they serve"),
    ),
)

plugin = Plugin(name="plugins", version="1.0.0", resources=(plugins,))
