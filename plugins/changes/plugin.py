"""Changes: what became of a write on the switch nodes.

A batch is answered by get like a change: pending until all of its changes are applied, failed once one has.
"""

from pbxapi.plugin import (
    Answer,
    ApiError,
    Call,
    Nested,
    Operation,
    Plugin,
    Record,
    Resource,
    Sort,
    Text,
    TrueFalse,
    fields,
)


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
    domain_uuid = fields.UUID(dump_only=True)
    domain_name = Text(dump_only=True)
    error = Text(dump_only=True, metadata={"description": "why it failed or waits, on the first such node"})
    nodes = Nested(NodeState, many=True, dump_only=True)


class Which(Record):
    all_domains = TrueFalse(metadata={"description": "Of every domain that the key opens, instead of one."})


class Retried(Record):
    change_id = fields.UUID()
    nodes = fields.List(Text(), metadata={"description": "The nodes that try it again."})


def retry(call: Call) -> Answer:
    """Have a change, or all of a batch, tried again at once where it failed or waits for its next attempt.

    Raises:
        ApiError: 409 where it is applied everywhere.
    """
    nodes = call.value("retry", change_id=call.uuid)
    if not nodes:
        raise ApiError(409, "NOTHING_TO_RETRY", "The change waits for no node and failed on none")
    return Answer({"change_id": call.uuid, "nodes": nodes}, message="Change is tried again")


changes = Resource(
    name="changes",
    label="Change",
    id="change_id",
    schema=Change,
    standard=("list", "get"),
    operations=(
        Operation(
            "retry",
            retry,
            ("POST",),
            "item",
            path="retry",
            answer=Retried,
            writes=True,
            summary="Try a change again that failed or waits",
        ),
    ),
    query=Which,
    sort={"created_at": Sort("noted_at", "time")},
    order="-created_at",
    filters=("state", "resource", "action", "record_uuid", "batch_id"),
)

plugin = Plugin(name="changes", version="1.0.0", resources=(changes,))
