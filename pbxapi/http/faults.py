"""Whatever goes wrong becomes the error envelope: JSON, no traceback, no secret."""

from __future__ import annotations

import logging

from flask import Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from pbxapi.data.database import DISMANTLED, UNAVAILABLE
from pbxapi.errors import ApiError, SwitchUnavailable
from pbxapi.http.envelope import render_error
from pbxapi.http.gateway import Request
from pbxapi.plugin.loader import Registry

log = logging.getLogger(__name__)


class Faults:
    """Makes an answer of whatever a request ended with.

    Args:
        prefix: of the URLs of all resources.
    """

    def __init__(self, prefix: str, registry: Registry) -> None:
        self._prefix = prefix + "/"
        self._registry = registry

    def __call__(self, request: Request, error: Exception) -> Response:
        """The answer; the log tells of what the operator has to know."""
        if isinstance(error, ApiError):
            return render_error(error)
        if isinstance(error, HTTPException):
            return render_error(self._translate(error, request.path))
        if isinstance(error, SwitchUnavailable):
            return render_error(ApiError(503, "SWITCH_UNAVAILABLE", "FreeSWITCH does not answer"))
        if isinstance(error, UNAVAILABLE):
            log.warning("request %s: the database is not available: %s", request.id, type(error).__name__)
            return _unavailable("The database does not answer", 1)
        if isinstance(error, DISMANTLED):
            words = " ".join(str(error).split())
            log.error("request %s: %s: look at `pbxapi doctor` and `pbxapi rights`", request.id, words)
            return _unavailable("The database is not ready to be used", 5)
        plugin = f" in plugin {request.plugin}" if request.plugin else ""
        log.error("request %s failed%s", request.id, plugin, exc_info=error)
        return render_error(ApiError(500, "INTERNAL_ERROR", "Internal server error"), request_id=request.id)

    def _translate(self, error: HTTPException, path: str) -> ApiError:
        """The contract's words for a fault of werkzeug's own."""
        if isinstance(error, MethodNotAllowed):
            methods = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})
            return ApiError(405, "METHOD_NOT_ALLOWED", "Method not allowed", headers={"Allow": ", ".join(methods)})
        if isinstance(error, NotFound):
            below = path.removeprefix(self._prefix) if path.startswith(self._prefix) else ""
            resource, _, rest = below.partition("/")
            if rest and resource in self._registry.resources:
                return ApiError(501, "NOT_IMPLEMENTED", "Endpoint handler not implemented")
            return ApiError(404, "NOT_FOUND", "Endpoint not found")
        status = error.code or 500
        if status >= 500:
            return ApiError(status, "INTERNAL_ERROR", "Internal server error")
        return ApiError(status, "VALIDATION_ERROR", error.name)


def _unavailable(message: str, seconds: int) -> Response:
    return render_error(ApiError(503, "DATABASE_UNAVAILABLE", message, headers={"Retry-After": str(seconds)}))
