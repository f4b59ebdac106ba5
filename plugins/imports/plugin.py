"""Imports: how far each has come, and what became of each line."""

from pbxapi.plugin import (
    Job,
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
from pbxapi.plugin.imports import JOB, go_on


class Import(Record):
    import_uuid = fields.UUID(dump_only=True)
    resource = Text(dump_only=True)
    state = Text(dump_only=True, metadata={"enum": ["running", "finished", "failed"]})
    dry_run = TrueFalse(dump_only=True)
    lines = fields.Integer(dump_only=True, metadata={"description": "In all."})
    created = fields.Integer(
        dump_only=True, metadata={"description": "Done so far; of a dry run, those that could be."}
    )
    refused = fields.Integer(dump_only=True)
    error = Text(dump_only=True, metadata={"description": "Why it was given up."})
    created_at = Text(dump_only=True)
    finished_at = Text(dump_only=True)


class Line(Record):
    line_uuid = fields.UUID(dump_only=True)
    line = fields.Integer(dump_only=True, metadata={"description": "In the file, from 1."})
    status = Text(dump_only=True, metadata={"enum": ["created", "valid", "refused"]})
    record_uuid = Text(dump_only=True)
    field = Text(dump_only=True)
    code = Text(dump_only=True)
    message = Text(dump_only=True)


imports = Resource(
    name="imports",
    label="Import",
    id="import_uuid",
    schema=Import,
    standard=("list", "get"),
    sort={"created_at": Sort("begun_at", "time")},
    order="-created_at",
    filters=("state", "resource"),
    operations=(
        Operation(
            "lines",
            list_records,
            on="item",
            path="lines",
            rows=Rows(
                statement="lines",
                id="line_uuid",
                schema=Line,
                search=("message",),
                sort={"line": Sort("line", "number")},
                filters=("status", "field"),
            ),
            summary="List what became of each line",
        ),
    ),
)

plugin = Plugin(
    name="imports",
    version="1.0.0",
    resources=(imports,),
    jobs={JOB: Job(go_on, timeout=60.0)},
)
