"""Batches: many operations over any resources in one request, and one change for the switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from marshmallow import ValidationError

from pbxapi.plugin import (
    Answer,
    ApiError,
    Call,
    Nested,
    Operation,
    Plugin,
    Record,
    Resource,
    Text,
    fields,
    invalid,
    perform_within,
    validate,
)

MOST = 1000
BODY_MOST = 8 * 1024 * 1024
DEPTH_MOST = 100
RESULT = "$result"


class Uuid(fields.Raw):
    """A uuid as text, or where in an earlier result it stands; that it is one is checked when it is used."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str | Mapping):
            raise ValidationError("must be a uuid")
        return value


class Step(Record):
    resource = Text(max=64, required=True, metadata={"description": "Such as `extensions`."})
    operation = Text(max=64, required=True, metadata={"description": "`create`, `update`, `delete`, ..."})
    uuid = Uuid(metadata={"description": "The record's, of an operation on one."})
    body = fields.Dict(keys=fields.String(), metadata={"description": "As the operation takes it by itself."})


class Batch(Record):
    mode = Text(
        max=16,
        pattern="atomic|best_effort",
        expected="atomic or best_effort",
        load_default="atomic",
        metadata={
            "enum": ["atomic", "best_effort"],
            "description": "`atomic`: all or nothing. `best_effort`: what is refused is left out.",
        },
    )
    operations = Nested(Step, many=True, most=MOST, required=True, validate=validate.Length(min=1, max=MOST))


class Result(Record):
    status = fields.Integer(metadata={"description": "What the operation alone would have been answered."})
    data = fields.Raw()
    message = Text()
    warnings = fields.List(fields.String())
    error = fields.Raw(metadata={"description": "As in the answer of a fault."})


def run(call: Call) -> Answer:
    """One operation after the other, in one transaction."""
    call.batch_id = uuid4()
    atomic = call.data["mode"] == "atomic"
    results: list[dict[str, Any]] = []
    done = 0
    for number, step in enumerate(call.data["operations"]):
        try:
            if atomic:
                results.append(_do(call, step, results))
            else:
                with call.session.nested():
                    results.append(_do(call, step, results))
            done += 1
        except ApiError as error:
            if atomic:
                raise _of_step(error, number) from None
            results.append({"status": error.status, "error": error.fault})
    return Answer(results, message=f"{done} of {len(results)} operations done")


def _do(call: Call, step: Mapping[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    if step["resource"] == call.resource.declaration.name:
        raise invalid("a batch holds no batch", "resource")
    answer = perform_within(
        call,
        step["resource"],
        step["operation"],
        uuid=_filled(step.get("uuid"), results, "uuid"),
        body=_filled(step.get("body"), results, "body"),
    )
    result = {"status": answer.status, "data": answer.data, "message": answer.message, "warnings": answer.warnings}
    return {name: value for name, value in result.items() if value}


def _filled(value: Any, results: list[dict[str, Any]], place: str) -> Any:
    """A value with what earlier operations answered in the place of ``{"$result": "0.extension_uuid"}``."""
    if place.count(".") > DEPTH_MOST:
        raise invalid("the body is nested too deeply", place.partition(".")[0])
    if isinstance(value, Mapping):
        if value.keys() == {RESULT}:
            return _result(str(value[RESULT]), results, place)
        return {name: _filled(inner, results, f"{place}.{name}") for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, results, f"{place}.{number}") for number, inner in enumerate(value)]
    return value


def _result(name: str, results: list[dict[str, Any]], place: str) -> str:
    number, _, field = name.partition(".")
    if number.isascii() and number.isdigit() and int(number[:6]) < len(results):
        data = results[int(number[:6])].get("data")
        if isinstance(data, Mapping) and data.get(field) is not None:
            return str(data[field])
    raise invalid(f"{name[:64]} is no result of an earlier operation", place)


def _of_step(error: ApiError, number: int) -> ApiError:
    """The fault of one operation, told as one of the whole."""
    place = f"operations.{number}"

    def within(field: str | None) -> str:
        if not field:
            return place
        return f"{place}.{field}" if field.partition(".")[0] in Step._declared_fields else f"{place}.body.{field}"

    listed = [{**fault, "field": within(fault.get("field"))} for fault in error.errors or ()]
    message = f"Operation {number}: {error.message}"
    return ApiError(error.status, error.code, message, within(error.field), listed, error.headers)


batch = Resource(
    name="batch",
    label="Batch",
    id="batch_id",
    schema=Batch,
    standard=(),
    operations=(
        Operation(
            "run",
            run,
            ("POST",),
            body=Batch,
            body_most=BODY_MOST,
            answer=Result,
            many=True,
            writes=True,
            summary="Do up to 1,000 operations in one transaction",
        ),
    ),
)

plugin = Plugin(name="batch", version="1.0.0", resources=(batch,))
