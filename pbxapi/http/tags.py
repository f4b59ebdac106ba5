"""ETags: whether a record is still as the caller has read it.

An ETag is ``"<record>-<answer>"``. The first half stands for the record as the database has it, secrets included,
whoever asks; it is what If-Match compares. The second stands for the answer, which also holds what the switch says
and hides what the key may not see; it is what If-None-Match compares besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from flask import Response

from pbxapi.data.database import Session
from pbxapi.errors import ApiError
from pbxapi.http.gateway import Request

_SECRET = "select value from pbxapi.secret where name = 'etag'"


class Tags:
    """Makes the ETags of one database: the same in every process.

    They are made with a secret, or whoever reads all of a record but its PIN could try which PIN gives its ETag.
    """

    def __init__(self) -> None:
        self._secret = b""

    def of_record(self, session: Session, record: Mapping[str, Any]) -> str:
        """The first half of an ETag; the secret is read once in a process."""
        if not self._secret:
            self._secret = bytes(session.value(_SECRET))
        return self._hash(orjson.dumps(record, default=str))

    def of_answer(self, body: bytes) -> str:
        """The second half."""
        return self._hash(body)

    def _hash(self, data: bytes) -> str:
        return blake2b(data, digest_size=12, key=self._secret).hexdigest()


def check_match(request: Request, record_tag: str) -> None:
    """Let a request on a record pass that is as the caller expects it, or of which nothing is expected.

    Raises:
        ApiError: 412.
    """
    if "HTTP_IF_MATCH" not in request.environ:
        return
    wanted = request.if_match
    if not (wanted.star_tag or any((tag or "").partition("-")[0] == record_tag for tag in wanted.as_set())):
        message = "The record is not as If-Match expects it: read it again"
        raise ApiError(412, "PRECONDITION_FAILED", message, "If-Match")


def tell_tag(request: Request, response: Response, tag: str) -> Response:
    """Give an answer its ETag; 304 without a body where the caller has this answer already."""
    if "HTTP_IF_NONE_MATCH" in request.environ:
        wanted = request.if_none_match
        if wanted.star_tag or wanted.contains_weak(tag):
            response = Response(status=304)
            del response.headers["Content-Type"]
    response.headers["ETag"] = f'"{tag}"'
    return response
