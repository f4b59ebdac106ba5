"""A client of pbxapi: one file that needs nothing but Python's standard library. Copy it, or install pbxapi.

    from pbxapi_client import Client

    pbx = Client("https://pbx.example.com/api/v1", key, "pbx.example.com")
    made = pbx.create("extensions", {"extension": "2001", "voicemail_enabled": "true"}, wait=5)
    for extension in pbx.list("extensions", search="200"):
        print(extension["extension"])
    for event in pbx.events("extension.*", "call.ended"):
        print(event["type"], event["data"])

Requests are safe to repeat, and repeated: a POST carries an Idempotency-Key, so that an answer that was lost is
sent again and nothing is done twice.
"""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any

Record = dict[str, Any]

_AGAIN = frozenset({429, 502, 503, 504})
_RUNNING = "REQUEST_RUNNING"


class PbxapiError(Exception):
    """A request that was refused, or failed for good.

    Attributes:
        status: HTTP status; 0 where there was no answer.
        code: the machine-readable code, such as ``VALIDATION_ERROR``.
        message: a sentence for people.
        field: the field at fault, if one is.
        errors: all faults of the input, each with ``field`` and ``message``.
        request_id: what the server's log calls the request.
        retry_after: seconds after which it may be sent again, where the server said so.
    """

    def __init__(
        self, status: int, error: Mapping[str, Any], request_id: str = "", retry_after: float | None = None
    ) -> None:
        self.status = status
        self.code = str(error.get("code", ""))
        self.message = str(error.get("message", ""))
        self.field: str | None = error.get("field")
        self.errors: list[dict[str, str]] = list(error.get("errors", ()))
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(f"{status} {self.code}: {self.message}" + (f" ({self.field})" if self.field else ""))


@dataclass(frozen=True)
class Answer:
    """What the API answered.

    Attributes:
        data: the record or records; None where there is nothing to say.
        message: a sentence for people.
        warnings: what should be known though it worked.
        pagination: of a list.
        change_id: of a write; `Client.change` says what became of it on the switch.
        change_state: ``applied``, ``failed`` or ``pending``, where the write waited.
        etag: of a record, for `Client.update` and `Client.delete`.
        replayed: whether this is the answer to an earlier sending of the same request.
    """

    status: int
    data: Any = None
    message: str = ""
    warnings: list[str] = field(default_factory=list)
    pagination: Mapping[str, Any] = field(default_factory=dict)
    change_id: str | None = None
    change_state: str | None = None
    etag: str | None = None
    replayed: bool = False


