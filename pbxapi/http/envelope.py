"""The envelope that every answer wears, and the JSON in it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from flask import Response

from pbxapi.errors import ApiError
from pbxapi.plugin import Answer


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any) -> bytes:
    """JSON as answers spell it."""
    return orjson.dumps(value, default=_default)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer without an envelope."""
    return Response(dumps(value), status, headers, content_type="application/json")


def render(answer: Answer) -> Response:
    """A success."""
    body: dict[str, Any] = {"success": True}
    if answer.data is not None:
        body["data"] = answer.data
    if answer.message:
        body["message"] = answer.message
    if answer.warnings:
        body["warnings"] = answer.warnings
    if answer.pagination is not None:
        body["pagination"] = answer.pagination
    return json_response(body, answer.status)


def render_error(error: ApiError, **more: Any) -> Response:
    """A failure."""
    body = {"success": False, "error": {**error.fault, **more}}
    return json_response(body, error.status, error.headers)
