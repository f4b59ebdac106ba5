"""Idempotency-Key: a POST that is sent again does nothing again, and is answered as it was the first time.

The answer is kept in the transaction of the write: either both are there or neither. It may hold what is shown
once, such as a new API key, so it is encrypted with what the caller sends: the API key and the Idempotency-Key.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Response

from pbxapi.data.answers import find_answer, hold_request, keep_answer
from pbxapi.data.database import Session
from pbxapi.errors import ApiError, invalid
from pbxapi.http.gateway import Request
from pbxapi.plugin import Caller

HEADER = "Idempotency-Key"
MOST = 255
_NONCE = 12


class Repeat:
    """One request that carries an Idempotency-Key.

    Args:
        key: the header's value.
        body: as it was sent.
    """

    def __init__(self, request: Request, caller: Caller, key: str, body: bytes) -> None:
        self._name = _digest(caller.key_id, str(caller.domain_uuid), key)
        self._request = _digest(request.method, request.path, request.query_string.decode("latin-1"), body)
        secret = request.headers["X-API-Key"].encode("latin-1", "replace")
        self._cipher = AESGCM(hmac.digest(secret, b"pbxapi answer\0" + key.encode(), "sha256"))

    def answered(self, session: Session) -> tuple[Response, UUID | None] | None:
        """The answer that was given before, with its change; None where this is the first time.

        From here on no other request of the same key runs until the transaction ends.

        Raises:
            ApiError: 409 while the first runs, 422 where it was another request.
        """
        if not hold_request(session, self._name):
            message = f"The first request with this {HEADER} is still running; try again"
            raise ApiError(409, "REQUEST_RUNNING", message, headers={"Retry-After": "1"})
        known = find_answer(session, self._name)
        if known is None:
            return None
        if known["request_hash"] != self._request:
            raise ApiError(422, "VALIDATION_ERROR", f"{HEADER} was used for another request", HEADER)
        sealed = known["sealed"]
        try:
            body = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._request)
        except InvalidTag:
            message = "This was done already, and its answer can be read only with the API key as it was then"
            raise ApiError(409, "ANSWER_SEALED", message) from None
        response = Response(body, known["status"], content_type="application/json")
        response.headers["Idempotency-Replayed"] = "true"
        return response, known["change_id"]

    def keep(self, session: Session, response: Response, change_id: UUID | None) -> None:
        """Keep the answer, in the transaction of what it answers."""
        nonce = os.urandom(_NONCE)
        keep_answer(
            session,
            name_hash=self._name,
            request_hash=self._request,
            status=response.status_code,
            change_id=change_id,
            sealed=nonce + self._cipher.encrypt(nonce, response.get_data(), self._request),
        )


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key of a POST; the other methods are safe to repeat as they are.

    Raises:
        ApiError: 400 where it is none.
    """
    key = request.headers.get(HEADER) if request.method == "POST" else None
    if key is None:
        return None
    if not (0 < len(key) <= MOST and key.isascii() and key.isprintable()):
        raise invalid(f"{HEADER} must be 1 to {MOST} printable characters", HEADER)
    return key


def _digest(*parts: str | bytes) -> bytes:
    """Of several parts, each told from the next by its length."""
    found = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(len(data).to_bytes(8) + data)
    return found.digest()
