"""The five standard operations, for any resource that declares its columns and brings its statements."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from marshmallow import ValidationError

from pbxapi.data.audit import redact
from pbxapi.data.database import Row, Session
from pbxapi.data.listing import Listing, Request
from pbxapi.data.totals import Totals
from pbxapi.errors import ApiError, forbidden, invalid, not_found
from pbxapi.plugin.call import Answer, Call
from pbxapi.plugin.claims import Claims
from pbxapi.plugin.fields import Record, blank
from pbxapi.plugin.tables import CONTENT_TYPES, encode, format_of

if TYPE_CHECKING:
    from pbxapi.plugin.loader import LoadedRows

PER_PAGE = 50
PER_PAGE_MOST = 100
EXPORT_PAGE = 5000
"""Rows of an export that are in memory at once."""

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
    asked = dict(call.query)
    page = max(_number(asked.pop("page", None), 1), 1)
    per_page = _number(asked.pop("per_page", None), PER_PAGE)
    per_page = PER_PAGE if per_page < 1 else min(per_page, PER_PAGE_MOST)
    cursor = asked.pop("cursor", None)
    exact = asked.pop("count", None) == "exact"
    request, parameters = _asked(call, shown, asked)
    request = replace(request, limit=per_page, offset=min((page - 1) * per_page, 2**62), cursor=cursor or "")
    pagination: dict[str, Any] = {"page": page, "per_page": per_page}
    if cursor is None:
        rows = listing.ask_rows(call.session, request, parameters)  # the total is asked for in the same round
    else:
        try:
            found, pagination["next_cursor"] = listing.rows_after(call.session, request, parameters)
        except ValueError as error:
            raise invalid(f"cursor {error}", "cursor") from None
        rows = partial(list, found)
        del pagination["page"]
    most = None if exact else declaration.count_most
    narrowed = (request.search, *sorted(request.filters.items()), *map(str, parameters.values()))
    total, estimated = _totals.get(
        call.session,
        call.caller.domain_uuid,
        (id(listing), most, narrowed),
        listing.tables,
        lambda: _total(call.session, listing, request, parameters, most),
    )
    pagination |= {"total": total, "total_pages": -(-total // per_page)}
    if estimated:
        pagination["total_is_estimate"] = True
    return Answer(rows(), pagination=pagination)


def export_records(call: Call, show: Callable[[Row], None] | None = None) -> Answer:
    """All rows of the resource's export, narrowed and sorted as a list is, as a stream of CSV or NDJSON.

    They are read page by page: no transaction stays open, no connection is held while the caller takes its time,
    and no more than a page is in memory. What is written meanwhile may show or not.

    Args:
        show: completes a row, as the list does.
    """
    exported = call.resource.exported
    asked = dict(call.query)
    form = format_of(asked.pop("format", None), call.media) or "csv"
    request, parameters = _asked(call, exported, asked)

    def page(cursor: str) -> tuple[list[Row], str | None]:
        place = replace(request, limit=EXPORT_PAGE, cursor=cursor)
        try:
            rows, after = exported.listing.rows_after(call.session, place, parameters)
        finally:
            call.session.rest()
        if show is not None:
            for row in rows:
                show(row)
        return rows, after

    first, after = page("")  # a fault shows before the answer begins

    def stream(rows: list[Row], cursor: str | None) -> Iterator[bytes]:
        yield encode(rows, exported.row, form, header=True)
        while cursor is not None:
            rows, cursor = page(cursor)
            yield encode(rows, exported.row, form)

    return Answer(stream=stream(first, after), content_type=CONTENT_TYPES[form])


def _asked(call: Call, shown: LoadedRows, asked: dict[str, Any]) -> tuple[Request, dict[str, Any]]:
    """Which rows, in which order, and what the statement sees.

    Args:
        asked: the query, without what says how the rows are answered.
    """
    declaration = shown.declaration
    order = declaration.order or next(iter(shown.listing.sorts))
    sort = asked.pop("sort", None) or order
    if sort.removeprefix("-") not in shown.listing.sorts:
        names = ", ".join(shown.listing.sorts)
        if not call.lenient:
            raise invalid(f"sort must be one of {names}, with a leading - for descending", "sort")
        sort = order
    search = asked.pop("search", None) or None
    filters = {n: _filter(shown.schema, n, asked.pop(n)) for n in shown.filters if n in asked}
    parameters = {name: asked.get(name) for name in shown.query_names}
    parameters |= call.caller.parameters
    parameters |= call.resource.declaration.parameters
    if call.uuid is not None:
        parameters[call.resource.declaration.id] = call.uuid
    return Request(sort, 0, 0, search, filters), parameters


def create_record(call: Call) -> Answer:
    """A new record, with the defaults of the schema for what was not sent."""
    declaration = call.resource.declaration
    (made,) = create_all(call, [call.data])
    if isinstance(made, ApiError):
        raise made
    message = f"{declaration.label} created successfully"
    return Answer({declaration.id: made.uuid}, 201, message, warnings=made.call.warnings)


@dataclass(frozen=True)
class Made:
    """A record that was made.

    Attributes:
        call: with what was sent for it in `Call.data`, and with its own warnings.
        record: as it was written.
    """

    uuid: UUID
    call: Call
    record: Mapping[str, Any]


def create_all(call: Call, many: Sequence[Mapping[str, Any]]) -> list[Made | ApiError]:
    """New records of the call's resource, each from what was sent for it; in its place what is wrong with one.

    Each is checked as `create_record` checks one, and takes the same way into the database; but what is asked of
    the database for all of them is asked once, and nobody waits for a row by itself. Where the resource stores
    something elsewhere for each record (`Resource.store`) they are made one after the other.

    Args:
        many: validated by the resource's schema.
    """
    declaration = call.resource.declaration
    if declaration.store is not None and declaration.store_new is None and len(many) > 1:
        return [_alone(call, sent) for sent in many]
    if call.resource.settings:
        call.expect_settings()
    found: list[Made | ApiError] = []
    for sent in many:
        line = copy(call)
        line.data, line.warnings = dict(sent), []
        uuid = uuid4()
        record = {**blank(call.resource.schema), **line.data, declaration.id: uuid}
        try:
            if declaration.prepare:
                declaration.prepare(line, record, None)
            found.append(Made(uuid, line, record))
        except ApiError as error:
            found.append(error)
    prepared = [made for made in found if isinstance(made, Made)]
    claims = Claims(call, [made.record for made in prepared])
    storing = declaration.store_new(call, prepared) if declaration.store_new else None
    if storing:
        next(storing)
    # Here is the first answer that is waited for, and all that was asked until now comes with it.
    room = call.room(declaration.limit) if declaration.limit else None
    if room is not None and not room[0]:
        return [_limit(call, room[1]) for _ in many]
    faults = iter(claims.faults())
    found = [(next(faults) or made) if isinstance(made, Made) else made for made in found]
    if room is not None:
        good = [place for place, made in enumerate(found) if isinstance(made, Made)]
        for place in good[room[0] :]:
            found[place] = _limit(call, room[1])
    _write(call, [made for made in found if isinstance(made, Made)], storing)
    return found


def _limit(call: Call, most: int) -> ApiError:
    return forbidden(f"{call.resource.declaration.label} limit reached ({most})")


def _alone(call: Call, sent: Mapping[str, Any]) -> Made | ApiError:
    try:
        with call.session.nested():
            (made,) = create_all(call, [sent])
            if isinstance(made, ApiError):
                raise made
            return made
    except ApiError as error:
        return error


def _write(call: Call, made: Sequence[Made], storing: Generator[None, Sequence[Made], None] | None) -> None:
    declaration = call.resource.declaration
    if not made:
        return
    for one in made:
        _warn_of_absent(one.call, "create")
    call.do_all("create", [one.record for one in made])
    if storing:
        with suppress(StopIteration):
            storing.send(made)
    elif declaration.store:
        for one in made:
            declaration.store(one.call, one.record, None)
    call.audit_all("add", [(None, one.record) for one in made])
    call.note_changes([("create", one.uuid, None, one.record) for one in made])


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
    _warn_of_absent(call, "update")
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


def _warn_of_absent(call: Call, statement: str) -> None:
    """Nothing that was sent is dropped without a word because FusionPBX's tables have no place for it."""
    fields = call.resource.schema.load_fields
    for name in sorted(call.resource.statement(statement).absent & call.data.keys()):
        if call.data[name] not in ("", fields[name].load_default):
            call.warn(f"{name} is not stored: this version of FusionPBX has no such column")


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
