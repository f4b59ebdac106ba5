"""Changes: what became of a write on the switch nodes.

A batch is answered by get like a change: pending until all of its changes are applied, failed once one has.
"""

from pbxapi.plugin import Nested, Plugin, Record, Resource, Sort, Text, fields


class NodeState(Record):
    node = Text()
    state = Text(metadata={"enum": ["pending", "applied", "failed"]})
    error = Text(metadata={"description": "why it failed or waits; once it is applied, what was left out"})
    attempts = fields.Integer()
    applied_at = Text()


class Change(Record):
    change_id = fields.UUID(dump_only=True)
    state = Text(dump_only=True, metadata={"enum": ["pending", "applied", "failed"]})
    resource = Text(dump_only=True)
    action = Text(dump_only=True, metadata={"enum": ["create", "update", "delete", "batch"]})
    batch_id = Text(dump_only=True, metadata={"description": "Of the batch or import that it was part of."})
    record_uuid = fields.UUID(dump_only=True)
    created_at = Text(dump_only=True)
    nodes = Nested(NodeState, many=True, dump_only=True)


changes = Resource(
    name="changes",
    label="Change",
    id="change_id",
    schema=Change,
    standard=("list", "get"),
    sort={"created_at": Sort("noted_at", "time")},
    order="-created_at",
    filters=("state", "resource", "action", "record_uuid", "batch_id"),
)

plugin = Plugin(name="changes", version="1.0.0", resources=(changes,))
