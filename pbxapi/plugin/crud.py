"""The five standard operations, for any resource that declares its columns and brings its statements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from marshmallow import ValidationError

from pbxapi.data.audit import redact
from pbxapi.data.database import Session
from pbxapi.data.listing import Listing, Request
from pbxapi.data.totals import Totals
from pbxapi.errors import invalid, not_found
from pbxapi.plugin.call import Answer, Call
from pbxapi.plugin.fields import Record, blank

PER_PAGE = 50
PER_PAGE_MOST = 100

_totals = Totals()


def load_record(call: Call) -> dict[str, Any]:
    """The record that the call names, as `get` answers it; in a transaction it stays locked until the end.

    Raises:
        ApiError: 404 where this domain has no such record.
    """
    declaration = call.resource.declaration
    found = None
    if call.uuid is not None:
        if call.operation.writes and declaration.table:
            # Another tenant's row is not even waited for.
            owner = " and (domain_uuid = %(domain_uuid)s or domain_uuid is null)" if call.resource.owned else ""
            lock = f"select 1 from {declaration.table} where {declaration.id} = %(uuid)s{owner} for update"
            call.session.do(lock, uuid=call.uuid, domain_uuid=call.caller.domain_uuid)
        found = call.row("get", **{declaration.id: call.uuid})
    if found is None:
        raise not_found(f"{declaration.label} not found")
    return found


def get_record(call: Call) -> Answer:
    """One record, without what is not there (a sub-object that is null)."""
    record = call.record
    if call.resource.declaration.show:
        call.resource.declaration.show(call, record)
    hidden = call.config.redact_secrets or not call.caller.may("secrets:read")
    record = {n: v for n, v in record.items() if v is not None or n in call.resource.nullable}
    return Answer(redact(record, call.resource.secrets) if hidden else record)


def list_records(call: Call) -> Answer:
    """One page of the operation's `rows`: by number with a total, or after a cursor."""
    shown = call.resource.lists[call.operation.name]
    listing, declaration = shown.listing, shown.declaration
    arguments = dict(call.query)
    order = declaration.order or next(iter(listing.sorts))
    sort = arguments.pop("sort", None) or order
    if sort.removeprefix("-") not in listing.sorts:
        names = ", ".join(listing.sorts)
        if not call.lenient:
            raise invalid(f"sort must be one of {names}, with a leading - for descending", "sort")
        sort = order
    page = max(_number(arguments.pop("page", None), 1), 1)
    per_page = _number(arguments.pop("per_page", None), PER_PAGE)
    per_page = PER_PAGE if per_page < 1 else min(per_page, PER_PAGE_MOST)
    cursor = arguments.pop("cursor", None)
    exact = arguments.pop("count", None) == "exact"
    search = arguments.pop("search", None) or None
    filters = {n: _filter(shown.schema, n, arguments.pop(n)) for n in declaration.filters if n in arguments}
    offset = (page - 1) * per_page
    request = Request(sort, per_page, min(offset, 2**62), search, filters, cursor or "")
    parameters = {name: arguments.get(name) for name in shown.query_names}
    parameters |= call.caller.parameters
    parameters |= call.resource.declaration.parameters
    if call.uuid is not None:
        parameters[call.resource.declaration.id] = call.uuid
    pagination: dict[str, Any] = {"page": page, "per_page": per_page}
    if cursor is None:
        rows = listing.rows(call.session, request, parameters)
    else:
        try:
            rows, pagination["next_cursor"] = listing.rows_after(call.session, request, parameters)
        except ValueError as error:
            raise invalid(f"cursor {error}", "cursor") from None
        del pagination["page"]
    most = None if exact else declaration.count_most
    narrowed = (request.search, *sorted(request.filters.items()), *map(str, parameters.values()))
    total, estimated = _totals.get(
        call.session,
        call.caller.domain_uuid,
        (id(listing), most, narrowed),
        lambda: _total(call.session, listing, request, parameters, most),
    )
    pagination |= {"total": total, "total_pages": -(-total // per_page)}
    if estimated:
        pagination["total_is_estimate"] = True
    return Answer(rows, pagination=pagination)


def create_record(call: Call) -> Answer:
    """A new record, with the defaults of the schema for what was not sent."""
    declaration = call.resource.declaration
    if declaration.limit:
        call.check_limit(declaration.limit)
    uuid = uuid4()
    record = {**blank(call.resource.schema), **call.data, declaration.id: uuid}
    if declaration.prepare:
        declaration.prepare(call, record, None)
    call.claim(record, None)
    call.do("create", **record)
    if declaration.store:
        declaration.store(call, record, None)
    call.audit("add", None, record)
    call.note_change("create", uuid, new=record)
    return Answer({declaration.id: uuid}, 201, f"{declaration.label} created successfully", warnings=call.warnings)


def update_record(call: Call) -> Answer:
    """Changes what was sent, and nothing else."""
    declaration = call.resource.declaration
    answer = Answer({declaration.id: call.uuid}, 200, f"{declaration.label} updated successfully")
    if not call.data:
        return answer
    assert call.uuid is not None
    old = call.record
    record = {**old, **call.data}
    if declaration.prepare:
        declaration.prepare(call, record, old)
    call.claim(record, old)
    call.do("update", **record)
    if declaration.store:
        declaration.store(call, record, old)
    call.audit("update", old, record)
    call.note_change("update", call.uuid, old, record)
    answer.warnings = call.warnings
    return answer


def delete_record(call: Call) -> Answer:
    """The record goes, with what belongs to it."""
    declaration = call.resource.declaration
    assert call.uuid is not None
    if declaration.remove:
        declaration.remove(call, call.record)
    call.do("delete", **{declaration.id: call.uuid})
    call.audit("delete", call.record, None)
    call.note_change("delete", call.uuid, call.record)
    return Answer(message=f"{declaration.label} deleted successfully", warnings=call.warnings)


def _filter(schema: Record, name: str, text: str) -> str:
    """A filter's value, spelled as the column spells it (a flag in lower case, digits without leading zeros)."""
    declared = schema.fields.get(name)
    try:
        return str(declared.deserialize(text)) if declared else text
    except ValidationError as error:
        raise invalid(str(error.messages[0]), name) from None


def _number(text: Any, default: int) -> int:
    try:
        return int(str(text)[:18])
    except ValueError:
        return default


def _total(
    session: Session, listing: Listing, request: Request, parameters: Mapping[str, Any], most: int | None
) -> tuple[int, bool]:
    if most is None:
        return listing.total(session, request, parameters), False
    total = listing.total_up_to(session, request, parameters, most)
    if total is not None:
        return total, False
    return max(listing.total_estimate(session, request, parameters), most), True
