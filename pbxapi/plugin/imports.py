"""Imports: new records from the lines of a file, each checked as create checks one, a thousand at once.

The first thousand are done in the request, the others by the jobs of the plugin ``imports``, each thousand in a
transaction of its own together with the report of its lines: whatever dies, no line is done twice or forgotten.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
from marshmallow import fields

from pbxapi.data.change import count_waiting
from pbxapi.data.imports import add_import, fail_import, find_import, note_lines, take_part
from pbxapi.data.jobs import add_job
from pbxapi.errors import ApiError, invalid
from pbxapi.plugin.call import Answer, Call, Caller
from pbxapi.plugin.crud import Made, create_all
from pbxapi.plugin.fields import InputError, Record, Text, TrueFalse, load
from pbxapi.plugin.tables import decode_cell, format_of

if TYPE_CHECKING:
    from pbxapi.plugin.declaration import JobRun
    from pbxapi.plugin.loader import LoadedResource

PLUGIN, JOB = "imports", "part"

PART = 1000
"""Lines that are done in one transaction."""

LINES_MOST = 50_000
BODY_MOST = 8 * 1024 * 1024
LINE_MOST = 65_536
SHOWN_MOST = 100
ATTEMPTS = 3
_PAUSE = 2.0

Line = tuple[int, dict[str, Any], str]
"""A line's number from 1, what it holds, and what is wrong with it as a line; an empty text where nothing is."""


class ImportQuery(Record):
    dry_run = TrueFalse(metadata={"description": "`true`: only check, and change nothing."})
    format = Text(
        pattern="csv|ndjson",
        expected="csv or ndjson",
        metadata={"description": "`csv` or `ndjson`; what Content-Type says when left out."},
    )


class ImportedLine(Record):
    line = fields.Integer(metadata={"description": "In the file, from 1; in CSV the header is line 1."})
    status = Text(metadata={"enum": ["created", "valid", "refused"]})
    record_uuid = Text()
    field = Text()
    code = Text()
    message = Text()


class ImportReport(Record):
    import_uuid = fields.UUID()
    state = Text(metadata={"enum": ["running", "finished", "failed"]})
    dry_run = TrueFalse()
    lines = fields.Integer(metadata={"description": "In all."})
    created = fields.Integer(metadata={"description": "Done so far; of a dry run, those that could be."})
    refused = fields.Integer()
    errors = fields.List(
        fields.Nested(ImportedLine), metadata={"description": f"The first {SHOWN_MOST} that were refused."}
    )


def import_records(call: Call) -> Answer:
    """Begin an import, and do its first lines."""
    form = format_of(call.query.get("format"), call.content_type)
    if form is None:
        raise invalid("Content-Type must be text/csv or application/x-ndjson", "Content-Type")
    read = _read_csv if form == "csv" else _read_ndjson
    lines = list(read(call.resource, call.content))
    if not 0 < len(lines) <= LINES_MOST:
        raise invalid(f"there must be 1 to {LINES_MOST} lines, not {len(lines)}")
    dry_run = call.query.get("dry_run") == "true"
    import_uuid = call.batch_id = uuid4()
    caller = call.caller
    add_import(
        call.session,
        import_uuid,
        resource=call.resource.declaration.name,
        domain_uuid=caller.domain_uuid,
        caller={
            "key_id": caller.key_id,
            "domain_name": caller.domain_name,
            "domains": None if caller.domains is None else sorted(map(str, caller.domains)),
            "scopes": None if caller.scopes is None else sorted(caller.scopes),
            "address": caller.address,
            "request_id": caller.request_id,
            "allow_global": caller.allow_global,
            "lenient": call.lenient,
        },
        dry_run=dry_run,
        lines=len(lines),
        parts=[lines[first : first + PART] for first in range(PART, len(lines), PART)],
    )
    done = _do(call, lines[:PART], dry_run)
    report = dict(note_lines(call.session, import_uuid, done))
    running = report["state"] == "running"
    if running:
        add_job(call.session, PLUGIN, JOB, {"import_uuid": str(import_uuid)})
    report["dry_run"] = "true" if dry_run else "false"
    report["errors"] = [line for line in done if line["status"] == "refused"][:SHOWN_MOST]
    return Answer(report, 202 if running else 200, f"{report['created']} of {report['lines']} lines done")


