"""Whatever goes wrong becomes the error envelope: JSON, no traceback, no secret."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, request
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    TooManyRequests,
)

from pbxapi.data.database import DISMANTLED, UNAVAILABLE
from pbxapi.errors import ApiError, SwitchUnavailable
from pbxapi.http.envelope import render_error

log = logging.getLogger(__name__)


def translate(error: HTTPException, resources: frozenset[str], prefix: str) -> ApiError:
    """The contract's words for a fault of Flask's own."""
    if isinstance(error, MethodNotAllowed):
        methods = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})
        return ApiError(405, "METHOD_NOT_ALLOWED", "Method not allowed", headers={"Allow": ", ".join(methods)})
    if isinstance(error, NotFound):
        below = request.path.removeprefix(prefix + "/") if request.path.startswith(prefix + "/") else ""
        resource, _, rest = below.partition("/")
        if rest and resource in resources:
            return ApiError(501, "NOT_IMPLEMENTED", "Endpoint handler not implemented")
        return ApiError(404, "NOT_FOUND", "Endpoint not found")
    if isinstance(error, RequestEntityTooLarge):
        return ApiError(413, "VALIDATION_ERROR", "Request body is larger than 1 MiB")
    if isinstance(error, TooManyRequests):
        return ApiError(429, "RATE_LIMITED", "Too many requests with this key; Retry-After says when to go on")
    status = error.code or 500
    if status >= 500:
        return ApiError(status, "INTERNAL_ERROR", "Internal server error")
    return ApiError(status, "VALIDATION_ERROR", error.name)


def register_faults(app: Flask) -> None:
    """Handle the faults that are no HTTPException; those go through `Documented.handle_http_exception`."""

    def api_error(error: ApiError) -> Response:
        return render_error(error)

    def switch_unavailable(error: SwitchUnavailable) -> Response:
        return render_error(ApiError(503, "SWITCH_UNAVAILABLE", "FreeSWITCH does not answer"))

    def database_unavailable(error: Exception) -> Response:
        log.warning("request %s: the database is not available: %s", g.get("request_id"), type(error).__name__)
        unavailable = ApiError(
            503, "DATABASE_UNAVAILABLE", "The database does not answer", headers={"Retry-After": "1"}
        )
        return render_error(unavailable)

    def database_dismantled(error: Exception) -> Response:
        words = " ".join(str(error).split())
        log.error("request %s: %s: look at `pbxapi doctor` and `pbxapi rights`", g.get("request_id"), words)
        unavailable = ApiError(
            503, "DATABASE_UNAVAILABLE", "The database is not ready to be used", headers={"Retry-After": "5"}
        )
        return render_error(unavailable)

    def unexpected(error: Exception) -> Response:
        log.error("request %s failed%s", g.get("request_id"), _of_plugin(), exc_info=error)
        fault = ApiError(500, "INTERNAL_ERROR", "Internal server error")
        return render_error(fault, request_id=g.get("request_id"))

    app.register_error_handler(ApiError, api_error)
    app.register_error_handler(SwitchUnavailable, switch_unavailable)
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, database_unavailable)
    for lacking in DISMANTLED:
        app.register_error_handler(lacking, database_dismantled)
    app.register_error_handler(Exception, unexpected)


def _of_plugin() -> str:
    plugin = g.get("plugin")
    return f" in plugin {plugin}" if plugin else ""
