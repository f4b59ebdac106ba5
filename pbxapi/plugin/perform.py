"""One operation on one session, from the caller's scope to the handler's answer; whatever way the request came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from marshmallow import Schema

from pbxapi.errors import ApiError, forbidden, invalid
from pbxapi.plugin.call import Answer, Call, Caller
from pbxapi.plugin.crud import load_record
from pbxapi.plugin.fields import InputError, load
from pbxapi.plugin.loader import LoadedResource
from pbxapi.plugin.resource import Operation


def check_scope(caller: Caller, resource: LoadedResource, operation: Operation) -> None:
    """Let a caller pass whose key may do an operation.

    Raises:
        ApiError: 403 with the scope that the key lacks.
    """
    scope = resource.declaration.scope(operation)
    if not caller.may(scope):
        raise forbidden(f"The key lacks the scope {scope}")


def record_uuid(operation: Operation, text: str | None) -> UUID | None:
    """The uuid of the record that an operation is asked to work on; None where it works on none.

    Raises:
        ApiError: 400 where it is missing or no uuid.
    """
    if operation.on != "item":
        return None
    if not text:
        raise ApiError(400, "MISSING_UUID", "UUID is required", "uuid")
    return _uuid(text, "uuid")


def named_part(operation: Operation, text: str | None) -> UUID | None:
    """The uuid that an operation's path has a place for; None where it has none.

    Raises:
        ApiError: as `record_uuid`.
    """
    name = operation.part
    if not name:
        return None
    if not text:
        raise ApiError(400, "MISSING_UUID", f"{name} is required", name)
    return _uuid(text, name)


def _uuid(text: str, field: str) -> UUID:
    try:
        if len(text) == 36:
            return UUID(text)
    except ValueError:
        pass
    raise invalid(f"{field} must be a uuid", field)


def check_input(schema: Schema, given: Mapping[str, Any], *, partial: bool, lenient: bool) -> dict[str, Any]:
    """A body or a query as its schema has it.

    Args:
        partial: only what was sent counts.
        lenient: what the schema does not know is ignored.

    Raises:
        ApiError: 400 with every fault.
    """
    try:
        return load(schema, given, partial=partial, ignore_unknown=lenient)
    except InputError as error:
        raise faulty(error.errors) from None


def faulty(errors: list[tuple[str, str]]) -> ApiError:
    """400 for an input with one or more faults, (field, message): the first one leads."""
    field, message = errors[0]
    listed = [{"field": f, "message": m} for f, m in errors]
    return ApiError(400, "VALIDATION_ERROR", message, field or None, listed)


def perform(
    call: Call, sent: Callable[[], Mapping[str, Any]], expected: Callable[[Call], None] | None = None
) -> Answer:
    """Load the record, check the body, run the handler.

    Args:
        sent: the body; asked for once the record is there, since a record that is not is the greater fault.
        expected: raises where the record is not as the caller expects it.
    """
    operation = call.operation
    if call.uuid is not None and "get" in call.resource.statements:
        call.record = load_record(call)
        if expected:
            expected(call)
    body = call.resource.bodies.get(operation.name)
    if body is not None:
        call.data = check_input(body, sent(), partial=operation.partial, lenient=call.lenient)
    return operation.handler(call)


def perform_within(
    call: Call, resource: str, operation: str, *, uuid: str | None = None, body: Mapping[str, Any] | None = None
) -> Answer:
    """Do an operation that writes, of any resource, within a call's transaction, as if it had been sent alone.

    Its change becomes one of the call's batch, where the call has a `Call.batch_id`.

    Args:
        uuid: of the record that it works on.
        body: what it is sent; checked as ever.

    Raises:
        ApiError: whatever the operation alone would be answered; 400 with the field ``resource`` or ``operation``
            where there is none such.
    """
    loaded = call.registry.resources.get(resource)
    if loaded is None:
        raise invalid(f"there is no resource {resource}", "resource")
    found = next((o for o in loaded.declaration.all_operations() if o.name == operation), None)
    if found is None or not found.writes:
        raise invalid(f"{resource} has no operation {operation} that writes", "operation")
    check_scope(call.caller, loaded, found)
    own = replace(
        call,
        resource=loaded,
        operation=found,
        uuid=record_uuid(found, uuid),
        part=named_part(found, None),
        record={},
        query={},
        data={},
        warnings=[],
        known={},
    )
    answer = perform(own, lambda: body or {})
    call.change_id = own.change_id or call.change_id
    return answer
