"""The envelope that every answer wears, and the JSON in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

from pbxapi.errors import ApiError
from pbxapi.plugin import Answer


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any) -> bytes:
    """JSON as answers spell it."""
    return orjson.dumps(value, default=_default)


class OrjsonProvider(JSONProvider):
    """Makes Flask and the OpenAPI document use the same JSON."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)


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
    return Response(dumps(body), answer.status, content_type="application/json")


def render_error(error: ApiError, **more: Any) -> Response:
    """A failure."""
    body = {"success": False, "error": {**error.fault, **more}}
    return Response(dumps(body), error.status, dict(error.headers), content_type="application/json")
