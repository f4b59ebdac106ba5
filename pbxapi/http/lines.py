"""One line of the log for each request: whose it was, what it led to, how long it took. No secrets."""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote
from uuid import UUID

from flask import Response

from pbxapi.http.gateway import Gateway, Request

log = logging.getLogger("pbxapi.request")

PATH_MOST = 400
"""Characters of a path that are told."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked for every few seconds: their successes are told at the level DEBUG only."""


def log_requests(app: Gateway) -> None:
    """Tell of every request once its answer has begun. To be called before hooks that may set further headers.

    Of the query only a record's uuid is told, of headers and bodies nothing.
    """

    def tell(request: Request, response: Response) -> Response:
        usual = request.path in PROBES and response.status_code < 400
        level = logging.DEBUG if usual else logging.INFO
        if log.isEnabledFor(level):
            log.log(level, "request", extra={"fields": _fields(request, response.status_code)})
        return response

    app.after.append(tell)


def _fields(request: Request, status: int) -> dict[str, Any]:
    caller = request.caller
    told = {
        "id": request.id,
        "key": request.key_id,
        "domain": caller.domain_name if caller else None,
        "method": request.method if request.method in METHODS else "other",
        "route": request.url_rule.rule if request.url_rule else None,
        # Percent-encoded, no part of it can be taken for another word of the line.
        "path": _quoted(request.path[:PATH_MOST]),
        "record": _uuid(request.args.get("uuid", "")) if request.query_string else None,
        "status": status,
        "ms": round((time.perf_counter() - request.started) * 1000, 1),
        "address": address_of(request),
    }
    return {name: value for name, value in told.items() if value is not None and value != ""}


@lru_cache(maxsize=1024)
def _quoted(path: str) -> str:
    return quote(path, errors="replace")


def address_of(request: Request) -> str:
    """The client's address; empty for a process of this host over the Unix socket."""
    return _address(request.remote_addr or "")


@lru_cache(maxsize=1024)
def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None