class Client:
    """Calls the API for one domain. Threads may share it: it holds no connection.

    Args:
        url: such as ``https://pbx.example.com/api/v1``.
        key: the API key.
        domain: name or uuid; a key of one domain needs none.
        timeout: seconds for an answer to begin.
        attempts: how often a request is sent at most, while the server is away, busy or over its limit.
    """

    def __init__(self, url: str, key: str, domain: str = "", *, timeout: float = 30.0, attempts: int = 4) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-API-Key": key, **({"X-Domain": domain} if domain else {})}
        self._timeout = timeout
        self._attempts = attempts

    def list(self, resource: str, **query: Any) -> Iterator[Record]:
        """All records, page by page; `query` takes ``search``, ``sort``, ``per_page`` and the filters."""
        cursor: str | None = ""
        while cursor is not None:
            answer = self.request("GET", f"/{resource}", query={"per_page": 100, **query, "cursor": cursor})
            yield from answer.data
            cursor = answer.pagination.get("next_cursor")

    def get(self, resource: str, uuid: str) -> Answer:
        """One record in ``data``, with its ``etag``."""
        return self.request("GET", f"/{resource}/{uuid}")

    def create(self, resource: str, record: Mapping[str, Any], *, wait: float = 0) -> Answer:
        """Make a record; ``data`` holds its uuid.

        Args:
            wait: seconds to wait until the switch has it.
        """
        return self.request("POST", f"/{resource}", record, wait=wait)

    def update(
        self,
        resource: str,
        uuid: str,
        changes: Mapping[str, Any],
        *,
        etag: str | None = None,
        wait: float = 0,
    ) -> Answer:
        """Change some fields of a record.

        Args:
            etag: of the record as it was read: what was written since then is not overwritten (412).
        """
        return self.request("PATCH", f"/{resource}/{uuid}", changes, etag=etag, wait=wait)

    def delete(self, resource: str, uuid: str, *, etag: str | None = None, wait: float = 0) -> Answer:
        """Delete a record. One that is gone already, because an earlier sending took it, is no fault."""
        return self.request("DELETE", f"/{resource}/{uuid}", etag=etag, wait=wait)

    def batch(self, operations: Iterable[Mapping[str, Any]], *, mode: str = "atomic", wait: float = 0) -> Answer:
        """Do up to 1,000 operations in one transaction; ``data`` holds a result for each.

        Args:
            operations: each with ``resource``, ``operation``, and ``uuid`` or ``body`` where it takes one.
            mode: ``atomic`` or ``best_effort``.
        """
        return self.request("POST", "/batch", {"mode": mode, "operations": list(operations)}, wait=wait)

    def change(self, change_id: str) -> Record:
        """What became of a write on each switch node."""
        return dict(self.request("GET", f"/changes/{change_id}").data)

    def events(self, *types: str, after: int | None = None) -> Iterator[Record]:
        """What happens, as it happens, for as long as you listen; goes on by itself after a lost connection.

        Args:
            types: types or patterns such as ``extension.*``; all when left out.
            after: the ``sequence`` of the last event that is known; from now on when left out.

        Raises:
            PbxapiError: the server refuses the key or the types.
        """
        last = None if after is None else str(after)
        pause = 1.0
        while True:
            try:
                with self._open_stream(types, last) as stream:
                    pause = 1.0
                    for message in _messages(stream):
                        last = message.get("id", last)
                        if "data" in message and message.get("event") != "stream.end":
                            yield json.loads(message["data"])
            except PbxapiError as error:
                if error.status not in _AGAIN and error.status != 0:
                    raise
            except (OSError, HTTPException):
                pass
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, 30.0)

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        etag: str | None = None,
        wait: float = 0,
    ) -> Answer:
        """Any request below the prefix, sent again while the server is away or busy.

        Raises:
            PbxapiError: it was refused, or got no answer in all attempts.
        """
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if etag is not None:
            headers["If-Match"] = etag
        if wait:
            headers["Prefer"] = f"wait={wait:.0f}"
        sent = None if body is None else json.dumps(body).encode()
        if method == "POST" and sent is None:
            sent = b"{}"
        for attempt in range(1, self._attempts + 1):
            pause = min(2.0**attempt, 30.0) * random.uniform(0.25, 0.5)
            try:
                return self._send(method, path, sent, headers, query)
            except PbxapiError as error:
                if method == "DELETE" and attempt > 1 and error.status == 404:
                    return Answer(200)
                again = error.status in _AGAIN or error.status == 0 or error.code == _RUNNING
                if not again or attempt == self._attempts:
                    raise
                pause = error.retry_after or pause
            time.sleep(pause)
        raise AssertionError("an attempt either answers or raises")

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        query: Mapping[str, Any] | None,
    ) -> Answer:
        with self._open(method, path, body, headers, query) as response:
            answer = json.loads(response.read() or b"{}")
            told = response.headers
            return Answer(
                response.status,
                answer.get("data"),
                answer.get("message", ""),
                answer.get("warnings", []),
                answer.get("pagination", {}),
                told.get("X-Change-Id"),
                told.get("X-Change-State"),
                told.get("ETag"),
                told.get("Idempotency-Replayed") == "true",
            )

    def _open_stream(self, types: tuple[str, ...], last: str | None) -> HTTPResponse:
        headers = {**self._headers, "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        query = {"types": ",".join(types)} if types else None
        # Silence is broken every 15 seconds.
        return self._open("GET", "/events", None, headers, query, timeout=45.0)

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        query: Mapping[str, Any] | None,
        timeout: float | None = None,
    ) -> HTTPResponse:
        url = self._url + path
        if query:
            url += "?" + urllib.parse.urlencode(
                {name: value for name, value in query.items() if value is not None}
            )
        request = urllib.request.Request(url, body, dict(headers), method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            response: HTTPResponse = urllib.request.urlopen(request, timeout=timeout or self._timeout)
            return response
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error) from None
        except (OSError, HTTPException) as error:
            raise PbxapiError(0, {"code": "NO_ANSWER", "message": str(error)}) from error


def _refused(error: urllib.error.HTTPError) -> PbxapiError:
    try:
        told = json.loads(error.read())["error"]
    except (ValueError, KeyError, TypeError):
        told = {"message": error.reason}
    after = error.headers.get("Retry-After", "")
    return PbxapiError(
        error.code, told, error.headers.get("X-Request-Id", ""), float(after) if after.isdecimal() else None
    )


def _messages(stream: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """Server-sent events as their fields."""
    message: dict[str, str] = {}
    for raw in stream:
        line = raw.decode().rstrip("\r\n")
        if not line:
            yield message
            message = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            message[name] = value.removeprefix(" ")
