"""One request through one operation: the order of checks, the session, the answer."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from flask import Response

from pbxapi.config import Config
from pbxapi.data.change import count_waiting, read_state
from pbxapi.data.database import STALE, Database
from pbxapi.errors import ApiError
from pbxapi.http.callers import Callers
from pbxapi.http.downloads import Download
from pbxapi.http.envelope import render
from pbxapi.http.figures import Figures
from pbxapi.http.files import send
from pbxapi.http.gateway import Request
from pbxapi.http.repeats import Repeat, idempotency_key
from pbxapi.http.streams import Streams
from pbxapi.http.tags import Tags, check_match, tell_tag
from pbxapi.plugin import Call, Caller, EventStream, Operation
from pbxapi.plugin.call import Ask, FileAnswer
from pbxapi.plugin.loader import LOOK_SECONDS, LoadedResource, Registry
from pbxapi.plugin.perform import check_input, check_scope, named_part, perform, record_uuid

WAIT_MOST = 30.0
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", re.I)
_POLL = 0.015


class Backlog:
    """Says no to further writes while too many changes wait for the switch.

    Counted at most twice a second per process: an endless queue is what must not grow, not the last few rows.
    """

    SECONDS = 0.5

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most
        self._waiting = 0
        self._counted_at = float("-inf")

    def check(self) -> None:
        """Let a write pass.

        Raises:
            ApiError: 503 with Retry-After.
        """
        now = time.monotonic()
        if now - self._counted_at >= self.SECONDS:
            self._counted_at = now
            with self._database.reading() as session:
                self._waiting = count_waiting(session, self._most + 1)
        if self._waiting > self._most:
            message = "Too many changes wait for the switch; try again later"
            raise ApiError(503, "TOO_MANY_CHANGES", message, headers={"Retry-After": "5"})


@dataclass
class Services:
    """What serving needs, made once per process.

    Attributes:
        ask: puts questions to the switch nodes.
        rate_pool: connections to Redis for `pbxapi.http.rates`.
        registry: the plugins.
        figures: what is counted; there once all routes are.
    """

    config: Config
    database: Database
    ask: Ask
    rate_pool: Any
    registry: Registry

    def __post_init__(self) -> None:
        self.callers = Callers(self.database)
        self.figures: Figures | None = None
        self.streams = Streams(self.config, self.database, self.callers, self.registry)
        self.backlog = Backlog(self.database, self.config.changes_waiting_max)
        self.tags = Tags()
        # A wait holds a thread: some must stay free for requests.
        self.waits = threading.BoundedSemaphore(max(self.config.threads - 1, 1))


class Served:
    """One operation of one resource, ready to answer requests.

    Args:
        lenient: the ``.php`` family, which ignores what it does not know.
    """

    def __init__(self, services: Services, resource: LoadedResource, operation: Operation, lenient: bool) -> None:
        self._services = services
        self.resource = resource
        self.operation = operation
        self.lenient = lenient
        self.methods = operation.methods[:1] if lenient else operation.methods
        self.scope = resource.declaration.scope(operation)

    def __call__(self, request: Request, caller: Caller, uuid: str | None, part: str | None) -> Response:
        """Answer a request.

        Raises:
            ApiError: whatever is wrong with it.
        """
        operation, services = self.operation, self._services
        check_scope(caller, self.resource, operation)
        named, part_uuid = record_uuid(operation, uuid), named_part(operation, part)
        place = ("uuid", operation.part) if self.lenient else ()
        sent = request.args.items() if request.query_string else ()
        given = {name: value for name, value in sent if name not in place}
        schema = self.resource.queries.get(operation.name)
        query = check_input(schema, given, partial=False, lenient=self.lenient) if schema else {}
        key = idempotency_key(request)
        raw = read_body(request, operation.body_most) if operation.body or operation.takes or key else b""
        repeat = Repeat(request, caller, key, raw) if key else None
        services.registry.look(services.database, 5.0 if self.resource.fault else LOOK_SECONDS)
        if self.resource.fault:
            raise self._unserved(caller)
        if operation.writes:
            services.backlog.check()
        try:
            response, change_id = self._answer(request, caller, named, part_uuid, query, raw, repeat)
        except STALE:
            # The tables have changed under the statements. Nothing is committed: once more, with those made anew.
            services.registry.look(services.database, 0.0)
            services.database.renew()
            if self.resource.fault:
                raise self._unserved(caller) from None
            response, change_id = self._answer(request, caller, named, part_uuid, query, raw, repeat)
        if change_id is not None:
            self._tell_change(request, response, change_id)
        return response

    def _unserved(self, caller: Caller) -> ApiError:
        """What a caller is told of a resource that the tables at hand cannot serve."""
        message = f"This version of FusionPBX does not have what {self.resource.declaration.name} needs"
        if caller.domains is None:
            message += f": {self.resource.fault}"
        return ApiError(503, "RESOURCE_UNAVAILABLE", message)

    def _answer(
        self,
        request: Request,
        caller: Caller,
        named: UUID | None,
        part: UUID | None,
        query: Mapping[str, Any],
        raw: bytes,
        repeat: Repeat | None,
    ) -> tuple[Response, UUID | None]:
        """The answer, and the change that it tells of; all that it writes is one transaction."""
        operation, services = self.operation, self._services
        with services.database.writing() if operation.writes or repeat else services.database.reading() as session:
            if repeat and (answered := repeat.answered(session)):
                return answered
            call = Call(
                resource=self.resource,
                operation=operation,
                caller=caller,
                session=session,
                config=services.config,
                live=services.ask,
                registry=services.registry,
                uuid=named,
                part=part,
                query=query,
                content=raw,
                content_type=request.mimetype if operation.takes else "",
                lenient=self.lenient,
                media=_media(request, operation),
            )
            response = self._perform(request, call, raw)
            if repeat:
                repeat.keep(session, response, call.change_id)
        return response, call.change_id

    def _perform(self, request: Request, call: Call, raw: bytes) -> Response:
        if self.operation.streams:
            return self._stream(call)
        record_tag = ""

        def check(call: Call) -> None:
            nonlocal record_tag
            record_tag = self._services.tags.of_record(call.session, call.record)
            check_match(request, record_tag)

        # What nobody reads or compares need not be made.
        wanted = self.operation.name == "get" or "If-Match" in request.headers
        answer = perform(call, lambda: parse_object(raw), check if wanted else None)
        if isinstance(answer, EventStream):
            return self._services.streams.open(request, call.caller, answer, self.scope)
        if isinstance(answer, FileAnswer):
            return send(request, answer, self._services.config.accel, self._services.waits)
        response = render(answer)
        if record_tag and self.operation.name == "get":
            tag = f"{record_tag}-{self._services.tags.of_answer(response.get_data())}"
            return tell_tag(request, response, tag)
        return response

    def _stream(self, call: Call) -> Response:
        """A stream holds a thread for as long as the caller reads, as a wait does: some stay free for requests."""
        waits = self._services.waits
        if not waits.acquire(blocking=False):
            message = "Too many exports are being sent; try again later"
            raise ApiError(503, "TOO_MANY_EXPORTS", message, headers={"Retry-After": "5"})
        try:
            answer = perform(call, dict)
        except BaseException:
            waits.release()
            raise
        assert answer.stream is not None
        return Response(Download(answer.stream, waits.release), answer.status, content_type=answer.content_type)

    def _tell_change(self, request: Request, response: Response, change_id: UUID) -> None:
        response.headers["X-Change-Id"] = str(change_id)
        wanted = _WAIT.search(request.headers.get("Prefer", ""))
        if wanted is None or not self._services.waits.acquire(blocking=False):
            return
        try:
            seconds = min(float(wanted[1]), WAIT_MOST)
            state = self._wait(change_id, seconds)
        finally:
            self._services.waits.release()
        response.headers["Preference-Applied"] = f"wait={int(seconds)}"
        response.headers["X-Change-State"] = state

    def _wait(self, change_id: UUID, seconds: float) -> str:
        end = time.monotonic() + seconds
        while True:
            with self._services.database.reading() as session:
                state = read_state(session, change_id)
            if state != "pending" or time.monotonic() >= end:
                return state
            time.sleep(_POLL)


def _media(request: Request, operation: Operation) -> str:
    """Which of the operation's further media types the caller prefers to JSON; empty for JSON."""
    if not operation.media:
        return ""
    offered = ("application/json", *operation.media)
    best = request.accept_mimetypes.best_match(offered, offered[0])
    return "" if best == offered[0] else str(best)


def read_body(request: Request, most: int) -> bytes:
    """The body, whatever its Content-Type.

    Args:
        most: bytes.

    Raises:
        ApiError: 413.
    """
    too_large = ApiError(413, "VALIDATION_ERROR", f"Request body is larger than {most // (1024 * 1024)} MiB")
    if request.content_length is not None and request.content_length > most:
        raise too_large
    request.max_content_length = most + 1  # where a body that does not tell its length ends, and is too large
    # Asked for more than there is, the stream would make a buffer of that size first.
    body = request.stream.read(-1 if request.content_length is None else request.content_length)
    if len(body) > most:
        raise too_large
    return body


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ApiError: 400 where it is none.
    """
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise ApiError(400, "VALIDATION_ERROR", "Request body is not valid JSON")
    return data


__all__ = ["Served", "Services", "parse_object", "read_body"]