def go_on(run: JobRun) -> None:
    """Do the next lines of an import, unless too many changes wait for the switch."""
    assert run.registry is not None
    assert run.config is not None
    import_uuid = UUID(run.arguments["import_uuid"])
    found = find_import(run.session, import_uuid)
    if found is None or found["state"] != "running":
        return
    resource = run.registry.resources.get(found["resource"])
    if resource is None or run.attempt > ATTEMPTS:
        fail_import(run.session, import_uuid, "The server could not do the lines that were left; its log says why")
        return
    most = run.config.changes_waiting_max
    if count_waiting(run.session, most + 1) > most:
        add_job(run.session, PLUGIN, JOB, run.arguments, delay=_PAUSE)
        return
    part = take_part(run.session, import_uuid)
    call = _call_of(run, resource, found, import_uuid)
    report = note_lines(run.session, import_uuid, _do(call, part or [], found["dry_run"]))
    if report["state"] == "running":
        add_job(run.session, PLUGIN, JOB, run.arguments)


def _call_of(run: JobRun, resource: LoadedResource, found: Mapping[str, Any], import_uuid: UUID) -> Call:
    assert run.registry is not None
    assert run.config is not None
    kept = found["caller"]

    def ask(question: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        raise LookupError("a job asks the switch nothing")

    return Call(
        resource=resource,
        operation=next(o for o in resource.declaration.all_operations() if o.name == "import"),
        caller=Caller(
            key_id=kept["key_id"],
            domain_uuid=found["domain_uuid"],
            domain_name=kept["domain_name"],
            domains=None if kept["domains"] is None else frozenset(map(UUID, kept["domains"])),
            scopes=None if kept["scopes"] is None else frozenset(kept["scopes"]),
            address=kept["address"],
            request_id=kept["request_id"],
            allow_global=kept["allow_global"],
        ),
        session=run.session,
        config=run.config,
        live=ask,
        registry=run.registry,
        lenient=kept["lenient"],
        batch_id=import_uuid,
    )


class _Undone(Exception):
    """Undoes what a dry run has written."""


def _do(call: Call, lines: Sequence[Line], dry_run: bool) -> list[dict[str, Any]]:
    """Make the records of some lines; what became of each."""
    outcomes: list[dict[str, Any]] = []
    good: list[tuple[int, dict[str, Any]]] = []
    schema = call.resource.schema
    for number, given, fault in lines:
        if fault:
            outcomes.append(_refused(number, invalid(fault)))
            continue
        try:
            good.append((number, load(schema, given, partial=False, ignore_unknown=False)))
        except InputError as error:
            field, message = error.errors[0]
            outcomes.append(_refused(number, invalid(message, field)))
    made: list[Made | ApiError] = []
    with suppress(_Undone), call.session.nested():
        made = create_all(call, [data for _, data in good])
        if dry_run:
            raise _Undone
    if dry_run:
        call.change_id = None
    status = "valid" if dry_run else "created"
    for (number, _), one in zip(good, made, strict=True):
        if isinstance(one, ApiError):
            outcomes.append(_refused(number, one))
        else:
            uuid = None if dry_run else str(one.uuid)
            warnings = "; ".join(one.call.warnings) or None
            outcomes.append({"line": number, "status": status, "record_uuid": uuid, "message": warnings})
    return sorted(outcomes, key=lambda outcome: int(outcome["line"]))


def _refused(number: int, error: ApiError) -> dict[str, Any]:
    return {
        "line": number,
        "status": "refused",
        "field": error.field,
        "code": error.code,
        "message": error.message,
    }


def _read_csv(resource: LoadedResource, content: bytes) -> Iterator[Line]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise invalid("the file must be in UTF-8") from None
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    begins = 1
    try:
        for row in rows:
            number, begins = begins, rows.line_num + 1
            if not names:
                names = _header(resource, row)
            elif any(row):
                yield number, *_cells(resource, names, row)
    except csv.Error as error:
        raise invalid(f"line {begins} is no CSV: {error}") from None


def _header(resource: LoadedResource, row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    known = {*resource.columns, *(resource.secrets & resource.schema.load_fields.keys()), resource.declaration.id}
    for name in names:
        if name not in known:
            shown = name[:64] or "a column without a name"
            raise invalid(f"{shown} is no field that an import takes", name[:64] or None)
        if names.count(name) > 1:
            raise invalid(f"the column {name} is there twice", name)
    return names


def _cells(resource: LoadedResource, names: list[str], row: list[str]) -> tuple[dict[str, Any], str]:
    if len(row) != len(names):
        return {}, f"has {len(row)} cells, and the header {len(names)}"
    if sum(map(len, row)) > LINE_MOST:
        return {}, f"must not be longer than {LINE_MOST} characters"
    cells = zip(names, row, strict=True)
    return {n: decode_cell(cell) for n, cell in cells if cell != "" and n != resource.declaration.id}, ""


def _read_ndjson(resource: LoadedResource, content: bytes) -> Iterator[Line]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        if len(line) > LINE_MOST:
            yield number, {}, f"must not be longer than {LINE_MOST} bytes"
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = None
        if isinstance(record, dict):
            record.pop(resource.declaration.id, None)
            yield number, record, ""
        else:
            yield number, {}, "is no JSON object"
